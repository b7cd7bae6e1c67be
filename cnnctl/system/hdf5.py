"""HDF5 files from strangers: what the library would read without end is refused before it opens them.

It keeps strings in heaps, and walks through a heap by the sizes of what is in it. It does not check them: a size of
zero keeps it in the same place for ever, and a size near 2^64 leads it back.
"""

import io
import mmap
import struct
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from cnnctl.system.packages import insist_on

UNREADABLE = (
    OSError,
    EOFError,
    ValueError,
    TypeError,
    LookupError,
    AttributeError,
    RuntimeError,
    OverflowError,
    MemoryError,
    zipfile.BadZipFile,
    zlib.error,
)
"""What h5py and zipfile raise over damaged files."""

_SIGNATURE = b"\x89HDF\r\n\x1a\n"
_HEAP = b"GCOL\x01"
_LEAST_HEAP = 4096
_HEADER = struct.Struct("<HHIQ")
"""Of a heap, and of each thing in one: its number, two fields that do not matter here, and its size."""


@contextmanager
def open_hdf5(source: Path | bytes) -> Iterator[Any]:
    """An h5py.File to read.

    Raises:
        OSError, ValueError, RuntimeError: it is damaged, or no such file.
        MachineError: h5py is not installed.
    """
    insist_on("h5py")
    import h5py

    if isinstance(source, bytes):
        refuse_endless(source)
    elif source.stat().st_size:  # else h5py says that it is empty
        with source.open("rb") as stream, mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ) as content:
            refuse_endless(content)
    with h5py.File(io.BytesIO(source) if isinstance(source, bytes) else source, "r") as file:
        yield file


def refuse_endless(content: bytes | mmap.mmap) -> None:
    """Raises:
    ValueError: a heap of strings is damaged, or the file writes sizes as nobody does.
    """
    if _bytes_of_a_size(content) not in (None, 8):
        raise ValueError("its sizes do not have 8 bytes")
    steps = len(content) // _HEADER.size  # heaps that share no byte have no more things than this
    start = content.find(_HEAP)
    while start >= 0:
        steps -= _things(content, start, steps)
        start = content.find(_HEAP, start + 1)


def _bytes_of_a_size(content: bytes | mmap.mmap) -> int | None:
    """How many bytes a size takes in this file; None where it is no HDF5 file."""
    start = 0
    while start + 16 <= len(content):
        if content[start : start + 8] == _SIGNATURE:
            return content[start + (14 if content[start + 8] < 2 else 10)]
        start = start * 2 or 512
    return None


def _things(content: bytes | mmap.mmap, start: int, most: int) -> int:
    """How many things are in the heap at `start`; 0 where the library would not read it."""
    if start + _HEADER.size > len(content):
        return 0
    size = _HEADER.unpack_from(content, start)[3]
    if not _LEAST_HEAP <= size <= len(content) - start:
        return 0
    found, place, end = 0, start + _HEADER.size, start + size
    while end - place >= _HEADER.size:
        number, _, _, length = _HEADER.unpack_from(content, place)
        taken = _HEADER.size + (length + 7) // 8 * 8 if number else length  # the free rest counts its own header
        found += 1
        if not _HEADER.size <= taken <= end - place or found > most:
            raise ValueError("its strings are damaged")
        place += taken
    return found
