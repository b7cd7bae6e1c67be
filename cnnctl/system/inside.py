"""Files in a folder that may come from a stranger: no link in it is followed, and only regular files are opened.

The folder itself may be reached through links, since the user named it. Each part of a path below it is opened relative
to the part before, so that what was looked at is what is opened, whoever exchanges files meanwhile. Where the system
cannot do this (Windows), each part is looked at just before.
"""

import errno
import os
import shutil
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, TextIO

from cnnctl.errors import RunError
from cnnctl.system.regular_files import kind_of

_IS_RELATIVE = {os.open, os.stat, os.mkdir, os.unlink, os.rename} <= os.supports_dir_fd and hasattr(os, "O_DIRECTORY")
_NO_LINK = getattr(os, "O_NOFOLLOW", 0)
_FLAGS = _NO_LINK | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0)
_LOOK = getattr(os, "O_PATH", os.O_RDONLY) | getattr(os, "O_DIRECTORY", 0) | getattr(os, "O_CLOEXEC", 0)
_LONGEST_LINE = 2**20


class UnfitFileError(RunError):
    """A file in a run that is not opened; `what` is wrong with it stands after its path in the message."""

    def __init__(self, path: Path, what: str, hint: str = "remove it") -> None:
        super().__init__(f"{path} {what}", hint)
        self.path = path
        self.what = what


_NAMES_NOTHING = (errno.ENAMETOOLONG, errno.ELOOP)
"""What the system says of a path at which no folder can be."""


@dataclass(frozen=True)
class Folder:
    """A folder whose files are named relative to it; without a descriptor by their paths."""

    path: Path
    descriptor: int | None = None

    def at(self, name: str) -> str:
        """What os functions take for a file in it, beside `dir_fd=folder.descriptor`."""
        return name if self.descriptor is not None else str(self.path / name)

    def open(self, name: str, flags: int, mode: int = 0o666) -> int:
        """A descriptor of a file in it; a link is not followed."""
        try:
            return os.open(self.at(name), flags | _FLAGS, mode, dir_fd=self.descriptor)
        except OSError:
            refuse_unfit(self.path / name, self.state(name))
            raise

    def state(self, name: str) -> os.stat_result | None:
        """What the system knows of a file in it, of a link itself; None where there is none."""
        try:
            return os.stat(self.at(name), dir_fd=self.descriptor, follow_symlinks=False)
        except (FileNotFoundError, NotADirectoryError):
            return None

    def enter(self, name: str) -> "Folder":
        """A folder in it, which is no link.

        Raises:
            FileNotFoundError: there is none.
            UnfitFileError: it is something else.
        """
        found = self.state(name)
        if found is None:
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(self.path / name))
        if not stat.S_ISDIR(found.st_mode):
            raise _unfit(self.path / name, found.st_mode)
        if self.descriptor is None:
            return Folder(self.path / name)
        return Folder(self.path / name, os.open(name, _LOOK | _NO_LINK, dir_fd=self.descriptor))

    def replace(self, name: str, other: str) -> None:
        """Let a file take the place of another one."""
        os.replace(self.at(name), self.at(other), src_dir_fd=self.descriptor, dst_dir_fd=self.descriptor)

    def unlink(self, name: str) -> None:
        """Take a file away; of a link the link itself."""
        with suppress(FileNotFoundError):
            os.unlink(self.at(name), dir_fd=self.descriptor)

    def sync(self) -> None:
        """Bring its names to the disk, where the system lets us."""
        with suppress(OSError):
            descriptor = os.open(self.at("."), os.O_RDONLY, dir_fd=self.descriptor)
            try:
                os.fsync(descriptor)
            finally:
                os.close(descriptor)

    def close(self) -> None:
        """Give the descriptor back."""
        if self.descriptor is not None:
            os.close(self.descriptor)


@contextmanager
def opened_folder(root: Path, path: Path, make: bool = False) -> Iterator[Folder]:
    """The folder `path`, at or below `root`; made where it is missing and `make` says so.

    Raises:
        FileNotFoundError: it is not there.
        UnfitFileError: a part of its path below the root is a link, or no folder.
    """
    if make:
        root.mkdir(parents=True, exist_ok=True)
    try:
        folder = Folder(root, os.open(root, _LOOK) if _IS_RELATIVE else None)
    except OSError as error:
        if error.errno in _NAMES_NOTHING:
            raise FileNotFoundError(error.errno, os.strerror(error.errno), str(root)) from None
        raise
    try:
        for part in path.relative_to(root).parts:
            if make:
                with suppress(FileExistsError):
                    os.mkdir(folder.at(part), dir_fd=folder.descriptor)
            inner = folder.enter(part)
            folder.close()
            folder = inner
        yield folder
    finally:
        folder.close()


def state_of(root: Path, path: Path) -> os.stat_result | None:
    """What the system knows of a file below `root`, of a link itself; None where there is none.

    Raises:
        UnfitFileError: a folder on its way is a link, or no folder, or may not be looked into.
    """
    try:
        with opened_folder(root, path.parent) as folder:
            return folder.state(path.name)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except PermissionError as error:
        raise UnfitFileError(path, f"cannot be read: {error.strerror}", "ask its owner for the permission") from None


def open_file(root: Path, path: Path, most: int) -> BinaryIO:
    """Open a regular file below `root` to be read, of `most` bytes at the most.

    Raises:
        UnfitFileError: it is a link, something else or larger.
        OSError: it is not there, or cannot be read.
    """
    with opened_folder(root, path.parent) as folder:
        refuse_unfit(path, folder.state(path.name))  # before it is opened, which may do something to a device
        descriptor = folder.open(path.name, os.O_RDONLY)
    try:
        refuse_unfit(path, os.fstat(descriptor), most)
        return os.fdopen(descriptor, "rb")
    except BaseException:
        os.close(descriptor)
        raise


def read_file(root: Path, path: Path, most: int) -> bytes:
    """The content of such a file; the errors are those of `open_file`."""
    with open_file(root, path, most) as file:
        size = os.fstat(file.fileno()).st_size
        content = file.read(size + 1)  # which reserves what it is asked for
        if len(content) > size:  # it grew
            content += file.read(most)
    if len(content) > most:
        raise _too_large(path, len(content), most)
    return content


def lines_of(file: TextIO) -> Iterator[str]:
    """The lines of a text whose lines are not long.

    Raises:
        ValueError: one is.
    """
    while line := file.readline(_LONGEST_LINE):
        if len(line) == _LONGEST_LINE:
            raise ValueError("it has a line without end")
        yield line


def refuse_unfit(path: Path, state: os.stat_result | None, most: int | None = None) -> None:
    """Raises:
    UnfitFileError: there is something at `path`, and it is no regular file, or one of more than `most` bytes.
    """
    if state is None:
        return
    if not stat.S_ISREG(state.st_mode):
        raise _unfit(path, state.st_mode)
    if most is not None and state.st_size > most:
        raise _too_large(path, state.st_size, most)


def refuse_links(root: Path, names: frozenset[str] | set[str], deep: bool = False) -> None:
    """Refuse a folder in which one of these names is a link, or neither a file nor a folder; `deep` looks below them.

    Raises:
        UnfitFileError: it is.
    """
    with suppress(FileNotFoundError, NotADirectoryError, PermissionError), opened_folder(root, root) as folder:
        for name in sorted(names):
            _refuse_links(folder, name, _DEEPEST if deep else 0)


_DEEPEST = 5
"""Folders below each other that a run has: evaluations/1/plots, and one aside; what lies deeper is never opened."""


def _refuse_links(folder: Folder, name: str, depth: int) -> None:
    found = folder.state(name)
    if found is None or stat.S_ISREG(found.st_mode):
        return
    if not stat.S_ISDIR(found.st_mode):
        raise _unfit(folder.path / name, found.st_mode)
    if depth:
        inner = folder.enter(name)
        try:
            for child in children(inner):
                _refuse_links(inner, child, depth - 1)
        finally:
            inner.close()


def children(folder: Folder) -> list[str]:
    """The names in a folder, sorted."""
    if folder.descriptor is None:
        return sorted(os.listdir(folder.path))
    descriptor = os.open(".", os.O_RDONLY | getattr(os, "O_CLOEXEC", 0), dir_fd=folder.descriptor)
    try:
        return sorted(os.listdir(descriptor))
    finally:
        os.close(descriptor)


def remove_matching(root: Path, path: Path, is_ours: Callable[[str], bool], depth: int = 0) -> None:
    """Take away the files and folders of some names in a folder below `root`, and `depth` folders below that."""
    with suppress(FileNotFoundError), opened_folder(root, path) as folder:
        _remove_matching(folder, is_ours, depth)


def _remove_matching(folder: Folder, is_ours: Callable[[str], bool], depth: int) -> None:
    for name in children(folder):
        found = folder.state(name)
        is_folder = found is not None and stat.S_ISDIR(found.st_mode)
        with suppress(OSError, RecursionError):
            if is_ours(name):
                if is_folder:  # rmtree follows no link, and nobody can make it by exchanging a folder for one
                    shutil.rmtree(folder.at(name), ignore_errors=True, dir_fd=folder.descriptor)
                else:
                    folder.unlink(name)
            elif is_folder and depth:
                inner = folder.enter(name)
                try:
                    _remove_matching(inner, is_ours, depth - 1)
                finally:
                    inner.close()


def _unfit(path: Path, mode: int) -> UnfitFileError:
    if stat.S_ISLNK(mode):
        return UnfitFileError(
            path, "is a link, which may lead out of the run", "remove it, or put what it leads to in its place"
        )
    if stat.S_ISREG(mode):
        return UnfitFileError(path, "is a file, not a folder")
    return UnfitFileError(path, f"is {kind_of(mode)}{', not a file' if stat.S_ISDIR(mode) else ''}")


def _too_large(path: Path, size: int, most: int) -> UnfitFileError:
    return UnfitFileError(path, f"has {size:,} bytes, more than the {most:,} that cnnctl reads")
