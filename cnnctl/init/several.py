"""Whether the images of a data set have several labels, found by looking."""

from collections.abc import Sequence
from pathlib import Path

from cnnctl.config.load import BUILT_IN_DATA
from cnnctl.data.dialect import Record
from cnnctl.data.listing import list_class_folders
from cnnctl.data.several import BETWEEN
from cnnctl.errors import DataError

_YES_NO = {"0", "1"}


def columns_of_labels(header: Sequence[str], records: Sequence[Record], path: int) -> tuple[str, ...]:
    """The columns that have nothing but 0 and 1, where these are two or more; else none."""
    found = []
    for column, name in enumerate(header):
        if (
            column != path
            and name
            and BETWEEN not in name
            and {_value(record, column) for record in records} == _YES_NO
        ):
            found.append(name)
    return tuple(found) if len(found) > 1 else ()


def has_several(records: Sequence[Record], path: int, label: int) -> bool:
    """Whether a field names several labels, or an image is in several rows with different ones."""
    labels: dict[str, str] = {}
    return any(
        BETWEEN in (value := _value(record, label)) or labels.setdefault(_value(record, path), value) != value
        for record in records
    )


def folders_have_several(source: str) -> bool:
    """Whether images in class folders are in several of them, by links."""
    if source in BUILT_IN_DATA or not Path(source).is_dir():
        return False
    try:
        return any(BETWEEN in label for label in list_class_folders(Path(source), None, several=True).labels)
    except DataError:
        return False


def _value(record: Record, column: int) -> str:
    return record.fields[column].strip() if column < len(record.fields) else ""
