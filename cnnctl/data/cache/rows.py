"""An image file -> its row of the arrays of an entry."""

import hashlib
from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import NDArray

from cnnctl.data.cache.entries import DIGEST_BYTES, DIGESTS, PIXEL_DIGESTS, PIXELS, VALUE_RANGES
from cnnctl.data.decoder.images import ImageSpec, decode, read_bytes

Progress = Callable[[int, int], None]
"""Called with (images done, images in all)."""

Arrays = Mapping[str, NDArray[np.uint8]]
"""Those of entries.shapes, by name."""


def decode_row(path: str, row: int, spec: ImageSpec, arrays: Arrays) -> None:
    """Decode one image into its row.

    Raises:
        ImageError: with the reason; the row is as it was.
    """
    data = read_bytes(path, spec.max_bytes)
    image = decode(data, spec)
    arrays[PIXELS][row] = image
    arrays[DIGESTS][row] = _digest(data)
    arrays[PIXEL_DIGESTS][row] = _digest(image.tobytes())
    arrays[VALUE_RANGES][row] = image.max() - image.min()


def _digest(data: bytes) -> NDArray[np.uint8]:
    return np.frombuffer(hashlib.blake2b(data, digest_size=DIGEST_BYTES).digest(), np.uint8)
