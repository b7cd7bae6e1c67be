"""The source of `read_image()`: as few lines as read the images at hand to the same pixels as cnnctl does."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from cnnctl.data.decoder.images import Image, ImageSpec, opencv

_JPEG = b"\xff\xd8"

_PLAIN = '''\
def read_image(path):
    """The image in a file as the network gets it: uint8 (HEIGHT, WIDTH, CHANNELS)."""
    image = cv2.imdecode(np.fromfile(path, np.uint8), cv2.IMREAD_COLOR)
'''
_FULL = '''\
def read_image(path):
    """The image in a file as the network gets it: uint8 (HEIGHT, WIDTH, CHANNELS)."""
    data = np.fromfile(path, np.uint8)
    is_jpeg = data[:2].tobytes() == b"\\xff\\xd8"  # without alpha; turned upright
    image = cv2.imdecode(data, cv2.IMREAD_COLOR if is_jpeg else cv2.IMREAD_UNCHANGED)
    if image.dtype == np.uint16:
        image = ((image.astype(np.uint32) + 128) // 257).astype(np.uint8)
    if image.ndim == 2:
        image = cv2.cvtColor(image, cv2.COLOR_GRAY2BGR)
    if image.shape[2] == 4:
        alpha = image[:, :, 3:].astype(np.uint32)
        under = np.array(BACKGROUND[::-1], np.uint32) * (255 - alpha)
        image = ((image[:, :, :3] * alpha + under + 127) // 255).astype(np.uint8)
'''
_COLOUR = "    image = cv2.cvtColor(image, cv2.COLOR_BGR2RGB)\n"
_GREY = "    image = cv2.cvtColor(image, cv2.COLOR_BGR2GRAY)\n"
_FITS = {
    "stretch": "resize(image, HEIGHT, WIDTH)",
    "crop": "resize(crop(image), HEIGHT, WIDTH)",
    "pad": "pad(image)",
}
_RESIZE = '''

def resize(image, height, width):
    """Sides that shrink are averaged, then those that grow are interpolated."""
    low, narrow = min(height, image.shape[0]), min(width, image.shape[1])
    image = cv2.resize(image, (narrow, low), interpolation=cv2.INTER_AREA)
    return cv2.resize(image, (width, height), interpolation=cv2.INTER_LINEAR)
'''
_CROP = '''

def crop(image):
    """The largest window in the centre with the proportions of HEIGHT and WIDTH."""
    height, width = image.shape[:2]
    high = min(height, max(1, round(width * HEIGHT / WIDTH)))
    wide = min(width, max(1, round(height * WIDTH / HEIGHT)))
    top, left = (height - high) // 2, (width - wide) // 2
    return image[top : top + high, left : left + wide]
'''
_PAD = '''

def pad(image):
    """The whole image as large as it fits, in the centre of the background."""
    scale = min(HEIGHT / image.shape[0], WIDTH / image.shape[1])
    high = min(HEIGHT, max(1, round(image.shape[0] * scale)))
    wide = min(WIDTH, max(1, round(image.shape[1] * scale)))
    top, left = (HEIGHT - high) // 2, (WIDTH - wide) // 2
    canvas = np.empty((HEIGHT, WIDTH, *image.shape[2:]), np.uint8)
    canvas[:] = BACKGROUND
    canvas[top : top + high, left : left + wide] = resize(image, high, wide)
    return canvas
'''
_PAD_GREY = _PAD.replace(
    "    canvas[:] = BACKGROUND\n",
    "    red, green, blue = BACKGROUND\n    canvas[:] = round(0.299 * red + 0.587 * green + 0.114 * blue)\n",
)


@dataclass(frozen=True)
class Reader:
    """The source that reads images.

    Attributes:
        source: `read_image()` and the functions that it calls; needs HEIGHT, WIDTH, and BACKGROUND where it says so.
        differs: Those of the images that it was chosen for that it reads to other pixels than cnnctl.
    """

    source: str
    differs: tuple[str, ...] = ()

    @property
    def needs_background(self) -> bool:
        """Whether BACKGROUND must be there."""
        return "BACKGROUND" in self.source


def choose_reader(paths: Sequence[str], rows: Sequence[int], pixels: Image, spec: ImageSpec) -> Reader:
    """The shortest source that reads images to the pixels that cnnctl has of them.

    All but JPEG files, which OpenCV alone reads as cnnctl does, are read by the source itself and compared.

    Args:
        paths: Image files that can be decoded.
        rows: Where each lies in `pixels`.
        pixels: uint8 (images, height, width, channels), by cnnctl's decoder.
        spec: How they were made.
    """
    others = [(path, row) for path, row in zip(paths, rows, strict=True) if not _is_jpeg(path)]
    plain = _compare(reader_source(spec, full=False), others, pixels, spec)
    if not plain.differs:
        return plain
    full = _compare(reader_source(spec, full=True), others, pixels, spec)
    return full if len(full.differs) < len(plain.differs) else plain


def reader_source(spec: ImageSpec, full: bool) -> str:
    """`read_image()` and what it calls.

    Args:
        spec: What the images are made to be.
        full: Whether 16 bits and transparency are taken care of.
    """
    fitted = _FITS[spec.fit] + ("[:, :, np.newaxis]" if spec.channels == 1 else "")
    parts = [_FULL if full else _PLAIN, _GREY if spec.channels == 1 else _COLOUR, f"    return {fitted}\n"]
    if spec.fit == "crop":
        parts.append(_CROP)
    if spec.fit == "pad":
        parts.append(_PAD_GREY if spec.channels == 1 else _PAD)
    return "".join([*parts, _RESIZE])


def _is_jpeg(path: str) -> bool:
    with Path(path).open("rb") as file:
        return file.read(2) == _JPEG


def _compare(source: str, images: Sequence[tuple[str, int]], pixels: Image, spec: ImageSpec) -> Reader:
    """Run the very lines that will be in the script, which hold nothing of the config, over some images."""
    names: dict[str, Any] = {"cv2": opencv(), "np": np, "HEIGHT": spec.height, "WIDTH": spec.width}
    names["BACKGROUND"] = spec.background
    exec(source, names)
    return Reader(source, tuple(path for path, row in images if not _reads(names["read_image"], path, pixels[row])))


def _reads(read_image: Any, path: str, expected: Image) -> bool:
    """Whether a file is read to these pixels."""
    try:
        return bool(np.array_equal(read_image(path), expected))
    except (opencv().error, AttributeError, IndexError):  # no picture at all, or one of a shape of its own
        return False
