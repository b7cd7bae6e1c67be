"""Fine-tuning: the weights of another run or of a .keras file as the beginning of a training."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cnnctl.architecture.keras_file import read_weights
from cnnctl.errors import RunError
from cnnctl.models.graph import leaf_layers
from cnnctl.runs import find_run


@dataclass(frozen=True)
class Start:
    """Weights to begin with.

    `source` is the .keras file. `layers` are (name, arrays) of each layer that has weights, in order; the last one is
    the output layer. `classes` say what its outputs mean, in order; None for a file that comes without.
    """

    source: Path
    layers: tuple[tuple[str, list[Any]], ...]
    classes: tuple[str, ...] | None


@dataclass(frozen=True)
class Taken:
    """The layers of the new network that got weights, by name; `left` says why the output layer did not, else None."""

    layers: tuple[str, ...]
    left: str | None


def read_start(place: str) -> Start:
    """The weights of a run or a .keras file.

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
        layers = read_weights(path)
    except RunError as error:
        raise RunError(error.message, mend) from None
    if not layers:
        raise RunError(f"{path} has no layer with weights", mend)
    return Start(path, layers, classes)


def take_weights(model: Any, start: Start, classes: Sequence[str]) -> Taken:
    """Copy weights into a new network, layer by layer in order; the output layer's only where the classes are alike.

    Raises:
        RunError: the two are not the same network but for the output layer.
    """
    own = [layer for layer in leaf_layers(model) if layer.weights]
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
    left = f"; the output layer is initialized: {taken.left}" if taken.left else ""
    return f"initial weights: {names} from {start.source}{left}"


def _why_leave_output(output: Any, start: Start, classes: Sequence[str]) -> str | None:
    if start.classes is not None and start.classes != tuple(classes):
        return "the classes differ"
    if [tuple(weight.shape) for weight in output.weights] != [array.shape for array in start.layers[-1][1]]:
        return "its shape differs"
    return None
