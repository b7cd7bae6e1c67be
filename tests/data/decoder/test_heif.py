"""HEIC files that pillow-heif has written: their colours, orientation and depth, and what is said of bad ones."""

import io
import struct
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pillow_heif
import pytest
from PIL import Image, ImageOps

from cnnctl.data.cache.decoded import decode_images
from cnnctl.data.decoder import headers, hevc
from cnnctl.data.decoder.images import ImageError, ImageSpec, decode, decode_whole, upright
from tests.images import encode, picture, with_alpha

SPEC = ImageSpec(32, 32)
WHOLE = encode(picture(70, 90), "HEIF")


@pytest.mark.parametrize(("height", "width"), [(1, 1), (37, 50), (64, 64), (100, 300), (513, 770)])
@pytest.mark.parametrize("options", [{}, {"chroma": 444}, {"chroma": 422}])
def test_the_size_is_known_before_decoding(height: int, width: int, options: dict[str, Any]) -> None:
    data = encode(picture(height, width), "HEIF", **options)
    assert headers.dimensions(data, "HEIC") == (height, width)
    assert upright(data).shape == (height, width, 3)


def test_a_photo_of_tiles() -> None:
    data = encode(picture(300, 400), "HEIF", quality=95, tile_size=128)
    assert b"grid" in data
    assert headers.dimensions(data, "HEIC") == (300, 400)
    assert np.abs(upright(data)[:, :, ::-1].astype(int) - np.asarray(picture(300, 400))).mean() < 4


@pytest.mark.parametrize("matrix", [1, 5, 6, 9])
@pytest.mark.parametrize("full_range", [0, 1])
def test_colours_by_the_nclx_profile(matrix: int, full_range: int) -> None:
    told = {"matrix_coefficients": matrix, "full_range_flag": full_range}
    data = encode(picture(), "HEIF", quality=-1, chroma=444, **told)
    assert np.abs(upright(data)[:, :, ::-1].astype(int) - np.asarray(picture())).max() <= 2
    grey = encode(picture().convert("L"), "HEIF", quality=-1, **told)
    assert np.abs(upright(grey).astype(int) - np.asarray(picture().convert("L"))).max() <= 1


@pytest.mark.parametrize("orientation", range(1, 9))
def test_orientation(orientation: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    data = encode(picture(), "HEIF", quality=95, exif=exif.tobytes())
    image = picture()
    image.getexif()[0x0112] = orientation
    expected = np.asarray(ImageOps.exif_transpose(image))
    assert headers.orientation(data, "HEIC") == 1  # libheif turns it
    found = decode_whole(data, SPEC)
    assert found.shape == expected.shape
    assert np.abs(found.astype(int) - expected).mean() < 8


@pytest.mark.parametrize("is_12_bit", [False, True])
def test_10_and_12_bits_are_rounded_to_8(is_12_bit: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pillow_heif.options, "SAVE_HDR_TO_12_BIT", is_12_bit)
    values = np.asarray(picture()).astype(np.uint16) * 257
    stream = io.BytesIO()
    pillow_heif.from_bytes("RGB;16", (50, 37), values.tobytes()).save(stream, quality=-1, chroma=444)
    data = stream.getvalue()
    assert hevc.is_deep(data)
    assert not hevc.is_deep(WHOLE)
    found = decode_whole(data, SPEC)
    assert found.dtype == np.uint8
    assert np.abs(found.astype(int) - np.asarray(picture())).max() <= 1


def test_alpha_over_the_background() -> None:
    spec = ImageSpec(37, 50, background=(10, 200, 90))
    expected = Image.new("RGB", (50, 37), spec.background)
    expected.paste(with_alpha(), mask=with_alpha().getchannel("A"))
    found = decode(encode(with_alpha(), "HEIF", quality=95), spec)
    assert np.abs(found.astype(int) - np.asarray(expected)).mean() < 3


def sps_of(height: int, width: int) -> bytes:
    """The parameter set that a file of such a picture has."""
    data = encode(Image.new("L", (width, height)), "HEIF", quality=1)
    at = data.index(b"hvcC") + 4 + 23
    while data[at] & 63 != 33:
        at += 5 + int.from_bytes(data[at + 3 : at + 5], "big")
    length = int.from_bytes(data[at + 3 : at + 5], "big")
    return data[at + 5 : at + 5 + length]


def test_boxes_that_claim_less_are_not_believed() -> None:
    data = encode(picture(500, 700), "HEIF")
    at = data.index(b"ispe") + 8
    lying = data[:at] + struct.pack(">II", 8, 8) + data[at + 8 :]
    assert headers.dimensions(lying, "HEIC") == (500, 700)
    with pytest.raises(ImageError, match=r"more than 0\.25 megapixels"):
        decode(lying, ImageSpec(8, 8, max_pixels=2**18))


def test_a_second_parameter_set_among_the_pixels_counts() -> None:
    """A decoder takes the last that it sees."""
    large = sps_of(1024, 2048)
    extent = WHOLE.index(b"mdat") + 4
    unit = struct.pack(">I", len(large)) + large
    moved = WHOLE[:extent] + unit + WHOLE[extent + len(unit) :]
    assert headers.dimensions(moved, "HEIC") == (1024, 2048)


def test_more_pixels_than_the_limit_are_refused_before_they_are_decoded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pillow_heif, "open_heif", None)
    with pytest.raises(ImageError, match="its header claims 90 x 70 pixels"):
        decode(WHOLE, ImageSpec(8, 8, max_pixels=70 * 90 - 1))


def test_every_truncated_file_is_a_damaged_image() -> None:
    for length in [*range(30, len(WHOLE), 23), len(WHOLE) - 1]:
        with pytest.raises(ImageError, match="damaged"):
            decode(WHOLE[:length], SPEC)


def test_changed_bytes_are_images_or_named_reasons() -> None:
    generator = np.random.default_rng(3)
    reasons = 0
    for _ in range(300):
        changed = bytearray(WHOLE)
        for place in generator.integers(0, len(changed), 3):
            changed[place] = generator.integers(256)
        try:
            decode(bytes(changed), SPEC)
        except ImageError:
            reasons += 1
    assert reasons > 30


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + bytes(100), "its header has no valid size"),
        (WHOLE.replace(b"hvc1", b"j2k1"), "a HEIF image with JPEG 2000 inside, which is not supported"),
        (WHOLE[: WHOLE.index(b"iloc") + 4] + b"\x01\0\0\0\x44\0\xff\xff" + bytes(3000), "damaged"),
    ],
)
def test_reasons(data: bytes, reason: str) -> None:
    with pytest.raises(ImageError, match=reason):
        decode(data, SPEC)


def test_without_the_extra(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What failed for want of it is decoded once it is there."""
    path = tmp_path / "photo.heic"
    path.write_bytes(WHOLE)
    with monkeypatch.context() as missing:
        missing.setitem(sys.modules, "pillow_heif", None)
        failures = decode_images([str(path)], SPEC, str(tmp_path / "cache"), lambda *_: None).failures
        assert failures[0].startswith("HEIC needs pillow-heif, which is not installed (pip install '.[heic]'")
        assert "heif-convert photo.heic photo.jpg" in failures[0]
    assert not decode_images([str(path)], SPEC, str(tmp_path / "cache"), lambda *_: None).failures
