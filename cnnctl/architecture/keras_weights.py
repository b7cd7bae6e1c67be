"""Arrays of the weights in a .keras file, which may come from a stranger: of known shapes, plain numbers only."""

import math
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cnnctl.errors import RunError
from cnnctl.layers.notation import Shape
from cnnctl.system.hdf5 import UNREADABLE, open_hdf5
from cnnctl.system.packages import insist_on
from cnnctl.system.zip import read_member

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

WEIGHTS = "model.weights.h5"
_MOST_BYTES = 2**32
_LEAST_BYTES_A_WEIGHT, _MOST_BYTES_A_WEIGHT = 2, 24
"""A compiled model is saved with its optimizer, whose averages are as large as the weights."""

_OVERHEAD = 2**16
"""Bytes of HDF5's own that a layer may take."""

_RATIO = 20
"""Most that weights can be compressed by."""


def read_arrays(
    path: Path, places: Mapping[str, str], shapes: Mapping[str, Sequence[Shape]]
) -> dict[str, tuple["NDArray[np.float32]", ...]]:
    """The weights of layers, in the order of Keras.

    Args:
        path: A .keras file.
        places: Where those of each layer lie.
        shapes: What they must be; arrays of other shapes are not read.

    Raises:
        RunError: the file cannot be read, or holds other weights.
    """
    params = sum(math.prod(shape) for one in shapes.values() for shape in one)
    with _opened(path, params, len(shapes)) as file:
        return {
            name: tuple(
                _array(file, f"{places[name]}/vars/{number}", name, one) for number, one in enumerate(shapes[name])
            )
            for name in shapes
        }


def read_constants(path: Path, place: str) -> tuple[list[float], list[float]]:
    """Mean and variance of a Normalization layer.

    Raises:
        RunError: the file cannot be read, or does not hold them.
    """
    with _opened(path) as file:
        found = []
        for number in (0, 1):
            shape = getattr(file.get(f"{place}/vars/{number}"), "shape", None)
            if shape is None or len(shape) != 1 or shape[0] > 1000:
                raise RunError(f"{path} lacks the mean and variance of a Normalization layer")
            found.append(_array(file, f"{place}/vars/{number}", place, shape).tolist())
    return found[0], found[1]


def insist_on_sizes(path: Path, params: int, layers: int) -> None:
    """Refuse a file whose weights, unpacked, are larger or smaller than they can be, or which claims arrays that are.

    Raises:
        RunError: it is such a file.
        OSError, EOFError, LookupError, ValueError, RuntimeError, zipfile.BadZipFile, zlib.error: it is damaged.
        MachineError: h5py is not installed.
    """
    insist_on("h5py")
    import h5py

    most = params * _MOST_BYTES_A_WEIGHT + _OVERHEAD * (layers + 4)
    with zipfile.ZipFile(path) as archive:
        weights = archive.getinfo(WEIGHTS)
        least = params * _LEAST_BYTES_A_WEIGHT
        if not least <= weights.file_size <= most or weights.file_size > weights.compress_size * _RATIO + _OVERHEAD:
            raise RunError(f"{path} holds {weights.file_size:,} bytes of weights for {params:,} parameters")
        with open_hdf5(read_member(archive, WEIGHTS, most)) as file:
            claimed: list[int] = []
            file.visititems(lambda _, item: claimed.append(item.nbytes) if isinstance(item, h5py.Dataset) else None)
    if sum(claimed) > most:
        raise RunError(f"{path} claims {sum(claimed):,} bytes of weights for {params:,} parameters")


@contextmanager
def _opened(path: Path, params: int | None = None, layers: int = 0) -> Iterator[Any]:
    """The HDF5 file with the weights, which must be of a size that fits the parameters, where their number is known."""
    try:
        if params is not None:
            insist_on_sizes(path, params, layers)
        with zipfile.ZipFile(path) as archive:
            member = archive.getinfo(WEIGHTS)
            if member.file_size > member.compress_size * _RATIO + _OVERHEAD:
                raise RunError(f"{path} holds {member.file_size:,} bytes of weights in {member.compress_size:,}")
            packed = read_member(archive, WEIGHTS, _MOST_BYTES)
        with open_hdf5(packed) as file:
            yield file
    except RunError as error:
        raise RunError(error.message if str(path) in error.message else f"{path}: {error.message}") from None
    except UNREADABLE as error:
        reason = str(error).strip().splitlines() or [type(error).__name__]
        raise RunError(f"{path} cannot be read: {reason[0]}") from None


def _array(file: Any, place: str, name: str, shape: Sequence[int]) -> "NDArray[np.float32]":
    """An array that is stored as such in the file itself, not elsewhere by a link."""
    import h5py
    import numpy as np

    item = file
    for step in place.split("/"):
        if not isinstance(item, h5py.Group) or not isinstance(item.get(step, getlink=True), h5py.HardLink):
            raise RunError(f"the file lacks the weights of {name}")
        item = item[step]
    is_plain = isinstance(item, h5py.Dataset) and item.dtype.kind == "f" and not (item.is_virtual or item.external)
    if not is_plain:
        raise RunError(f"the weights of {name} are not plain numbers")
    if tuple(item.shape) != tuple(shape):
        raise RunError(f"the weights of {name} have the shape {tuple(item.shape)}, not {tuple(shape)}")
    return np.asarray(item[()], np.float32)
