"""One image through a trained network: what it answers, what its layers see, and which places speak for the answer."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cnnctl.architecture import LayerPlan, Plan
from cnnctl.architecture.receptive_field import receptive_window
from cnnctl.data.decoder.images import Image, ImageError, read_image
from cnnctl.errors import DataError, RunError, UsageError
from cnnctl.explaining.activation_maps import GRAD_CAM, ClassMap, class_maps
from cnnctl.formatting import printable
from cnnctl.inference.answers import Prediction, predicted
from cnnctl.inference.model import expand, load_classifier
from cnnctl.inference.unknown import Foreignness
from cnnctl.layers.window import Span
from cnnctl.models.of_run import FeatureMaps, Network, features, seen_layers
from cnnctl.runs import Run

_LARGEST_DIFFERENCE = 1e-2
"""Between two files of one network, in probability: more than rounding makes of any image."""

_PLACE = re.compile(r"(?P<layer>[\w.\-]+):(?P<numbers>[0-9]{1,6}(,[0-9]{1,6}){0,2})")


@dataclass(frozen=True)
class Place:
    """One value of a layer: (row, column), (row, column, channel), or of a vector (unit,)."""

    layer: LayerPlan
    numbers: tuple[int, ...]


@dataclass(frozen=True)
class Unit:
    """One place of a feature map, and what of the image it sees (see architecture/field.py)."""

    layer: LayerPlan
    row: int
    column: int
    window: tuple[Span, Span]

    def __str__(self) -> str:
        return f"{self.layer.name}, row {self.row}, column {self.column}"


@dataclass(frozen=True)
class Explanation:
    """What was found; classes are numbers, the likeliest first in `order`, and in `maps` as `classes_with_maps` says.

    `image` is as the network got it, `probabilities` are float32 (classes,). `features`, the layer that the maps are
    made of, is None for the pixels themselves; `unit` is None where no layer has rows and columns. `thresholds`,
    float32 (classes,), are those from which on an image has a label; None where it has one.
    """

    path: str
    image: Image
    method: str
    order: tuple[int, ...]
    probabilities: NDArray[np.float32]
    features: LayerPlan | None
    maps: tuple[ClassMap, ...]
    layers: tuple[FeatureMaps, ...]
    unit: Unit | None
    thresholds: NDArray[np.float32] | None = None

    def prediction(self, classes: Sequence[str], foreign: Foreignness | None = None) -> Prediction:
        """What the network says of the image."""
        return predicted(self.probabilities, classes, foreign=foreign, thresholds=self.thresholds)


@dataclass(frozen=True)
class Answered:
    """What the network of a run gets of an image file, uint8, and what model.onnx says of it.

    Attributes:
        image: The pixels.
        probabilities: float32 (classes,).
        foreign: How unlike the training images it is, where the run knows that.
        thresholds: As in Explanation.
    """

    image: Image
    probabilities: NDArray[np.float32]
    foreign: Foreignness | None
    thresholds: NDArray[np.float32] | None


@dataclass(frozen=True)
class ExplainRequest:
    """What is to be explained: `top` is how many of the most probable classes get a map.

    `unit` is whose receptive field is drawn; None takes the place that speaks most for the answer.
    """

    top: int = 3
    method: str = GRAD_CAM
    unit: Unit | None = None


def explain(
    network: Network,
    image: Image,
    path: str,
    shipped: NDArray[np.float32],
    wish: ExplainRequest,
    thresholds: NDArray[np.float32] | None = None,
) -> Explanation:
    """Everything about one image, uint8 (height, width, channels), as the network gets it.

    `shipped` is what the run's model.onnx answers: float32 (classes,). `thresholds` are as in Explanation.

    Raises:
        RunError: model.keras and model.onnx are not the same network.
    """
    probabilities = agreed(network, image, shipped)
    order = tuple(int(at) for at in np.argsort(-probabilities, kind="stable"))
    chosen = features(network.plan)
    shown = classes_with_maps(probabilities, wish.top, thresholds)
    maps = tuple(class_maps(network, chosen, image, shown, wish.method))
    layers = tuple(FeatureMaps.of(*found) for found in network.walk(image, seen_layers(network.plan)))
    unit = wish.unit
    if unit is None and chosen is not None:
        row, column = divmod(int(maps[0].values.argmax()), maps[0].values.shape[1])
        unit = _unit(network.plan, chosen, row, column)
    return Explanation(path, image, wish.method, order, probabilities, chosen, maps, layers, unit, thresholds)


def classes_with_maps(
    probabilities: NDArray[np.float32], top: int, thresholds: NDArray[np.float32] | None = None
) -> list[int]:
    """The `top` classes that get a map: the most probable; of several labels, first those that the image gets."""
    is_other = np.zeros(len(probabilities), bool) if thresholds is None else probabilities < thresholds
    return [int(at) for at in np.lexsort((-probabilities, is_other))[:top]]


def agreed(network: Network, image: Image, shipped: NDArray[np.float32]) -> NDArray[np.float32]:
    """The network's probabilities, float32 (classes,), where they are those of the run's model.onnx; see `explain`.

    Raises:
        RunError: they are not.
    """
    probabilities: NDArray[np.float32] = expand(
        np.asarray(network.answering.predict_on_batch(image[None]), np.float32)
    )[0]
    insist_on_agreement(probabilities, shipped)
    return probabilities


def insist_on_agreement(probabilities: NDArray[Any], shipped: NDArray[np.float32]) -> None:
    """Refuse probabilities, float (classes,), that are not those of the run's model.onnx.

    Raises:
        RunError: they are not.
    """
    if not float(np.abs(probabilities - shipped).max()) <= _LARGEST_DIFFERENCE:
        raise RunError("model.keras and model.onnx of the run give different answers", "train the run again")


def given_and_answered(run: Run, image: Path) -> Answered:
    """What the network of a run gets of an image file, and what model.onnx says of it.

    Raises:
        DataError: the image cannot be read.
        RunError: the run has no usable model.onnx.
    """
    classifier = load_classifier(run, tells_unknown=True)
    try:
        pixels = read_image(image, classifier.spec)  # before Keras is loaded, which takes seconds
    except ImageError as error:
        raise DataError(f"{printable(str(image))}: {error.message}", error.hint) from None
    ((probabilities, foreign),) = classifier.answers(pixels[None])
    return Answered(pixels, probabilities, foreign, classifier.thresholds)


def parse_unit(text: str, plan: Plan) -> Unit:
    """A unit in the user's words, `conv2d_1:3,4`, whose receptive field is to be drawn; its channel does not matter.

    Raises:
        UsageError: it is none of the network's, or has no rows and columns.
    """
    place = _parse(text, plan, [row for row in plan.layers if len(row.output_shape) == 3], "has rows and columns")
    return _unit(plan, place.layer, *place.numbers[:2])


def parse_place(text: str, plan: Plan) -> Place:
    """A unit in the user's words whose arithmetic is to be shown: `conv2d_1:3,4`, `conv2d_1:3,4,12` or `dense:5`.

    Raises:
        UsageError: it is none of the network's, or its layer has no such arithmetic.
    """
    shown = [row for row in plan.layers if row.layer.learns or row.layer.slides_windows or row.layer.is_activation]
    return _parse(text, plan, shown, "weighs, pools or activates values")


def _parse(text: str, plan: Plan, rows: Sequence[LayerPlan], what: str) -> Place:
    """A place in one of these rows."""
    match = _PLACE.fullmatch(text)
    if match is None:
        raise UsageError(
            f"a unit is written LAYER:ROW,COLUMN, such as conv2d:3,4; received: {text}",
            "LAYER:ROW,COLUMN,CHANNEL names one channel, LAYER:UNIT a unit of a dense layer (with --numbers)",
        )
    layer = next((row for row in rows if row.name == match["layer"]), None)
    if layer is None:
        names = ", ".join(row.name for row in rows) or "none"
        verb = "these have" if what.startswith("has") else "these do"
        raise UsageError(f"no layer {match['layer']} {what}", f"{verb}: {names}")
    numbers, shape = tuple(map(int, match["numbers"].split(","))), layer.output_shape
    if (len(shape) == 1 and len(numbers) > 1) or (len(shape) == 3 and len(numbers) == 1):
        form = "UNIT" if len(shape) == 1 else "ROW,COLUMN or ROW,COLUMN,CHANNEL"
        raise UsageError(f"a unit of {layer.name} is written {layer.name}:{form}; received: {text}")
    if any(number >= size for number, size in zip(numbers, shape, strict=False)):
        raise UsageError(f"{text} is out of range: {layer.name} has {_ranges(shape, len(numbers))}")
    return Place(layer, numbers)


def _ranges(shape: tuple[int, ...], count: int) -> str:
    """`rows 0 to 7 and columns 0 to 7`, with the channels where they were named."""
    names = ("rows", "columns", "channels") if len(shape) == 3 else ("units",)
    parts = [f"{name} 0 to {size - 1}" for name, size in zip(names[:count], shape, strict=False)]
    return " and ".join([", ".join(parts[:-1]), parts[-1]] if len(parts) > 1 else parts)


def _unit(plan: Plan, layer: LayerPlan, row: int, column: int) -> Unit:
    until = plan.layers[: plan.layers.index(layer) + 1]
    return Unit(layer, row, column, receptive_window(until, row, column))
