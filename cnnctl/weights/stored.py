"""Layers in a file of weights, and which layer of a network each belongs to. Arrays are read last, and only those."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cnnctl.errors import RunError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Arrays = tuple[NDArray[np.float32], ...]

Shape = tuple[int, ...]
Shapes = Mapping[str, tuple[Shape, ...]]
"""What a network has: the shapes of the weights of each layer, by its name and in Keras' order."""

_MEND = "take a file of the same network"


@dataclass(frozen=True)
class StoredLayer:
    """A layer of a file that has weights.

    Attributes:
        name: Its name in the file, with slashes where it lies in other layers.
        shapes: Of its arrays, in the order of Keras' `layer.weights`.
        read: Reads the arrays.
        place: Where it lies in a file of Keras 3, such as `layers/conv2d_1`.
    """

    name: str
    shapes: tuple[Shape, ...]
    read: Callable[[], "tuple[NDArray[Any], ...]"]
    place: str = ""


def take(path: Path, stored: Sequence[StoredLayer], shapes: Shapes, places: Mapping[str, str]) -> "dict[str, Arrays]":
    """The arrays of a network's layers, as float32.

    Layers are found by `places` (the places in the file of those that are known), else by their names. In files from
    before Keras 3 names may be others; there, as in Keras, the order counts, if every shape is that of the network.

    Raises:
        RunError: a layer is missing, or has other shapes or values that are no numbers.
    """
    import numpy as np

    taken: dict[str, Arrays] = {}
    for name, layer in _pairs(path, stored, shapes, places).items():
        arrays = tuple(np.asarray(array, np.float32, order="C") for array in layer.read())
        if not all(np.isfinite(array).all() for array in arrays):
            raise RunError(f"{path}: the layer {name} has weights that are NaN or infinite", _MEND)
        taken[name] = arrays
    return taken


def _pairs(
    path: Path, stored: Sequence[StoredLayer], shapes: Shapes, places: Mapping[str, str]
) -> dict[str, StoredLayer]:
    wanted = {name: expected for name, expected in shapes.items() if expected}
    by_place = {layer.place: layer for layer in stored if layer.place}
    by_name = _by_name(stored)
    found = {name: by_place.get(places.get(name, "")) or by_name.get(_plain(name)) for name in wanted}
    missing = [name for name, layer in found.items() if layer is None]
    if missing:
        ordered = {} if by_place else dict(zip(wanted, stored, strict=False))
        if len(ordered) == len(wanted) and all(ordered[name].shapes == wanted[name] for name in wanted):
            return ordered
        more = f" and {len(missing) - 1:,} more layers" if len(missing) > 1 else ""
        raise RunError(f"{path} has no weights for the layer {missing[0]}{more} of the network", _MEND)

    pairs = {name: layer for name, layer in found.items() if layer is not None}
    for name, layer in pairs.items():
        if layer.shapes != wanted[name]:
            told = f"{path}: the weights of the layer {name} are {_text(layer.shapes)}"
            raise RunError(f"{told}; the network has {_text(wanted[name])}", _MEND)
    return pairs


def _by_name(stored: Sequence[StoredLayer]) -> dict[str, StoredLayer]:
    """Layers by their whole names, and by the ends of them where no other layer's name ends so."""
    ends: dict[str, list[StoredLayer]] = {}
    for layer in stored:
        parts = layer.name.split("/")
        for start in range(len(parts)):
            ends.setdefault(_plain("/".join(parts[start:])), []).append(layer)
    whole: dict[str, list[StoredLayer]] = {}
    for layer in stored:
        whole.setdefault(_plain(layer.name), []).append(layer)
    return {name: layers[0] for name, layers in {**ends, **whole}.items() if len(layers) == 1}


def _plain(name: str) -> str:
    """A name as all Kerases have it: `expanded_conv/depthwise/BatchNorm` is `expanded_conv_depthwise_bn` today."""
    return name.replace("/", "_").lower().replace("batchnorm", "bn")


def _text(shapes: Sequence[Shape]) -> str:
    return ", ".join("x".join(map(str, shape)) or "a number" for shape in shapes)
