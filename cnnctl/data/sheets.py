"""Any table of images as columns and rows: CSV, JSON Lines, Parquet, Hugging Face's metadata of a folder, COCO's JSON.

`table_at` says what of a source is a table, `read_sheet` reads it.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cnnctl.data import dialect
from cnnctl.data.archives import exists, is_folder
from cnnctl.data.columns import FILE_NAME, LABEL, LABEL_NAMES, PATH, ranked
from cnnctl.data.dialect import Record, Sheet
from cnnctl.data.file_names import COCO, JSON_LINES, METADATA_NAMES, PARQUET, TABLE_SUFFIXES
from cnnctl.data.parquet_files import parquet_files
from cnnctl.data.several import BETWEEN
from cnnctl.data.split_folders import Inside, look_inside, refuse_splits
from cnnctl.errors import CnnctlError, DataError, Notice
from cnnctl.formatting import name_form
from cnnctl.system.files import absolute


@dataclass(frozen=True)
class Rows(Sheet):
    """A table that is no CSV: its columns' names and its rows; the last `added` columns are there once more."""

    names: Sequence[str] = ()
    rows: Sequence[Record] = ()
    added: int = 0

    def records(self, separator: str) -> Iterator[Record]:
        """Every row, that of the names first."""
        yield Record(1, list(self.names))
        yield from self.rows


def table_at(source: Path, folders_are_classes: bool = False) -> Path | None:
    """What of a source is a table: a file of one, a pattern or a folder of Parquet files, the metadata in a folder, or
    the folder itself where the metadata lies beside it; None where it is something else.

    Raises:
        DataError: it is a table of several splits, or metadata that cannot be read.
    """
    suffix = source.suffix.lower()
    if not is_folder(source):
        return source if suffix in (*TABLE_SUFFIXES, PARQUET, COCO) else None
    inside = look_inside(source)
    own = metadata_in(source, is_meant=not inside.is_of_classes)
    if (own is not None or inside.is_of_tables) and not folders_are_classes:
        refuse_splits(source, inside.folders)
    if has_class_folders(inside):
        return None
    if own is not None or inside.is_of_tables:
        return own or source
    if inside.has_images and not inside.folders and metadata_in(source.parent) is not None:
        return source
    return None


def there_is(source: str) -> bool:
    """Whether there is such a file or folder, or any file of a pattern."""
    return exists(source) or (source.lower().endswith(PARQUET) and bool(parquet_files(source)))


def metadata_in(folder: Path, is_meant: bool = False) -> Path | None:
    """Hugging Face's metadata of the images in a folder: a table with the column file_name.

    Raises:
        CnnctlError: it cannot be read, and `is_meant`; else it is none.
    """
    for name in METADATA_NAMES:
        file = folder / name
        if exists(file):
            try:
                if FILE_NAME in read_sheet(file).first(","):
                    return file
            except CnnctlError:
                if is_meant:
                    raise
    return None


def has_class_folders(inside: Inside) -> bool:
    """Whether a folder is taken for class folders, whatever table is in it."""
    return inside.is_of_classes and len(inside.folders) > 1


def metadata_left_out(folder: Path) -> Notice | None:
    """What is said of metadata in a folder that is taken for class folders, though its labels may be others."""
    own = metadata_in(folder)
    if own is None:
        return None
    sheet = read_sheet(own)
    by_name = ranked(sheet.names[: len(sheet.names) - sheet.added], LABEL_NAMES) if isinstance(sheet, Rows) else []
    if not by_name or not isinstance(sheet, Rows):
        return None
    label, path, rows = by_name[0], sheet.names.index(FILE_NAME), sheet.rows
    if all(row.fields[path].removeprefix("./").startswith(f"{row.fields[label]}/") for row in rows):
        return None
    return Notice(
        f"the classes of {folder} are its folders, and not the labels in {own.name}", f"train: {own} takes those"
    )


def read_sheet(file: Path, folder: str | None = None, label: str = LABEL, several: bool | None = None) -> Sheet:
    """The text of a table, or its rows. Where the columns have other names than the defaults of the config, and it is
    clear which is meant, it has it once more under that name.

    `folder` is where the user says that its files are, `label` the column of the labels. With `several` an image may
    have several labels or none, and with False it has one; None: its labels do not matter.

    Raises:
        DataError: it is missing, damaged, or has not a single row; or its labels are not such.
    """
    suffix = file.suffix.lower()
    if is_folder(file) and not parquet_files(file):
        return _of_metadata_beside(file, label, several)
    if suffix == JSON_LINES:
        from cnnctl.data.json_lines import read_json_lines

        names, rows = read_json_lines(file)
        return _rows(file, names, rows, label, several)
    if suffix == COCO:
        from cnnctl.data.coco import read_coco

        names, found, left_out = read_coco(file, folder, keeps_unlabelled=several is not False)
        return _rows(file, names, found, label, several, left_out)
    if suffix == PARQUET or is_folder(file):
        from cnnctl.data.parquet_table import read_parquet

        names, found = read_parquet(parquet_files(file))
        return _rows(file, names, found, label, several)
    sheet = dialect.read_sheet(file)
    return _with_defaults(sheet) if file.name in METADATA_NAMES else sheet


def _with_defaults(sheet: Sheet) -> Sheet:
    """The metadata of a folder, in CSV."""
    separator = sheet.choose_separator(lambda header: FILE_NAME in header)
    records = list(sheet.records(separator))
    names = [name_form(name) for name in records[0].fields]
    if FILE_NAME not in names or any(len(row.fields) > len(names) for row in records):
        return sheet  # which says what is wrong with it
    rows = [(row.line, row.fields + [""] * (len(names) - len(row.fields))) for row in records[1:]]
    return _rows(sheet.file, names, rows, LABEL, None)


def _of_metadata_beside(folder: Path, label: str, several: bool | None) -> Sheet:
    """The rows of the metadata beside a folder that are about the images in it."""
    file = metadata_in(folder.parent)
    if file is None:
        raise DataError(f"there is no table in {folder}")
    sheet = read_sheet(file, None, label, several)
    names, *rows = sheet.records(",")
    place = names.fields.index(FILE_NAME)
    start = f"{folder.name}/"
    taken = []
    for row in rows:
        name = row.fields[place].removeprefix("./")
        if name.startswith(start):
            whole = str(absolute(file.parent / name))
            taken.append(Record(row.line, [whole if one == row.fields[place] else one for one in row.fields]))
    if not taken:
        raise DataError(f"{file} lists no image in {folder}", f"its column {FILE_NAME} begins with {start} for them")
    return Rows(folder, "", ",", 0, Counter(), names.fields, taken)


def _rows(
    file: Path,
    names: Sequence[str],
    rows: Sequence[tuple[int, Sequence[Any]]],
    label_name: str,
    several: bool | None,
    left_out: Counter[str] | None = None,
) -> Rows:
    """A table with texts in its cells, and the columns that are clearly meant once more under their default names.

    Raises:
        DataError: it has no row, images with several labels where none may have, or lists that do not name labels.
    """
    if not rows:
        raise DataError(f"{file} is empty", "it has not a single image")
    names = [name_form(name) for name in names]
    path = names.index(FILE_NAME) if FILE_NAME in names and PATH not in names else None
    label = None if LABEL in names else _label_among(names, [FILE_NAME, PATH])
    own = names.index(name_form(label_name)) if name_form(label_name) in names else label
    lists = [] if own is None else [(line, cells[own]) for line, cells in rows if isinstance(cells[own], list)]
    many = sum(len(_texts(cell)) > 1 for _, cell in lists)
    if several is False and many:
        raise DataError(f"{file}: {many:,} of {len(rows):,} images have more than one label", SEVERAL_HINT)
    if several:
        _refuse_lists_without_names(file, lists)
    added = [(name, place) for name, place in ((PATH, path), (LABEL, label)) if place is not None]
    records = []
    for line, cells in rows:
        texts = [_text(cell) for cell in cells]
        records.append(Record(line, texts + [texts[place] for _, place in added]))
    whole = [*names, *(name for name, _ in added)]
    return Rows(file, "", ",", 0, left_out or Counter(), whole, records, len(added))


SEVERAL_HINT = "keep one of them; for images with several labels, write output: multi_label into the config"


def _label_among(names: Sequence[str], besides: Sequence[str]) -> int | None:
    """The column that is clearly the labels: by its name, else the only one beside some others."""
    by_name = ranked(names, LABEL_NAMES)
    if by_name:
        return by_name[0]
    others = [place for place, name in enumerate(names) if name not in besides]
    return others[0] if len(others) == 1 else None


def _refuse_lists_without_names(file: Path, lists: Sequence[tuple[int, list[Any]]]) -> None:
    """Raises:
    DataError: a name in a list of labels has what stands between labels, or the lists are rows of 0 and 1.
    """
    for line, cell in lists:
        name = next((text for text in _texts(cell) if BETWEEN in text), None)
        if name is not None:
            message = f"{file}, row {line:,}: the label {name} has a {BETWEEN}, which stands between labels"
            raise DataError(message, "rename it")
    numbers = [one for _, cell in lists for one in cell]
    have_one_length = len({len(cell) for _, cell in lists}) == 1
    repeats = any(len(_texts(cell)) < len(cell) for _, cell in lists)
    if repeats and have_one_length and all(isinstance(one, int) and one in (0, 1) for one in numbers):
        message = f"{file}: the lists of labels are rows of 0 and 1, which name no label"
        raise DataError(message, "write the names of an image's labels, or a column for each label")


def _texts(cell: Sequence[Any]) -> list[str]:
    """The different texts in a list, without what is nothing."""
    return sorted({text for one in cell if (text := _text(one))})


def _text(cell: Any) -> str:
    match cell:
        case str():
            return cell
        case None:
            return ""
        case bool():
            return str(cell).lower()
        case dict() | bytes():
            return ""
        case list():
            return BETWEEN.join(_texts(cell))
        case _:
            return str(cell)
