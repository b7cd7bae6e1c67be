"""Whole files or none: everything is written beside its destination, flushed to the disk, and renamed."""

import csv
import errno
import io
import json
import os
import shutil
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, BinaryIO, TextIO

from cnnctl.errors import DiskError

_ASIDE = ".part"
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
    """The descriptor of a new file beside `path`, which takes its place at the end of the block, for good."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(prefix=f".{path.name}.", suffix=_ASIDE, dir=path.parent)
    try:
        yield handle
        Path(name).chmod(0o644)
        Path(name).replace(path)
        _sync_folder(path.parent)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


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
