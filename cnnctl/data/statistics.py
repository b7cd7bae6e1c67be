"""Figures over the pixels of many images."""

import numpy as np
from numpy.typing import NDArray

from cnnctl.data.decoder.images import Image


def channel_statistics(pixels: Image, rows: NDArray[np.int64]) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Mean and standard deviation of each channel over some images, in pixel values 0..255.

    `pixels` are uint8 (images, height, width, channels), `rows` the images to take.
    """
    total = np.zeros(pixels.shape[-1])
    squares = np.zeros(pixels.shape[-1])
    for start in range(0, len(rows), 512):
        values = pixels[rows[start : start + 512]].reshape(-1, pixels.shape[-1]).astype(np.float64)
        total += values.sum(axis=0)
        squares += np.square(values).sum(axis=0)

    count = len(rows) * int(np.prod(pixels.shape[1:3]))
    mean = total / count
    deviation = np.sqrt(np.maximum(squares / count - mean**2, 1e-12))
    return tuple(mean.tolist()), tuple(np.maximum(deviation, 1.0).tolist())
