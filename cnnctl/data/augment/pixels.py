"""Changes of pixels in their places, each with fixed settings; the formulas are those of Keras' layers.

All take and return uint8 (height, width, channels) with 1 or 3 channels, write to nothing they are given, and round
where Keras goes on with fractions. Grey is 0.2989 red + 0.587 green + 0.114 blue.
"""

import math
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from cnnctl.data.decoder.images import Image, opencv

LEVELS = np.arange(256, dtype=np.float32)[:, None]
GREY = np.array([0.2989, 0.5870, 0.1140])


class Box(NamedTuple):
    """A rectangle, in pixels and parts of pixels."""

    top: float
    left: float
    height: float
    width: float

    def pixels(self) -> tuple[slice, slice]:
        """The (rows, columns) whose numbers lie in it, its far edges left out."""
        bottom, right = self.top + self.height, self.left + self.width
        return slice(math.ceil(self.top), math.ceil(bottom)), slice(math.ceil(self.left), math.ceil(right))


def random_box(down: float, across: float, generator: np.random.Generator, height: int, width: int) -> Box:
    """A rectangle, as RandomErasing and CutMix draw it: of these shares of an image's sides, anywhere in it."""
    box_height, box_width = down * height, across * width
    top, left = generator.random() * (height - box_height), generator.random() * (width - box_width)
    return Box(top, left, box_height, box_width)


def brighten(image: Image, share: float) -> Image:
    """RandomBrightness: adds `share` of 255."""
    return _look_up(image, LEVELS + np.float32(255 * share))


def change_contrast(image: Image, factor: float) -> Image:
    """RandomContrast: multiplies the distance to the channel's mean by `factor`."""
    mean = np.array(opencv().mean(image)[: image.shape[2]], np.float32)
    return _look_up(image, (LEVELS - mean) * np.float32(factor) + mean)


def erase(
    image: Image, box: Box, fill_value: float | tuple[int, int, int] | None, generator: np.random.Generator
) -> Image:
    """RandomErasing: a pixel value, a colour (its grey on a grey image), or normal noise of deviation 255."""
    erased = image.copy()
    rectangle = erased[box.pixels()]
    fill: NDArray[Any]
    if fill_value is None:
        fill = generator.standard_normal(rectangle.shape, np.float32) * np.float32(255)
    else:
        fill = np.atleast_1d(np.asarray(fill_value, np.float32))
        if image.shape[2] < len(fill):
            fill = fill @ GREY
    rectangle[:] = _to_uint8(fill)
    return erased


def degenerate_color(image: Image, factor: float) -> Image:
    """RandomColorDegeneration: from the image (0) to its grey (1); a grey image stays as it is."""
    if image.shape[2] == 1:
        return image
    mixed = opencv().transform(image, (1 - factor) * np.eye(3) + factor * GREY)
    return np.asarray(mixed).reshape(image.shape)


def sharpen(image: Image, factor: float) -> Image:
    """RandomSharpness: from blurred by a 3x3 kernel with zeros around the image (0) over unchanged (0.5) to
    sharpened (1).
    """
    blur = 1 - 2 * factor
    kernel = np.full((3, 3), blur / 13, np.float32)
    kernel[1, 1] = 1 - blur * 8 / 13
    cv2 = opencv()
    return np.asarray(cv2.filter2D(image, -1, kernel, borderType=cv2.BORDER_CONSTANT)).reshape(image.shape)


def posterize(image: Image, bits: int) -> Image:
    """RandomPosterization: keeps the upper `bits` of 8 bits."""
    return image & np.uint8(0xFF << (8 - bits) & 0xFF)


def solarize(image: Image, addition: float, threshold: float) -> Image:
    """Solarization: adds `addition`, then inverts what is not below `threshold`, both in pixel values."""
    sums = np.minimum(LEVELS + np.float32(addition), 255)
    return _look_up(image, np.where(sums < threshold, sums, 255 - sums))


def auto_contrast(image: Image) -> Image:
    """AutoContrast: stretches each channel to 0..255; one of a single value stays as it is."""
    low, high = (
        extreme.astype(np.float32) for extreme in (image.min(axis=0).min(axis=0), image.max(axis=0).max(axis=0))
    )
    stretched = (LEVELS - low) * (255 / np.maximum(high - low, 1))
    return _look_up(image, np.where(high > low, stretched, LEVELS))


def equalize(image: Image) -> Image:
    """Equalization: makes the levels of each channel equally frequent; one of a single value stays as it is.

    Keras counts the levels over the whole batch; here, as for a batch of one, over the image.
    """
    cv2 = opencv()
    channels = [cv2.equalizeHist(channel) for channel in cv2.split(image)]
    return np.asarray(cv2.merge(channels)).reshape(image.shape)


def _look_up(image: Image, table: NDArray[np.float32]) -> Image:
    """The image with each level replaced: float32 (256, 1), or (256, channels)."""
    levels = _to_uint8(table).reshape(1, 256, -1)
    return np.asarray(opencv().LUT(image, levels)).reshape(image.shape)


def _to_uint8(values: NDArray[Any]) -> Image:
    rounded: Image = np.rint(values).clip(0, 255).astype(np.uint8)
    return rounded
