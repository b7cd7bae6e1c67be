"""The rows of a CSV that a person gives: named columns, each row with its line."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from cnnctl.data.dialect import read_sheet
from cnnctl.errors import DataError


@dataclass(frozen=True)
class Row:
    """A row below the header: the line on which it begins, and its texts by the wanted columns."""

    line: int
    texts: dict[str, str]


def read_rows(file: Path, columns: Sequence[str], made_by: str) -> list[Row]:
    """The rows of a CSV, whatever its separator and the order of its columns; `made_by` is for the hint.

    Raises:
        DataError: the file or one of the columns is missing, or a row has more fields than the header.
    """
    sheet = read_sheet(file)
    separator = sheet.choose_separator(lambda header: set(columns) <= set(header))
    header = sheet.header(separator)
    lacking = [name for name in columns if name not in header]
    if lacking:
        found = ", ".join(header) or "none"
        raise DataError(f"{file} has no column {lacking[0]}; its columns are {found}", made_by)
    rows = []
    for record in list(sheet.records(separator))[1:]:
        if any(field.strip() for field in record.fields[len(header) :]):
            raise DataError(
                f"line {record.line} of {file} has more fields than its first line has names",
                "put fields with the separator inside in double quotes",
            )
        fields = [*record.fields, *([""] * (len(header) - len(record.fields)))]
        rows.append(Row(record.line, {name: fields[header.index(name)] for name in columns}))
    return rows
