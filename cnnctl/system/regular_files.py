"""Files that may be anything: a pipe, a socket or a device is never waited for."""

import os
import stat
from pathlib import Path
from typing import BinaryIO

_KINDS = (
    (stat.S_ISDIR, "a folder"),
    (stat.S_ISFIFO, "a named pipe, not a regular file"),
    (stat.S_ISSOCK, "a socket, not a regular file"),
    (stat.S_ISBLK, "a device, not a regular file"),
    (stat.S_ISCHR, "a device, not a regular file"),
)
_OF_THE_SHELL = ("/dev/stdin", "/dev/fd/", "/proc/self/fd/")


class NotRegularError(OSError):
    """Something that is no regular file; its text says what it is."""


def open_regular(path: str | Path) -> BinaryIO:
    """Open a regular file to be read, or a pipe that the shell has made and named by its number: `<(command)`.

    Raises:
        NotRegularError: it is something else.
        OSError: it cannot be opened.
    """
    name = os.fspath(path)
    if name.startswith(_OF_THE_SHELL) and stat.S_ISFIFO(os.stat(name).st_mode):
        return Path(name).open("rb")
    _insist(os.stat(name).st_mode)  # before it is opened: that may wait for ever, or do something to a device
    descriptor = os.open(name, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    try:
        _insist(os.fstat(descriptor).st_mode)  # once more: it may have been replaced meanwhile
        return os.fdopen(descriptor, "rb")
    except BaseException:
        os.close(descriptor)
        raise


def kind_of(mode: int) -> str:
    """What something is that is no regular file, in words that stand after `it is`."""
    return next((what for is_one, what in _KINDS if is_one(mode)), "not a regular file")


def _insist(mode: int) -> None:
    if not stat.S_ISREG(mode):
        raise NotRegularError(kind_of(mode))
