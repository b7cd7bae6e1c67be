"""ZIP and tar files as folders: `photos.zip/cat/1.jpg` is a file in one, and read without unpacking the others.

The images in the rows of a Parquet file are files in it too: `photos.parquet/12`.

A path is looked up on the disk first, so that a real folder of such a name stays one. Nothing is written anywhere.
"""

import os
import threading
from collections.abc import Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, NamedTuple, Protocol
from weakref import finalize

from cnnctl.data.file_names import ARCHIVE_SUFFIXES, PARQUET
from cnnctl.data.members import MemberError as MemberError
from cnnctl.data.members import TooLargeError as TooLargeError
from cnnctl.errors import DataError
from cnnctl.system.files import exists as exists_on_disk
from cnnctl.system.files import is_folder as is_folder_on_disk
from cnnctl.system.regular_files import NotRegularError, open_regular

if TYPE_CHECKING:
    import zipfile

    from cnnctl.data.parquet_images import ParquetImages

_COMPRESSED = (".tar.gz", ".tgz", ".tar.bz2", ".tbz2", ".tar.xz", ".txz", ".tar.zst", ".tzst")
_KEPT_OPEN = 16

Identity = tuple[int, ...]


class Entry(Protocol):
    """What a folder holds: as much of os.DirEntry as is asked for here."""

    @property
    def name(self) -> str: ...
    @property
    def path(self) -> str: ...
    def is_dir(self) -> bool: ...
    def is_symlink(self) -> bool: ...


class Member(NamedTuple):
    """An entry of a folder in an archive; `path` begins with that of the archive."""

    name: str
    path: str
    is_folder: bool

    def is_dir(self) -> bool:
        """Whether it is a folder."""
        return self.is_folder

    def is_symlink(self) -> bool:
        """Links in archives are left out."""
        return False


@dataclass(frozen=True)
class _Archive:
    """An open archive: its regular files by their names, and its folders with the names of what they hold.

    A file of a tar is (offset, size), one of a ZIP is (CRC-32, size).
    """

    stream: BinaryIO
    packed: "zipfile.ZipFile | None"
    files: dict[str, tuple[int, int]]
    folders: dict[str, set[str]]

    def has_file(self, name: str) -> bool:
        """Whether it holds a file of that name."""
        return name in self.files

    def has_folder(self, name: str) -> bool:
        """Whether it holds a folder of that name; the empty one is the archive itself."""
        return name in self.folders

    def names_in(self, folder: str) -> list[str]:
        """The names of what a folder holds, sorted."""
        return sorted(self.folders[folder])

    def mark(self, name: str) -> tuple[int, ...]:
        """What tells a file or folder from others."""
        return self.files.get(name, (hash(name),))

    def size(self, name: str) -> int:
        """The bytes of a file; 0 where there is none."""
        return self.files.get(name, (0, 0))[1]

    def read(self, name: str, limit: int) -> bytes:
        """The content of a file.

        Raises:
            TooLargeError: it has more than `limit` bytes.
        """
        place, size = self.files[name]
        if size > limit:
            raise TooLargeError(f"it has {size:,} bytes")
        from cnnctl.system.zip import read_member

        if self.packed is None:
            return os.pread(self.stream.fileno(), size, place)
        return read_member(self.packed, name, limit)


def is_archive(path: str | Path) -> bool:
    """Whether a path is that of a ZIP or tar file.

    Raises:
        DataError: of a compressed tar, which cannot be read but from its start.
    """
    name = os.fspath(path).lower()
    if not name.endswith((*ARCHIVE_SUFFIXES, *_COMPRESSED)) or not exists_on_disk(path) or is_folder_on_disk(path):
        return False
    if name.endswith(_COMPRESSED):
        raise DataError(
            f"{path} is a compressed tar file, in which no image can be found without unpacking those before it",
            f"unpack it: tar -xf {path}; or make a .zip or an uncompressed .tar of the images",
        )
    return True


def is_folder(path: str | Path) -> bool:
    """Whether a path is a folder, an archive, or a folder in one."""
    if is_folder_on_disk(path) or is_archive(path):
        return True
    place = _place(path)
    return place is not None and _open(place[0]).has_folder(place[1])


def exists(path: str | Path) -> bool:
    """Whether there is a file or folder of that path, also in an archive."""
    return exists_on_disk(path) or is_folder(path) or is_file(path)


def is_file(path: str | Path) -> bool:
    """Whether a path is that of a file in an archive."""
    place = _place(path)
    return place is not None and _open(place[0]).has_file(place[1])


def is_inside(path: str | Path) -> bool:
    """Whether a path leads into an archive, be there such a file in it or not."""
    return _place(path) is not None


def read(path: str | Path, limit: int) -> bytes | None:
    """The content of a file in an archive; None where there is no such file.

    Raises:
        TooLargeError: it has more than `limit` bytes.
        MemberError: it is damaged, encrypted, or packed by a method that takes any memory.
    """
    try:
        place = _place(path)
        archive = None if place is None else _open(place[0])
        if place is None or archive is None or not archive.has_file(place[1]):
            return None
        return archive.read(place[1], limit)
    except DataError as error:
        raise MemberError(error.message) from None
    except NotImplementedError as error:
        raise MemberError(f"it is not supported in its archive: {error}") from None
    except RuntimeError:
        raise MemberError("it is encrypted in its archive") from None
    except _damages() as error:
        raise MemberError(f"it is damaged in its archive: {error}") from None


def size(path: str | Path) -> int:
    """The bytes of a file in an archive, or about those of an image in a table; 0 where there is none."""
    try:
        place = _place(path)
        return 0 if place is None else _open(place[0]).size(place[1])
    except DataError:
        return 0


def identity(path: str | Path) -> Identity:
    """What tells a file or folder from another, and from itself before it was changed.

    Raises:
        OSError: there is none.
    """
    try:
        return _of_status(os.stat(path))
    except NotADirectoryError:
        place = _place(path)
        if place is None:
            raise
    archive = _open(place[0])
    return *_of_status(os.stat(place[0])), *archive.mark(place[1])


def scan(folder: str | Path) -> AbstractContextManager[Iterator[Entry]]:
    """What `os.scandir` gives, also of an archive and of a folder in one.

    Raises:
        OSError: there is no such folder, or it cannot be read.
        DataError: the archive is damaged.
    """
    try:
        return os.scandir(folder)
    except NotADirectoryError:
        place = (os.fspath(folder), "") if is_archive(folder) else _place(folder)
        if place is None or not _open(place[0]).has_folder(place[1]):
            raise
    return nullcontext(_members(*place))


def unwrapped(root: Path) -> Path:
    """The folder in an archive that its images are in, where it was made of one folder: photos.zip/photos."""
    if not is_archive(root):
        return root
    while True:
        with scan(root) as entries:
            shown = [entry for entry in entries if not entry.name.startswith((".", "__MACOSX"))]
        if len(shown) != 1 or not shown[0].is_dir():
            return root
        inner = Path(shown[0].path)
        with scan(inner) as entries:
            if not any(entry.is_dir() for entry in entries):
                return root  # the only folder is a class
        root = inner


def _members(archive: str, folder: str) -> Iterator[Entry]:
    opened = _open(archive)
    for name in opened.names_in(folder):
        inner = f"{folder}/{name}" if folder else name
        yield Member(name, f"{archive}/{inner}", opened.has_folder(inner))


def _place(path: str | Path) -> tuple[str, str] | None:
    """The archive that a path leads into, and the name within it; None where it leads into none."""
    text = os.fspath(path)
    lower = text.lower()
    for suffix in (*ARCHIVE_SUFFIXES, PARQUET):
        end = lower.find(f"{suffix}/")
        while end >= 0:
            archive = text[: end + len(suffix)]
            if os.path.isfile(archive):  # noqa: PTH113 - pathlib raises over a NUL
                return archive, text[end + len(suffix) + 1 :].rstrip("/")
            end = lower.find(f"{suffix}/", end + 1)
    return None


def _open(archive: str) -> "_Archive | ParquetImages":
    """An archive that is kept open until it is changed, or others are read.

    Raises:
        DataError: it is damaged, or cannot be read.
    """
    try:
        status = os.stat(archive)
        with _OPENING:  # its names are read once, whichever thread comes first
            return _opened(archive, _of_status(status))
    except NotRegularError as error:
        raise DataError(f"{archive} is {error}", "name a ZIP or tar file") from None
    except OSError as error:
        raise DataError(f"{archive} cannot be read: {error.strerror}") from None


_OPENING = threading.Lock()


@lru_cache(maxsize=_KEPT_OPEN)
def _opened(archive: str, status: Identity) -> "_Archive | ParquetImages":
    import zipfile

    stream, packed = open_regular(archive), None
    if archive.lower().endswith(PARQUET):
        return _opened_table(archive, stream)
    try:
        if archive.lower().endswith(".zip"):
            packed = zipfile.ZipFile(stream)
            files = {one.filename: (one.CRC, one.file_size) for one in packed.infolist() if not one.is_dir()}
        else:
            files = dict(_of_tar(stream))
    except _damages() as error:
        stream.close()
        raise DataError(
            f"{archive} is damaged, or no {archive[-3:].upper()} file: {error}", "copy or make it again"
        ) from None
    named = {plain: place for name, place in files.items() if _stays_inside(plain := name.removeprefix("./"))}
    if packed is not None:
        packed.NameToInfo.update({one.filename.removeprefix("./"): one for one in packed.infolist()})
    opened = _Archive(stream, packed, named, _folders(named))
    finalize(opened, stream.close)  # once nobody reads from it any more
    return opened


def _opened_table(file: str, stream: BinaryIO) -> "ParquetImages":
    from cnnctl.data.parquet_file import in_short, pyarrow
    from cnnctl.data.parquet_images import ParquetImages

    arrow, _ = pyarrow()
    try:
        table = ParquetImages(stream)
    except (arrow.ArrowException, OSError) as error:
        stream.close()
        raise DataError(f"{file} is damaged, or no Parquet file: {in_short(error)}", "write it again") from None
    finalize(table, stream.close)
    return table


def _damages() -> tuple[type[Exception], ...]:
    """What Python's readers raise over damaged archives."""
    import struct
    import tarfile
    import zipfile
    import zlib

    damaged = (zipfile.BadZipFile, tarfile.TarError, zlib.error, struct.error, EOFError, ValueError, OverflowError)
    return *damaged, RuntimeError, LookupError


def _stays_inside(name: str) -> bool:
    """Whether a name is one below its archive, however it is written."""
    return "\0" not in name and not {"", ".", ".."} & set(name.split("/"))


def _of_tar(stream: BinaryIO) -> Iterator[tuple[str, tuple[int, int]]]:
    import tarfile

    with tarfile.open(fileobj=stream, mode="r:") as archive:
        for member in archive:
            archive.members = []  # type: ignore[attr-defined]  # it would keep all of them
            if member.isreg() and not member.issparse():
                yield member.name, (member.offset_data, member.size)
        stream.seek(archive.offset)
        if any(stream.read(tarfile.BLOCKSIZE)):  # tarfile takes a damaged header for the end, and loses what follows
            raise tarfile.ReadError(f"there is no header at byte {archive.offset:,}")


def _folders(files: dict[str, tuple[int, int]]) -> dict[str, set[str]]:
    """Every folder with the names in it; the first is the archive itself."""
    folders: dict[str, set[str]] = {"": set()}
    for name in files:
        folder, _, last = name.rpartition("/")
        known = folder in folders
        folders.setdefault(folder, set()).add(last)
        while folder and not known:
            above, _, last = folder.rpartition("/")
            known = above in folders
            folders.setdefault(above, set()).add(last)
            folder = above
    return folders


def _of_status(status: os.stat_result) -> Identity:
    return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns
