"""The text of a CSV -> its columns and rows: which separator it has, and on which line each row begins."""

import codecs
import csv
import io
import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path

from cnnctl.data import archives
from cnnctl.errors import DataError
from cnnctl.formatting import name_form

_UTF_16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
_LARGEST = 2**30
"""Bytes of a table that is unpacked from an archive."""

BLANK = " "
ALONE = "\x1f"
"""Stands for no separator at all: a list of file names, which may hold any other."""

SEPARATORS = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "bars", BLANK: "blanks"}
"""In the order in which they are tried, with their names."""

_NAMED_BY_EXCEL = re.compile(r'"?sep=([^\w"\r\n])"?(?:\r\n|\r|\n)')


@dataclass(frozen=True)
class Record:
    """The fields of one row, and the line of the file on which it begins, from 1."""

    line: int
    fields: list[str]


@dataclass(frozen=True)
class Sheet:
    """The text of a table, which is split into rows when these are asked for.

    `skips` is how much of the text comes before its first row: a line that names the separator. `left_out` counts the
    images that have no row, by sort.
    """

    file: Path
    text: str
    separator: str | None = None
    skips: int = 0
    left_out: Counter[str] = field(default_factory=Counter)

    def records(self, separator: str) -> Iterator[Record]:
        """Every row that is not empty, the first line's included.

        Raises:
            DataError: a quote is never closed.
        """
        stream = io.StringIO(self.text, newline="")
        line = 1 if self.skips else 0
        stream.seek(self.skips)
        reader = csv.reader(chain(stream, ["\n"]), delimiter=separator)  # the blank line ends in a quote that is open
        begins, fields = 1, []
        try:
            for fields in reader:
                found = [field for field in fields if field] if separator == BLANK else fields  # runs of them are one
                if any(found):
                    yield Record(line + begins, found)
                begins, last = reader.line_num + 1, begins
        except csv.Error as error:
            raise DataError(f"{self.file} is not a CSV: line {line + begins}: {error}", _QUOTE_HINT) from None
        if fields:
            said = f"the double quote in line {line + last} is never closed"
            raise DataError(f"{self.file} is not a CSV: {said}", _QUOTE_HINT)

    def first(self, separator: str) -> list[str]:
        """The fields of the first row; none where it is no row with this separator."""
        try:
            return next((record.fields for record in self.records(separator)), [])
        except DataError:
            return []

    def header(self, separator: str) -> list[str]:
        """The fields of the first row, in the form in which names are compared."""
        return [name_form(field) for field in self.first(separator)]

    def choose_separator(self, is_right: Callable[[Sequence[str]], bool]) -> str:
        """The separator with which the first row is right, else that of most fields; the file may name its own."""
        if self.separator is not None:
            return self.separator
        order = sorted(SEPARATORS, key=lambda one: one != "\t") if self.file.suffix.lower() == ".tsv" else SEPARATORS
        headers = {one: self.header(one) for one in order}
        right = next((one for one, header in headers.items() if is_right(header)), None)
        if right is not None:
            return right
        blanks = len(headers.pop(BLANK))  # of which a name may have some
        most = max(headers, key=lambda one: len(headers[one]))
        return BLANK if blanks > 1 and len(headers[most]) < 2 else most


_QUOTE_HINT = "a double quote begins a field that ends with another; write two of them for one that is part of a name"


def read_sheet(file: Path) -> Sheet:
    """The text of a table.

    Raises:
        DataError: the file is missing, no text, or has not a single row.
    """
    try:
        content = content_of(file)
        text = content.decode("utf-16" if content.startswith(_UTF_16) else "utf-8-sig")
    except UnicodeError:
        raise DataError(f"{file} is not UTF-8 text", "save the CSV as UTF-8") from None
    named = _NAMED_BY_EXCEL.match(text)
    sheet = Sheet(file, text, named[1], named.end()) if named else Sheet(file, text)
    if not text[sheet.skips :].strip():
        raise DataError(f"{file} is empty", "its first line names the columns: path,label")
    return sheet


def content_of(file: Path) -> bytes:
    """The bytes of a table, which may be in an archive.

    Raises:
        DataError: it is missing, or cannot be read.
    """
    try:
        return file.read_bytes()
    except FileNotFoundError:
        raise DataError(f"there is no file {file}") from None
    except ValueError:
        raise DataError(f"no file can be called {str(file)!r}: there is a NUL in it") from None
    except OSError as error:
        found = archives.read(file, _LARGEST) if isinstance(error, NotADirectoryError) else None
        if found is None:
            raise DataError(f"{file} cannot be read: {error.strerror}") from None
        return found
