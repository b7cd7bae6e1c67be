"""Which columns of a CSV are file names and labels, and in which folder its images are: found by looking."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from cnnctl.config.schema import CsvColumns
from cnnctl.data.columns import LABEL_NAMES, PATH_NAMES, ranked
from cnnctl.data.dialect import Record
from cnnctl.data.file_names import looks_like_image
from cnnctl.data.image_folders import searched
from cnnctl.data.sheets import read_sheet
from cnnctl.data.table import Columns, locate, refuse_images_as_header
from cnnctl.errors import DataError
from cnnctl.formatting import name_form
from cnnctl.init.several import columns_of_labels, has_several
from cnnctl.system.files import absolute

_TRIED = 50
"""Rows whose images are looked for."""

_COLUMNS_HINT = "name the two: --columns PATH,LABEL"


@dataclass(frozen=True)
class _Place:
    """A column and a folder, and how many of the rows that were tried name an image there."""

    column: int
    folder: Path
    hits: int


def find_columns(file: Path, names: tuple[str, str] | None, folder: Path | None) -> tuple[CsvColumns, bool]:
    """The columns of file names and labels of a CSV, and the folder of its images where that is not the CSV's own.

    `names` and `folder` are what the user said of them.

    Returns:
        The columns, and whether images have several labels.

    Raises:
        DataError: it cannot be told, or the images are nowhere to be found.
    """
    sheet = read_sheet(file, None if folder is None else str(folder))
    separator = sheet.choose_separator(lambda header: _knows(header, names))
    header = sheet.header(separator)
    refuse_images_as_header(sheet, separator, Columns(*names) if names else Columns(), folder or file.parent)
    for name in names or ():
        if name_form(name) not in header:
            raise DataError(f"{file} has no column {name}; its columns are {', '.join(header)}", _COLUMNS_HINT)
    records = list(sheet.records(separator))[1:]

    place = _find_images(file, header, records, names and header.index(name_form(names[0])), folder)
    own = absolute(place.folder) == absolute(file.parent)
    found = CsvColumns(path=header[place.column], folder=None if own else str(place.folder))
    several = () if names or ranked(header, LABEL_NAMES) else columns_of_labels(header, records, place.column)
    if several:
        return found.model_copy(update={"label": several}), True
    label = name_form(names[1]) if names else _label(file, header, records, place.column)
    is_several = has_several(records, place.column, header.index(label))
    return found.model_copy(update={"label": label}), is_several


def _knows(header: Sequence[str], names: tuple[str, str] | None) -> bool:
    if names is not None:
        return all(name_form(name) in header for name in names)
    return ranked(header, PATH_NAMES) != [] and ranked(header, LABEL_NAMES) != []


def _find_images(
    file: Path, header: Sequence[str], records: Sequence[Record], column: int | None, folder: Path | None
) -> _Place:
    """The column and the folder with which most of the first rows name an image.

    Raises:
        DataError: there is none, or two folders have as many.
    """
    tried = records[:_TRIED]
    by_name = ranked(header, PATH_NAMES)
    columns = [column] if column is not None else [*by_name, *(set(range(len(header))) - set(by_name))]
    best: list[_Place] = []
    for folders in searched(file.parent) if folder is None else [[folder]]:
        found = _count(folders, columns, tried)
        if found and (not best or found[0].hits > best[0].hits):
            best = [place for place in found if place.hits == found[0].hits and place.column == found[0].column]
        if best and best[0].hits == len(tried):
            break
    if not best:
        raise _not_found(file, header, records, columns, by_name, folder)
    if len(best) > 1:
        some = ", ".join(str(place.folder) for place in best[:5])
        raise DataError(
            f"the images that {file} lists are in more than one folder: {some}", "--folder FOLDER says which"
        )
    return best[0]


def _count(folders: Iterable[Path], columns: Sequence[int], tried: Sequence[Record]) -> list[_Place]:
    """Where images are named, the most first; of as many the first in this order."""
    places = []
    for folder in folders:
        for column in columns:
            names = [record.fields[column] for record in tried if column < len(record.fields)]
            hits = sum(locate(folder, name) is not None for name in names)
            if hits:
                places.append(_Place(column, folder, hits))
    return sorted(places, key=lambda place: -place.hits)


def _not_found(
    file: Path,
    header: Sequence[str],
    records: Sequence[Record],
    columns: Sequence[int],
    by_name: Sequence[int],
    folder: Path | None,
) -> DataError:
    """No image was found by any column: the error, which names the one that has file names."""
    has_names = [
        column
        for column in columns
        if any(
            looks_like_image(record.fields[column].strip())
            for record in records[:_TRIED]
            if column < len(record.fields)
        )
    ]
    named = has_names or by_name
    if not named or not records:
        return _unclear(file, header)
    first = next((record for record in records if named[0] < len(record.fields)), records[0])
    where = str(folder) if folder is not None else f"{file.parent} and the folders in and around it"
    said = f"line {first.line}: {first.fields[named[0]]}" if named[0] < len(first.fields) else f"line {first.line}"
    message = f"the images in the column {header[named[0]]} of {file} are not in {where} ({said})"
    hint = "--folder FOLDER says what the file names are relative to"
    if not has_names:
        hint = f"write the file names with their ending, such as .jpg; {hint}"
    return DataError(message, hint)


def _label(file: Path, header: Sequence[str], records: Sequence[Record], path: int) -> str:
    """The column of the labels: by its name, else the only one that has a few values again and again.

    Raises:
        DataError: it cannot be told.
    """
    named = [column for column in ranked(header, LABEL_NAMES) if column != path]
    if named:
        return header[named[0]]
    repeating = []
    for column in range(len(header)):
        values = [record.fields[column].strip() for record in records if column < len(record.fields)]
        different = len(set(values))
        if column != path and all(values) and len(values) == len(records) and 2 <= different <= len(values) / 2:
            repeating.append(column)
    if len(repeating) != 1:
        raise _unclear(file, header)
    return header[repeating[0]]


def _unclear(file: Path, header: Sequence[str]) -> DataError:
    message = f"{file} has no columns that are clearly file names and labels: {', '.join(header) or 'none'}"
    return DataError(message, _COLUMNS_HINT)
