"""What `predict` is given -> the image files it stands for."""

import codecs
import os
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from io import BufferedReader
from pathlib import Path
from typing import TYPE_CHECKING

from cnnctl.data.archives import is_folder
from cnnctl.data.file_names import COCO, PARQUET, TABLE_SUFFIXES, is_address
from cnnctl.errors import DataError, UsageError

if TYPE_CHECKING:
    from cnnctl.data.table import Columns

STANDARD_INPUT = "-"
_HEAD = 256  # bytes


class Unfit(str):
    """An input that is no path at all, and why: it gets its row and its reason like a file that cannot be read."""

    reason: str

    def __new__(cls, given: str, reason: str) -> "Unfit":
        self = super().__new__(cls, given)
        self.reason = reason
        return self


def expand_inputs(
    inputs: Sequence[str],
    columns: "Callable[[], Columns]",
    note: Callable[[str], None] = lambda text: None,
    null: bool = False,
) -> Iterator[str]:
    """Each image file in turn: files as they are, folders and archives with all below them, tables with every row, `-`
    for stdin, addresses such as s3://bucket/photos with all that is there.

    A file that does not exist is yielded all the same, so that it gets its row and its reason. `columns` names those of
    a CSV, and is called when there is one. With `null` a NUL ends each path on stdin, else a line's end does.
    `note` is told what was left out of folders, and why the files of a CSV are not there.

    Raises:
        DataError: a folder without images, or a CSV without such a column.
        UsageError: stdin is closed.
    """
    for given in inputs:
        path = Path(given)
        if given == STANDARD_INPUT:
            yield from _names_on_stdin(null)
        elif is_address(given):
            from cnnctl.inference.remote import list_remote

            yield from list_remote(given)
        elif is_folder(path):
            from cnnctl.data.listing import describe_left_out
            from cnnctl.data.parquet_files import parquet_files
            from cnnctl.data.split_folders import look_inside

            if look_inside(path).is_of_tables:
                from cnnctl.data.parquet import list_parquet

                for file in parquet_files(path):
                    yield from list_parquet(file, columns())
                continue

            found, left_out = _list_below(path)
            told = describe_left_out(left_out)
            if not found:
                raise DataError(f"no image was found in {path}", told)
            if told:
                note(f"{path}: {told}")
            yield from found
        elif path.suffix.lower() == PARQUET:
            from cnnctl.data.parquet import list_parquet

            yield from list_parquet(path, columns())
        elif path.suffix.lower() in (*TABLE_SUFFIXES, COCO):
            from cnnctl.data.table import read_paths

            names = columns()
            listed = read_paths(path, names)
            _tell_missing(path, listed, names, note)
            yield from listed
        else:
            yield given


def _list_below(path: Path) -> tuple[list[str], Counter[str]]:
    """The images in a folder or an archive, or in each archive of a folder of archives."""
    from cnnctl.data.listing import list_images
    from cnnctl.data.shards import shards_of

    shards = shards_of(path)
    found, left_out = list[str](), Counter[str]()
    for place in shards or [path]:
        images, other = list_images(place)
        found += images
        left_out.update(other)
    return found, left_out


def _tell_missing(file: Path, found: Sequence[str], columns: "Columns", note: Callable[[str], None]) -> None:
    """What mends a CSV whose files are not there."""
    from cnnctl.data.missing import is_there

    missing = [path for path in found if not is_address(path) and not is_there(path)]
    if not missing:
        return
    base = Path(columns.folder) if columns.folder else file.parent
    names = [path.removeprefix(str(base) + os.sep) if base != Path() else path for path in missing]
    note(f"{file}: {len(missing):,} of {len(found):,} images are not there; {columns.how_to_mend(names, base)}")


def _names_on_stdin(null: bool) -> Iterator[str]:
    """The paths that are piped in, each as soon as it is there; names that are no UTF-8 keep their bytes."""
    if sys.stdin is None:
        raise UsageError("stdin is closed, and - stands for the paths on it", "name the images themselves")
    stream = sys.stdin.buffer
    assert isinstance(stream, BufferedReader)
    try:
        head = stream.peek(_HEAD)[:_HEAD]
        if _is_image(head):
            yield Unfit(STANDARD_INPUT, "stdin is an image, not the paths of images; name its file instead of -")
        elif null:
            yield from map(os.fsdecode, filter(None, _up_to_nul(stream)))
        elif head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):  # from PowerShell
            yield from filter(str.strip, stream.read().decode("utf-16", "replace").splitlines())
        else:
            for number, line in enumerate(stream):
                name = line if number else line.removeprefix(codecs.BOM_UTF8)
                if name.strip():
                    yield _checked(os.fsdecode(name.rstrip(b"\r\n")))
    except OSError as error:  # it is a folder, for example
        raise DataError(f"the paths on stdin cannot be read: {error.strerror}") from None


def _is_image(head: bytes) -> bool:
    """Whether bytes begin an image, and not a name such as BMW.jpg."""
    from cnnctl.data.decoder.headers import image_format

    return image_format(head) is not None and (b"\0" in head or not head[:1].isascii())


def _checked(name: str) -> str:
    if "\0" not in name:
        return name
    return Unfit(name, "there is a NUL in this name; -0 takes what `find -print0` writes")


def _up_to_nul(stream: BufferedReader) -> Iterator[bytes]:
    rest = b""
    while block := stream.read1():
        *names, rest = (rest + block).split(b"\0")
        yield from names
    yield rest
