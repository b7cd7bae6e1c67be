"""A plan -> keras.Sequential: uint8 pixels in, scaling inside, probabilities out."""

import math
from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np

from cnnctl.architecture import LayerPlan, Plan
from cnnctl.architecture.backbone import ResolvedBackbone
from cnnctl.architecture.scaling import Scaling
from cnnctl.layers.base import BaseLayer
from cnnctl.layers.notation import NO_SIDES
from cnnctl.models.backend import TENSORFLOW
from cnnctl.models.graph import MakeLayer, build
from cnnctl.models.rewrite import pool_first, relu_gradient, relu_values, split_relus

_FUSED = ("BatchNormalization", "Conv2D", "DepthwiseConv2D")
"""Layers of Keras that have a faster one in models/layers.py."""


def build_network(plan: Plan, scaling: Scaling, policy: str, seed: int | None = None, trains: bool = False) -> Any:
    """The Keras model of a plan without problems, with its output layer.

    `scaling` is done to the uint8 pixels first, always in float32. `policy` is Keras' dtype policy; the output layer is
    float32 under any. `seed` is that of the weights and of dropout. A network that `trains` may compute the same by
    faster layers and is never saved.

    Returns:
        A keras.Sequential with input (batch, height, width, channels) of uint8 and output (batch, classes), or
        (batch, 1) for sigmoid, of float32.

    Raises:
        AssertionError: Keras' shapes or counts are not the plan's: a bug of ours.
    """
    import keras

    keras.config.set_dtype_policy(policy)
    seeds = _Seeds(seed)
    numbers = [list(one) if len(one) > 1 else one[0] for one in (scaling.scale, scaling.offset)]
    stack = [
        keras.layers.Input(plan.input_shape, dtype="uint8", name="image"),
        keras.layers.Rescaling(*numbers, dtype="float32", name="scaling"),
    ]
    rows = pool_first(plan.layers) if trains else plan.layers
    for row in rows:
        if row.zeros != NO_SIDES:
            stack.append(keras.layers.ZeroPadding2D(row.zeros, name=f"{row.name}_padding"))
        is_output = row is rows[-1]
        common = {"name": "probabilities", "dtype": "float32"} if is_output else {"name": row.name}
        if isinstance(row.layer, ResolvedBackbone):
            stack.append(_backbone(row, seeds, trains))
        else:
            stack.append(_layer(row.layer, common, seeds, trains))
    if trains and keras.backend.backend() == TENSORFLOW:
        layers = {layer.name: layer for layer in stack}
        for convolution, activation in split_relus(rows).items():
            layers[convolution].activation = relu_values
            layers[activation].activation = relu_gradient
    model = keras.Sequential(stack)
    _assert_agrees(model, rows, plan)
    _begin(model, rows)
    return model


def _begin(model: Any, rows: Sequence[LayerPlan]) -> None:
    """Give layers the first weights for which Keras has no initializer."""
    for row in rows[:-1]:
        drawn = model.get_layer(row.name).get_weights() if row.layer.has_kernels else []
        begun = row.layer.first_weights(drawn)
        if begun is not drawn:
            model.get_layer(row.name).set_weights(begun)


def _assert_agrees(model: Any, rows: Sequence[LayerPlan], plan: Plan) -> None:
    by_name = {layer.name: layer for layer in model.layers}
    for row in rows:
        layer = by_name["probabilities" if row is rows[-1] else row.name]
        assert tuple(layer.output.shape[1:]) == row.output_shape, f"{row.name}: {layer.output.shape} in Keras"
        assert layer.count_params() == row.params, f"{row.name}: {layer.count_params()} parameters in Keras"
    trainable = sum(math.prod(weight.shape) for weight in model.trainable_weights)
    assert trainable == plan.trainable_params, f"{trainable} trainable parameters in Keras, not {plan.trainable_params}"


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


def _backbone(row: LayerPlan, seeds: _Seeds, trains: bool) -> Any:
    """The model of a row with a graph; each of its layers has a first weight of its own."""
    assert isinstance(row.layer, ResolvedBackbone)
    model = build(row.layer.graph, row.name, row.input_shape, partial(_layer, seeds=seeds, trains=trains), trains)
    model.trainable = row.layer.trainable
    return model


def node_layers(seed: int | None = None) -> MakeLayer:
    """What makes the layers of a graph for `build`, with first weights by a seed."""
    return partial(_layer, seeds=_Seeds(seed), trains=False)


def _layer(layer: BaseLayer, common: dict[str, Any], seeds: _Seeds, trains: bool) -> Any:
    """The Keras layer of one of ours; its explicit zeros have been laid around its input already."""
    import keras

    arguments = layer.keras_arguments()
    for name, value in arguments.items():
        if name.endswith("_initializer"):
            arguments[name] = seeds.initializer(value)
        elif name.endswith("_regularizer") and value is not None:
            arguments[name] = keras.regularizers.L1L2(**value)
    if layer.acts_in_training_only:
        arguments["seed"] = seeds.next()
    package, _, name = layer.keras_class.rpartition(">")  # our own classes are registered as `cnnctl>`
    is_faster = trains and keras.backend.backend() == TENSORFLOW
    makers: Any = keras.layers
    if package or (is_faster and name in _FUSED):
        from cnnctl.models import layers as makers

        name = name if package else f"Fused{name}"
    if is_faster and "activation" in arguments:
        from cnnctl.models.fused_activations import fused

        arguments["activation"] = fused(arguments["activation"]) or arguments["activation"]
    return getattr(makers, name)(**arguments, **common)
