"""The folder of a process that helps another one train: it writes its run there, and nobody reads it."""

import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from cnnctl.runs.directory import Run, own
from cnnctl.system.locks import is_held
from cnnctl.system.trust import is_foreign

_PREFIX = "cnnctl-helper."
_NEW = 60.0
"""Seconds in which the owner of a folder may not have locked it yet."""


@contextmanager
def scratch_run() -> Iterator[Run]:
    """A run in a new folder, which is removed after the block; those of processes that were killed are removed too."""
    for left in Path(tempfile.gettempdir()).glob(f"{_PREFIX}*"):
        with suppress(OSError):
            if _is_left(left):
                shutil.rmtree(left)
    folder = Path(tempfile.mkdtemp(prefix=_PREFIX))
    lock = own(Run(folder))
    try:
        yield Run(folder)
    finally:
        lock.release()
        shutil.rmtree(folder, ignore_errors=True)


def _is_left(folder: Path) -> bool:
    is_ours = not folder.is_symlink() and folder.is_dir() and not is_foreign(folder)
    return is_ours and time.time() - folder.stat().st_mtime > _NEW and not is_held(Run(folder).lock)
