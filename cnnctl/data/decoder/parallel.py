"""Image files in several threads: OpenCV decodes outside of Python's lock."""

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from cnnctl.data import archives
from cnnctl.data.decoder.images import Image
from cnnctl.system.cores import available_cores

_SAMPLE = 50
SMALL = 16_000
"""Bytes of a file up to which Python's part of its decoding is the larger one."""

Item = TypeVar("Item")
Result = TypeVar("Result")


def in_threads(work: Callable[[Item], Result], items: Iterable[Item]) -> list[Result]:
    """What `work` makes of each item, in their order; all items are at hand at once."""
    with ThreadPoolExecutor(available_cores()) as pool:
        return list(pool.map(work, items))


def batches(read: Callable[[Item], Image], items: Iterable[Item], size: int) -> Iterator[NDArray[np.uint8]]:
    """The images of items, batch by batch, so that memory does not grow with their number; errors of `read` end it.

    Yields:
        uint8 (N, height, width, channels), in the order of the items.
    """
    items = iter(items)
    with ThreadPoolExecutor(available_cores()) as pool:
        while chunk := list(islice(items, size)):
            # a single image needs no thread
            yield np.stack(list(pool.map(read, chunk) if len(chunk) > 1 else map(read, chunk)))


def are_small(paths: Sequence[str]) -> bool:
    """Whether most files are small, by a sample of them: threads that decode such files wait for each other."""
    sample = paths[:: max(1, len(paths) // _SAMPLE)]
    return sum(_size(path) <= SMALL for path in sample) > len(sample) / 2


def _size(path: str) -> int:
    try:
        return os.stat(path).st_size
    except NotADirectoryError:
        return archives.size(path)
    except (OSError, ValueError):  # ValueError: a NUL in the name
        return 0
