"""Parquet files as one table of images: those that lie in it, or the names of files, with all that may be labels."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from cnnctl.data.columns import LABEL, LABEL_NAMES, PATH, PATH_NAMES, ranked
from cnnctl.data.parquet_file import class_label, class_names, features, image_columns, in_short, opened, pyarrow
from cnnctl.errors import DataError
from cnnctl.system.files import absolute

_LONG = 1000
"""Bytes of a value on average, of columns that are no labels: texts that describe an image."""


def read_parquet(files: Sequence[Path]) -> tuple[list[str], list[tuple[int, list[Any]]]]:
    """The columns of some files, and (number from 1, values) of each row; that of images has their paths.

    Raises:
        DataError: there is no file, one is damaged, or they have other columns than the first.
        MachineError: pyarrow is not installed.
    """
    if not files:
        raise DataError("there is no such Parquet file", "name a file, a folder of them, or a pattern: train-*.parquet")
    names: list[str] = []
    rows: list[tuple[int, list[Any]]] = []
    for file in files:
        with table_of(file) as table:
            own, columns = _columns(file, table)
            if file != files[0] and own != names:
                message = f"{file} has the columns {', '.join(own)}, and {files[0]} has {', '.join(names)}"
                raise DataError(message, "name files of the same columns")
            names = own
            rows += [(len(rows) + number, list(cells)) for number, cells in enumerate(zip(*columns, strict=True), 1)]
    return names, rows


def _columns(file: Path, table: Any) -> tuple[list[str], list[list[Any]]]:
    """The names of the columns that say something of an image, and their values."""
    schema = table.schema_arrow
    images = image_columns(schema)
    found = {column: list[Any](rows_of(absolute(file), table, column)) for column in images}
    kept = [field.name for field in schema if field.name not in images and _may_be_label(field.type)]
    kept = [name for name in kept if _mean_bytes(table, name) <= _LONG]
    for name in kept:
        found[name] = []
    for batch in table.iter_batches(columns=kept) if kept else ():
        for name in kept:
            found[name] += _values(batch.column(name).to_pylist(), class_names(schema, name))
    by_name = ranked(images, PATH_NAMES)
    if PATH not in schema.names and (by_name or len(images) == 1):
        found[PATH] = found[images[by_name[0] if by_name else 0]]
    told = [name for name, about in features(schema).items() if class_label(about) is not None and name in found]
    candidates = told or kept
    best = ranked(candidates, LABEL_NAMES) or [0] * (len(candidates) == 1)
    if LABEL not in found and best:
        found[LABEL] = found[candidates[best[0]]]
    return list(found), list(found.values())


def _values(values: list[Any], names: list[str] | None) -> list[Any]:
    """The values of a column, the numbers of classes as their names; -1, which is no class, as nothing."""
    if names is None:
        return values
    known: dict[Any, str | None] = {None: None, -1: None, **dict(enumerate(names))}

    def named(value: Any) -> Any:
        return [named(one) for one in value] if isinstance(value, list) else known.get(value, str(value))

    return [named(value) for value in values]


def _mean_bytes(table: Any, name: str) -> float:
    about, total = table.metadata, 0
    for group in range(about.num_row_groups):
        for place in range(about.num_columns):
            chunk = about.row_group(group).column(place)
            total += chunk.total_uncompressed_size if chunk.path_in_schema.split(".")[0] == name else 0
    return float(total / max(1, about.num_rows))


def _may_be_label(kind: Any) -> bool:
    from pyarrow import types

    if types.is_list(kind) or types.is_large_list(kind):
        return _may_be_label(kind.value_type)
    if types.is_dictionary(kind):
        return _may_be_label(kind.value_type)
    return bool(
        types.is_string(kind) or types.is_large_string(kind) or types.is_integer(kind) or types.is_boolean(kind)
    )


def rows_of(file: Path, table: Any, column: str) -> Iterator[str]:
    """The paths of the images in a column."""
    one = len(image_columns(table.schema_arrow)) == 1
    base, rows = f"{file}/" if one else f"{file}/{column}/", table.metadata.num_rows
    return (f"{base}{row}" for row in range(rows))


def image_column(file: Path, schema: Any, wanted: str) -> str | None:
    """The column of images that is meant; None where there is none, or the one that is named has file names.

    Raises:
        DataError: there are several.
    """
    found = image_columns(schema)
    if wanted in schema.names:
        return wanted if wanted in found else None
    if len(found) > 1:
        by_name = ranked(found, PATH_NAMES)
        if not by_name:
            raise DataError(
                f"{file} has several columns of images: {', '.join(found)}", "data.csv.path names the one that is meant"
            )
        return found[by_name[0]]
    return found[0] if found else None


@contextmanager
def table_of(file: Path) -> Iterator[Any]:
    """A block that reads a table; what pyarrow has against it is the file's fault.

    Raises:
        DataError: it is missing, damaged, or no Parquet file.
        MachineError: pyarrow is not installed.
    """
    from cnnctl.system.regular_files import NotRegularError, open_regular

    arrow, _ = pyarrow()
    try:
        with open_regular(file) as stream:
            yield opened(stream)
    except NotRegularError as error:
        raise DataError(f"{file} is {error}", "name a Parquet file") from None
    except FileNotFoundError:
        raise DataError(f"there is no file {file}") from None
    except (arrow.ArrowException, OSError) as error:
        raise DataError(f"{file} is damaged, or no Parquet file: {in_short(error)}", "write it again") from None
