"""Fine-tuning: the weights of another run or of a .keras file as the beginning of a training.

A .keras file may come from a stranger. Keras never sees its configuration: the network is built anew from layers that
a config can have, and Keras reads nothing but arrays, whose sizes were checked before.
"""

import io
import zipfile
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cnnctl.architecture import Plan
from cnnctl.architecture.keras_file import read_keras_file
from cnnctl.archives import read_member
from cnnctl.errors import RunError
from cnnctl.runs import find_run
from cnnctl.training.network import UNIT, build_network

_UNREADABLE = (
    OSError,
    EOFError,
    ValueError,
    TypeError,
    LookupError,
    AttributeError,
    ImportError,
    RuntimeError,
    zipfile.BadZipFile,
    zlib.error,
)
"""What Keras, h5py and zipfile raise over a file that is no model, a damaged one, or one whose code they refuse."""


_WEIGHTS = "model.weights.h5"
_LEAST_BYTES_A_WEIGHT, _MOST_BYTES_A_WEIGHT = 2, 24
"""A compiled model is saved with its optimizer, whose averages are as large as the weights."""

_OVERHEAD = 2**16
"""Bytes of HDF5's own that a layer may take."""

_RATIO = 20
"""Most that weights can be compressed by."""


@dataclass(frozen=True)
class Start:
    """Weights to begin with.

    Attributes:
        source: The .keras file.
        layers: (name, arrays) of each layer that has weights, in order; the last one is the output layer.
        classes: What its outputs mean, in order; None for a file that comes without.
    """

    source: Path
    layers: tuple[tuple[str, list[Any]], ...]
    classes: tuple[str, ...] | None


@dataclass(frozen=True)
class Taken:
    """What was taken over.

    Attributes:
        layers: Names of the layers of the new network that got weights.
        left: Why the output layer did not; None where it did.
    """

    layers: tuple[str, ...]
    left: str | None


def read_start(place: str) -> Start:
    """The weights of a run or a .keras file; Keras must have been imported.

    Raises:
        RunError: there is none, or it cannot be read.
    """
    path = Path(place)
    classes = None
    if path.suffix != ".keras":
        run = find_run(path)
        path, classes = run.need(run.keras_model), run.read_classes()
    mend = "train.initial_weights takes a run or a .keras file"
    try:
        plan = read_keras_file(path)
        _insist_on_sizes(path, plan)
        layers = _load(path, plan)
    except RunError as error:
        raise RunError(error.message, mend) from None
    except _UNREADABLE as error:
        reason = str(error).strip().splitlines() or [type(error).__name__]
        raise RunError(f"{path} cannot be read: {reason[0]}", mend) from None
    return Start(path, layers, classes)


def _load(path: Path, plan: Plan) -> tuple[tuple[str, list[Any]], ...]:
    """The weights of a file, in a network of ours."""
    import keras

    policy = keras.config.dtype_policy()
    try:
        model = build_network(plan, UNIT, "float32")
        model.load_weights(path)
        return tuple((layer.name, layer.get_weights()) for layer in model.layers if layer.weights)
    finally:
        keras.config.set_dtype_policy(policy)


def _insist_on_sizes(path: Path, plan: Plan) -> None:
    """Raises:
    RunError: unpacked, the archive or an array in it is larger or smaller than the network's weights can be.
    """
    import h5py

    with zipfile.ZipFile(path) as archive:
        weights = archive.getinfo(_WEIGHTS)
        most = plan.total_params * _MOST_BYTES_A_WEIGHT + _OVERHEAD * (len(plan.layers) + 4)
        least = plan.total_params * _LEAST_BYTES_A_WEIGHT
        if not least <= weights.file_size <= most or weights.file_size > weights.compress_size * _RATIO + _OVERHEAD:
            raise RunError(f"{path} holds {weights.file_size:,} bytes of weights for {plan.total_params:,} parameters")
        with h5py.File(io.BytesIO(read_member(archive, _WEIGHTS, most)), "r") as file:
            claimed: list[int] = []
            file.visititems(lambda _, item: claimed.append(item.nbytes) if isinstance(item, h5py.Dataset) else None)
    if sum(claimed) > most:
        raise RunError(f"{path} claims {sum(claimed):,} bytes of weights for {plan.total_params:,} parameters")


def take_weights(model: Any, start: Start, classes: Sequence[str]) -> Taken:
    """Copy weights into a new network, layer by layer in order; the output layer's only where the classes are alike.

    Args:
        model: Of network.build_network.
        start: Where the weights come from.
        classes: The new network's, in label order.

    Raises:
        RunError: the two are not the same network but for the output layer.
    """
    own = [layer for layer in model.layers if layer.weights]
    mend = "the layers must be those of the config that it was trained with; only the output layer may differ"
    if len(own) != len(start.layers):
        raise RunError(
            f"{start.source} has {len(start.layers)} layers with weights, and this network has {len(own)}", mend
        )
    left = _why_leave_output(own[-1], start, classes)
    pairs = list(zip(own, start.layers, strict=True))
    for layer, (name, arrays) in pairs[:-1] if left else pairs:
        shapes, theirs = [tuple(weight.shape) for weight in layer.weights], [array.shape for array in arrays]
        if shapes != theirs:
            message = f"{layer.name} has weights of shape {shapes}, and {name} in {start.source} of {theirs}"
            raise RunError(message, mend)
        layer.set_weights(arrays)
    return Taken(tuple(layer.name for layer, _ in (pairs[:-1] if left else pairs)), left)


def describe_taken(start: Start, taken: Taken) -> str:
    """What was taken over, for people."""
    names = ", ".join(taken.layers) or "no layer"
    left = f"; the output layer begins anew: {taken.left}" if taken.left else ""
    return f"initial weights: {names} from {start.source}{left}"


def _why_leave_output(output: Any, start: Start, classes: Sequence[str]) -> str | None:
    if start.classes is not None and start.classes != tuple(classes):
        return "the classes differ"
    if [tuple(weight.shape) for weight in output.weights] != [array.shape for array in start.layers[-1][1]]:
        return "its shape differs"
    return None
