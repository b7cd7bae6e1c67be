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
from contextlib import contextmanager, nullcontext, suppress
from pathlib import Path
from typing import Any, BinaryIO, TextIO

from cnnctl.errors import DiskError
from cnnctl.system.inside import Folder, lines_of, opened_folder, refuse_unfit, remove_matching

_ASIDE = ".part"
_MOST_OF_A_NAME = 50
"""Characters of a file's name that are in the name of the one beside it, which must not be too long."""
_PRIVATE = 0o600
_HINTS = {
    errno.ENOENT: "a folder of its path was removed: choose another --output",
    errno.EISDIR: "it is a folder: name a file in it",
    errno.ENOTDIR: "a part of its path is a file: choose another --output",
    errno.EEXIST: "a part of its path is a file: choose another --output",
    errno.EACCES: "choose another --output, where you may write",
    errno.EPERM: "choose another --output, where you may write",
    errno.EROFS: "choose another --output, where you may write",
    errno.ENAMETOOLONG: "choose a shorter --output",
}
_HINT = "free some space or choose another --output"


def write_bytes(path: Path, content: bytes, root: Path | None = None) -> None:
    """Replace the file at `path`, or make it; a reader sees the old content or the new one, never a part.

    Below a `root`, which may be a stranger's folder, no link is followed.

    Raises:
        DiskError: the disk is full, or the folder cannot be written.
        UnfitFileError: a part of the path below the root is a link.
    """
    with replacing_bytes(path, root) as file:
        file.write(content)


@contextmanager
def replacing_bytes(path: Path, root: Path | None = None) -> Iterator[BinaryIO]:
    """A file to write piece by piece, which takes the place of `path` at the end of the block.

    Raises:
        DiskError: it cannot be written; what was at `path` stays.
        UnfitFileError: as `write_bytes`.
    """
    with writing(path), _aside(path, root) as handle, os.fdopen(handle, "wb") as file:
        yield file
        file.flush()
        os.fsync(file.fileno())


@contextmanager
def replacing(path: Path, root: Path | None = None) -> Iterator[TextIO]:
    """`replacing_bytes` for text in UTF-8; file names that are no UTF-8 keep their bytes."""
    with replacing_bytes(path, root) as file:
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
def _aside(path: Path, root: Path | None) -> Iterator[int]:
    """The descriptor of a new file beside `path`, which takes its place at the end of the block, for good.

    It has the mode and the owner of a file that was there, else what the umask says.
    """
    if root is None:
        path.parent.mkdir(parents=True, exist_ok=True)
    with nullcontext(Folder(path.parent)) if root is None else opened_folder(root, path.parent, make=True) as folder:
        before = folder.state(path.name)
        if root is not None:
            refuse_unfit(path, before)
        if before is not None and not stat.S_ISREG(before.st_mode):
            before = None
        handle, beside = _new_beside(folder, path.name, 0o666 if before is None else _PRIVATE)
        try:
            if before is not None:
                _make_alike(handle, before)
            yield handle
            _put(folder, beside, path.name)
            folder.sync()
        except BaseException:
            folder.unlink(beside)
            raise


def _new_beside(folder: Folder, name: str, mode: int) -> tuple[int, str]:
    """A new file in a folder; unlike tempfile's, it obeys the umask."""
    while True:
        beside = f".{name[:_MOST_OF_A_NAME]}.{os.urandom(6).hex()}{_ASIDE}"
        with suppress(FileExistsError):
            return folder.open(beside, os.O_RDWR | os.O_CREAT | os.O_EXCL, mode), beside


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


def _put(folder: Folder, beside: str, name: str) -> None:
    try:
        folder.replace(beside, name)
    except OSError as error:
        if error.errno != errno.EBUSY:
            raise
        # a file that a container has mounted cannot be replaced, only filled
        with (
            os.fdopen(folder.open(beside, os.O_RDONLY), "rb") as made,
            os.fdopen(folder.open(name, os.O_WRONLY | os.O_TRUNC), "wb") as file,
        ):
            shutil.copyfileobj(made, file)
        folder.unlink(beside)


def aside_folder(folder: Path) -> "tempfile.TemporaryDirectory[str]":
    """A folder in `folder` for files that are being made, gone at the end of the block."""
    return tempfile.TemporaryDirectory(dir=folder, prefix=".", suffix=_ASIDE)


def is_aside(path: Path) -> bool:
    """Whether a file or folder is one that is still being made, or was when its maker was killed."""
    return path.name.startswith(".") and path.name.endswith(_ASIDE)


def sweep(root: Path, folder: Path, depth: int = 0) -> None:
    """Take away what killed processes left behind while they wrote into a folder, or `depth` folders below it.

    The folder is at or below `root`; no link is followed.
    """
    remove_matching(root, folder, lambda name: is_aside(Path(name)), depth)


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


def write_text(path: Path, text: str, root: Path | None = None) -> None:
    """`write_bytes` in UTF-8; file names that are no UTF-8 keep their bytes."""
    write_bytes(path, text.encode("utf-8", "surrogateescape"), root)


def write_json(path: Path, value: Any, root: Path | None = None) -> None:
    """`write_text` of indented JSON."""
    write_text(path, json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False) + "\n", root)


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


def write_csv(path: Path, header: Sequence[str], rows: Iterable[Sequence[Any]], root: Path | None = None) -> None:
    """A whole CSV or none, written row by row: rows may come from a generator."""
    with replacing(path, root) as stream:
        write_rows(stream, (header,))
        write_rows(stream, rows)


def read_rows(file: BinaryIO, columns: Sequence[str] = ()) -> Iterator[dict[str, str]]:
    """The rows of a CSV that `write_csv` wrote with these columns, and maybe others, one at a time; it is closed.

    Raises:
        ValueError, csv.Error: it is no such CSV.
    """
    with io.TextIOWrapper(file, encoding="utf-8", errors="surrogateescape", newline="") as text:
        rows = csv.DictReader(lines_of(text))
        lacking = [name for name in columns if name not in (rows.fieldnames or ())]
        if lacking:
            raise ValueError(f"it has no column {lacking[0]}")
        for row in rows:
            if None in row or None in row.values():
                raise ValueError(f"line {rows.line_num} has not as many cells as the header")
            yield row
