"""The ONNX graph that layers write: every activation of a graph, and whole backbones, against Keras."""

import itertools
from typing import get_args

import numpy as np
import onnx
import pytest

from cnnctl.architecture.graph.nodes import NODES, NodeActivation
from cnnctl.inference.model import FEATURES, open_session
from cnnctl.layers.onnx_graph import OnnxGraph
from cnnctl.models.onnx import stem_to_onnx, to_onnx
from tests.models.test_save import randomise
from tests.training.build import network, pixels

POOLING = "global_average_pooling2d"


def settings():
    relus = itertools.product((None, 0.0, 0.5, 6.0), (0.0, 0.1), (0.0, 0.2))
    yield from (
        ("ReLU", {"max_value": most, "negative_slope": slope, "threshold": least}) for most, slope, least in relus
    )
    yield from (("LeakyReLU", {"negative_slope": slope}) for slope in (0.0, 0.3))
    names = [name for one in get_args(NodeActivation) for name in get_args(one) or (one,)]
    assert {"linear", "relu6", "mish", "softmax"} <= set(names)
    yield from (("Activation", {"activation": name}) for name in names)


@pytest.mark.parametrize("shape", [(4, 4, 3), (12,)], ids=["image", "vector"])
def test_every_activation_with_every_setting(shape, keras, tmp_path):
    values = np.random.default_rng(0).normal(0, 3, (5, *shape)).astype(np.float32)
    values.flat[:4] = 0, 0.2, 0.5, 6
    for number, (kind, given) in enumerate(settings()):
        layer = NODES[kind].model_validate(given)
        ours = np.asarray(getattr(keras.layers, kind)(**given)(values))
        graph = OnnxGraph()
        graph.layer = kind
        image = graph.node("Cast", "image", to=1)
        value = layer.to_onnx(graph, graph.channels_first(image) if len(shape) == 3 else image, shape, ())
        value = graph.channels_last(value) if len(shape) == 3 else graph.node("Add", value, graph.constant(0.0))
        made = graph.model("image", shape, {"made": (value, shape)}, {})
        made.graph.input[0].type.tensor_type.elem_type = onnx.TensorProto.FLOAT
        session = open_session(tmp_path / str(number), content=made.SerializeToString())
        np.testing.assert_allclose(session.run(None, {"image": values})[0], ours, atol=2e-6, err_msg=f"{kind} {given}")


BACKBONES = [
    ("EfficientNetLite0", (64, 64, 3)),
    ("EfficientNetLite0", (45, 38, 3)),
    ("MobileNetV3Small", (45, 38, 3)),
    ("DenseNet121", (33, 32, 3)),
    ("ResNet50V2", (33, 32, 3)),
]
"""Those that between them have every merging, gate and padding of the nine."""


def enliven(model):
    """Kernels so large that values neither die away nor blow up on their way, and biases that are not 0."""
    draws = np.random.default_rng(1)
    made = []
    for one in model.get_weights():
        factor = 1.7 * (one.shape[2] ** 0.5 if one.ndim == 4 and one.shape[3] == 1 else 1)
        made.append(one * factor if one.ndim > 1 else one + draws.uniform(0, 0.1, one.shape))
    model.set_weights(made)


@pytest.mark.parametrize(("application", "shape"), BACKBONES, ids=str)
def test_a_backbone_is_what_keras_makes_of_it(application, shape, tmp_path):
    model, plan = network(f"backbone: {{application: {application}, weights: null}}", POOLING, shape=shape)
    enliven(model.layers[1])
    images = pixels(2, shape)
    session = open_session(tmp_path / "model.onnx", content=to_onnx(model, plan).SerializeToString())
    answers, features = session.run(None, {"image": images})
    expected = np.asarray(model.layers[2](model.layers[1](model.layers[0](images))))
    np.testing.assert_allclose(features, expected, rtol=1e-3, atol=1e-4 * np.abs(expected).max())
    np.testing.assert_allclose(answers, np.asarray(model.layers[-1](expected)), atol=1e-3)
    session = open_session(tmp_path / "stem.onnx", content=stem_to_onnx(model, plan).SerializeToString())
    np.testing.assert_array_equal(session.run([FEATURES], {"image": images})[0], features)
    assert 1e-3 < np.ptp(features, axis=1).min() < 1e4


@pytest.mark.parametrize("pooling", ["MaxPooling2D", "AveragePooling2D"])
def test_zeros_before_a_pooling_are_values_to_it(pooling, keras, tmp_path):
    """ONNX Runtime before 1.32 takes them for the borders of the pooling, if it sees a Pad right before it."""
    image = keras.layers.Input((8, 8, 3))
    padded = keras.layers.ZeroPadding2D(((1, 0), (2, 1)))(keras.layers.Rescaling(-1.0)(image))
    keras.Model(image, getattr(keras.layers, pooling)(3, 2)(padded)).save(tmp_path / "padded.keras")
    model, plan = network(f"backbone: {{file: {tmp_path / 'padded.keras'}}}", POOLING, shape=(8, 8, 3))
    images = pixels(2, (8, 8, 3))
    made = to_onnx(model, plan)
    producers = {output: node.op_type for node in made.graph.node for output in node.output}
    poolings = [node for node in made.graph.node if node.op_type in ("MaxPool", "AveragePool")]
    assert [producers[node.input[0]] for node in poolings] == ["Clip"]
    session = open_session(tmp_path / "model.onnx", content=made.SerializeToString())
    expected = model.layers[2](model.layers[1](model.layers[0](images)))
    np.testing.assert_allclose(session.run(["features"], {"image": images})[0], expected, rtol=1e-5)


def test_a_stem_may_end_with_an_image(keras, tmp_path):
    items = ("backbone: {application: EfficientNetLite0, weights: null}", "conv2d: {filters: 2, kernel_size: 1}")
    model, plan = network(*items, POOLING, shape=(45, 38, 3))
    enliven(model.layers[1])
    images = pixels(2, (45, 38, 3))
    expected = np.asarray(keras.Sequential(model.layers[:2])(images))
    session = open_session(tmp_path / "stem.onnx", content=stem_to_onnx(model, plan).SerializeToString())
    found = session.run([FEATURES], {"image": images})[0]
    assert found.shape == (2, 2, 2, 1280)
    np.testing.assert_allclose(found, expected, rtol=1e-3, atol=1e-4 * np.abs(expected).max())


def test_equal_constants_are_written_once_and_files_are_equal(tmp_path):
    items = ("conv2d: {filters: 4, kernel_size: 3}", "conv2d: {filters: 4, kernel_size: 1}", "flatten")
    model, plan = network(*items)
    randomise(model)
    assert to_onnx(model, plan).SerializeToString() == to_onnx(model, plan).SerializeToString()
    graph = OnnxGraph()
    assert graph.constant([1, 2]) == graph.constant(np.array([1.0, 2.0])) != graph.constant([1, 2], "int64")


def test_nodes_are_named_after_their_layers():
    model, plan = network("conv2d: {filters: 4, kernel_size: 3, activation: relu}", "flatten")
    graph = to_onnx(model, plan, text="{}").graph
    assert {node.name.partition("/")[0] for node in graph.node} == {"scaling", "conv2d", "flatten", "probabilities"}
    assert [one.name for one in graph.output] == ["probabilities", FEATURES]
    assert [one.dim_param or one.dim_value for one in graph.input[0].type.tensor_type.shape.dim] == ["batch", 5, 4, 3]
