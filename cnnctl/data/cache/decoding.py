"""Image files -> rows of arrays, decoded in parallel.

Small images cost more of Python than of the decoder, and Python's threads then stand in each other's way: two of them
are slower than one. Many small images are therefore decoded by processes, which write into the mapped files themselves;
what they cannot decode comes back, so that every refusal and every limit is this process' own.
"""

import hashlib
import os
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from numpy.typing import NDArray

from cnnctl.data.cache.entries import DIGEST_BYTES, DIGESTS, PIXEL_DIGESTS, PIXELS, VALUE_RANGES
from cnnctl.data.decoder.images import ImageError, ImageSpec, decode, read_bytes
from cnnctl.system.cores import available_cores

_CHUNK = 32
_MANY = 4_000
"""Images from which on processes are worth their start."""

_SAMPLE = 50
SMALL = 16_000
"""Bytes of a file up to which Python's part of its decoding is the larger one."""

Progress = Callable[[int, int], None]
"""Called with (images done, images in all)."""

Arrays = Mapping[str, NDArray[np.uint8]]
"""Those of entries.shapes, by name."""


def decode_into(paths: Sequence[str], spec: ImageSpec, arrays: Arrays, progress: Progress) -> dict[int, str]:
    """Decode every image into its row; the reasons of those that fail.

    Args:
        paths: Image files.
        spec: What they are made to be.
        arrays: Where they go; processes are of use where all of them are mapped from files.
        progress: Called from time to time.
    """
    from cnnctl.data.cache.processes import decode_by_processes

    rows: Sequence[int] = range(len(paths))
    small = are_small(paths)
    if small and len(paths) >= _MANY and all(isinstance(array, np.memmap) for array in arrays.values()):
        rows = decode_by_processes(paths, spec, arrays, progress)
    failures: dict[int, str] = {}

    def work(start: int) -> int:
        chunk = rows[start : start + _CHUNK]
        for row in chunk:
            try:
                decode_row(paths[row], row, spec, arrays)
            except ImageError as error:
                failures[row] = error.reason
        return len(chunk)

    done = len(paths) - len(rows)
    with ThreadPoolExecutor(1 if small else available_cores()) as pool:
        try:
            for count in pool.map(work, range(0, len(rows), _CHUNK)):
                done += count
                progress(done, len(paths))
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise
    return dict(sorted(failures.items()))


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


def are_small(paths: Sequence[str]) -> bool:
    """Whether most files are small, by a sample of them."""
    sample = paths[:: max(1, len(paths) // _SAMPLE)]
    return sum(_size(path) <= SMALL for path in sample) > len(sample) / 2


def _size(path: str) -> int:
    try:
        return os.stat(path).st_size
    except OSError:
        return 0


def _digest(data: bytes) -> NDArray[np.uint8]:
    return np.frombuffer(hashlib.blake2b(data, digest_size=DIGEST_BYTES).digest(), np.uint8)
