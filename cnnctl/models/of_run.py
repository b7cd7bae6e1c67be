"""The network of a run as Keras computes it, layer by layer."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cnnctl.architecture import LayerPlan, Plan
from cnnctl.architecture.keras_file import read_scaling
from cnnctl.architecture.planner import plan_of
from cnnctl.architecture.scaling import Scaling
from cnnctl.config.schema import TestTime
from cnnctl.models.load import load_model
from cnnctl.models.views import with_views
from cnnctl.runs import Run

Values = NDArray[np.float32]

MOST_MAPS = 64
"""Channels of a layer that are drawn."""

MOST_LAYERS = 60
"""Layers that are drawn; of more, the first and the last ones."""


@dataclass(frozen=True)
class Network:
    """A trained network: a float32 keras.Sequential; its layers have the names of rows, the last `probabilities`.

    With `test_time` the run answers by the mean over views; see `answering`.
    """

    model: Any
    plan: Plan
    classes: tuple[str, ...]
    test_time: TestTime | None = None

    @cached_property
    def answering(self) -> Any:
        """The Keras model whose answers are those of the run's model.onnx."""
        return self.model if self.test_time is None else with_views(self.model, self.test_time)

    def walk(self, image: NDArray[np.uint8], rows: Sequence[LayerPlan]) -> Iterator[tuple[LayerPlan, Values]]:
        """Rows of the plan with what they put out for an image, uint8 (height, width, channels).

        They come one after the other, so that no two need to be kept.
        """
        import keras

        wanted = {keras_name(self.plan, row): row for row in rows}
        values = keras.ops.convert_to_tensor(image[None])
        for layer in self.model.layers:
            values = layer(values, training=False)
            if layer.name in wanted:
                yield wanted[layer.name], np.asarray(values, np.float32)[0]

    def place(self, row: LayerPlan | None) -> int:
        """The number of the Keras layer that comes after a row; after the pixels' scaling for None."""
        names = [layer.name for layer in self.model.layers]
        return names.index("scaling" if row is None else keras_name(self.plan, row)) + 1


@dataclass(frozen=True)
class FeatureMaps:
    """What a layer makes of an image: `shown` is float32 (rows, columns, channels), its first MOST_MAPS channels.

    `strongest` is the channel of those that has the highest mean; `silent` is how many of all are 0 everywhere.
    """

    row: LayerPlan
    shown: Values
    strongest: int
    silent: int

    @staticmethod
    def of(row: LayerPlan, values: Values) -> "FeatureMaps":
        """Those of a layer's whole output."""
        silent = int((values == 0).all(axis=(0, 1)).sum())
        shown = values[:, :, :MOST_MAPS].copy()
        return FeatureMaps(row, shown, int(shown.mean(axis=(0, 1)).argmax()), silent)


def keras_name(plan: Plan, row: LayerPlan) -> str:
    """The name of a row's layer in Keras and in model.keras."""
    return "probabilities" if row is plan.layers[-1] else row.name


def load_network(run: Run) -> Network:
    """The network of a run, from its config and the arrays of its model.keras; Keras must have been imported.

    Raises:
        RunError: the run lacks them, or they do not fit together.
    """
    path = run.need(run.keras_model)
    plan = run_plan(run)
    test_time = run.read_config().test_time
    return Network(load_model(path, plan, Scaling(*read_scaling(path))), plan, run.read_classes(), test_time)


def run_plan(run: Run) -> Plan:
    """The network of a run without its weights.

    Raises:
        CnnctlError: its config is gone or wrong.
    """
    config = run.read_config()
    return plan_of(config, len(run.read_classes()), run.config, run.checked(run.keras_model))


def seen_layers(plan: Plan) -> list[LayerPlan]:
    """Every backbone, convolution and pooling layer that puts out rows and columns.

    Of very many they are the first and the last ones.
    """
    found = [row for row in plan.layers if (row.inner or row.layer.slides_windows) and len(row.output_shape) == 3]
    half = MOST_LAYERS // 2
    return found if len(found) <= MOST_LAYERS else [*found[:half], *found[-half:]]


def first_convolution(plan: Plan) -> LayerPlan | None:
    """The convolution whose kernels look at colours."""
    return next((row for row in plan.layers if row.layer.has_kernels), None)


def features(plan: Plan) -> LayerPlan | None:
    """The layer whose output class activation maps are made of; None where the pixels themselves have to do.

    It is the last convolution, or the backbone, that still has several places, or what follows it up to its activation.
    """
    rows = plan.layers
    places = [
        number
        for number, row in enumerate(rows)
        if (row.inner or row.layer.has_kernels) and len(row.output_shape) == 3 and math.prod(row.output_shape[:2]) > 1
    ]
    if not places:
        return None
    chosen = rows[places[-1]]
    acted = chosen.layer.function != "linear"
    for row in rows[places[-1] + 1 :]:
        layer = row.layer
        if layer.acts_in_training_only:
            continue
        pools = layer.family == "pooling" and layer.slides_windows
        pooled = pools and not acted and row.output_shape[0] * row.output_shape[1] > 1
        if not (layer.is_activation or layer.family == "normalization" or pooled):
            break
        if layer.is_activation:
            chosen, acted = row, True
        elif not pooled:
            chosen = row if len(row.output_shape) == 3 and row.output_shape == chosen.output_shape else chosen
    return chosen


def kernels(network: Network, row: LayerPlan) -> Values:
    """The learned kernels of a convolution: float32 (height, width, channels of a kernel, kernels).

    Those of a depthwise or separable convolution are its depthwise ones, of one channel each.
    """
    weights = np.asarray(network.model.get_layer(row.name).get_weights()[0], np.float32)
    if not row.layer.is_depthwise:
        return weights
    high, wide, channels, multiplier = weights.shape
    return weights.reshape(high, wide, 1, channels * multiplier)
