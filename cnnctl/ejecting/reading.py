"""The source of `read_image()`: as few lines as read the images at hand to the same pixels as cnnctl does."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from cnnctl.data.decoder.images import Image, ImageSpec, opencv
from cnnctl.ejecting.source import render

_JPEG = b"\xff\xd8"


@dataclass(frozen=True)
class Reader:
    """`read_image()` and what it calls, and those images that it reads to other pixels than cnnctl.

    The source needs HEIGHT, WIDTH, and BACKGROUND where it says so.
    """

    source: str
    differs: tuple[str, ...] = ()

    @property
    def needs_background(self) -> bool:
        """Whether BACKGROUND must be there."""
        return "BACKGROUND" in self.source


def choose_reader(paths: Sequence[str], rows: Sequence[int], pixels: Image, spec: ImageSpec) -> Reader:
    """The shortest source that reads images to the pixels that cnnctl has of them.

    All but JPEG files, which OpenCV alone reads as cnnctl does, are read by the source itself and compared. `rows` say
    where each image lies in `pixels`, uint8 (images, height, width, channels).
    """
    others = [(path, row) for path, row in zip(paths, rows, strict=True) if not _is_jpeg(path)]
    plain = _compare(reader_source(spec, full=False), others, pixels, spec)
    if not plain.differs:
        return plain
    full = _compare(reader_source(spec, full=True), others, pixels, spec)
    return full if len(full.differs) < len(plain.differs) else plain


def reader_source(spec: ImageSpec, full: bool) -> str:
    """`read_image()` and what it calls; `full` also takes care of 16 bits and transparency."""
    return render("read_image.py.jinja", full=full, fit=spec.fit, is_grey=spec.channels == 1)


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
