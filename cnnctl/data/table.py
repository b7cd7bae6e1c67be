"""A CSV of images -> file names with labels and groups. Labels are text: `no`, `007` and `NA` stay as they are."""

import csv
import difflib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from cnnctl.data.listing import Listing
from cnnctl.errors import DataError

if TYPE_CHECKING:
    import pandas as pd

SUFFIXES = (".csv", ".tsv", ".txt")
_FIELDS_HINT = "name every column in the first line, and put names with a comma in double quotes"


@dataclass(frozen=True)
class Columns:
    """Column names, and the folder in which file names are looked up (None: the CSV's own)."""

    path: str = "path"
    label: str = "label"
    group: str | None = None
    folder: str | None = None


def read_table(file: Path, columns: Columns) -> Listing:
    """The images that a CSV lists, with their labels, in the order of the file.

    Raises:
        DataError: the file or a column is missing, a row has no name or no label, an image that it names is not
            there, or one image has two labels; rows are named by their line.
    """
    frame = _read(file)
    _require(file, list(frame.columns), [columns.path, columns.label, *([columns.group] if columns.group else [])])
    frame = frame[(frame != "").any(axis=1)]
    lines = frame.index.to_numpy() + 2
    base = Path(columns.folder) if columns.folder else file.parent
    names, labels = frame[columns.path].tolist(), frame[columns.label].tolist()
    for column, values in ((columns.path, names), (columns.label, labels)):
        empty = [int(line) for line, value in zip(lines, values, strict=True) if not value.strip()]
        if empty:
            where = ", ".join(map(str, empty[:5]))
            raise DataError(f"{file}: {len(empty):,} row(s) have nothing in the column {column} (line {where})")
    paths = [str(base / name) for name in names]
    first: dict[str, int] = {}
    missing = []
    for row, path in enumerate(paths):
        if path in first and labels[first[path]] != labels[row]:
            both = f"line {lines[first[path]]}: {labels[first[path]]}, line {lines[row]}: {labels[row]}"
            raise DataError(f"{file}: {path} has more than one label ({both})", "keep one of the rows")
        if path not in first:
            first[path] = row
            if not Path(path).is_file():
                missing.append(f"line {lines[row]}: {path}")
    if missing:
        some = "; ".join(missing[:5])
        hint = f"file names are looked up in {base}; data.csv.folder names another folder"
        raise DataError(f"{file}: {len(missing):,} of {len(paths):,} images are not there ({some})", hint)
    listing = Listing(list(first), [labels[row] for row in first.values()])
    if columns.group:
        groups = frame[columns.group].tolist()
        listing.groups = [groups[row] for row in first.values()]
    if len(first) < len(paths):
        listing.left_out["rows that repeat an image"] += len(paths) - len(first)
    return listing


def read_paths(file: Path, columns: Columns) -> list[str]:
    """The file names that a CSV lists, labelled or not; its only column will do whatever it is called.

    Uses the standard library alone, so that `predict` stays quick.

    Raises:
        DataError: the file or its column is missing.
    """
    try:
        with file.open(encoding="utf-8-sig", newline="") as stream:
            rows = list(csv.reader(stream))
    except UnicodeDecodeError:
        raise DataError(f"{file} is not UTF-8 text", "save the CSV as UTF-8") from None
    except OSError as error:
        raise DataError(f"{file} cannot be read: {error.strerror}") from None
    except csv.Error as error:
        raise DataError(f"{file} is not a CSV: {error}") from None
    header = rows[0] if rows else []
    column = header[0] if len(header) == 1 else columns.path
    _require(file, header, [column])
    index = header.index(column)
    own, other = file.parent, Path(columns.folder) if columns.folder else None
    found = []
    for row in rows[1:]:
        if any(row):
            name = row[index] if index < len(row) else ""
            inside = own / name
            found.append(str(other / name if other is not None and not inside.exists() else inside))
    return found


def count_labels(file: Path, columns: Columns) -> int:
    """The number of different labels in a CSV, by the standard library alone."""
    try:
        with file.open(encoding="utf-8-sig", newline="") as stream:
            reader = csv.DictReader(stream)
            _require(file, list(reader.fieldnames or []), [columns.label])
            return len({row[columns.label] for row in reader if any(row.values())})
    except (OSError, UnicodeDecodeError, csv.Error):
        raise DataError(f"{file} cannot be read as a CSV in UTF-8") from None


def _read(file: Path) -> "pd.DataFrame":
    import pandas as pd

    try:
        frame = pd.read_csv(file, dtype=str, keep_default_na=False, encoding="utf-8-sig", skip_blank_lines=False)
    except FileNotFoundError:
        raise DataError(f"there is no file {file}") from None
    except UnicodeDecodeError:
        raise DataError(f"{file} is not UTF-8 text", "save the CSV as UTF-8") from None
    except OSError as error:
        raise DataError(f"{file} cannot be read: {error.strerror}") from None
    except pd.errors.EmptyDataError:
        raise DataError(f"{file} is empty", "its first line names the columns: path,label") from None
    except pd.errors.ParserError as error:
        raise DataError(f"{file} is not a CSV: {str(error).strip()}") from None
    if not isinstance(frame.index, pd.RangeIndex):  # pandas would take the first column for row names
        raise DataError(f"the rows of {file} have more fields than its first line has names", _FIELDS_HINT)
    return frame


def _require(file: Path, header: list[str], wanted: list[str]) -> None:
    for column in wanted:
        if column in header:
            continue
        close = difflib.get_close_matches(column, header, n=1)
        hint = f"data.csv names the columns: csv: {{path: {header[0] if header else 'path'}, ...}}"
        if len(header) == 1 and ";" in header[0]:
            hint = "its fields are separated by semicolons: save it with commas"
        elif close:
            hint = f"did you mean {close[0]}? {hint}"
        raise DataError(f"{file} has no column {column}; its columns are {', '.join(header) or 'none'}", hint)
