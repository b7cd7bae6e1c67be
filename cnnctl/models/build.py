"""A plan -> keras.Sequential: uint8 pixels in, scaling inside, probabilities out."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, assert_never

import numpy as np

from cnnctl.architecture import LayerPlan, Plan
from cnnctl.architecture.notation import NO_SIDES
from cnnctl.config import layers as kinds
from cnnctl.config.layers import Regularizer
from cnnctl.models.backend import TENSORFLOW
from cnnctl.models.rewrite import pool_first, split_relus


@dataclass(frozen=True)
class Scaling:
    """pixel * scale + offset, a number for all channels or one for each."""

    scale: tuple[float, ...]
    offset: tuple[float, ...]


UNIT = Scaling((1 / 255,), (0.0,))
SYMMETRIC = Scaling((1 / 127.5,), (-1.0,))


def build_network(plan: Plan, scaling: Scaling, policy: str, seed: int | None = None, trains: bool = False) -> Any:
    """The Keras model of a plan.

    Args:
        plan: A plan without problems, with its output layer.
        scaling: What is done to the uint8 pixels first, always in float32.
        policy: Keras' dtype policy; the output layer is float32 under any.
        seed: Where given, sets the seed of the weights and of dropout.
        trains: Whether it is the network that trains: it may compute the same by faster layers and is never saved.

    Returns:
        A keras.Sequential with input (batch, height, width, channels) of uint8 and output (batch, classes), or
        (batch, 1) for sigmoid, of float32.

    Raises:
        AssertionError: Keras' shapes or counts are not the plan's: a bug of ours.
    """
    import keras

    keras.config.set_dtype_policy(policy)
    seeds = _Seeds(seed)
    stack = [keras.layers.Input(plan.input_shape, dtype="uint8", name="image"), _rescaling(scaling)]
    rows = pool_first(plan.layers) if trains else plan.layers
    for row in rows:
        if row.zeros != NO_SIDES:
            stack.append(keras.layers.ZeroPadding2D(row.zeros, name=f"{row.name}_padding"))
        is_output = row is rows[-1]
        common = {"name": "probabilities", "dtype": "float32"} if is_output else {"name": row.name}
        stack.append(_layer(row, common, seeds, trains))
    if trains and keras.backend.backend() == TENSORFLOW:
        _split_relus(stack, rows)
    model = keras.Sequential(stack)
    _assert_agrees(model, rows, plan)
    return model


def _split_relus(stack: list[Any], rows: Sequence[LayerPlan]) -> None:
    from cnnctl.models.relus import relu_gradient, relu_values

    layers = {layer.name: layer for layer in stack}
    for convolution, activation in split_relus(rows).items():
        layers[convolution].activation = relu_values
        layers[activation].activation = relu_gradient


def _rescaling(scaling: Scaling) -> Any:
    import keras

    scale = list(scaling.scale) if len(scaling.scale) > 1 else scaling.scale[0]
    offset = list(scaling.offset) if len(scaling.offset) > 1 else scaling.offset[0]
    return keras.layers.Rescaling(scale, offset, dtype="float32", name="scaling")


def _assert_agrees(model: Any, rows: Sequence[LayerPlan], plan: Plan) -> None:
    by_name = {layer.name: layer for layer in model.layers}
    for row in rows:
        layer = by_name["probabilities" if row is rows[-1] else row.name]
        assert tuple(layer.output.shape[1:]) == row.output_shape, f"{row.name}: {layer.output.shape} in Keras"
        assert layer.count_params() == row.params, f"{row.name}: {layer.count_params()} parameters in Keras"
    trainable = sum(math.prod(weight.shape) for weight in model.trainable_weights)
    assert trainable == plan.trainable_params, f"{trainable} trainable parameters in Keras, not {plan.trainable_params}"


def _regularizer(settings: Regularizer | None) -> Any:
    import keras

    return None if settings is None else keras.regularizers.L1L2(l1=settings.l1, l2=settings.l2)


class _Seeds:
    """A seed for each random thing of a network, all from one; Keras' global seed would import TensorFlow."""

    def __init__(self, seed: int | None) -> None:
        self._generator = np.random.default_rng(seed)

    def next(self) -> int:
        return int(self._generator.integers(2**31))

    def initializer(self, name: str) -> Any:
        """Keras' initializer of a name, seeded where it is random."""
        import keras

        settings = keras.initializers.get(name).get_config()
        seeded = {**settings, "seed": self.next()} if "seed" in settings else settings
        return keras.initializers.get({"class_name": name, "config": seeded})


def _layer(row: LayerPlan, common: dict[str, Any], seeds: _Seeds, trains: bool) -> Any:
    """The Keras layer of one row; its explicit zeros have been laid around its input already."""
    import keras

    make = keras.layers
    layer = row.layer
    match layer:
        case kinds.Conv2D():
            return make.Conv2D(
                layer.filters,
                groups=layer.groups,
                kernel_initializer=seeds.initializer(layer.kernel_initializer),
                bias_initializer=seeds.initializer(layer.bias_initializer),
                kernel_regularizer=_regularizer(layer.kernel_regularizer),
                **_convolution(layer),
                **common,
            )
        case kinds.DepthwiseConv2D():
            return make.DepthwiseConv2D(
                depth_multiplier=layer.depth_multiplier,
                depthwise_initializer=seeds.initializer(layer.depthwise_initializer),
                bias_initializer=seeds.initializer(layer.bias_initializer),
                depthwise_regularizer=_regularizer(layer.depthwise_regularizer),
                **_convolution(layer),
                **common,
            )
        case kinds.SeparableConv2D():
            return make.SeparableConv2D(
                layer.filters,
                depth_multiplier=layer.depth_multiplier,
                depthwise_initializer=seeds.initializer(layer.depthwise_initializer),
                pointwise_initializer=seeds.initializer(layer.pointwise_initializer),
                bias_initializer=seeds.initializer(layer.bias_initializer),
                depthwise_regularizer=_regularizer(layer.depthwise_regularizer),
                pointwise_regularizer=_regularizer(layer.pointwise_regularizer),
                **_convolution(layer),
                **common,
            )
        case kinds.MaxPooling2D():
            return make.MaxPooling2D(layer.pool_size, layer.steps, layer.padding, **common)
        case kinds.AveragePooling2D():
            return make.AveragePooling2D(layer.pool_size, layer.steps, layer.padding, **common)
        case kinds.L2Pooling2D():
            from cnnctl.models.layers import L2Pooling2D

            return L2Pooling2D(layer.pool_size, layer.steps, layer.padding, **common)
        case kinds.GlobalAveragePooling2D():
            return make.GlobalAveragePooling2D(**common)
        case kinds.GlobalMaxPooling2D():
            return make.GlobalMaxPooling2D(**common)
        case kinds.ZeroPadding2D():
            return make.ZeroPadding2D(layer.padding, **common)
        case kinds.BatchNormalization():
            return _batch_normalization(trains)(
                momentum=layer.momentum, epsilon=layer.epsilon, center=layer.center, scale=layer.scale, **common
            )
        case kinds.LayerNormalization():
            return make.LayerNormalization(epsilon=layer.epsilon, center=layer.center, scale=layer.scale, **common)
        case kinds.ActivationLayer():
            return make.Activation(layer.activation, **common)
        case kinds.LeakyReLU():
            return make.LeakyReLU(layer.negative_slope, **common)
        case kinds.Dropout():
            return make.Dropout(layer.rate, seed=seeds.next(), **common)
        case kinds.SpatialDropout2D():
            return make.SpatialDropout2D(layer.rate, seed=seeds.next(), **common)
        case kinds.Flatten():
            return make.Flatten(**common)
        case kinds.Dense():
            return make.Dense(
                layer.units,
                activation=layer.activation,
                use_bias=layer.use_bias,
                kernel_initializer=seeds.initializer(layer.kernel_initializer),
                bias_initializer=seeds.initializer(layer.bias_initializer),
                kernel_regularizer=_regularizer(layer.kernel_regularizer),
                **common,
            )
        case _:
            assert_never(layer)


def _batch_normalization(trains: bool) -> Any:
    import keras

    if trains and keras.backend.backend() == TENSORFLOW:
        from cnnctl.models.layers import FusedBatchNormalization

        return FusedBatchNormalization
    return keras.layers.BatchNormalization


def _convolution(layer: kinds.Conv2D | kinds.DepthwiseConv2D | kinds.SeparableConv2D) -> dict[str, Any]:
    """The arguments that all convolutions share; explicit zeros are a layer of their own."""
    return {
        "kernel_size": layer.kernel_size,
        "strides": layer.strides,
        "padding": layer.padding if isinstance(layer.padding, str) else "valid",
        "dilation_rate": layer.dilation_rate,
        "activation": layer.activation,
        "use_bias": layer.use_bias,
    }
