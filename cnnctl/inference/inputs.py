"""What `predict` is given -> the image files it stands for."""

import os
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from cnnctl.data.dialect import SUFFIXES
from cnnctl.data.listing import describe_left_out, list_images
from cnnctl.data.missing import is_there
from cnnctl.data.table import Columns, read_paths
from cnnctl.errors import DataError

STANDARD_INPUT = "-"


def expand_inputs(
    inputs: Sequence[str], columns: Callable[[], Columns], note: Callable[[str], None] = lambda text: None
) -> Iterator[str]:
    """Each image file in turn: files as they are, folders with all below them, CSVs with every row, `-` for stdin.

    A file that does not exist is yielded all the same, so that it gets its row and its reason. `columns` names those of
    a CSV, and is called when there is one. `note` is told what was left out of folders, and why the files of a CSV are
    not there.

    Raises:
        DataError: a folder without images, or a CSV without such a column.
    """
    for given in inputs:
        path = Path(given)
        if given == STANDARD_INPUT:
            yield from (line.rstrip("\r\n") for line in sys.stdin if line.strip())
        elif path.is_dir():
            found, left_out = list_images(path)
            told = describe_left_out(left_out)
            if not found:
                raise DataError(f"no image was found in {path}", told)
            if told:
                note(f"{path}: {told}")
            yield from found
        elif path.suffix.lower() in SUFFIXES:
            names = columns()
            found = read_paths(path, names)
            _tell_missing(path, found, names, note)
            yield from found
        else:
            yield given


def _tell_missing(file: Path, found: Sequence[str], columns: Columns, note: Callable[[str], None]) -> None:
    """What mends a CSV whose files are not there."""
    missing = [path for path in found if not is_there(path)]
    if not missing:
        return
    base = Path(columns.folder) if columns.folder else file.parent
    names = [path.removeprefix(str(base) + os.sep) if base != Path() else path for path in missing]
    note(f"{file}: {len(missing):,} of {len(found):,} images are not there; {columns.how_to_mend(names, base)}")
