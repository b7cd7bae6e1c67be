"""Files that a person named: links are followed, pipes and devices are written into, only regular files are replaced.

A run's own files are written by `files`, which follows no link: a run may be somebody else's.
"""

import errno
import io
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, TextIO

from cnnctl.system import files
from cnnctl.system.stderr import real_descriptor
from cnnctl.system.streams import ReaderGoneError

_MOST_LINKS = 40


@contextmanager
def output_bytes(path: Path) -> Iterator[BinaryIO]:
    """A file to write piece by piece: a whole one takes its place at the end of the block, where it is a regular file.

    Raises:
        DiskError: it cannot be written; what was in a regular file stays.
        ReaderGoneError: it is our stdout, and nobody reads it any more.
    """
    with files.writing(path):
        if "\0" in str(path):
            raise OSError(errno.EINVAL, "there is a NUL in its name")
        descriptor = _standard(path)
        if descriptor is not None:
            handle = os.dup(descriptor)
        elif path.name in ("", ".."):  # a folder, be it there or not
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
        elif (found := _stat(path)) is None or stat.S_ISREG(found.st_mode):
            with _replaced(Path(os.path.realpath(path)) if path.is_symlink() else path) as file:
                yield file
            return
        else:
            handle = os.open(path, os.O_WRONLY | getattr(os, "O_NOCTTY", 0))

        try:
            with os.fdopen(handle, "wb") as file:
                yield file
        except BrokenPipeError:
            if descriptor is None:
                raise
            raise ReaderGoneError from None


@contextmanager
def output_text(path: Path) -> Iterator[TextIO]:
    """`output_bytes` for text in UTF-8; file names that are no UTF-8 keep their bytes."""
    with output_bytes(path) as file:
        text = io.TextIOWrapper(file, encoding="utf-8", errors="surrogateescape", newline="")
        yield text
        text.flush()
        text.detach()


def write_output(path: Path, content: bytes | str) -> None:
    """`output_bytes` at once; text in UTF-8."""
    with output_bytes(path) as file:
        file.write(content if isinstance(content, bytes) else content.encode("utf-8", "surrogateescape"))


def _stat(path: Path) -> os.stat_result | None:
    try:
        return path.stat()
    except FileNotFoundError:
        return None


@contextmanager
def _replaced(path: Path) -> Iterator[BinaryIO]:
    if os.access(path, os.W_OK) and not os.access(path.parent, os.W_OK):  # nothing can be made beside it
        with path.open("r+b") as file:
            file.truncate()
            yield file
        return
    with files.replacing_bytes(path) as file:
        yield file


def _standard(path: Path) -> int | None:
    """The descriptor of this process that a path such as /dev/stdout stands for.

    To open it anew would begin at the start of the file that it leads to, over what is there.
    """
    place = Path(os.path.abspath(path)) if path.is_absolute() else path  # noqa: PTH100
    for _ in range(_MOST_LINKS):
        if place.name.isdecimal() and os.path.realpath(place.parent) in (
            "/proc/self/fd",
            f"/proc/{os.getpid()}/fd",
            "/dev/fd",
        ):
            return real_descriptor(int(place.name))
        if not place.is_symlink():
            return None
        place = place.parent / place.readlink()
    return None
