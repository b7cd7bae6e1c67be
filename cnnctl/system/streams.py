"""stdin, stdout and stderr as they are found: closed, on a full disk, without a reader, in an old encoding."""

import codecs
import io
import os
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import TextIO

from cnnctl.errors import DiskError
from cnnctl.formatting import visible

FALLBACK = "cnnctl.fallback"
"""The name of the error handler by which a stream writes what its encoding lacks."""
_FALLBACK_TO_BYTES = "cnnctl.fallback-to-bytes"

_ASCII = {"—": "-", "–": "-", "─": "-", "━": "-", "│": "|", "…": "...", "×": "x", "·": ".", "→": "->", "’": "'"}
_COLOUR = re.compile(r"(\x1b\[[0-9;]*m)")


class ReaderGoneError(Exception):
    """Whoever read our output has seen enough."""


def _fall_back(error: UnicodeError) -> tuple[str, int]:
    """What an encoding lacks: lines drawn in ASCII, the rest as `\\u65e5`."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    char = error.object[error.start]
    return _ASCII.get(char) or char.encode("ascii", "backslashreplace").decode("ascii"), error.start + 1


def _fall_back_to_bytes(error: UnicodeError) -> tuple[str | bytes, int]:
    """`_fall_back` for data: a name that is no UTF-8 keeps its bytes."""
    if isinstance(error, UnicodeEncodeError) and "\udc80" <= (char := error.object[error.start]) <= "\udcff":
        return bytes([ord(char) - 0xDC00]), error.start + 1
    return _fall_back(error)


codecs.register_error(FALLBACK, _fall_back)
codecs.register_error(_FALLBACK_TO_BYTES, _fall_back_to_bytes)


def encoding_of(stream: TextIO | None) -> str:
    """The encoding of a stream; UTF-8 for one in memory."""
    return getattr(stream, "encoding", None) or "utf-8"


def is_unicode(stream: TextIO | None) -> bool:
    """Whether a stream has every character."""
    return codecs.lookup(encoding_of(stream)).name.startswith("utf")


def encodable(text: str, stream: TextIO | None) -> str:
    """The text as a stream will show it, so that its width is known; without names that are no UTF-8."""
    if is_unicode(stream):
        return text
    encoding = encoding_of(stream)
    return text.encode(encoding, FALLBACK).decode(encoding, "replace")


class _Stream(io.TextIOWrapper):
    """A standard stream for people: nothing that is written moves the cursor.

    Colours are let through until `plain` is set: the help has some.
    """

    plain = False

    def __init__(self, stream: io.TextIOWrapper) -> None:
        self._below = stream  # without it the buffer would be closed
        super().__init__(
            stream.buffer,
            stream.encoding,
            _FALLBACK_TO_BYTES,
            line_buffering=stream.line_buffering,
            write_through=stream.write_through,
        )

    def _cleaned(self, text: str) -> str:
        if self.plain:
            return visible(text)
        return "".join(part if place % 2 else visible(part) for place, part in enumerate(_COLOUR.split(text)))


class Output(_Stream):
    """stdout, which says when it cannot be written.

    Attributes:
        lossy: Whether data went out with letters that the encoding lacks.
    """

    lossy = False
    _is_exact = False

    def write(self, text: str) -> int:
        if text == "":  # click tries whether a stream takes text, and hears of no error
            return 0
        with self._reaching():
            super().write(text if self._is_exact else self._cleaned(text))
            if self._is_exact and not self.lossy:
                self.lossy = not _fits(text, self.encoding)
        return len(text)

    def flush(self) -> None:
        with self._reaching():
            super().flush()

    @contextmanager
    def exact(self) -> Iterator[None]:
        """A block in which data is written: to a program or a file as it is, to a terminal as ever."""
        self._is_exact = not self.isatty()
        try:
            yield
        finally:
            self._is_exact = False

    @contextmanager
    def _reaching(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            with suppress(OSError):  # what is left in the buffers must not fail once more at the end of the process
                os.dup2(os.open(os.devnull, os.O_WRONLY), self.fileno())
            if isinstance(error, BrokenPipeError):
                raise ReaderGoneError from None
            message = f"stdout cannot be written: {error.strerror or error}"
            raise DiskError(message, "free some space, or send the output elsewhere") from None


class Errors(_Stream):
    """stderr, which is written to whether anybody reads it or not."""

    def write(self, text: str) -> int:
        with suppress(OSError):
            super().write(self._cleaned(text))
        return len(text)

    def flush(self) -> None:
        with suppress(OSError):
            super().flush()


def _fits(text: str, encoding: str) -> bool:
    try:
        text.encode(encoding, "surrogateescape")
    except UnicodeEncodeError:
        return False
    return True


@contextmanager
def standard_streams() -> Iterator[None]:
    """A block in which the process's streams are fit for use: closed ones lead nowhere, the others are cleaned.

    A descriptor that is closed would be given to the next file that is opened, and what a library prints would go into
    that file. `sys.stdin` stays None where it was closed.
    """
    for descriptor in (0, 1, 2):
        try:
            os.fstat(descriptor)
        except OSError:
            nowhere = os.open(os.devnull, os.O_RDONLY if descriptor == 0 else os.O_WRONLY)
            if nowhere != descriptor:
                os.dup2(nowhere, descriptor)
                os.close(nowhere)
    before = sys.stdout, sys.stderr
    sys.stdout, sys.stderr = _taken(1, sys.stdout, Output), _taken(2, sys.stderr, Errors)
    try:
        yield
    finally:
        for stream in (sys.stdout, sys.stderr):
            if isinstance(stream, _Stream):
                with suppress(DiskError, ReaderGoneError):
                    stream.detach()
        sys.stdout, sys.stderr = before


def _taken(descriptor: int, stream: TextIO | None, kind: type[_Stream]) -> TextIO:
    if stream is None:
        stream = open(descriptor, "w", encoding="utf-8", closefd=False)  # noqa: SIM115
    if type(stream) is not io.TextIOWrapper:  # a notebook's, a test's
        return stream
    stream.flush()
    return kind(stream)


def let_nothing_through() -> None:
    """From here on the standard streams show colours as characters too: names of files and classes go there."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, _Stream):
            stream.plain = True


@contextmanager
def exact_output() -> Iterator[TextIO]:
    """stdout for data, such as CSV; at the end a warning says that its encoding lacks letters of the data."""
    stream = sys.stdout
    if not isinstance(stream, Output):
        yield stream
        return
    with stream.exact():
        yield stream
    if stream.lossy:
        print(
            f"warning: stdout is in {stream.encoding}, which lacks some letters: they are written as \\u65e5\n"
            "hint: PYTHONIOENCODING=utf-8 or --output FILE writes UTF-8",
            file=sys.stderr,
        )
