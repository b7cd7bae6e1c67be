"""The process of somebody else, in which Keras computes for a while."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from cnnctl.errors import BusyError
from cnnctl.models.backend import settings_kept
from cnnctl.system.stderr import Capture, captured_stderr
from cnnctl.system.watcher import Watcher
from cnnctl.terminal.watch import watching

_turn = threading.Lock()
_doing = ""


@contextmanager
def alone(what: str) -> Iterator[None]:
    """A block that one thread at a time is in: Keras' settings and descriptor 2 are the whole process'.

    `what` is what is done in it, such as `training`.

    Raises:
        BusyError: another thread is in it.
    """
    global _doing
    if not _turn.acquire(blocking=False):
        raise BusyError(f"this process is already {_doing}", "wait for it, or use a process of its own")
    _doing = what
    try:
        yield
    finally:
        _turn.release()


@contextmanager
def hosted(what: str, progress: bool | Watcher | None = False) -> Iterator[tuple[Watcher, Capture]]:
    """`alone`, with Keras' settings kept and descriptor 2 captured; a watcher as for `watching`, and the capture."""
    with (
        alone(what),
        settings_kept(),
        captured_stderr() as capture,
        watching(progress, capture.terminal) as watcher,
    ):
        yield watcher, capture
