"""Tables of images in Apache Parquet, by pyarrow, which is loaded where one is read or written.

A column holds the names of files, or the images themselves: bytes, or Hugging Face's structures of bytes and path.
"""

import difflib
from collections.abc import Iterator
from pathlib import Path

from cnnctl.data.parquet_file import pyarrow
from cnnctl.data.parquet_table import image_column, rows_of, table_of
from cnnctl.data.table import Columns, listed
from cnnctl.errors import DataError


def list_parquet(file: Path, columns: Columns) -> Iterator[str]:
    """The images of a table: those that lie in it, else the files that it lists.

    Raises:
        DataError: it is damaged, has several columns of images, or as `read_parquet_paths`.
        MachineError: pyarrow is not installed.
    """
    with table_of(file) as table:
        column = image_column(file, table.schema_arrow, columns.path)
        found = None if column is None else rows_of(file, table, column)
    return read_parquet_paths(file, columns) if found is None else found


def read_parquet_paths(file: Path, columns: Columns) -> Iterator[str]:
    """The image files that a table lists, a row group at a time; its only column will do whatever it is called.

    Raises:
        DataError: the file or its column is missing, or a row has no name.
        MachineError: pyarrow is not installed.
    """
    arrow, parquet = pyarrow()
    base = Path(columns.folder) if columns.folder else file.parent
    try:
        with parquet.ParquetFile(file) as table:
            column = _column(file, table.schema_arrow.names, columns)
            row = 0
            for batch in table.iter_batches(columns=[column]):
                for name in batch.column(0).to_pylist():
                    row += 1
                    if not isinstance(name, str) or not name:
                        raise DataError(f"{file}: row {row:,} has no name in the column {column}", "remove the row")
                    yield listed(base, name)
    except OSError as error:
        raise DataError(f"{file} cannot be read: {error}", "name a Parquet file") from None
    except arrow.ArrowException as error:
        raise DataError(f"{file} is damaged, or no Parquet file: {error}", "write it again") from None


def _column(file: Path, names: list[str], columns: Columns) -> str:
    if columns.path in names:
        return columns.path
    if len(names) == 1:
        return names[0]
    alike = difflib.get_close_matches(columns.path, names, 1)
    option = f"; {columns.option} names another" if columns.option else ""
    raise DataError(
        f"{file} has no column {columns.path}; it has {', '.join(names[:8])}",
        f"did you mean {alike[0]}?{option}" if alike else f"call the column of the file names {columns.path}{option}",
    )
