"""Layers in an order that computes the same with less work, for the network that trains."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from cnnctl.architecture import LayerPlan
from cnnctl.architecture.graph import Node
from cnnctl.layers.activation import ActivationLayer
from cnnctl.layers.base import BaseLayer
from cnnctl.layers.convolution import Conv2D, DepthwiseConv2D
from cnnctl.layers.normalization import BatchNormalization


def pool_first(rows: Sequence[LayerPlan]) -> tuple[LayerPlan, ...]:
    """Max pooling before the activation that it follows: f(max(x)) = max(f(x)) for an f that never falls.

    A 2x2 pooling leaves a quarter of the values to the activation. The activation of a convolution becomes a layer
    of its own, `<convolution>_activation`; activations have no weights, so all weights stay as and where they are.
    """
    ordered: list[LayerPlan] = []
    for row in rows:
        before = ordered[-1] if ordered else None
        if before is None or not (row.layer.takes_maximum and before.layer.never_falls):
            ordered.append(row)
        elif before.layer.has_kernels:
            linear = before.layer.model_copy(update={"activation": "linear"})
            activation = ActivationLayer.model_validate({"activation": before.layer.function})
            ordered[-1:] = [replace(before, layer=linear), row, _after(row, f"{before.name}_activation", activation)]
        elif before.layer.is_activation:
            pooled = replace(row, input_shape=before.input_shape)
            ordered[-1:] = [pooled, _after(row, before.name, before.layer)]
        else:
            ordered.append(row)
    return tuple(ordered)


def split_relus(rows: Sequence[LayerPlan]) -> dict[str, str]:
    """The convolutions whose ReLU `pool_first` moved, with the name of its row.

    On TensorFlow such a ReLU costs least in two halves, `relu_values` before the pooling and `relu_gradient` after it.
    A convolution that adds a bias and cuts at 0 is one kernel of oneDNN, so that the values cost nothing there; the
    gradient is a pass of its own, over a quarter of the values after a 2x2 pooling. The halves are exact: the pooled
    value of a window is above 0 where its largest value was, and only then does a gradient pass.
    """
    moved = {f"{row.name}_activation": row.name for row in rows if isinstance(row.layer, Conv2D)}
    relus = [row.name for row in rows if isinstance(row.layer, ActivationLayer) and row.layer.activation == "relu"]
    return {moved[name]: name for name in relus if name in moved}


def folded_normalizations(nodes: Sequence[Node]) -> dict[int, int]:
    """The convolutions of a graph whose batch normalization can be done in their kernels: numbers of nodes.

    That is where each is the only one after a convolution without bias and activation. By its stored statistics it
    multiplies each channel by a factor and adds an offset; a convolution with kernel * factor and the offset as bias is
    the same, and its gradients need no pass over the image.
    """
    uses = Counter(number for node in nodes for number in node.inputs)
    found = {}
    for number, node in enumerate(nodes):
        if isinstance(node.layer, BatchNormalization) and node.inputs[0] >= 0:
            before = nodes[node.inputs[0]].layer
            is_plain = isinstance(before, Conv2D | DepthwiseConv2D) and not before.use_bias
            if is_plain and before.function == "linear" and uses[node.inputs[0]] == 1:
                found[node.inputs[0]] = number
    return found


def _after(pooling: LayerPlan, name: str, layer: BaseLayer) -> LayerPlan:
    """The row of an activation that comes after a pooling."""
    shape = pooling.output_shape
    return LayerPlan(name, layer, pooling.path, shape, shape, 0, 0, 0, pooling.receptive_field)


def relu_values(inputs: Any) -> Any:
    """max(inputs, 0), with the gradient of the identity."""
    import tensorflow as tf

    @tf.custom_gradient  # type: ignore[untyped-decorator]
    def cut(values: Any) -> Any:
        return tf.nn.relu(values), lambda gradient: gradient

    return cut(inputs)


def relu_gradient(inputs: Any) -> Any:
    """The inputs, none of them below 0, with the gradient of the ReLU."""
    import tensorflow as tf

    @tf.custom_gradient  # type: ignore[untyped-decorator]
    def masked(values: Any) -> Any:
        return tf.identity(values), lambda gradient: tf.raw_ops.ReluGrad(gradients=gradient, features=values)

    return masked(inputs)
