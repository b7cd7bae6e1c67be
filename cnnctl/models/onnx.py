"""A trained network -> ONNX, from its layers and their weights; no backend traces or compiles anything for it."""

from typing import Any

import numpy as np

from cnnctl.architecture import LayerPlan, Plan
from cnnctl.architecture.backbone import ResolvedBackbone
from cnnctl.architecture.graph import Graph
from cnnctl.architecture.graph.graph import IMAGE
from cnnctl.architecture.graph.nodes import Merge
from cnnctl.config.schema import TestTime
from cnnctl.inference.model import FEATURES, METADATA_KEY
from cnnctl.layers.normalization import Rescaling
from cnnctl.layers.notation import Shape
from cnnctl.layers.onnx_graph import OnnxGraph
from cnnctl.layers.window import State
from cnnctl.models.views import shifted

_IMAGE, PROBABILITIES = "image", "probabilities"


def to_onnx(model: Any, plan: Plan, test_time: TestTime | None = None, text: str = "") -> Any:
    """A built network as an ONNX model, with the views of `test_time` around it.

    Args:
        model: The keras.Sequential that `build_network` made of the plan.
        plan: Its plan.
        test_time: As `with_views` takes it.
        text: Its metadata.

    Returns:
        An onnx.ModelProto with the input `image`, uint8 (batch, height, width, channels), and two outputs, float32:
        `probabilities`, (batch, classes) or (batch, 1), and the features that the output layer gets, (batch, features);
        with views these are their means.
    """
    graph = OnnxGraph()
    *hidden, output = plan.layers
    scaled = _scaled(graph, model, plan.input_shape)
    views = (test_time or TestTime()).seen
    seen = []
    for number, (mirrored, shift, weight) in enumerate(views):
        before = f"view_{number}/" if len(views) > 1 else ""
        graph.layer = f"{before}view"
        value = _view(graph, scaled, plan.input_shape, mirrored, shift)
        for row in hidden:
            value = _row(graph, model, row, value, before)
        graph.layer = "mean"
        seen.append(value if weight == 1 else graph.node("Mul", value, graph.constant(weight)))
    features = seen[0]
    for one in seen[1:]:
        features = graph.node("Add", features, one)
    graph.layer = PROBABILITIES
    answer = output.layer.to_onnx(graph, features, output.input_shape, _weights(model, PROBABILITIES))
    outputs = {PROBABILITIES: (answer, output.output_shape), FEATURES: (features, output.input_shape)}
    return graph.model(_IMAGE, plan.input_shape, outputs, {METADATA_KEY: text})


def stem_to_onnx(model: Any, plan: Plan) -> Any:
    """The layers of a built network that training does not change, see `Plan.frozen`, as an ONNX model.

    Returns:
        An onnx.ModelProto with the input `image`, as `to_onnx` has it, and the output `features`, float32
        (batch, ...) with channels last.
    """
    graph = OnnxGraph()
    value = _scaled(graph, model, plan.input_shape)
    for row in plan.frozen:
        value = _row(graph, model, row, value, "")
    shape = plan.frozen[-1].output_shape
    value = graph.channels_last(value) if len(shape) == 3 else value
    return graph.model(_IMAGE, plan.input_shape, {FEATURES: (value, shape)}, {})


def _scaled(graph: OnnxGraph, model: Any, shape: Shape) -> str:
    graph.layer = "scaling"
    pixels = graph.channels_first(graph.node("Cast", _IMAGE, to=1))  # 1 is float32
    layer = Rescaling.from_keras(model.get_layer("scaling").get_config())
    return layer.to_onnx(graph, pixels, shape, ())


def _view(graph: OnnxGraph, value: str, shape: Shape, mirrored: bool, shift: int) -> str:
    """As `views._view` makes it: rows and columns by their numbers."""
    height, width, _ = shape
    if shift:
        value = graph.node("Gather", value, graph.constant(shifted(height, shift), "int64"), axis=2)
        value = graph.node("Gather", value, graph.constant(shifted(width, shift), "int64"), axis=3)
    return graph.node("Gather", value, graph.constant(np.arange(width)[::-1], "int64"), axis=3) if mirrored else value


def _row(graph: OnnxGraph, model: Any, row: LayerPlan, value: str, before: str) -> str:
    graph.layer = f"{before}{row.name}"
    if isinstance(row.layer, ResolvedBackbone):
        return _backbone(graph, row.layer.graph, model.get_layer(row.name), value, row.input_shape)
    return row.layer.to_onnx(graph, value, row.input_shape, _weights(model, row.name) if row.params else ())


def _backbone(graph: OnnxGraph, backbone: Graph, model: Any, value: str, shape: Shape) -> str:
    within, values = graph.layer, {IMAGE: value}
    for number, one in enumerate(backbone.run(State(shape))):
        layer, inputs = one.node.layer, [values[source] for source in one.node.inputs]
        graph.layer = f"{within}/{one.node.name}"
        if isinstance(layer, Merge):
            values[number] = layer.merge_onnx(graph, inputs)
        else:
            has_weights = one.step.trainable or one.step.fixed
            weights = _weights(model, one.node.name) if has_weights else ()
            values[number] = layer.to_onnx(graph, inputs[0], one.shapes[0], weights)
    return values[len(backbone.nodes) - 1]


def _weights(model: Any, name: str) -> Any:
    return model.get_layer(name).get_weights()
