"""Ctrl-C and SIGTERM in a training: asked once, it stops after its step; asked twice, or too late, at once."""

import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from types import FrameType
from typing import NoReturn, TextIO

from cnnctl.formatting import visible
from cnnctl.system.streams import FALLBACK, encoding_of

PATIENCE = 8.0
"""Seconds after a SIGTERM in which a training may stop by itself; schedulers kill after ten or more."""

_SHOW_CURSOR = "\x1b[?25h"


class Interrupt(KeyboardInterrupt):
    """A signal that asks the process to end."""

    def __init__(self, number: int) -> None:
        super().__init__()
        self.exit_code = 128 + number


class Interrupts:
    """What signals have asked for.

    With `is_patient` a second signal waits too; else it is an interrupt wherever the program is. `farewell` is said
    when the process leaves at once; see `leaving_with`.
    """

    def __init__(self, is_patient: bool = True) -> None:
        self.farewell = "interrupted"
        self._is_patient = is_patient
        self._asked: int | None = None
        self._defers = False

    def check(self) -> None:
        """Raises:
        Interrupt: a signal has come in.
        """
        if self._asked is not None:
            raise Interrupt(self._asked)

    @property
    def asked(self) -> int | None:
        """The signal that has come in; None for none."""
        return self._asked

    @contextmanager
    def leaving_with(self, farewell: str) -> Iterator[None]:
        """A block in which a process that leaves at once says this."""
        before, self.farewell = self.farewell, farewell
        try:
            yield
        finally:
            self.farewell = before

    @contextmanager
    def deferred(self) -> Iterator[None]:
        """A block in which a signal waits for the next `check`, and for the end of the block."""
        with self.waiting():
            yield
        self.check()

    @contextmanager
    def waiting(self) -> Iterator[None]:
        """A block in which a signal waits for the next `check`."""
        self._defers = True
        try:
            yield
        finally:
            self._defers = False

    def handle(self, number: int, frame: FrameType | None) -> None:
        """The signal handler; Python runs it in the main thread, when the native code that it is in returns."""
        is_second = self._asked is not None
        self._asked = number
        if not self._defers or (is_second and not self._is_patient):
            raise Interrupt(number)


@contextmanager
def caught(terminal: TextIO, tell: Callable[[str], None]) -> Iterator[Interrupts]:
    """A block in which Ctrl-C and SIGTERM are caught; in the main thread.

    `terminal` is where the farewell is written when the process leaves at once. `tell` gets lines for people, from
    another thread.
    """
    interrupts = Interrupts()
    numbers = (signal.SIGINT, signal.SIGTERM)
    before = {number: signal.signal(number, interrupts.handle) for number in numbers}
    reading, writing = os.pipe()
    if hasattr(os, "set_blocking"):
        os.set_blocking(writing, False)
    wakeup = signal.set_wakeup_fd(writing, warn_on_full_buffer=False)
    watch = threading.Thread(target=_watch, args=(reading, interrupts, terminal, tell), daemon=True, name="signals")
    watch.start()
    try:
        yield interrupts
    finally:
        signal.set_wakeup_fd(wakeup)
        for number, handler in before.items():
            signal.signal(number, handler)
        os.close(writing)
        watch.join()
        os.close(reading)


@contextmanager
def caught_in_a_guest() -> Iterator[Interrupts]:
    """`caught` for a process that is not ours to end, such as a notebook's: Ctrl-C alone, and nothing leaves.

    Asked once, a training stops after its step; asked twice, where it is. Signals come to the main thread: in another
    one nothing is caught.
    """
    interrupts = Interrupts(is_patient=False)
    if threading.current_thread() is not threading.main_thread():
        yield interrupts
        return
    before = signal.signal(signal.SIGINT, interrupts.handle)
    try:
        yield interrupts
    finally:
        signal.signal(signal.SIGINT, before)


def leave_at_once(terminal: TextIO, farewell: str, code: int) -> NoReturn:
    """End the process from whatever thread, with a last word."""
    text = (_SHOW_CURSOR if terminal.isatty() else "") + f"\n{visible(farewell)}\n"
    with suppress(OSError, ValueError):
        os.write(terminal.fileno(), text.encode(encoding_of(terminal), FALLBACK))
    os._exit(code)


def _watch(reading: int, interrupts: Interrupts, terminal: TextIO, tell: Callable[[str], None]) -> None:
    """Hear of signals while the main thread is in native code, which may take long."""
    presses = 0
    deadline: threading.Timer | None = None

    def leave(number: int) -> None:
        leave_at_once(terminal, interrupts.farewell, 128 + number)

    def say(text: str) -> None:
        with suppress(OSError, ValueError):
            tell(text)

    while heard := os.read(reading, 1):
        if heard[0] == signal.SIGTERM and deadline is None:
            deadline = threading.Timer(PATIENCE, leave, (signal.SIGTERM,))
            deadline.daemon = True
            deadline.start()
            say("terminated: stopping after this step")
        elif heard[0] == signal.SIGINT:
            presses += 1
            if presses > 1:
                leave(signal.SIGINT)
            say("interrupted: stopping after this step; press Ctrl-C again to exit at once")
    if deadline is not None:
        deadline.cancel()
