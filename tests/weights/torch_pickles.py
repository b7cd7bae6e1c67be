"""Files as `torch.save` writes them, without PyTorch: Python's pickler does what it is told of tensors there."""

import io
import pickle
import struct
import sys
import zipfile
from collections import OrderedDict
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
from numpy.typing import NDArray

MAGIC, VERSION = 0x1950A86A20F9469CFC6C, 1001
MACHINE = {"protocol_version": VERSION, "little_endian": True, "type_sizes": {"short": 2, "int": 4, "long": 4}}


@contextmanager
def fake_torch() -> Iterator[ModuleType]:
    """A module `torch` that pickle finds names in; the tensors are ours."""
    torch, utils = ModuleType("torch"), ModuleType("torch._utils")
    for name in ("FloatStorage", "HalfStorage", "LongStorage", "BFloat16Storage"):
        setattr(torch, name, type(name, (), {"__module__": "torch", "__qualname__": name}))

    def _rebuild_tensor_v2(*args: Any) -> None:
        raise AssertionError("called")

    _rebuild_tensor_v2.__module__, _rebuild_tensor_v2.__qualname__ = "torch._utils", "_rebuild_tensor_v2"
    utils._rebuild_tensor_v2 = _rebuild_tensor_v2  # type: ignore[attr-defined]
    kept = {name: sys.modules.get(name) for name in ("torch", "torch._utils")}
    sys.modules.update({"torch": torch, "torch._utils": utils})
    try:
        yield torch
    finally:
        for name, module in kept.items():
            if module is None:
                del sys.modules[name]
            else:
                sys.modules[name] = module


class Pickler(pickle._Pickler):
    """Arrays become tensors whose numbers lie in storages of their own; `strided` ones are views of a larger one."""

    def __init__(self, stream: io.BytesIO, torch: ModuleType) -> None:
        super().__init__(stream, protocol=2)
        self._torch = torch
        self.storages: dict[str, NDArray[Any]] = {}

    def persistent_id(self, value: Any) -> Any:
        if not isinstance(value, _Storage):
            return None
        kind = {"f4": "FloatStorage", "f2": "HalfStorage", "i8": "LongStorage"}[value.numbers.dtype.str[1:]]
        key = str(1000 + len(self.storages))
        self.storages[key] = value.numbers
        return ("storage", getattr(self._torch, kind), key, "cpu", value.numbers.size)

    def reducer_override(self, value: Any) -> Any:
        if not isinstance(value, np.ndarray):
            return NotImplemented
        base = value.base if isinstance(value.base, np.ndarray) else value
        if not value.flags.c_contiguous and base.flags.c_contiguous:
            offset = (value.__array_interface__["data"][0] - base.__array_interface__["data"][0]) // value.itemsize
        else:
            base, offset = np.asarray(value, order="C"), 0
            value = base
        strides = tuple(one // value.itemsize for one in value.strides)
        storage = _Storage(base.reshape(-1))
        rebuild = sys.modules["torch._utils"]._rebuild_tensor_v2  # type: ignore[attr-defined]
        return rebuild, (storage, offset, value.shape, strides, False, OrderedDict())


class _Storage:
    def __init__(self, numbers: NDArray[Any]) -> None:
        self.numbers = numbers


def pickled(value: Any) -> tuple[bytes, dict[str, NDArray[Any]]]:
    """The pickle of a value with arrays, and the storages that it names."""
    stream = io.BytesIO()
    with fake_torch() as torch:
        pickler = Pickler(stream, torch)
        pickler.dump(value)
    return stream.getvalue(), pickler.storages


def write_zip(path: Path, value: Any, **more: bytes) -> Path:
    """Today's format; `more` are other contents of members."""
    content, storages = pickled(value)
    members = {"data.pkl": content, "byteorder": b"little", "version": b"3\n"}
    members |= {f"data/{key}": numbers.tobytes() for key, numbers in storages.items()}
    with zipfile.ZipFile(path, "w") as archive:
        for name, kept in {**members, **{key.replace("__", "/"): one for key, one in more.items()}}.items():
            archive.writestr(f"lite0/{name}", kept)
    return path


def write_old(path: Path, value: Any) -> Path:
    """The format before PyTorch 1.6."""
    content, storages = pickled(value)
    parts = [pickle.dumps(MAGIC, 2), pickle.dumps(VERSION, 2), pickle.dumps(MACHINE, 2), content]
    parts.append(pickle.dumps(sorted(storages), 2))
    parts += [struct.pack("<q", storages[key].size) + storages[key].tobytes() for key in sorted(storages)]
    path.write_bytes(b"".join(parts))
    return path


def state(tensors: Mapping[str, NDArray[Any]]) -> "OrderedDict[str, NDArray[Any]]":
    """A dictionary of weights with the versions of modules that PyTorch hangs on it."""
    made = OrderedDict(tensors)
    made._metadata = OrderedDict({"": {"version": 1}})  # type: ignore[attr-defined]
    return made
