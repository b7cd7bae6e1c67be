"""Processes that decode for this one.

Each is asked on its standard input, in lines of JSON: first what it decodes into, then chunks of files; it answers
every chunk with the rows that it could not decode. The chunk of one that dies is left to the caller. None outlives its
caller, with whom its input ends.
"""

import json
import os
import queue
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, replace
from typing import Any

import numpy as np

from cnnctl.data.cache.rows import Arrays, Progress, decode_row
from cnnctl.data.decoder.images import MEGAPIXEL, ImageError, ImageSpec
from cnnctl.system.cores import available_cores

_CHUNK = 128
_A_CORE = 2
"""Processes for each core: while one waits for the disk, another decodes."""

_MOST = 32


def decode_by_processes(paths: Sequence[str], spec: ImageSpec, arrays: Arrays, progress: Progress) -> list[int]:
    """Decode small images into their rows.

    Args:
        paths: Image files.
        spec: What they are made to be.
        arrays: Mapped from files.
        progress: Called with (images done, images in all), where some were done.

    Returns:
        The rows that are left to the caller: images that are damaged, large, or whose process died.
    """
    files: Mapping[str, Any] = arrays
    order = {
        "spec": asdict(replace(spec, max_pixels=min(spec.max_pixels, MEGAPIXEL))),  # so many, in memory, a process
        "arrays": {name: [os.fspath(array.filename), array.shape] for name, array in files.items()},
    }
    workers = [_Worker(order) for _ in range(min(_A_CORE * available_cores(), _MOST, -(-len(paths) // _CHUNK)))]
    idle: queue.SimpleQueue[_Worker] = queue.SimpleQueue()
    for worker in workers:
        idle.put(worker)

    def work(start: int) -> tuple[int, list[int]]:
        worker = idle.get()
        try:
            chunk = paths[start : start + _CHUNK]
            return len(chunk), worker.decode(start, chunk)
        finally:
            idle.put(worker)

    done, left = 0, []
    pool = ThreadPoolExecutor(len(workers))
    try:
        for count, failed in pool.map(work, range(0, len(paths), _CHUNK)):
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
        command = [sys.executable, "-P", "-c", "from cnnctl.data.cache.processes import serve; serve()"]
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
                try:
                    if stream is not None:
                        stream.close()
                except OSError:  # what it was not told any more
                    pass
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
        failed = []
        for row, path in enumerate(paths, start):
            try:
                decode_row(path, row, spec, arrays)
            except ImageError:
                failed.append(row)
        print(json.dumps(failed), flush=True)
