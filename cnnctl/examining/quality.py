"""Blurred, dark, bright and empty images, by their pixels as the network gets them."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cnnctl.data.decoder.images import Image, opencv
from cnnctl.data.leakage import FLAT

DARK, BRIGHT = 0.25, 0.92
"""Brightness, from 0 to 1, that nearly no pixel of a dark image is above, and nearly none of a bright one below."""

_NEARLY_ALL = 98
_BLURRED = 4.0
"""Deviations below the median sharpness of all images, from which on one is blurred."""

_TYPICAL = 1.4826
"""A standard deviation in median absolute deviations, for a normal distribution."""

_LEAST_DEVIATION = 0.25
"""Of the logarithm of the sharpness: where all images are alike, no small difference is a blur."""


@dataclass(frozen=True)
class Quality:
    """Each is float32 (images,).

    Attributes:
        darkest: Brightness that nearly all pixels are above, from 0 to 1.
        brightest: Brightness that nearly all pixels are below.
        sharpness: How much pixels differ from those around them, as a share of how much all differ; 0 of one colour.
        ranges: How much the largest value of a channel is above the smallest, from 0 to 255, in the widest channel.
    """

    darkest: NDArray[np.float32]
    brightest: NDArray[np.float32]
    sharpness: NDArray[np.float32]
    ranges: NDArray[np.float32]

    def empty(self) -> NDArray[np.bool_]:
        """Which images have one colour."""
        return self.ranges <= FLAT

    def dark(self) -> NDArray[np.bool_]:
        """Which images are nearly black, but show something."""
        return (self.brightest < DARK) & ~self.empty()

    def bright(self) -> NDArray[np.bool_]:
        """Which images are nearly white, but show something."""
        return (self.darkest > BRIGHT) & ~self.empty()

    def blurred(self) -> NDArray[np.bool_]:
        """Which images are far less sharp than the others."""
        return self.blur() > _BLURRED

    def blur(self) -> NDArray[np.float32]:
        """Deviations below the median sharpness; 0 for images without any."""
        logarithms = np.log(np.maximum(self.sharpness, 1e-6))
        known = logarithms[self.sharpness > 0]
        if not len(known):
            return np.zeros(len(self.sharpness), np.float32)
        middle = np.median(known)
        deviation = max(_TYPICAL * float(np.median(np.abs(known - middle))), _LEAST_DEVIATION)
        return np.where(self.sharpness > 0, (middle - logarithms) / deviation, 0).astype(np.float32)


def measure(images: Image) -> NDArray[np.float32]:
    """The figures of Quality, in their order, for uint8 (images, height, width, channels): float32 (4, images)."""
    cv2 = opencv()
    count, height, width, channels = images.shape
    stacked = np.ascontiguousarray(images).reshape(count * height, width, channels)
    grey = stacked[..., 0] if channels == 1 else cv2.cvtColor(stacked, cv2.COLOR_RGB2GRAY)
    flat = np.sort(grey.reshape(count, height * width), axis=1)
    darkest, brightest = (
        flat[:, round((height * width - 1) * part / 100)] for part in (100 - _NEARLY_ALL, _NEARLY_ALL)
    )
    edges = cv2.Laplacian(grey, cv2.CV_32F).reshape(count, height, width)[:, 1:-1, 1:-1]  # beyond the border is nothing
    spread = flat.std(axis=1, dtype=np.float32)
    found = edges.reshape(count, -1).std(axis=1) if edges.size else np.zeros(count, np.float32)
    sharpness = np.where(spread > 0, found / np.maximum(spread, 1e-6), 0)
    ranges = np.ptp(images.reshape(count, height * width, channels), axis=1).max(axis=1)
    return np.stack([darkest / 255, brightest / 255, sharpness, ranges]).astype(np.float32)
