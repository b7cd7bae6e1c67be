"""What `data.train`, `validation` and `test` may name, told apart without numpy, so that `summary` is instant."""

from pathlib import Path

from cnnctl.config.load import BUILT_IN_DATA
from cnnctl.config.schema import CsvColumns
from cnnctl.data import builtin, table
from cnnctl.data.listing import count_classes


def is_table(path: Path) -> bool:
    """Whether a path is taken for a CSV."""
    return path.suffix.lower() in table.SUFFIXES and not path.is_dir()


def table_columns(columns: CsvColumns) -> table.Columns:
    """The config's column names in the form of data/table.py."""
    return table.Columns(columns.path, columns.label, columns.group, columns.folder)


def count_source_classes(source: str, columns: CsvColumns) -> int:
    """The number of classes of a source without looking at its images.

    Raises:
        DataError: nothing is there.
    """
    if source in BUILT_IN_DATA:
        return builtin.CLASSES
    path = Path(source)
    if is_table(path):
        return table.count_labels(path, table_columns(columns))
    return count_classes(path)
