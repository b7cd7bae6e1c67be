"""The images that lie in a Parquet file: the one in row 12 is `photos.parquet/12`, and a file as any other.

Where several columns hold images, the path names one: `photos.parquet/image/12`. Hugging Face's data sets have a
structure of bytes and path in such a column; a column of bytes will do too. Rows are read in blocks, so that memory is
bounded however large a row group is.
"""

import threading
from collections import OrderedDict
from collections.abc import Iterator
from typing import Any, BinaryIO
from weakref import finalize

from cnnctl.data.members import MemberError, TooLargeError
from cnnctl.data.parquet_file import image_columns, in_short, opened, pyarrow

_BLOCK, _KEPT = 2**25, 2**28
"""Bytes of a block, as the file says, and of those blocks that are kept."""

Block = tuple[Any, ...]
"""Arrays of bytes, one after the other."""


class ParquetImages:
    """An open file, whose images are called by their rows; as data/archives.py asks for them."""

    def __init__(self, stream: BinaryIO) -> None:
        """Raises:
        ArrowException: it is damaged, or no Parquet file.
        """
        self._file = opened(stream)
        self._columns = image_columns(self._file.schema_arrow)
        self._lock = threading.Lock()
        self._starts = [0]
        for group in range(self._file.metadata.num_row_groups):
            self._starts.append(self._starts[-1] + self._file.metadata.row_group(group).num_rows)
        self._readers: dict[str, _Reader] = {}
        finalize(self, _BLOCKS.forget, id(self))

    def has_file(self, name: str) -> bool:
        """Whether there is a row of that name, in a column of images."""
        return self._find(name) is not None

    def has_folder(self, name: str) -> bool:
        """A table is no folder."""
        return False

    def names_in(self, folder: str) -> list[str]:
        """Nothing: a table is no folder."""
        return []

    def mark(self, name: str) -> tuple[int, ...]:
        """What tells a row from others."""
        found = self._find(name)
        return (0, 0) if found is None else (self._columns.index(found[0]), found[1])

    def size(self, name: str) -> int:
        """About the bytes that an image has: the mean of its row group."""
        found = self._find(name)
        if found is None:
            return 0
        group = self._group_of(found[1])
        return self._bytes_of(group, found[0]) // max(1, self._starts[group + 1] - self._starts[group])

    def read(self, name: str, limit: int) -> bytes:
        """The content of an image.

        Raises:
            TooLargeError: it has more than `limit` bytes.
            MemberError: there is none, or the file is damaged.
        """
        found = self._find(name)
        if found is None:
            raise MemberError("there is no such row")
        column, row = found
        group = self._group_of(row)
        try:
            with self._lock:
                value = self._value(column, group, row - self._starts[group])
        except (pyarrow()[0].ArrowException, OSError) as error:
            raise MemberError(f"its table is damaged: {in_short(error)}") from None
        content = None if value is None else value.as_buffer()
        if content is None:
            raise MemberError("its row has no bytes of an image")
        if content.size > limit:
            raise TooLargeError(f"it has {content.size:,} bytes")
        return bytes(content)

    def _find(self, name: str) -> tuple[str, int] | None:
        """The column and the row that are meant."""
        column, _, number = name.rpartition("/")
        if not column and len(self._columns) == 1:
            column = self._columns[0]
        is_number = number.isascii() and number.isdecimal() and (number == "0" or number[0] != "0")
        if column not in self._columns or not is_number or len(number) > 18:
            return None
        return (column, int(number)) if int(number) < self._starts[-1] else None

    def _group_of(self, row: int) -> int:
        from bisect import bisect_right

        return bisect_right(self._starts, row) - 1

    def _bytes_of(self, group: int, column: str) -> int:
        """What a column takes in a row group, once it is unpacked."""
        about = self._file.metadata.row_group(group)
        chunks = (about.column(place) for place in range(about.num_columns))
        wanted = (f"{column}.bytes", column)
        return sum(chunk.total_uncompressed_size for chunk in chunks if chunk.path_in_schema in wanted)

    def _value(self, column: str, group: int, row: int) -> Any:
        """The scalar in a row of a row group; None where it is null."""
        rows = self._starts[group + 1] - self._starts[group]
        height = max(1, min(rows, _BLOCK * rows // max(1, self._bytes_of(group, column))))
        number = row // height
        key = id(self), column, group, number
        block = _BLOCKS.get(key)
        if block is None:
            reader = self._readers.get(column)
            if reader is None or reader.group != group or reader.number > number:
                reader = self._readers[column] = _Reader(self._file, column, group, height)
            while reader.number <= number:
                read = reader.number
                block = reader.next_block()
                _BLOCKS.put((id(self), column, group, read), block)
        assert block is not None
        place = row - number * height
        for part in block:
            if place < len(part):
                value = part[place]
                return value if value.is_valid else None
            place -= len(part)
        raise OSError("a row group has fewer rows than it says")


class _Reader:
    """Reads the blocks of a row group, one after the other; `number` is the next one's."""

    def __init__(self, file: Any, column: str, group: int, height: int) -> None:
        self.group, self.number = group, 0
        self._height = height
        self._rest: Any = None
        from pyarrow import types

        is_structure = types.is_struct(file.schema_arrow.field(column).type)
        name = f"{column}.bytes" if is_structure else column
        self._batches = self._read(file, name, is_structure)

    def _read(self, file: Any, name: str, is_structure: bool) -> Iterator[Any]:
        options = {"batch_size": self._height, "row_groups": [self.group], "columns": [name], "use_threads": False}
        for batch in file.iter_batches(**options):
            yield _bytes_of(batch.column(0)) if is_structure else batch.column(0)

    def next_block(self) -> Block:
        """So many rows, or those that are left."""
        parts, wanted = list[Any](), self._height
        while wanted:
            part = self._rest if self._rest is not None else next(self._batches, None)
            self._rest = None
            if part is None:
                break
            if len(part) > wanted:
                part, self._rest = part.slice(0, wanted), part.slice(wanted)
            parts.append(part)
            wanted -= len(part)
        self.number += 1
        return tuple(parts)


def _bytes_of(values: Any) -> Any:
    """The bytes in an array of structures, null where the structure is."""
    from pyarrow import compute

    return compute.struct_field(values, "bytes")


class _Blocks:
    """The blocks of all files that were read last."""

    def __init__(self) -> None:
        self._blocks: OrderedDict[tuple[int, str, int, int], tuple[Block, int]] = OrderedDict()
        self._bytes = 0
        self._lock = threading.Lock()

    def get(self, key: tuple[int, str, int, int]) -> Block | None:
        with self._lock:
            if key not in self._blocks:
                return None
            self._blocks.move_to_end(key)
            return self._blocks[key][0]

    def put(self, key: tuple[int, str, int, int], block: Block) -> None:
        size = sum(part.nbytes for part in block)
        with self._lock:
            self._bytes += size - self._blocks.pop(key, ((), 0))[1]
            self._blocks[key] = block, size
            while self._bytes > _KEPT and len(self._blocks) > 1:
                self._bytes -= self._blocks.popitem(last=False)[1][1]

    def forget(self, file: int) -> None:
        with self._lock:
            for key in [key for key in self._blocks if key[0] == file]:
                self._bytes -= self._blocks.pop(key)[1]


_BLOCKS = _Blocks()
