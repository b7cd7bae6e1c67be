"""Tables of images in Apache Parquet, by pyarrow, which is loaded where one is read or written."""

import difflib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from cnnctl.data.table import Columns, listed
from cnnctl.errors import DataError, MachineError, how_to_install


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


def pyarrow() -> tuple[Any, Any]:
    """pyarrow and pyarrow.parquet.

    Raises:
        MachineError: it is not installed.
    """
    try:
        import pyarrow
        from pyarrow import parquet
    except ImportError:
        raise MachineError("Parquet needs pyarrow, which is not installed", how_to_install("parquet")) from None
    return pyarrow, parquet
