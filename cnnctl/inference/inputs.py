"""What `predict` is given -> the image files it stands for."""

import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from cnnctl.data.dialect import SUFFIXES
from cnnctl.data.listing import list_images
from cnnctl.data.table import Columns, read_paths
from cnnctl.errors import DataError

STANDARD_INPUT = "-"


def expand_inputs(inputs: Sequence[str], columns: Callable[[], Columns]) -> Iterator[str]:
    """Each image file in turn: files as they are, folders with all below them, CSVs with every row, `-` for stdin.

    A file that does not exist is yielded all the same, so that it gets its row and its reason. `columns` names those of
    a CSV, and is called when there is one.

    Raises:
        DataError: a folder without images, or a CSV without such a column.
    """
    for given in inputs:
        path = Path(given)
        if given == STANDARD_INPUT:
            yield from (line.rstrip("\r\n") for line in sys.stdin if line.strip())
        elif path.is_dir():
            found, _ = list_images(path)
            if not found:
                raise DataError(f"no image was found in {path}")
            yield from found
        elif path.suffix.lower() in SUFFIXES:
            yield from read_paths(path, columns())
        else:
            yield given
