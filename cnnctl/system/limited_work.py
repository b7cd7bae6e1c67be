"""Work that is waited for no longer than a limit, although nothing can end it: it is left to its thread.

Such a thread must not come back to Python while the interpreter ends, or the process is aborted (until Python 3.13). So
a command with one ends without the interpreter's own end, and other programs wait a moment at theirs.
"""

import atexit
import os
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Any, NoReturn

_GRACE = 1.0
"""Seconds in which work that was asked to stop may do so."""

_AT_EXIT = 5.0
_left: list[threading.Thread] = []
_skips = False


class OutOfTimeError(Exception):
    """The limit is over; `thread` may be at work still."""

    def __init__(self, thread: threading.Thread) -> None:
        super().__init__("out of time")
        self.thread = thread


def within(seconds: float, work: Callable[[], Any], stop: Callable[[], None]) -> Any:
    """What some work returns or raises; `stop` asks it to end when the limit is over.

    Raises:
        OutOfTimeError: it is not done in time.
    """
    thread = _Work(work)
    thread.start()
    thread.join(seconds)
    if thread.is_alive():
        stop()
        thread.join(_GRACE)
        if not _left:
            atexit.register(_wait)
        _left[:] = [*_at_work(), thread]
        raise OutOfTimeError(thread)
    if thread.error is not None:
        raise thread.error
    return thread.value


def skip_farewells(wanted: bool) -> None:
    """Whether `end_process` leaves at once, whatever libraries would do then, such as wait for other processes."""
    global _skips
    _skips = wanted


def end_process(code: int) -> NoReturn:
    """Leave this process, at once where work goes on that nobody waits for, or farewells are skipped."""
    if _skips or _at_work():
        for stream in (sys.stdout, sys.stderr):
            with suppress(OSError, ValueError, AttributeError):
                stream.flush()
        os._exit(code)
    sys.exit(code)


def _at_work() -> list[threading.Thread]:
    return [thread for thread in _left if thread.is_alive()]


def _wait() -> None:
    for thread in _at_work():
        thread.join(_AT_EXIT / len(_left))


class _Work(threading.Thread):
    def __init__(self, work: Callable[[], Any]) -> None:
        super().__init__(name="limited", daemon=True)
        self._work = work
        self.value: Any = None
        self.error: BaseException | None = None

    def run(self) -> None:
        try:
            self.value = self._work()
        except BaseException as error:
            self.error = error
