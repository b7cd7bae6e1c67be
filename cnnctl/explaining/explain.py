"""One image through a trained network: what it answers, what its layers see, and which places speak for the answer."""

import re
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cnnctl.architecture import LayerPlan, Plan
from cnnctl.architecture.receptive_field import receptive_window
from cnnctl.data.decoder.images import Image
from cnnctl.errors import RunError, UsageError
from cnnctl.explaining.activation_maps import GRAD_CAM, ClassMap, class_maps
from cnnctl.inference.model import expand
from cnnctl.layers.window import Span
from cnnctl.models.of_run import FeatureMaps, Network, features, seen_layers

_LARGEST_DIFFERENCE = 1e-2
"""Between two files of one network, in probability: more than rounding makes of any image."""

_UNIT = re.compile(r"(?P<layer>[\w.\-]+):(?P<row>[0-9]{1,6}),(?P<column>[0-9]{1,6})")


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
    """What was found; classes are numbers, the likeliest first in `order` and in `maps`.

    `image` is as the network got it, `probabilities` are float32 (classes,). `features`, the layer that the maps are
    made of, is None for the pixels themselves; `unit` is None where no layer has rows and columns.
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


@dataclass(frozen=True)
class ExplainRequest:
    """What is to be explained: `top` is how many of the most probable classes get a map.

    `unit` is whose receptive field is drawn; None takes the place that speaks most for the answer.
    """

    top: int = 3
    method: str = GRAD_CAM
    unit: Unit | None = None


def explain(
    network: Network, image: Image, path: str, shipped: NDArray[np.float32], wish: ExplainRequest
) -> Explanation:
    """Everything about one image, uint8 (height, width, channels), as the network gets it.

    `shipped` is what the run's model.onnx answers: float32 (classes,).

    Raises:
        RunError: model.keras and model.onnx are not the same network.
    """
    probabilities = agreed(network, image, shipped)
    order = tuple(int(at) for at in np.argsort(-probabilities, kind="stable"))
    chosen = features(network.plan)
    maps = tuple(class_maps(network, chosen, image, order[: wish.top], wish.method))
    layers = tuple(FeatureMaps.of(*found) for found in network.walk(image, seen_layers(network.plan)))
    unit = wish.unit
    if unit is None and chosen is not None:
        row, column = divmod(int(maps[0].values.argmax()), maps[0].values.shape[1])
        unit = _unit(network.plan, chosen, row, column)
    return Explanation(path, image, wish.method, order, probabilities, chosen, maps, layers, unit)


def agreed(network: Network, image: Image, shipped: NDArray[np.float32]) -> NDArray[np.float32]:
    """The network's probabilities, float32 (classes,), where they are those of the run's model.onnx; see `explain`.

    Raises:
        RunError: they are not.
    """
    probabilities: NDArray[np.float32] = expand(np.asarray(network.model.predict_on_batch(image[None]), np.float32))[0]
    if not float(np.abs(probabilities - shipped).max()) <= _LARGEST_DIFFERENCE:
        raise RunError("model.keras and model.onnx of the run give different answers", "train the run again")
    return probabilities


def parse_unit(text: str, plan: Plan) -> Unit:
    """A unit in the user's words, `conv2d_1:3,4`.

    Raises:
        UsageError: it is none of the network's.
    """
    match = _UNIT.fullmatch(text)
    if match is None:
        raise UsageError(f"a unit is written LAYER:ROW,COLUMN, such as conv2d:3,4; received: {text}")
    images = [row for row in plan.layers if len(row.output_shape) == 3]
    layer = next((row for row in images if row.name == match["layer"]), None)
    if layer is None:
        names = ", ".join(row.name for row in images) or "none"
        raise UsageError(f"no layer {match['layer']} has rows and columns", f"these have: {names}")
    row, column = int(match["row"]), int(match["column"])
    height, width, _ = layer.output_shape
    if row >= height or column >= width:
        raise UsageError(
            f"{text} is out of range: {layer.name} has rows 0 to {height - 1} and columns 0 to {width - 1}"
        )
    return _unit(plan, layer, row, column)


def _unit(plan: Plan, layer: LayerPlan, row: int, column: int) -> Unit:
    until = plan.layers[: plan.layers.index(layer) + 1]
    return Unit(layer, row, column, receptive_window(until, row, column))
