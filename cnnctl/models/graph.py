"""A graph -> a functional keras.Model, and its weights."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cnnctl.architecture.graph import Graph
from cnnctl.errors import RunError
from cnnctl.layers.base import BaseLayer
from cnnctl.layers.normalization import Rescaling
from cnnctl.layers.notation import Shape
from cnnctl.models.backend import TENSORFLOW
from cnnctl.models.rewrite import folded_normalizations

Arrays = Mapping[str, tuple[NDArray[np.float32], ...]]
"""The weights of each layer that has some, by its name and in the order of Keras."""

MakeLayer = Callable[[BaseLayer, dict[str, Any]], Any]
"""Makes the Keras layer of one of ours; the dict has its `name` and maybe its `dtype`."""


def build(graph: Graph, name: str, shape: Shape, make: MakeLayer, trains: bool = False) -> Any:
    """The Keras model of a graph for images of a shape, float32 (batch, height, width, channels).

    It always acts as in inference: random changes of training are left out, and where the network `trains`, its batch
    normalization keeps to the stored statistics. A model that trains is of a class of ours, so it is never saved.
    """
    import keras

    image = keras.layers.Input(shape, dtype="float32", name="pixels")
    made = {-1: image}
    folded = folded_normalizations(graph.nodes) if trains and keras.backend.backend() == TENSORFLOW else {}
    normalizations: dict[int, Any] = {}
    for number, node in enumerate(graph.nodes):
        inputs = [made[one] for one in node.inputs]
        if node.layer.acts_in_training_only:
            made[number] = inputs[0]
            continue
        scales_pixels = isinstance(node.layer, Rescaling) and node.inputs == (-1,)
        common = {"name": node.name, **({"dtype": "float32"} if scales_pixels else {})}
        layer = normalizations.pop(number) if number in normalizations else make(node.layer, common)
        if number in folded:
            after = graph.nodes[folded[number]]
            normalization = normalizations[folded[number]] = make(after.layer, {"name": after.name})
            layer.fold(normalization, inputs[0].shape)
        made[number] = layer(inputs if len(inputs) > 1 else inputs[0])
    output = made[len(graph.nodes) - 1]
    if not trains:
        return keras.Model(image, output, name=name)
    from cnnctl.models.layers import InferenceModel

    return InferenceModel(image, output, name=name)


def leaf_layers(model: Any) -> Iterator[Any]:
    """The layers of a model, with those of a model within it in its place."""
    for layer in model.layers:
        yield from leaf_layers(layer) if hasattr(layer, "layers") else (layer,)


def assign(model: Any, arrays: Arrays) -> None:
    """Give a model of `build` its weights.

    Raises:
        RunError: a layer has none, or others than it needs.
    """
    layers = {layer.name: layer for layer in model.layers if layer.weights}
    for name, layer in layers.items():
        if name not in arrays:
            raise RunError(f"there are no weights for the layer {name} of {model.name}")
        ours, theirs = [tuple(one.shape) for one in layer.weights], [tuple(one.shape) for one in arrays[name]]
        if ours != theirs:
            raise RunError(f"the layer {name} of {model.name} has weights of shape {ours}, and was given {theirs}")
    unknown = next((name for name in arrays if name not in layers), None)
    if unknown is not None:
        raise RunError(f"{model.name} has no layer {unknown} with weights")
    for name, layer in layers.items():
        layer.set_weights(list(arrays[name]))
