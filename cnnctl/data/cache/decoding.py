"""Image files -> rows of arrays, decoded in parallel.

Small images cost more of Python than of the decoder, and Python's threads then stand in each other's way: two of them
are slower than one. Many small images are therefore decoded by processes, which write into the mapped files themselves;
what they cannot decode comes back, so that every refusal and every limit is this process' own.
"""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from cnnctl.data.cache.processes import decode_by_processes
from cnnctl.data.cache.rows import Arrays, Progress, decode_row
from cnnctl.data.decoder.images import ImageError, ImageSpec
from cnnctl.data.decoder.parallel import are_small
from cnnctl.system.cores import available_cores

_CHUNK = 32
_MANY = 4_000
"""Images from which on processes are worth their start."""


def decode_into(paths: Sequence[str], spec: ImageSpec, arrays: Arrays, progress: Progress) -> dict[int, str]:
    """Decode every image into its row; the reasons of those that fail.

    Args:
        paths: Image files.
        spec: What they are made to be.
        arrays: Where they go; processes are of use where all of them are mapped from files.
        progress: Called from time to time.
    """
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
