"""The tensors of a file that `torch.save` wrote, in its format of today (a ZIP archive) or that before 1.6."""

import io
import os
import zipfile
from collections.abc import Callable
from typing import IO, TYPE_CHECKING, Any

from cnnctl.weights.pickles import Storage, Tensor, read_pickle

if TYPE_CHECKING:
    from numpy.typing import NDArray

_MOST_BYTES = 2**28
"""Of the file; EfficientNet-Lite0 with an optimizer's averages takes a fifth of it."""

_MAGIC = 0x1950A86A20F9469CFC6C
_VERSION = 1001
_WRAPPED = ("state_dict", "model", "model_state_dict")

Reader = Callable[[Storage], bytes]


class Tensors(dict[str, Tensor]):
    """Tensors by their names; `read` gives the numbers of one."""

    def __init__(self, tensors: dict[str, Tensor], read: Reader) -> None:
        super().__init__(tensors)
        self._read = read

    def read(self, name: str) -> "NDArray[Any]":
        """The array of a tensor, in rows."""
        import numpy as np

        tensor = self[name]
        numbers = np.frombuffer(self._read(tensor.storage), tensor.storage.dtype)[tensor.offset :]
        strides = tuple(one * numbers.itemsize for one in tensor.strides)
        return np.lib.stride_tricks.as_strided(numbers, tensor.shape, strides, writeable=False).copy()


def read_tensors(stream: IO[bytes]) -> Tensors:
    """The tensors of a dictionary of weights, or of the one in a checkpoint. The stream must stay open for `read`.

    Raises:
        ValueError, LookupError, EOFError, OSError, RuntimeError, zipfile.BadZipFile: it is no such file.
    """
    size = stream.seek(0, os.SEEK_END)
    if size > _MOST_BYTES:
        raise ValueError(f"it has {size:,} bytes, more than {_MOST_BYTES:,}")
    stream.seek(0)
    is_zip = stream.read(4) == b"PK\x03\x04"
    stream.seek(0)
    whole, read = _of_zip(stream) if is_zip else _of_old(stream, size)
    for key in _WRAPPED:
        if isinstance(whole, dict) and isinstance(whole.get(key), dict):
            whole = whole[key]
    found = {name: one for name, one in whole.items() if isinstance(one, Tensor)} if isinstance(whole, dict) else {}
    if not found:
        raise ValueError("it holds no dictionary of tensors")
    return Tensors({str(name).removeprefix("module."): one for name, one in found.items()}, read)


def _of_zip(stream: IO[bytes]) -> tuple[Any, Reader]:
    archive = zipfile.ZipFile(stream)
    members = {member.filename: member for member in archive.infolist()}
    pickles = [name for name in members if name.rpartition("/")[2] == "data.pkl"]
    if len(pickles) != 1:
        raise ValueError("it is no archive of PyTorch")
    folder = pickles[0].removesuffix("data.pkl")

    def content(name: str, most: int) -> bytes:
        member = members[name]
        if member.compress_type != zipfile.ZIP_STORED or member.file_size > most:
            raise ValueError(f"{name} is packed, or larger than {most:,} bytes")
        return archive.read(member)

    if f"{folder}byteorder" in members and content(f"{folder}byteorder", 16) != b"little":
        raise ValueError("its numbers are big-endian")
    whole = read_pickle(io.BytesIO(content(pickles[0], _MOST_BYTES)))

    def read(storage: Storage) -> bytes:
        found = content(f"{folder}data/{storage.key}", _MOST_BYTES)
        return _exactly(found, storage)

    return whole, read


def _of_old(stream: IO[bytes], size: int) -> tuple[Any, Reader]:
    """Five pickles (a number, a version, the machine, the weights, the keys), then the storages in the keys' order."""
    if read_pickle(stream) != _MAGIC or read_pickle(stream) != _VERSION:
        raise ValueError("it is no file of PyTorch")
    machine = read_pickle(stream)
    if not isinstance(machine, dict) or machine.get("little_endian") is not True:
        raise ValueError("its numbers are big-endian")
    whole = read_pickle(stream)
    keys = read_pickle(stream)
    widths = {storage.key: _width(storage) for storage in _storages(whole)}
    if not isinstance(keys, list) or not all(isinstance(key, str) for key in keys):
        raise ValueError("its list of storages is damaged")

    places: dict[str, tuple[int, int]] = {}
    place = stream.tell()
    for key in keys:
        if key not in widths:
            raise ValueError("it has a storage that no tensor uses")
        stream.seek(place)
        length = int.from_bytes(stream.read(8), "little", signed=True) * widths[key]
        if length < 0 or place + 8 + length > size:
            raise ValueError("it ends too early")
        places[key] = (place + 8, length)
        place += 8 + length

    def read(storage: Storage) -> bytes:
        begin, length = places[storage.key]
        stream.seek(begin)
        return _exactly(stream.read(length), storage)

    return whole, read


def _storages(whole: Any) -> list[Storage]:
    """Those of every tensor in dictionaries, lists and tuples, each of which is looked into once."""
    found, waiting, seen = [], [whole], set()
    while waiting:
        one = waiting.pop()
        if isinstance(one, Tensor):
            found.append(one.storage)
        elif isinstance(one, (dict, list, tuple)) and id(one) not in seen:
            seen.add(id(one))
            waiting += one.values() if isinstance(one, dict) else one
    return found


def _width(storage: Storage) -> int:
    return int(storage.dtype[-1])


def _exactly(content: bytes, storage: Storage) -> bytes:
    if len(content) != storage.count * _width(storage):
        raise ValueError(f"a storage has {len(content):,} bytes for {storage.count:,} numbers")
    return content
