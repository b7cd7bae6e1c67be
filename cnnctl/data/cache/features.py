"""What frozen layers make of images, kept beside the decoded images: each is computed once for all runs.

An entry of the cache has two files for each kind of features, by the hash over all that decides them but the image:
`features-HASH` (float32, images x their shape) and `features-HASH.done` (a byte an image: 1 where it is computed). A
row is written before its byte. The lock of the entry is held meanwhile.
"""

import math
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cnnctl.data.cache import entries
from cnnctl.errors import MachineError
from cnnctl.layers.notation import Shape
from cnnctl.system.locks import locked
from cnnctl.system.trust import is_foreign


@dataclass(frozen=True)
class Features:
    """`values` are float32 (images, ...), `done` uint8 (images,): 1 where they are computed."""

    values: NDArray[np.float32]
    done: NDArray[np.uint8]

    def missing(self, rows: NDArray[np.int64]) -> NDArray[np.int64]:
        """Those of some rows that are yet to be computed."""
        chosen: NDArray[np.int64] = rows[self.done[rows] == 0]
        return chosen

    def put(self, rows: NDArray[np.int64], values: NDArray[np.float32]) -> None:
        """Keep what was computed."""
        self.values[rows] = values
        if isinstance(self.values, np.memmap):
            self.values.flush()  # so that a machine that crashes leaves no row that is said to be done and is not
        self.done[rows] = 1


@contextmanager
def features_of(
    entry: Path | None, key: str, images: int, shape: Shape, waiting: Callable[[], None]
) -> Iterator[Features]:
    """The features of the images of an entry, to be completed; in memory where there is no entry of ours.

    `key` is a hash over all that decides them but the image. `waiting` is called before waiting for another process.
    The arrays may be read afterwards.

    Raises:
        MachineError: the disk is too small, or the cache cannot be written.
    """
    if entry is None or not images or is_foreign(entry):
        yield Features(np.zeros((images, *shape), np.float32), np.zeros(images, np.uint8))
        return
    path = entry / f"features-{key}"
    try:
        with locked(entries.lock_of(entry), waiting):
            values = _mapped(path, 4 * images * math.prod(shape)).view(np.float32).reshape(images, *shape)
            yield Features(values, _mapped(path.with_suffix(".done"), images))
    except OSError as error:
        hint = "free some space, or name another folder with data.cache: PATH"
        raise MachineError(f"features cannot be kept in {entry.parent}: {error.strerror}", hint) from None


def _mapped(path: Path, size: int) -> "np.memmap[tuple[int], np.dtype[np.uint8]]":
    """A file of bytes of that size, zeros at first, whose disk blocks are taken: a full disk would kill the process."""
    if not path.is_file() or path.stat().st_size != size:
        free = shutil.disk_usage(path.parent).free
        if size > free:
            raise MachineError(
                f"the features need {size / 1e9:.1f} GB and {path.parent.parent} has {free / 1e9:.1f} GB free",
                "name a folder on a larger disk with data.cache: PATH, or pool them right after the backbone",
            )
        aside = path.with_name(f"{path.name}.part")
        with aside.open("wb") as file:
            file.truncate(size)
            if hasattr(os, "posix_fallocate"):
                os.posix_fallocate(file.fileno(), 0, size)
        path.with_suffix(".done").unlink(missing_ok=True)
        aside.replace(path)
    return np.memmap(path, np.uint8, "r+")
