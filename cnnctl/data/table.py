"""A CSV of images -> file names with labels and groups. Labels are text: `no`, `007` and `NA` stay as they are."""

import difflib
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from cnnctl.data.dialect import ALONE, BLANK, SEPARATORS, Record, Sheet
from cnnctl.data.file_names import is_address, looks_like_image
from cnnctl.data.listing import Listing
from cnnctl.data.missing import how_to_mend
from cnnctl.data.missing import locate as locate
from cnnctl.data.several import BETWEEN, joined, names_of, united
from cnnctl.data.sheets import read_sheet
from cnnctl.errors import DataError, Notice
from cnnctl.formatting import differences, name_form

Role = Literal["path", "label", "group"]
_YES_NO = {"1": True, "1.0": True, "true": True, "0": False, "0.0": False, "false": False}
_NAMED = 5
_MISSING_TRIED = 20


@dataclass(frozen=True)
class Columns:
    """Column names, and the folder in which file names are looked up (None: the CSV's own).

    `are_in_config` says whether a config that is being read names them: else its keys mend nothing. `other_folder` is
    one where the files may be as well: it is only named. `option` is what names the columns on the command line.
    `several` says whether an image may have several labels: `cat|dog` in the column `label`, or in several rows, or in
    several columns, which have 1 for images with the label that is their name, and 0 for others.
    """

    path: str = "path"
    label: str | tuple[str, ...] = "label"
    group: str | None = None
    folder: str | None = None
    are_in_config: bool = True
    other_folder: str | None = None
    option: str | None = None
    several: bool = False

    def how_to_mend(self, names: Sequence[str], base: Path) -> str:
        """The hint for file names that are not there."""
        key = "data.csv.folder" if self.are_in_config else "--folder"
        return how_to_mend(names, base, key, self.other_folder)

    def wanted(self) -> dict[Role, str]:
        """The names of the columns that a labelled table must have, by what they are for; the first one of labels."""
        wanted: dict[Role, str] = {"path": self.path, "label": self.labels[0]}
        return wanted | ({"group": self.group} if self.group else {})

    @property
    def labels(self) -> tuple[str, ...]:
        """The columns of labels."""
        return (self.label,) if isinstance(self.label, str) else self.label


class ColumnError(DataError):
    """A table has no such column: the one for `role`."""

    def __init__(self, message: str, hint: str, role: Role) -> None:
        super().__init__(message, hint)
        self.role = role


class MissingImagesError(DataError):
    """Images that a table lists are not there."""


def read_table(file: Path, columns: Columns) -> Listing:
    """The images that a CSV lists, with their labels, in the order of the file.

    Raises:
        DataError: the file or a column is missing, a row has no name or no label, an image that it names is not
            there, or one image has two labels; rows are named by their line.
    """
    sheet = read_sheet(file, columns.folder, columns.labels[0], columns.several)
    wanted = columns.wanted()
    base = Path(columns.folder) if columns.folder else file.parent
    separator = sheet.choose_separator(lambda header: _has_all(header, [*wanted.values(), *columns.labels]))
    header = sheet.header(separator)
    refuse_images_as_header(sheet, separator, columns, base)
    places = {role: _place(file, header, role, column, columns.are_in_config) for role, column in wanted.items()}
    rows = _rows(sheet, separator, header)
    lines = [row.line for row in rows]
    values = {role: [_field(row, place) for row in rows] for role, place in places.items()}
    _refuse_empty(file, columns.path, rows, values["path"])
    if not columns.several:
        _refuse_empty(file, wanted["label"], rows, values["label"])

    listing = Listing(left_out=Counter(sheet.left_out), several=columns.several)
    if isinstance(columns.label, str):
        names, labels = values["path"], _clean(file, columns.label, lines, values["label"], listing)
    else:
        names, labels = values["path"], _named_by_columns(file, columns, header, rows)
        given = {name for label in labels for name in names_of(label)}
        listing.empty_classes = [name for name in map(name_form, columns.label) if name not in given]
    groups = _groups(file, wanted["group"], lines, values["group"], listing) if "group" in values else []
    found = [locate(base, name) for name in names]
    paths = [path or str(base / name) for path, name in zip(found, names, strict=True)]
    first: dict[str, int] = {}
    missing = []
    for row, path in enumerate(paths):
        if path in first and columns.several:
            labels[first[path]] = united(labels[first[path]], labels[row])
        elif path in first and labels[first[path]] != labels[row]:
            both = f"line {lines[first[path]]}: {labels[first[path]]}, line {lines[row]}: {labels[row]}"
            mend = "keep one of the rows; for images with several labels, write output: multi_label into the config"
            raise DataError(f"{file}: {path} has more than one label ({both})", mend)
        if path not in first:
            first[path] = row
            if found[row] is None:
                missing.append(row)
    if missing:
        some = "; ".join(f"line {lines[row]}: {paths[row]}" for row in missing[:_NAMED])
        hint = columns.how_to_mend([names[row] for row in missing[:_MISSING_TRIED]], base)
        raise MissingImagesError(f"{file}: {len(missing):,} of {len(paths):,} images are not there ({some})", hint)
    listing.paths, listing.labels = list(first), [labels[row] for row in first.values()]
    if columns.several:
        listing.labels = [united(label) for label in listing.labels]
    listing.groups = [groups[row] for row in first.values()] if groups else []
    if len(first) < len(paths) and not columns.several:
        listing.left_out["rows that repeat an image"] += len(paths) - len(first)
    return listing


def _named_by_columns(file: Path, columns: Columns, header: list[str], rows: Sequence[Record]) -> list[str]:
    """The labels of each row by the columns that have a 1 there.

    Raises:
        DataError: there is no such column, its name cannot be told from several, or it has something else.
    """
    places = [_place(file, header, "label", name, columns.are_in_config) for name in columns.labels]
    for name in columns.labels:
        if BETWEEN in name:
            raise DataError(f"the column {name} of {file} has a {BETWEEN}, which stands between labels", "rename it")
    found = []
    for row in rows:
        said = [_YES_NO.get(_field(row, place).strip().lower()) for place in places]
        if None in said:
            name, place = next(
                pair for pair, one in zip(zip(columns.labels, places, strict=True), said, strict=True) if one is None
            )
            received = f"received: {name}={_field(row, place)!r}"
            raise DataError(
                f"{file}, line {row.line}: expected 1 or 0 in a column of labels; {received}",
                "write 1 where the image has the label, and 0 where it has not",
            )
        found.append(joined(name_form(name) for name, has in zip(columns.labels, said, strict=True) if has))
    return found


class ListedPath(str):
    """The path of an image that a table lists, and its name there, as it was written."""

    given: str

    def __new__(cls, path: str, given: str) -> "ListedPath":
        self = super().__new__(cls, path)
        self.given = given
        return self


def read_paths(file: Path, columns: Columns) -> list[ListedPath]:
    """The image files that a CSV lists, labelled or not; its only column will do whatever it is called.

    Where the first line names an image and no column, it is an image as the others are.

    Raises:
        DataError: the file or its column is missing.
    """
    sheet = read_sheet(file, columns.folder)
    base = Path(columns.folder) if columns.folder else file.parent
    separator = sheet.choose_separator(lambda header: _has_all(header, [columns.path]))
    header = sheet.header(separator)
    if image := _image_in_header(sheet, separator, columns, base):
        (separator, place), skips = image, 0
    elif name_form(columns.path) not in header and all(
        len(sheet.header(one)) < 2 for one in SEPARATORS if one != BLANK
    ):
        separator, place, skips = ALONE, 0, 1
    else:
        place, skips = _place(file, header, "path", columns.path, columns.are_in_config, columns.option), 1
    names = [_field(record, place) for record in list(sheet.records(separator))[skips:]]
    return [listed(base, name) for name in names]


def listed(base: Path, name: str) -> ListedPath:
    """The image that a table means by a name: an address, or a file in the folder `base`."""
    return ListedPath(name if is_address(name) else locate(base, name) or str(base / name), name)


def count_labels(file: Path, columns: Columns) -> int:
    """The number of different labels in a CSV, without looking at its images."""
    sheet = read_sheet(file, columns.folder, columns.labels[0], columns.several or None)
    separator = sheet.choose_separator(lambda header: _has_all(header, [columns.path, *columns.labels]))
    header = sheet.header(separator)
    if not isinstance(columns.label, str):
        return len({_place(file, header, "label", name, columns.are_in_config) for name in columns.label})
    place = _place(file, header, "label", columns.label, columns.are_in_config)
    fields = {_field(row, place) for row in _rows(sheet, separator, header)}
    if columns.several:
        return len({name for field in fields for name in names_of(united(field))})
    return len({name_form(field) for field in fields} - {""})


def refuse_images_as_header(sheet: Sheet, separator: str, columns: Columns, base: Path) -> None:
    """Raises:
    DataError: the first row names an image, which would be lost as a header.
    """
    image = _image_in_header(sheet, separator, columns, base)
    if image is None:
        return
    separator, place = image
    fields = sheet.first(separator)
    is_column = name_form(fields[place]) == name_form(columns.path)
    names = [f"column{number}" for number in range(1, len(fields) + 1)]
    names[place] = "path" if is_column else columns.path
    if len(names) > 1:
        names[1 if place == 0 else 0] = "label" if is_column else columns.labels[0]
    between = "," if separator == ALONE else separator
    mend = f"write the names of the columns as a line before it: {between.join(names)}"
    if is_column and columns.are_in_config:
        mend += "; and remove path and label from data.csv"
    raise DataError(f"the first line of {sheet.file} is an image, not the names of the columns: {fields[place]}", mend)


def _names_file(base: Path, name: str) -> bool:
    """Whether a field of a first row is a file and no column; a word could be both, and is taken for a column."""
    return not name.isidentifier() and locate(base, name) is not None


def _image_in_header(sheet: Sheet, separator: str, columns: Columns, base: Path) -> tuple[str, int] | None:
    """Where the first row has the name of an image, though it should name columns: the separator and the place."""
    if not _has_all(sheet.header(separator), [columns.path]):
        return _image_place(sheet, base)
    for place, name in enumerate(sheet.first(separator)):  # a class may be called as the column is
        if _names_file(base, name):
            return separator, place
    return None


def _image_place(sheet: Sheet, base: Path) -> tuple[str, int] | None:
    """Where the first row has the name of an image: the separator and the place; one that is there comes first."""
    separators = [ALONE, *SEPARATORS] if sheet.separator is None else [sheet.separator]
    firsts = {one: sheet.first(one) for one in separators}
    for one, fields in firsts.items():
        for place, name in enumerate(fields):
            is_alone = len(fields) == 1
            if _names_file(base, name) or (is_alone and locate(base, name)):
                return one, place
    # A name may have blanks, and `cat,photo.png` is none: what splits comes first.
    for one in sorted(firsts, key=lambda one: (one == BLANK, len(firsts[one]) < 2)):
        for place, name in enumerate(firsts[one]):
            if looks_like_image(name.strip()):
                return one, place
    return None


def _has_all(header: Sequence[str], columns: Iterable[str]) -> bool:
    return all(name_form(column) in header for column in columns)


def _place(
    file: Path, header: list[str], role: Role, column: str, is_in_config: bool = True, option: str | None = None
) -> int:
    """The place of a column among the fields of a row.

    Raises:
        ColumnError: there is none of that name.
    """
    if name_form(column) in header:
        return header.index(name_form(column))
    close = difflib.get_close_matches(column, header, n=1)
    hint = f"call it {column} in the first line" + (f", or name the columns with {option}" if option else "")
    if is_in_config:
        hint = f"data.csv names the columns: csv: {{path: {header[0] if header else 'path'}, ...}}"
    if len(header) < 2:
        *most, last = SEPARATORS.values()
        hint = f"fields are separated by {', '.join(most)} or {last}: save it with commas"
    elif close:
        hint = f"did you mean {close[0]}? {hint}"
    raise ColumnError(f"{file} has no column {column}; its columns are {', '.join(header) or 'none'}", hint, role)


def _rows(sheet: Sheet, separator: str, header: list[str]) -> list[Record]:
    """The rows below the header.

    Raises:
        DataError: some have more fields than the header.
    """
    rows = list(sheet.records(separator))[1:]
    longer = [row.line for row in rows if any(field.strip() for field in row.fields[len(header) :])]
    if longer:
        what = SEPARATORS.get(separator, f"the character {separator}")
        raise DataError(
            f"{len(longer):,} row(s) of {sheet.file} have more fields than its first line has names "
            f"({_lines(longer)}); they are separated by {what}",
            f"name every column in the first line, and put fields with {what} inside in double quotes",
        )
    return rows


def _field(row: Record, place: int) -> str:
    return row.fields[place] if place < len(row.fields) else ""


def _lines(lines: Sequence[int]) -> str:
    return f"line {', '.join(map(str, lines[:_NAMED]))}{', ...' if len(lines) > _NAMED else ''}"


def _refuse_empty(file: Path, column: str, rows: Sequence[Record], values: Sequence[str]) -> None:
    empty = [row for row, value in zip(rows, values, strict=True) if not value.strip()]
    if not empty:
        return
    hint = None
    inside = [one for one in SEPARATORS if one != BLANK and one in empty[0].fields[0]]
    if len(empty[0].fields) == 1 and inside:
        hint = (
            f"line {empty[0].line} is separated by {SEPARATORS[inside[0]]}, and the first line is not: use one of them"
        )
    where = _lines([row.line for row in empty])
    raise DataError(f"{file}: {len(empty):,} row(s) have nothing in the column {column} ({where})", hint)


def _clean(file: Path, column: str, lines: Sequence[int], values: Sequence[str], listing: Listing) -> list[str]:
    """Values in the form in which they are compared; the listing says what was changed that a person may not see."""
    forms = {value: name_form(value) for value in set(values)}
    changed = [(line, value) for line, value in zip(lines, values, strict=True) if forms[value] != value]
    blank = [(line, value) for line, value in changed if value.strip() != value]
    if blank:
        line, value = blank[0]
        message = f"{file}: blanks around {len(blank):,} value(s) of the column {column} are left out"
        listing.notices.append(Notice(f"{message} (line {line}: {value!r})", "remove them to be rid of this warning"))
    bare: dict[str, str] = {}
    for value in values:
        other = bare.setdefault(forms[value], value.strip())
        if other != value.strip():
            message = f"{file}: {forms[value]} is written in two ways in the column {column}, and taken for one"
            listing.notices.append(Notice(message, f"they differ: {differences(other, value.strip())}"))
            break
    return [forms[value] for value in values]


def _groups(file: Path, column: str, lines: Sequence[int], values: Sequence[str], listing: Listing) -> list[str]:
    """The group of each row; a row without one is a group of its own."""
    groups = _clean(file, column, lines, values, listing)
    alone = [line for line, group in zip(lines, groups, strict=True) if not group]
    if alone:
        listing.notices.append(
            Notice(
                f"{file}: {len(alone):,} row(s) have nothing in the column {column} ({_lines(alone)}): "
                "each is a group of its own",
                f"fill in {column}: images that belong together may be in two splits",
            )
        )
    return [group or f" {line}" for line, group in zip(lines, groups, strict=True)]  # no other begins with a blank
