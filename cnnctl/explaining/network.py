"""The network of a run as Keras computes it, layer by layer."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cnnctl.architecture import LayerPlan, Plan, make_plan
from cnnctl.architecture.keras_file import read_scaling
from cnnctl.config import layers as kinds
from cnnctl.config import load
from cnnctl.errors import RunError
from cnnctl.runs import Run
from cnnctl.training.network import Scaling
from cnnctl.training.stored import load_model

Values = NDArray[np.float32]

CONVOLUTIONS = kinds.Conv2D | kinds.DepthwiseConv2D | kinds.SeparableConv2D
_SEEN = CONVOLUTIONS | kinds.MaxPooling2D | kinds.AveragePooling2D | kinds.L2Pooling2D
_ACTING = kinds.BatchNormalization | kinds.LayerNormalization | kinds.ActivationLayer | kinds.LeakyReLU
_POOLS = kinds.MaxPooling2D | kinds.AveragePooling2D | kinds.L2Pooling2D


@dataclass(frozen=True)
class Network:
    """A trained network.

    Attributes:
        model: keras.Sequential in float32, its layers named as the plan's rows, the last one `probabilities`.
        plan: What it computes.
        classes: Names in label order.
    """

    model: Any
    plan: Plan
    classes: tuple[str, ...]

    def values(self, image: NDArray[np.uint8], rows: Sequence[LayerPlan]) -> list[Values]:
        """What layers put out for an image.

        Args:
            image: uint8 (height, width, channels).
            rows: Rows of the plan.

        Returns:
            For each an array of its output shape.
        """
        import keras

        names = [self._keras_name(row) for row in rows]
        if not names:
            return []
        model = keras.Model(self.model.inputs, [self.model.get_layer(name).output for name in names])
        found = model.predict_on_batch(image[None])
        return [np.asarray(one, np.float32)[0] for one in (found if isinstance(found, list | tuple) else [found])]

    def _keras_name(self, row: LayerPlan) -> str:
        return "probabilities" if row is self.plan.layers[-1] else row.name

    def place(self, row: LayerPlan | None) -> int:
        """The number of the Keras layer that comes after a row; after the pixels' scaling for None."""
        names = [layer.name for layer in self.model.layers]
        return names.index("scaling" if row is None else self._keras_name(row)) + 1


def load_network(run: Run) -> Network:
    """The network of a run, from its config and the arrays of its model.keras; Keras must have been imported.

    Raises:
        RunError: the run lacks them, or they do not fit together.
    """
    path = run.need(run.keras_model)
    plan = run_plan(run)
    return Network(load_model(path, plan, Scaling(*read_scaling(path))), plan, run.read_classes())


def run_plan(run: Run) -> Plan:
    """The network of a run without its weights.

    Raises:
        CnnctlError: its config is gone or wrong.
    """
    config = load(run.need(run.config)).config
    assert config is not None
    image = config.data.image
    shape = (image.height, image.width, image.channels)
    plan = make_plan(config.model, shape, len(run.read_classes()), config.output)
    if plan.problems:
        raise RunError(f"{run.config}: {plan.problems[0].message} ({plan.problems[0].received})", "train the run again")
    return plan


def seen_layers(plan: Plan) -> list[LayerPlan]:
    """Every convolution and pooling layer that puts out rows and columns."""
    return [row for row in plan.layers if isinstance(row.layer, _SEEN) and len(row.output_shape) == 3]


def first_convolution(plan: Plan) -> LayerPlan | None:
    """The convolution whose kernels look at colours."""
    return next((row for row in plan.layers if isinstance(row.layer, CONVOLUTIONS)), None)


def features(plan: Plan) -> LayerPlan | None:
    """The layer whose output class activation maps are made of; None where the pixels themselves have to do.

    It is the last convolution that still has several places, or what follows it up to its activation.
    """
    rows = plan.layers
    places = [
        number
        for number, row in enumerate(rows)
        if isinstance(row.layer, CONVOLUTIONS) and row.output_shape[0] * row.output_shape[1] > 1
    ]
    if not places:
        return None
    chosen = rows[places[-1]]
    acted = getattr(chosen.layer, "activation", "linear") != "linear"
    for row in rows[places[-1] + 1 :]:
        pooled = isinstance(row.layer, _POOLS) and not acted and row.output_shape[0] * row.output_shape[1] > 1
        if not (isinstance(row.layer, _ACTING) or pooled):
            break
        if isinstance(row.layer, kinds.ActivationLayer | kinds.LeakyReLU):
            chosen, acted = row, True
        elif not pooled:
            chosen = row if len(row.output_shape) == 3 and row.output_shape == chosen.output_shape else chosen
    return chosen


def kernels(network: Network, row: LayerPlan) -> Values:
    """The learned kernels of a convolution: float32 (height, width, channels of a kernel, kernels).

    Those of a depthwise or separable convolution are its depthwise ones, of one channel each.
    """
    weights = np.asarray(network.model.get_layer(row.name).get_weights()[0], np.float32)
    if isinstance(row.layer, kinds.Conv2D):
        return weights
    high, wide, channels, multiplier = weights.shape
    return weights.reshape(high, wide, 1, channels * multiplier)
