"""The first random numbers of many images at once: those that `random_generator` draws for each of them alone."""

import numpy as np
from numpy.typing import NDArray

_MULTIPLIERS = (0xD2E7470EE14C6C93, 0xCA5A826395121157)
_WEYL = (0x9E3779B97F4A7C15, 0xBB67AE8584CAA73B)
_ROUNDS = 10
_LOW = np.uint64(0xFFFFFFFF)
_HALF = np.uint64(32)

_Words = NDArray[np.uint64]


def first_draws(key: tuple[int, int], epoch: int, images: NDArray[np.int64], step: int) -> NDArray[np.float64]:
    """What `random_generator(...).random(4)` gives for each image number: float64 (images, 4), from 0 to 1.

    Philox4x64-10 (Salmon et al. 2011, "Parallel random numbers: as easy as 1, 2, 3") for all images side by side; numpy
    counts up once before the first block.
    """
    count = len(images)
    counter = [np.full(count, word, np.uint64) for word in (1, step, 0, epoch)]
    counter[2] = images.astype(np.uint64)
    first, second = key
    for _ in range(_ROUNDS):
        high_0, low_0 = _product(_MULTIPLIERS[0], counter[0])
        high_1, low_1 = _product(_MULTIPLIERS[1], counter[2])
        counter = [high_1 ^ counter[1] ^ np.uint64(first), low_1, high_0 ^ counter[3] ^ np.uint64(second), low_0]
        first, second = (first + _WEYL[0]) % 2**64, (second + _WEYL[1]) % 2**64
    return (np.stack(counter, axis=1) >> np.uint64(11)).astype(np.float64) * 2.0**-53


def _product(factor: int, words: _Words) -> tuple[_Words, _Words]:
    """The upper and lower 64 bits of products of 128."""
    upper, lower = np.uint64(factor >> 32), np.uint64(factor & 0xFFFFFFFF)
    high, low = words >> _HALF, words & _LOW
    middle = high * lower + (low * lower >> _HALF)
    other = low * upper + (middle & _LOW)
    return high * upper + (middle >> _HALF) + (other >> _HALF), words * np.uint64(factor)
