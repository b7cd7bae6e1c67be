"""Whole files or none: everything is written beside its destination, flushed to the disk, and renamed."""

import csv
import errno
import io
import json
import os
import shutil
import stat
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, BinaryIO, TextIO

from cnnctl.errors import DiskError

_ASIDE = ".part"
_MOST_OF_A_NAME = 50
"""Characters of a file's name that are in the name of the one beside it, which must not be too long."""
_PRIVATE = 0o600
_HINTS = {
    errno.EISDIR: "it is a folder: name a file in it",
    errno.ENOTDIR: "a part of its path is a file: choose another --output",
    errno.EEXIST: "a part of its path is a file: choose another --output",
    errno.EACCES: "choose another --output, where you may write",
    errno.EPERM: "choose another --output, where you may write",
    errno.EROFS: "choose another --output, where you may write",
    errno.ENAMETOOLONG: "choose a shorter --output",
}
_HINT = "free some space or choose another --output"


def write_bytes(path: Path, content: bytes) -> None:
    """Replace the file at `path`, or make it; a reader sees the old content or the new one, never a part.

    Raises:
        DiskError: the disk is full, or the folder cannot be written.
    """
    with replacing_bytes(path) as file:
        file.write(content)


@contextmanager
def replacing_bytes(path: Path) -> Iterator[BinaryIO]:
    """A file to write piece by piece, which takes the place of `path` at the end of the block.

    Raises:
        DiskError: it cannot be written; what was at `path` stays.
    """
    with writing(path), _aside(path) as handle, os.fdopen(handle, "wb") as file:
        yield file
        file.flush()
        os.fsync(file.fileno())


@contextmanager
def replacing(path: Path) -> Iterator[TextIO]:
    """`replacing_bytes` for text in UTF-8; file names that are no UTF-8 keep their bytes."""
    with replacing_bytes(path) as file:
        text = io.TextIOWrapper(file, encoding="utf-8", errors="surrogateescape", newline="")
        yield text
        text.flush()
        text.detach()


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """A block in which the machine's refusals (disk full, no permission) are about writing `path`.

    Raises:
        DiskError: instead of the OSError.
    """
    try:
        yield
    except OSError as error:
        reason = error.strerror or next(iter(str(error).splitlines()), type(error).__name__)
        hint = _HINTS.get(error.errno or 0, _HINT)
        raise DiskError(f"{path} cannot be written: {reason}", hint) from None


@contextmanager
def _aside(path: Path) -> Iterator[int]:
    """The descriptor of a new file beside `path`, which takes its place at the end of the block, for good.

    It has the mode and the owner of a file that was there, else what the umask says.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    before = _regular(path)
    handle, beside = _new_beside(path, 0o666 if before is None else _PRIVATE)
    try:
        if before is not None:
            _make_alike(handle, before)
        yield handle
        _put(beside, path)
        _sync_folder(path.parent)
    except BaseException:
        beside.unlink(missing_ok=True)
        raise


def _regular(path: Path) -> os.stat_result | None:
    """What the system knows of a regular file; None of anything else."""
    try:
        found = path.lstat()
    except FileNotFoundError:
        return None
    return found if stat.S_ISREG(found.st_mode) else None


def _new_beside(path: Path, mode: int) -> tuple[int, Path]:
    """A new file in the folder of `path`; unlike tempfile's, it obeys the umask."""
    flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0)
    while True:
        beside = path.parent / f".{path.name[:_MOST_OF_A_NAME]}.{os.urandom(6).hex()}{_ASIDE}"
        with suppress(FileExistsError):
            return os.open(beside, flags, mode), beside


def _make_alike(handle: int, before: os.stat_result) -> None:
    if hasattr(os, "fchown"):
        now = os.fstat(handle)
        if now.st_gid != before.st_gid:
            with suppress(OSError):
                os.fchown(handle, -1, before.st_gid)
        if now.st_uid != before.st_uid:
            with suppress(OSError):
                os.fchown(handle, before.st_uid, -1)
        os.fchmod(handle, stat.S_IMODE(before.st_mode) & 0o777)


def _put(beside: Path, path: Path) -> None:
    try:
        beside.replace(path)
    except OSError as error:
        if error.errno != errno.EBUSY:
            raise
        shutil.copyfile(beside, path)  # a file that a container has mounted cannot be replaced, only filled
        beside.unlink()


def _sync_folder(folder: Path) -> None:
    """Bring a folder's names to the disk, where the system lets us."""
    with suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def aside_folder(folder: Path) -> "tempfile.TemporaryDirectory[str]":
    """A folder in `folder` for files that are being made, gone at the end of the block."""
    return tempfile.TemporaryDirectory(dir=folder, prefix=".", suffix=_ASIDE)


def is_aside(path: Path) -> bool:
    """Whether a file or folder is one that is still being made, or was when its maker was killed."""
    return path.name.startswith(".") and path.name.endswith(_ASIDE)


def sweep(folder: Path, recursive: bool = True) -> None:
    """Take away what killed processes left behind while they wrote into a folder, or its subfolders too."""
    for left in list(folder.rglob(f".*{_ASIDE}") if recursive else folder.glob(f".*{_ASIDE}")):
        if left.is_dir():
            shutil.rmtree(left, ignore_errors=True)
        else:
            with suppress(OSError):
                left.unlink()


def is_file(path: str | Path) -> bool:
    """Whether there is a file that can be looked at; False also for names that no system takes.

    So it is with pathlib's own from Python 3.14 on; before, it raises over a name that is too long.
    """
    return os.path.isfile(path)  # noqa: PTH113


def is_folder(path: str | Path) -> bool:
    """`is_file` for folders."""
    return os.path.isdir(path)  # noqa: PTH112


def exists(path: str | Path) -> bool:
    """`is_file` for whatever it is."""
    return os.path.exists(path)  # noqa: PTH110


def absolute(path: Path) -> Path:
    """The absolute form of a path; as it is where the current folder was deleted."""
    try:
        return path.absolute()
    except FileNotFoundError:
        return path


def write_text(path: Path, text: str) -> None:
    """`write_bytes` in UTF-8; file names that are no UTF-8 keep their bytes."""
    write_bytes(path, text.encode("utf-8", "surrogateescape"))


def write_json(path: Path, value: Any) -> None:
    """`write_text` of indented JSON."""
    write_text(path, json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False) + "\n")


def read_json(path: Path) -> Any:
    """What `write_json` wrote; RecursionError and ValueError are raised over anything else."""
    return json.loads(path.read_text(encoding="utf-8", errors="surrogateescape"))


def write_rows(stream: TextIO, rows: Iterable[Sequence[Any]]) -> None:
    """Rows of a CSV, each ended by `\n`; floats with as many digits as it takes to read them back.

    csv quotes names with `\r` only while it ends its rows in `\r\n`.
    """
    line = io.StringIO(newline="")
    writer = csv.writer(line)
    for row in rows:
        writer.writerow(row)
        stream.write(line.getvalue().removesuffix("\r\n") + "\n")
        line.seek(0)
        line.truncate()


def write_csv(path: Path, header: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """A whole CSV or none, written row by row: rows may come from a generator."""
    with replacing(path) as stream:
        write_rows(stream, (header,))
        write_rows(stream, rows)


def read_csv(path: Path) -> Iterator[dict[str, str]]:
    """The rows of a CSV that `write_csv` wrote, one at a time."""
    with path.open(encoding="utf-8", errors="surrogateescape", newline="") as file:
        yield from csv.DictReader(file)
