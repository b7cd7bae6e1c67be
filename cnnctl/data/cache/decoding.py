"""Image files -> rows of the arrays of an entry, decoded in parallel.

Small images cost more of Python than of the decoder, and Python's threads then stand in each other's way: two of them
are slower than one. Many small images are therefore decoded by processes, which write into the mapped files themselves;
what they cannot decode comes back, so that every refusal and every limit is this process' own.

Each process is asked on its standard input, in lines of JSON: first what it decodes into, then chunks of files; it
answers every chunk with the rows that it could not decode. The chunk of one that dies is left to the caller. None
outlives its caller, with whom its input ends.
"""

import json
import os
import queue
import signal
import subprocess
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import asdict, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cnnctl.data.cache.entries import DIGESTS, PIXEL_DIGESTS, PIXELS, VALUE_RANGES
from cnnctl.data.decoder.images import MEGAPIXEL, ImageError, ImageSpec, decode
from cnnctl.data.decoder.parallel import are_small
from cnnctl.data.decoder.reading import read_bytes
from cnnctl.system.cores import available_cores
from cnnctl.system.digests import digest

Progress = Callable[[int, int], None]
"""Called with (images done, images in all)."""

Arrays = Mapping[str, NDArray[np.uint8]]
"""Those of entries.shapes, by name."""

_OF_A_THREAD, _OF_A_PROCESS = 32, 128
"""Images of a chunk of work."""
_LARGE_ONES = 4
"""Images of a chunk of large ones, so that threads read close to each other where they lie in one file."""

_MANY = 4_000
"""Images from which on processes are worth their start."""

_A_CORE, _MOST = 2, 32
"""Processes for each core, so that one decodes while another waits for the disk; and in all."""


def decode_into(paths: Sequence[str], spec: ImageSpec, arrays: Arrays, progress: Progress) -> dict[int, str]:
    """Decode every image into its row; the reasons of those that fail.

    Processes help where all arrays are mapped from files.
    """
    rows: Sequence[int] = range(len(paths))
    small = are_small(paths)
    if small and len(paths) >= _MANY and all(isinstance(array, np.memmap) for array in arrays.values()):
        rows = decode_by_processes(paths, spec, arrays, progress)
    failures: dict[int, str] = {}
    size = _OF_A_THREAD if small else _LARGE_ONES

    def work(start: int) -> int:
        chunk = rows[start : start + size]
        failures.update(_decode_rows(((row, paths[row]) for row in chunk), spec, arrays))
        return len(chunk)

    done = len(paths) - len(rows)
    with ThreadPoolExecutor(1 if small else available_cores()) as pool:
        try:
            for count in pool.map(work, range(0, len(rows), size)):
                done += count
                progress(done, len(paths))
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise
    return dict(sorted(failures.items()))


def _decode_rows(files: Iterable[tuple[int, str]], spec: ImageSpec, arrays: Arrays) -> dict[int, str]:
    """Decode (row, path) into the rows of the arrays; the reasons of those that fail, whose rows stay as they were."""
    failures = {}
    for row, path in files:
        try:
            data = read_bytes(path, spec.max_bytes)
            image = decode(data, spec)
        except ImageError as error:
            failures[row] = error.reason
            continue
        arrays[PIXELS][row] = image
        arrays[DIGESTS][row] = np.frombuffer(digest(data), np.uint8)
        arrays[PIXEL_DIGESTS][row] = np.frombuffer(digest(image.tobytes()), np.uint8)
        arrays[VALUE_RANGES][row] = image.max() - image.min()
    return failures


def decode_by_processes(paths: Sequence[str], spec: ImageSpec, arrays: Arrays, progress: Progress) -> list[int]:
    """Decode small images into their rows of arrays that are mapped from files.

    Returns:
        The rows that are left to the caller: images that are damaged, large, or whose process died.
    """
    files: Mapping[str, Any] = arrays
    order = {
        "spec": asdict(replace(spec, max_pixels=min(spec.max_pixels, MEGAPIXEL))),  # so many, in memory, a process
        "arrays": {name: [os.fspath(array.filename), array.shape] for name, array in files.items()},
    }
    workers = [_Worker(order) for _ in range(min(_A_CORE * available_cores(), _MOST, -(-len(paths) // _OF_A_PROCESS)))]
    idle: queue.SimpleQueue[_Worker] = queue.SimpleQueue()
    for worker in workers:
        idle.put(worker)

    def work(start: int) -> tuple[int, list[int]]:
        worker = idle.get()
        try:
            chunk = paths[start : start + _OF_A_PROCESS]
            return len(chunk), worker.decode(start, chunk)
        finally:
            idle.put(worker)

    done, left = 0, []
    pool = ThreadPoolExecutor(len(workers))
    try:
        for count, failed in pool.map(work, range(0, len(paths), _OF_A_PROCESS)):
            left += failed
            done += count - len(failed)
            if count > len(failed):
                progress(done, len(paths))
    finally:
        pool.shutdown(wait=True, cancel_futures=True)
        for worker in workers:
            worker.close()
    return left


class _Worker:
    """One process, and what it is asked."""

    def __init__(self, order: dict[str, Any]) -> None:
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
        command = [sys.executable, "-P", "-c", "from cnnctl.data.cache.decoding import serve; serve()"]
        self._process: subprocess.Popen[str] | None = None
        try:
            self._process = subprocess.Popen(
                command,
                env=environment,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                encoding="ascii",
            )
            self._say(order)
        except OSError:
            self.close()

    def decode(self, start: int, paths: Sequence[str]) -> list[int]:
        """The rows, from `start` on, that it could not decode; all of them where it does not live."""
        rows = range(start, start + len(paths))
        if self._process is None or self._process.stdout is None:
            return list(rows)
        try:
            self._say([start, list(paths)])
            failed = json.loads(self._process.stdout.readline())
        except (OSError, ValueError):
            self.close()
            return list(rows)
        return [row for row in rows if row in set(failed)]

    def _say(self, what: object) -> None:
        assert self._process is not None
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(what) + "\n")
        self._process.stdin.flush()

    def close(self) -> None:
        """End it, at once if it is still at work."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            for stream in (self._process.stdin, self._process.stdout):
                with suppress(OSError):  # what it was not told any more
                    if stream is not None:
                        stream.close()
            self._process = None


def serve() -> None:
    """What such a process does, until its input ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the process that asks
    order = json.loads(sys.stdin.readline())
    spec = ImageSpec(**{**order["spec"], "background": tuple(order["spec"]["background"])})
    arrays = {
        name: np.memmap(file, np.uint8, "r+", shape=tuple(shape)) for name, (file, shape) in order["arrays"].items()
    }
    for line in sys.stdin:
        start, paths = json.loads(line)
        print(json.dumps(list(_decode_rows(enumerate(paths, start), spec, arrays))), flush=True)
