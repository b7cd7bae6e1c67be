"""Keeps native libraries' chatter off the screen: what C and C++ code writes to file descriptor 2 goes to a log.

TensorFlow, oneDNN, CUDA, libpng and libjpeg print to the process's standard error and no setting silences them all.
Inside `captured_stderr()` descriptor 2 is a file; people are talked to through `Capture.terminal`, which is the
standard error that the process began with, or what stands for it in a notebook.
"""

import io
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import IO, TextIO

from cnnctl.system.loudness import details_into, details_to
from cnnctl.system.streams import FALLBACK, encoding_of

STDERR = 2
_STDOUT = 1

_kept: list[int] = []


class Capture:
    """Where descriptor 2 went, and the way to the screen."""

    def __init__(self, terminal: TextIO, log: IO[bytes]) -> None:
        self.terminal = terminal
        self._log = log

    def attach(self, file: IO[bytes]) -> None:
        """Move what was captured so far to the end of a file, and capture into it from here on; it may be closed."""
        _flush()
        self._log.flush()
        self._log.seek(0)
        shutil.copyfileobj(self._log, file)
        file.flush()
        os.dup2(file.fileno(), STDERR)

    def text(self) -> str:
        """What was captured before `attach`, for the report of a failed import."""
        _flush()
        self._log.seek(0)
        return self._log.read().decode("utf-8", "replace")


class _Screen(io.TextIOWrapper):
    """A stream that is written to whether anybody reads it or not: a training outlives its terminal."""

    def write(self, text: str) -> int:
        with suppress(OSError):
            return super().write(text)
        return len(text)

    def flush(self) -> None:
        with suppress(OSError):
            super().flush()

    def close(self) -> None:
        with suppress(OSError):
            super().close()


@contextmanager
def captured_stderr() -> Iterator[Capture]:
    """Send descriptor 2 to a file that has no name until `attach` gives it one; restore it at the end.

    Example:
        with captured_stderr() as capture:
            import tensorflow
            print("imported", file=capture.terminal)
    """
    _flush()
    kept = _duplicate()
    encoding = encoding_of(sys.stderr)
    screen = _Screen(os.fdopen(os.dup(kept), "wb"), encoding=encoding, errors=FALLBACK, line_buffering=True)
    with tempfile.TemporaryFile() as log:
        os.dup2(log.fileno(), STDERR)
        _kept.append(kept)
        terminal = screen if _is_captured(sys.stderr) else sys.stderr
        try:
            with details_to(details_into(terminal)):
                yield Capture(terminal, log)
        finally:
            _flush()
            _kept.pop()
            os.dup2(kept, STDERR)
            os.close(kept)
            screen.close()


@contextmanager
def stdout_captured() -> Iterator[None]:
    """A block in which descriptor 1 is what descriptor 2 is: what libraries print is no data of ours."""
    if sys.stdout is not None:
        sys.stdout.flush()
    try:
        kept = os.dup(_STDOUT)
    except OSError:  # it is closed
        yield
        return
    os.dup2(STDERR, _STDOUT)
    try:
        yield
    finally:
        os.dup2(kept, _STDOUT)
        os.close(kept)


def real_descriptor(number: int) -> int:
    """A descriptor as the process began with it: while descriptor 2 is captured, the one that leads to the screen."""
    return _kept[0] if number == STDERR and _kept else number


def _duplicate() -> int:
    """Another descriptor of what descriptor 2 is; of nothing, where it is closed."""
    try:
        return os.dup(STDERR)
    except OSError:
        return os.open(os.devnull, os.O_WRONLY)


def _is_captured(stream: TextIO | None) -> bool:
    """Whether a stream ends in descriptor 2; that of a notebook does not, and a windowed program has none."""
    if stream is None:
        return True
    try:
        return stream.fileno() == STDERR
    except (OSError, ValueError):
        return False


def _flush() -> None:
    if sys.stderr is not None:
        sys.stderr.flush()
