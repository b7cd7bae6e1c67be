"""The script's reader gives cnnctl's pixels, or it is said which images it reads otherwise."""

from pathlib import Path

import numpy as np
import pytest

from cnnctl.data.decoder.images import ImageSpec, decode, opencv
from cnnctl.ejecting.reading import choose_reader, reader_source
from tests.images import encode, every_mode, picture

SPECS = [
    ImageSpec(40, 30, 3, "stretch", (200, 100, 7)),
    ImageSpec(60, 21, 3, "crop"),
    ImageSpec(21, 60, 1, "crop"),
    ImageSpec(20, 60, 3, "pad", (10, 200, 30)),
    ImageSpec(64, 64, 1, "pad", (10, 200, 30)),
    ImageSpec(8, 90, 1, "stretch", (255, 255, 255)),
]
MODES = every_mode()
ODD = {
    "heic",
    "grey heic",
    "heic with alpha",
    "grey png, one transparent",
    "1-bit png, one transparent",
    "tiff with alpha",
    "deflate tiff with alpha",
}
"""What OpenCV alone reads otherwise than cnnctl."""


def written(folder: Path, images: dict[str, bytes]) -> list[str]:
    """The file names of images."""
    for number, data in enumerate(images.values()):
        (folder / str(number)).write_bytes(data)
    return [str(folder / str(number)) for number in range(len(images))]


def chosen(folder: Path, images: dict[str, bytes], spec: ImageSpec):
    """The reader of some images."""
    pixels = np.stack([decode(data, spec) for data in images.values()])
    return choose_reader(written(folder, images), range(len(images)), pixels, spec)


def read_by(source: str, path: str, spec: ImageSpec) -> np.ndarray:
    """What the source itself makes of a file."""
    names = {"cv2": opencv(), "np": np, "HEIGHT": spec.height, "WIDTH": spec.width, "BACKGROUND": spec.background}
    exec(source, names)
    return names["read_image"](path)


@pytest.mark.parametrize("spec", SPECS, ids=lambda spec: f"{spec.fit}-{spec.channels}-{spec.height}x{spec.width}")
def test_every_mode_is_read_to_the_same_pixels_but_for_the_odd_ones(spec, tmp_path):
    reader = chosen(tmp_path, MODES, spec)
    names = list(MODES)
    assert {names[int(Path(path).name)] for path in reader.differs} <= ODD
    assert reader.needs_background
    for name, path in zip(MODES, written(tmp_path, MODES), strict=True):
        if name not in ODD:
            np.testing.assert_array_equal(read_by(reader.source, path, spec), decode(MODES[name], spec), err_msg=name)


@pytest.mark.parametrize("spec", SPECS, ids=lambda spec: f"{spec.fit}-{spec.channels}")
@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_jpeg_of_any_orientation_is_read_by_the_plain_lines(spec, orientation, tmp_path):
    exif = picture().getexif()
    exif[0x0112] = orientation
    data = encode(picture(), "JPEG", exif=exif, quality=90)
    (path,) = written(tmp_path, {"one": data})
    for full in (False, True):
        np.testing.assert_array_equal(read_by(reader_source(spec, full), path, spec), decode(data, spec))


def test_plain_images_get_the_few_lines(tmp_path):
    plain = {name: MODES[name] for name in ("rgb jpeg", "grey png", "rgb png", "bmp", "webp")}
    reader = chosen(tmp_path, plain, SPECS[0])
    assert reader.differs == ()
    assert not reader.needs_background
    assert len(reader.source) < len(chosen(tmp_path, {**plain, "a": MODES["rgba png"]}, SPECS[0]).source)


def test_what_no_lines_read_alike_is_named(tmp_path):
    images = {name: MODES[name] for name in ("rgb png", "tiff with alpha")}
    reader = chosen(tmp_path, images, SPECS[0])
    assert reader.differs == (str(tmp_path / "1"),)
    assert not reader.needs_background  # the longer lines would not help
