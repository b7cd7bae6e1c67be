"""Whose files are believed: a folder that several users share holds what any of them has put there.

The name of an entry of a cache can be guessed. So its content is believed only where nobody but us and the system's
administrator can have written it. On Windows each user's files are their own.
"""

import os
import stat
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import BinaryIO

from cnnctl.system import inside
from cnnctl.system.inside import UnfitFileError

_OTHERS_WRITE = stat.S_IWGRP | stat.S_IWOTH
_OTHERS_ENTER = stat.S_IXGRP | stat.S_IXOTH
_MOST = 2**30
"""Bytes of a file whose size is not known beforehand."""


def of_this_user(name: str) -> str:
    """The name of what is ours beside something of another user."""
    return f"{name}-{os.geteuid()}" if hasattr(os, "geteuid") else name


def is_foreign(path: Path) -> bool:
    """Whether what lies at a path is another user's, or a link: then it is not ours to replace."""
    try:
        found = path.lstat()
    except OSError:
        return False
    if stat.S_ISLNK(found.st_mode):
        return True
    return hasattr(os, "geteuid") and found.st_uid != os.geteuid() and found.st_uid != _customs(path.parent)[0]


def may_be_anothers(path: Path) -> bool:
    """Whether a file is another user's, or may be written by all; not that of a group, which is often ours alone."""
    found = path.stat()
    if _is_owner(found.st_uid) and not found.st_mode & stat.S_IWOTH:
        return False
    owner, shown = _customs(path.parent)
    return not (_is_owner(found.st_uid) or found.st_uid == owner) or bool(found.st_mode & stat.S_IWOTH & ~shown)


def is_trusted(folder: Path) -> bool:
    """Whether there is a folder at a path in which only we and root can have made files."""
    try:
        found = folder.lstat()
    except OSError:
        return False
    return stat.S_ISDIR(found.st_mode) and _is_trusted(found, folder.parent)


@contextmanager
def opened(entry: Path, sizes: Mapping[str, int | None]) -> Iterator[dict[str, BinaryIO] | None]:
    """The files of an entry, open to be read; None where it is not whole, or others can have written it.

    `sizes` are those that they must have. They are looked at once they are open: what is read is what was looked at,
    whoever exchanges files meanwhile.
    """
    files: dict[str, BinaryIO] = {}
    try:
        yield files if _open(entry, sizes, files) else None
    finally:
        for file in files.values():
            file.close()


def _open(entry: Path, sizes: Mapping[str, int | None], files: dict[str, BinaryIO]) -> bool:
    base = entry.parent
    try:
        with inside.opened_folder(base, entry) as folder:
            around = folder.path.lstat() if folder.descriptor is None else os.fstat(folder.descriptor)
            if not _is_trusted(around, base):
                return False
            is_closed = not around.st_mode & _OTHERS_ENTER
            for name, size in sizes.items():
                inside.refuse_unfit(entry / name, folder.state(name))
                file = files[name] = os.fdopen(folder.open(name, os.O_RDONLY), "rb")
                found = os.fstat(file.fileno())
                inside.refuse_unfit(entry / name, found, _MOST if size is None else size)
                if size not in (None, found.st_size) or not (is_closed or _is_trusted(found, base)):
                    return False
    except (OSError, UnfitFileError):
        return False
    return True


def _is_trusted(found: os.stat_result, base: Path) -> bool:
    """Whether only we and root can write a file or folder in `base`."""
    if _is_owner(found.st_uid) and not found.st_mode & _OTHERS_WRITE:
        return True
    owner, shown = _customs(base)
    return (_is_owner(found.st_uid) or found.st_uid == owner) and not found.st_mode & _OTHERS_WRITE & ~shown


def _is_owner(number: int) -> bool:
    return not hasattr(os, "geteuid") or number in (os.geteuid(), 0)


@cache
def _customs(base: Path) -> tuple[int | None, int]:
    """The owner and the mode that the file system of a folder gives to a file that is ours alone.

    Some know no owners (a share of Windows, a squashed NFS) or no modes: there, nobody can be told from others.
    """
    try:
        with tempfile.TemporaryFile(dir=base) as file:
            found = os.fstat(file.fileno())
            return found.st_uid, found.st_mode
    except OSError:
        return None, 0
