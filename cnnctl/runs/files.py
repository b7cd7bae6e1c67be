"""Whole files or none: everything is written beside its destination, flushed to the disk, and renamed."""

import csv
import io
import json
import os
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TextIO

from cnnctl.errors import MachineError


def write_bytes(path: Path, content: bytes) -> None:
    """Replace the file at `path`, or make it; a reader sees the old content or the new one, never a part.

    Raises:
        MachineError: the disk is full, or the folder cannot be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            Path(name).chmod(0o644)
            Path(name).replace(path)
        except BaseException:
            Path(name).unlink(missing_ok=True)
            raise
    except OSError as error:
        raise MachineError(
            f"{path} cannot be written: {error.strerror}", "free some space or choose --output DIR"
        ) from None


@contextmanager
def replacing(path: Path) -> Iterator[TextIO]:
    """A text file to write piece by piece, which takes the place of `path` at the end of the block.

    Raises:
        MachineError: it cannot be written; what was at `path` stays.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
        try:
            with os.fdopen(handle, "w", encoding="utf-8", errors="surrogateescape", newline="") as file:
                yield file
                file.flush()
                os.fsync(file.fileno())
            Path(name).chmod(0o644)
            Path(name).replace(path)
        except BaseException:
            Path(name).unlink(missing_ok=True)
            raise
    except OSError as error:
        hint = "free some space or choose --output DIR"
        raise MachineError(f"{path} cannot be written: {error.strerror}", hint) from None


def write_text(path: Path, text: str) -> None:
    """`write_bytes` in UTF-8; file names that are no UTF-8 keep their bytes."""
    write_bytes(path, text.encode("utf-8", "surrogateescape"))


def write_json(path: Path, value: Any) -> None:
    """`write_text` of indented JSON."""
    write_text(path, json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False) + "\n")


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
