"""Perceptual hashes: 64 bits of an image that hardly change when it is saved again, made smaller or brighter.

The bits say which of the lowest 64 frequencies of its grey pixels are above their median (Zauner 2010, pHash). Similar
hashes are found without comparing all pairs: hashes that differ in at most RADIUS bits agree in one of RADIUS + 1
bands of bits, so only images that share a band are compared (Manku, Jain and Das Sarma 2007).
"""

from collections.abc import Iterator
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from cnnctl.data.decoder.images import Image, opencv

SIDE = 32
"""Pixels a side of the grey pictures that are hashed and compared."""

RADIUS = 6
"""Bits in which the hashes of near-duplicates differ, at the most."""

_BITS = 8
_MOST_IN_A_BAND = 400
"""Hashes that share a band and are each compared with all others; of more, each with so many before it."""

Hashes = NDArray[np.uint64]
Greys = NDArray[np.uint8]
Rows = NDArray[np.int64]


def greys(images: Image) -> Greys:
    """Grey pictures of uint8 (images, height, width, channels): uint8 (images, SIDE, SIDE)."""
    cv2 = opencv()
    made = np.empty((len(images), SIDE, SIDE), np.uint8)
    for row, image in enumerate(images):
        grey = image[..., 0] if image.shape[-1] == 1 else cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
        way = cv2.INTER_AREA if min(grey.shape) > SIDE else cv2.INTER_LINEAR
        made[row] = grey if grey.shape == (SIDE, SIDE) else cv2.resize(grey, (SIDE, SIDE), interpolation=way)
    return made


def hashes_of(pictures: Greys) -> Hashes:
    """The hash of each grey picture: uint64 (images,)."""
    waves = _lowest_waves()
    frequencies = waves @ pictures.astype(np.float32) @ waves.T
    flat = frequencies.reshape(len(pictures), _BITS * _BITS)
    flat[:, 0] = 0  # the mean brightness
    bits = flat > np.median(flat, axis=1, keepdims=True)
    found: Hashes = np.packbits(bits, axis=1).view(">u8").astype(np.uint64).ravel()
    return found


def _lowest_waves() -> NDArray[np.float32]:
    """The first rows of the discrete cosine transform: float32 (_BITS, SIDE)."""
    number, place = np.arange(_BITS)[:, None], np.arange(SIDE)[None, :]
    return np.cos(np.pi * number * (2 * place + 1) / (2 * SIDE)).astype(np.float32)


def similar_pairs(hashes: Hashes) -> Iterator[Rows]:
    """Pairs of rows whose hashes differ in at most RADIUS bits, the lower row first: int64 (pairs, 2), in parts.

    A pair may come more than once. Of equal hashes each is a pair with the one before it alone, so that a thousand
    copies are a thousand pairs.
    """
    order = np.argsort(hashes, kind="stable").astype(np.int64)
    ranked = hashes[order]
    again = np.flatnonzero(ranked[1:] == ranked[:-1])
    yield np.sort(np.stack([order[again], order[again + 1]], axis=1), axis=1)

    first = np.flatnonzero(np.concatenate([[True], ranked[1:] != ranked[:-1]])) if len(hashes) else np.zeros(0, int)
    rows, different = order[first], ranked[first]
    for shift, bits in _bands():
        for lower, upper in _sharing(_rotated(different, shift), bits):
            is_similar = np.bitwise_count(different[lower] ^ different[upper]) <= RADIUS
            if is_similar.any():
                yield np.sort(np.stack([rows[lower[is_similar]], rows[upper[is_similar]]], axis=1), axis=1)


def _bands() -> list[tuple[int, int]]:
    """(first bit from above, number of bits) of each band: together they are all 64."""
    edges = [round(64 * number / (RADIUS + 1)) for number in range(RADIUS + 2)]
    return [(start, end - start) for start, end in pairwise(edges)]


def _rotated(hashes: Hashes, shift: int) -> Hashes:
    """The hashes with their first bits behind the others, so that those which share more bits are sorted closer."""
    return (hashes << np.uint64(shift)) | (hashes >> np.uint64(64 - shift)) if shift else hashes


def _sharing(hashes: Hashes, bits: int) -> Iterator[tuple[Rows, Rows]]:
    """Places of hashes with the same first bits, each with every one before it, or with the _MOST_IN_A_BAND before."""
    order = np.argsort(hashes, kind="stable").astype(np.int64)
    band = hashes[order] >> np.uint64(64 - bits)
    for distance in range(1, min(_MOST_IN_A_BAND, len(band) - 1) + 1):
        same = np.flatnonzero(band[distance:] == band[:-distance])
        if not len(same):
            return
        yield order[same], order[same + distance]
