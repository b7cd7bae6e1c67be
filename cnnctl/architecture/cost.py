"""What a network costs: memory of a training step, size on disk, and what dense layers would cost instead."""

import math
from collections.abc import Iterator
from typing import assert_never

from cnnctl.architecture.plan import LayerPlan, Plan
from cnnctl.architecture.planner import with_trained_backbone
from cnnctl.config.optimizers import Adam, Optimizer, RMSprop, Sgd
from cnnctl.config.training import TrainSettings
from cnnctl.layers import arithmetic
from cnnctl.layers.notation import NO_SIDES, Shape

BYTES_PER_WEIGHT = 4

_VALUES_AT_ONCE = 1_250_000


def weight_bytes(plan: Plan) -> int:
    """Bytes of the weights on disk: 4 each (float32)."""
    return plan.total_params * BYTES_PER_WEIGHT


def activation_values(plan: Plan) -> int:
    """Values of one image that a training step keeps for the backward pass: the input and every layer's output.

    A flatten shares its input's memory; an activation inside a layer keeps a second copy (before and after). Of a
    backbone that is not trained only the output is kept.
    """
    total = math.prod(plan.input_shape)
    for row in _trained_rows(plan):
        if row.layer.flattens:
            continue
        copies = 2 if row.layer.learns and row.layer.function != "linear" else 1
        total += copies * math.prod(row.output_shape)
        if row.zeros != NO_SIDES:
            (top, bottom), (left, right) = row.zeros
            height, width, channels = row.input_shape
            total += (height + top + bottom) * (width + left + right) * channels
    return total


def _trained_rows(plan: Plan) -> Iterator[LayerPlan]:
    """The rows of a plan, with the layers of a backbone that is trained in its place."""
    for row in plan.layers:
        yield from row.inner if row.inner and row.trainable_params else (row,)


def optimizer_slots(optimizer: Optimizer) -> int:
    """Values that the optimizer keeps for each trained weight."""
    match optimizer:
        case Adam():
            return 3 if optimizer.amsgrad else 2
        case Sgd():
            return 1 if optimizer.momentum else 0
        case RMSprop():
            return 1 + bool(optimizer.momentum) + optimizer.centered
        case _:
            assert_never(optimizer)


def training_bytes(
    plan: Plan, batch_size: int, optimizer: Optimizer, averages: bool = False, bytes_per_value: int = 4
) -> int:
    """Memory that a training step needs for its arrays, in bytes; libraries and the images' cache come on top.

    Weights, gradients, optimizer slots and averages in float32, and the activations of a batch kept for the backward
    pass together with the largest gradient of an activation: `4 P (1 + 1 + slots) + B (A + A_max) bytes_per_value`,
    which are 4 in float32 and 2 under a 16-bit precision. `averages` keeps an average of the weights as well.
    """
    copies = 1 + optimizer_slots(optimizer) + averages
    weights = BYTES_PER_WEIGHT * (plan.total_params + plan.trainable_params * copies)
    largest = max((math.prod(row.output_shape) for row in _trained_rows(plan)), default=0)
    return weights + batch_size * (activation_values(plan) + largest) * bytes_per_value


def largest_step_bytes(plan: Plan, train: TrainSettings) -> int:
    """`training_bytes` of the settings of a config: of the phase that trains the backbone, where there is one."""
    trained = with_trained_backbone(plan) if train.fine_tune is not None and plan.backbone is not None else plan
    return training_bytes(trained, train.batch_size, train.optimizer, train.averages)


def images_at_once(input_shape: Shape) -> int:
    """How many images go through a network together where nothing is learned: 256, or 8 of 224x224 and color.

    More of large ones take memory and are not faster.
    """
    return max(1, min(256, _VALUES_AT_ONCE // math.prod(input_shape)))


def fully_connected_params(plan: Plan) -> int | None:
    """Parameters of a fully connected network on the same pixels with the same hidden units.

    Each convolution is replaced by a dense layer with as many units as the convolution has output values, each
    dense layer stays, and everything is connected to everything: pooling has no units of its own. None for a network
    that is no chain of layers.
    """
    if any(row.inner or row.inputs for row in plan.layers):
        return None
    inputs = math.prod(plan.input_shape)
    total = 0
    for row in plan.layers:
        if row.layer.learns:
            units = math.prod(row.output_shape)
            total += arithmetic.dense_parameters(inputs, units, use_bias=True)
            inputs = units
    return total
