"""Bytes -> one uint8 image of the declared size: THE decoder. Training, evaluation and prediction see its pixels.

OpenCV decodes, and libheif HEIC; what OpenCV leaves to the caller is done here: the EXIF orientation (which it ignores
where it keeps the alpha channel), 16 bits to 8, alpha over a background, grey or RGB, and the fit to the declared size.
Shrinking uses INTER_AREA, enlarging INTER_LINEAR.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from cnnctl.data.decoder import headers
from cnnctl.data.decoder.depth import in_8_bits, levels
from cnnctl.data.decoder.memory import BYTES_OF_A_PIXEL, ByteBudget, bytes_of, refuse_above
from cnnctl.data.decoder.reading import MAX_FILE_BYTES, read_bytes
from cnnctl.data.decoder.refusals import ImageError as ImageError
from cnnctl.data.decoder.refusals import as_reason

MEGAPIXEL = 2**20
MAX_PIXELS = 64 * MEGAPIXEL
DECODER_VERSION = 3
"""Part of the key of every cached image: raise it whenever the same file would give other pixels."""

Image = NDArray[np.uint8]

_STRIP = 2**18  # pixels


@dataclass(frozen=True)
class ImageSpec:
    """What an image is made to be.

    `fit` is `stretch`, `crop` (the centre) or `pad`. `background` is (red, green, blue), 0 to 255, under transparency
    and padding. A file of more than `max_bytes` is refused, and one of more than `max_pixels` by its header, before
    memory is taken for it.
    """

    height: int
    width: int
    channels: int = 3
    fit: str = "stretch"
    background: tuple[int, int, int] = (0, 0, 0)
    max_pixels: int = MAX_PIXELS
    max_bytes: int = MAX_FILE_BYTES

    @property
    def shape(self) -> tuple[int, int, int]:
        """(height, width, channels)."""
        return (self.height, self.width, self.channels)


BUDGET = ByteBudget(2 * BYTES_OF_A_PIXEL * MAX_PIXELS)
"""Of all threads of this process; where several processes decode for one program, it is that of the program."""


@cache
def opencv() -> ModuleType:
    """OpenCV, silent, and without threads of its own: the callers decode in as many threads as there are cores."""
    os.environ["OPENCV_LOG_LEVEL"] = "OFF"
    os.environ["OPENCV_IO_MAX_IMAGE_PIXELS"] = str(2**30)  # ours is lower, and OpenCV reads this only once
    import cv2

    cv2.setNumThreads(1)
    module: ModuleType = cv2
    return module


def read_image(path: str | Path, spec: ImageSpec) -> Image:
    """The image in a file, upright, as `spec` says: uint8 of shape (height, width, channels), RGB or grey.

    Raises:
        ImageError: the file cannot be read or is no image that can be decoded; the message is the reason alone.
    """
    return decode(read_bytes(path, spec.max_bytes), spec)


def decode(data: bytes, spec: ImageSpec) -> Image:
    """The image in the bytes of a file; see `read_image`."""
    with _in_hand(data, spec.max_pixels) as seen:
        return fit(_to_channels(_decode(data, seen), spec), spec)


def decode_whole(data: bytes, spec: ImageSpec) -> Image:
    """What `decode` fits: the image at its own size, uint8 (height, width, 3) of RGB or (height, width) of grey.

    Raises:
        ImageError: with the reason.
    """
    with _in_hand(data, spec.max_pixels) as seen:
        pixels: Image = _to_channels(_decode(data, seen), spec)
        return pixels


def from_pixels(pixels: Image, spec: ImageSpec) -> Image:
    """An image that lies in memory as `spec` says, just as if it were decoded from a file.

    `pixels` are uint8 (height, width), or (height, width, channels) with 1 channel, 3 of RGB or 4 of RGBA.

    Raises:
        ImageError: it is of another type or shape.
    """
    if pixels.dtype != np.uint8:
        raise ImageError(
            f"its pixels are of type {pixels.dtype}; uint8 of 0 to 255 is expected",
            "for pixels of 0 to 1: (255 * image).round().astype('uint8')",
        )
    if pixels.ndim == 2:
        pixels = pixels[:, :, None]
    if pixels.ndim != 3 or pixels.shape[2] not in (1, 3, 4) or not pixels.size:
        shape = "x".join(map(str, pixels.shape))
        several = "pass several images as a list of arrays: list(images)" if pixels.ndim == 4 else None
        raise ImageError(f"an array of shape {shape} is not an image; expected height x width x 1, 3 or 4", several)
    in_their_order = pixels if pixels.shape[2] == 1 else pixels[:, :, (2, 1, 0, 3)[: pixels.shape[2]]]
    return fit(_to_channels(np.ascontiguousarray(in_their_order), spec), spec)


def upright(data: bytes) -> Any:
    """The picture at its own size with its orientation applied, in OpenCV's channel order, alpha kept.

    Returns:
        uint8 of shape (height, width), (height, width, 3) BGR or (height, width, 4) BGRA.

    Raises:
        ImageError: with the reason.
    """
    with _in_hand(data, MAX_PIXELS) as seen:
        return _decode(data, seen)


class _Seen(NamedTuple):
    """What the header of an image that may be decoded says; `size` is (height, width)."""

    file_format: str
    size: tuple[int, int]
    memory: int


@contextmanager
def _in_hand(data: bytes, max_pixels: int) -> Iterator[_Seen]:
    """A block that decodes an image: it waits for its share of memory, and what goes wrong is this image's reason."""
    seen = _look(data, max_pixels)
    damaged = f"the {seen.file_format} image is damaged and cannot be decoded"
    with BUDGET.taken(seen.memory), as_reason(damaged):
        yield seen


@as_reason("it is damaged: its header cannot be read")
def _look(data: bytes, max_pixels: int) -> _Seen:
    """Refuses what is not to be decoded."""
    if not data:
        raise ImageError("the file is empty")
    file_format = headers.image_format(data)
    if file_format is None:
        raise ImageError(f"it is {headers.foreign_format(data)}")
    not_read = headers.not_read(data, file_format)
    if not_read is not None:
        raise ImageError(*not_read)
    if headers.is_truncated(data, file_format):
        raise ImageError(f"the {file_format} file is cut off: its end is missing")
    unfit = headers.unreadable(data, file_format)
    if unfit is not None:
        raise ImageError(f"it is {unfit[0]}, which is not supported", unfit[1])
    size = headers.dimensions(data, file_format)
    if size is None:
        raise ImageError(f"the {file_format} image is damaged: its header has no valid size")
    if size[0] * size[1] > max_pixels:
        raise ImageError(
            f"its header claims {size[1]:,} x {size[0]:,} pixels, more than {max_pixels / MEGAPIXEL:g} megapixels",
            "data.image.max_megapixels raises the limit",
        )
    if file_format == "JPEG":
        from cnnctl.data.decoder import jpeg

        jpeg.refuse_passes(data, size[0] * size[1], max_pixels)
    memory = bytes_of(data, file_format, size)
    refuse_above(max_pixels, memory)
    return _Seen(file_format, size, memory)


def _decode(data: bytes, seen: _Seen) -> Any:
    """The pixels as `upright` describes them."""
    if seen.file_format == "BMP":
        from cnnctl.data.decoder import bmp

        return _in_upright_8_bits(bmp.pixels(data), data, seen)
    if seen.file_format == "HEIC":
        from cnnctl.data.decoder import heif

        pixels, is_premultiplied = heif.pixels(data)
        return _divide_by_alpha(np.array(pixels), 255) if is_premultiplied else pixels
    return _in_upright_8_bits(_by_opencv(data, seen.file_format), data, seen)


def _by_opencv(data: bytes, file_format: str) -> Any:
    cv2 = opencv()
    flags, plain = cv2.IMREAD_UNCHANGED, data
    match file_format:
        case "JPEG":
            from cnnctl.data.decoder import jpeg

            flags = cv2.IMREAD_GRAYSCALE if jpeg.is_grey_and_lossless(data) else cv2.IMREAD_COLOR
            flags |= cv2.IMREAD_IGNORE_ORIENTATION
        case "PNG":
            plain = headers.still_png(data)
        case "PNM":
            from cnnctl.data.decoder.pnm import with_a_plain_header

            plain = with_a_plain_header(data)
    try:
        pixels: Any = cv2.imdecode(np.frombuffer(plain, np.uint8), flags)
    except cv2.error as error:
        raise ImageError(f"the {file_format} image cannot be decoded: {error.err}") from None
    if pixels is None or pixels.size == 0:
        rare = headers.rare_sort(data, file_format)
        if rare is not None:
            raise ImageError(f"it is {rare[0]}, which is not supported", rare[1])
        raise ImageError(f"the {file_format} image is damaged and cannot be decoded")
    return pixels


def _in_upright_8_bits(pixels: Any, data: bytes, seen: _Seen) -> Any:
    """What OpenCV leaves to its caller: the depth, the alpha channel of some formats, the orientation."""
    file_format, size, _ = seen
    if sorted(pixels.shape[:2]) != sorted(size):  # OpenCV turns TIFF by itself
        raise ImageError(f"the {file_format} image is damaged: the size in its header is not that of its pixels")
    if pixels.dtype not in (np.uint8, np.uint16):
        raise ImageError(f"its pixels are of type {pixels.dtype}; 8 and 16 bits without a sign are supported")
    if file_format == "PNG" and pixels.ndim == 2:
        pixels = _without_grey(pixels, headers.transparent_grey(data))
    with as_reason(f"the {file_format} image is damaged: its depth is not that of its pixels"):
        found = levels(data, file_format, pixels)
    if file_format == "TIFF" and pixels.shape[2:] == (4,):
        from cnnctl.data.decoder.tiff import is_premultiplied

        if pixels.dtype == np.uint8 or is_premultiplied(data):
            pixels = _divide_by_alpha(pixels, found[0][1])
    pixels = in_8_bits(pixels, found)
    return _orient(pixels, headers.orientation(data, file_format))


def _orient(pixels: Any, orientation: int) -> Any:
    """Apply an EXIF orientation (1 to 8) by flips and a transposition."""
    if orientation in (5, 6, 7, 8):
        pixels = np.swapaxes(pixels, 0, 1)
    if orientation in (2, 3, 6, 7):
        pixels = pixels[:, ::-1]
    if orientation in (3, 4, 7, 8):
        pixels = pixels[::-1]
    return np.ascontiguousarray(pixels)


def _to_channels(pixels: Any, spec: ImageSpec) -> Any:
    """Alpha over the background, then RGB (height, width, 3) or grey (height, width)."""
    cv2 = opencv()
    if pixels.ndim == 3 and pixels.shape[2] == 4:
        pixels = _over(pixels, spec.background)
    if pixels.ndim == 3 and pixels.shape[2] == 1:
        pixels = pixels[:, :, 0]
    if pixels.ndim == 2:
        return pixels if spec.channels == 1 else cv2.cvtColor(pixels, cv2.COLOR_GRAY2RGB)
    return cv2.cvtColor(pixels, cv2.COLOR_BGR2GRAY if spec.channels == 1 else cv2.COLOR_BGR2RGB)


def _over(pixels: Image, background: tuple[int, int, int]) -> Image:
    """BGRA over a background colour, rounded: (colour alpha + background (255 - alpha)) / 255."""
    if int(pixels[:, :, 3].min()) == 255:
        return np.ascontiguousarray(pixels[:, :, :3])
    under = np.array(background[::-1], np.uint32)
    found = np.empty((*pixels.shape[:2], 3), np.uint8)
    for rows in _strips(pixels):
        alpha = pixels[rows, :, 3:].astype(np.uint32)
        found[rows] = (pixels[rows, :, :3] * alpha + under * (255 - alpha) + 127) // 255
    return found


def _without_grey(pixels: Any, transparent: int | None) -> Any:
    """Grey with an alpha channel where a PNG makes one grey transparent, which OpenCV leaves out."""
    if transparent is None:
        return pixels
    opaque = np.full_like(pixels, np.iinfo(pixels.dtype).max)
    opaque[pixels == transparent] = 0
    return np.dstack([pixels, pixels, pixels, opaque])


def _divide_by_alpha(pixels: Any, most: int) -> Any:
    """Undo a multiplication by alpha, in place: a premultiplied TIFF's, or that of libtiff's RGBA reader of 8 bits."""
    for rows in _strips(pixels):
        alpha = np.maximum(pixels[rows, :, 3:].astype(np.uint32), 1)
        colours = (pixels[rows, :, :3].astype(np.uint32) * most + alpha // 2) // alpha
        pixels[rows, :, :3] = np.minimum(colours, most)
    return pixels


def _strips(pixels: Any) -> Iterator[slice]:
    """Rows that are computed together, so that their 32 bits take little memory beside the image."""
    height = max(1, _STRIP // pixels.shape[1])
    return (slice(top, top + height) for top in range(0, pixels.shape[0], height))


def fit(pixels: Image, spec: ImageSpec) -> Image:
    """Resize RGB or grey pixels to the declared size: uint8 (height, width, channels)."""
    height, width = pixels.shape[:2]
    if spec.fit == "crop":
        top, left, crop_height, crop_width = crop_window(height, width, spec)
        pixels = pixels[top : top + crop_height, left : left + crop_width]
    if spec.fit == "pad":
        return _pad(pixels, spec)
    return _resize(pixels, spec.height, spec.width).reshape(spec.shape)


def crop_window(height: int, width: int, spec: ImageSpec) -> tuple[int, int, int, int]:
    """(top, left, height, width) of the largest centred window of the declared proportions."""
    if width * spec.height > height * spec.width:
        crop_height, crop_width = height, max(1, round(height * spec.width / spec.height))
    else:
        crop_height, crop_width = max(1, round(width * spec.height / spec.width)), width
    return (height - crop_height) // 2, (width - crop_width) // 2, crop_height, crop_width


def _pad(pixels: Image, spec: ImageSpec) -> Image:
    height, width = pixels.shape[:2]
    scale = min(spec.height / height, spec.width / width)
    fitted_height = min(spec.height, max(1, round(height * scale)))
    fitted_width = min(spec.width, max(1, round(width * scale)))
    red, green, blue = spec.background
    grey = round(0.299 * red + 0.587 * green + 0.114 * blue)
    canvas = np.empty(spec.shape, np.uint8)
    canvas[:] = spec.background if spec.channels == 3 else grey
    top, left = (spec.height - fitted_height) // 2, (spec.width - fitted_width) // 2
    fitted = _resize(pixels, fitted_height, fitted_width).reshape(fitted_height, fitted_width, spec.channels)
    canvas[top : top + fitted_height, left : left + fitted_width] = fitted
    return canvas


def _resize(pixels: Image, height: int, width: int) -> Image:
    """INTER_AREA along the sides that shrink, then INTER_LINEAR along those that grow."""
    cv2 = opencv()
    if pixels.shape[:2] == (height, width):
        return pixels
    low, narrow = min(height, pixels.shape[0]), min(width, pixels.shape[1])
    if (low, narrow) != pixels.shape[:2]:
        pixels = cv2.resize(pixels, (narrow, low), interpolation=cv2.INTER_AREA)
    if (low, narrow) != (height, width):
        pixels = cv2.resize(pixels, (width, height), interpolation=cv2.INTER_LINEAR)
    return pixels
