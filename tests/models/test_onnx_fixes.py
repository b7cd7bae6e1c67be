"""What Keras' exporters write and ONNX Runtime refuses gives, once mended, what numpy gives."""

import itertools
import math

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper

from cnnctl.models.save import mend_graph


def model_of(nodes, shape, initializers=()):
    """An ONNX model from float32 `x` of a shape to `y` of as many axes."""
    inputs = [helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)]
    outputs = [helper.make_tensor_value_info("y", TensorProto.FLOAT, [f"y{axis}" for axis in range(len(shape))])]
    graph = helper.make_graph(nodes, "graph", inputs, outputs, list(initializers))
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def answer(model, x):
    """What ONNX Runtime makes of it, after the mending."""
    mend_graph(model.graph)
    onnx.checker.check_model(model)
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    return session.run(None, {"x": x})[0]


def pooling(name, before, after, window, strides, pads, dilations):
    """Max pooling of (batch, height, width, channels) as jax2onnx writes it."""
    settings = {"kernel_shape": (1, *window, 1), "strides": (1, *strides, 1)}
    if any(itertools.chain(*pads)):
        (top, bottom), (left, right) = pads
        settings["pads"] = (0, top, left, 0, 0, bottom, right, 0)
    if dilations != (1, 1):
        settings["dilations"] = (1, *dilations, 1)
    return [
        helper.make_node("Unsqueeze", [before, "first"], [f"{name}_5"]),
        helper.make_node("Unsqueeze", [f"{name}_5", "second"], [f"{name}_6"]),
        helper.make_node("MaxPool", [f"{name}_6"], [f"{name}_pooled"], **settings),
        helper.make_node("Squeeze", [f"{name}_pooled", "both"], [after]),
    ]


AXES = [helper.make_tensor(name, TensorProto.INT64, [len(axes)], axes)
        for name, axes in (("first", [0]), ("second", [1]), ("both", [0, 1]))]  # fmt: skip


def pooled(x, window, strides, pads, dilations):
    """By slow loops: (batch, height, width, channels) -> the largest of each window."""
    x = np.pad(x, [(0, 0), *pads, (0, 0)], constant_values=-np.inf)
    reach = [(size - 1) * step + 1 for size, step in zip(window, dilations, strict=True)]
    sides = [(x.shape[axis + 1] - reach[axis]) // strides[axis] + 1 for axis in (0, 1)]
    found = np.zeros((len(x), *sides, x.shape[3]), np.float32)
    for row, column in itertools.product(range(sides[0]), range(sides[1])):
        top, left = row * strides[0], column * strides[1]
        part = x[:, top : top + reach[0] : dilations[0], left : left + reach[1] : dilations[1]]
        found[:, row, column] = part.max(axis=(1, 2))
    return found


NOTHING = ((0, 0), (0, 0))
POOLINGS = {
    "2x2": ((2, 2), (2, 2), NOTHING, (1, 1)),
    "not square": ((3, 2), (1, 3), NOTHING, (1, 1)),
    "padded": ((3, 3), (2, 2), ((1, 1), (1, 1)), (1, 1)),
    "padded at one end": ((2, 4), (1, 2), ((0, 1), (3, 2)), (1, 1)),
    "dilated": ((2, 3), (1, 1), NOTHING, (3, 2)),
}


@pytest.mark.parametrize("settings", POOLINGS.values(), ids=POOLINGS)
def test_max_pooling_over_four_axes(settings):
    x = np.random.default_rng(0).normal(-5, 1, (3, 8, 9, 4)).astype(np.float32)
    model = model_of(pooling("pool", "x", "y", *settings), x.shape, AXES)
    np.testing.assert_array_equal(answer(model, x), pooled(x, *settings))
    assert [len(node.attribute[0].ints) for node in model.graph.node if node.op_type == "MaxPool"] == [2]


def test_one_pooling_after_another():
    x = np.random.default_rng(0).normal(size=(2, 8, 8, 3)).astype(np.float32)
    first, second = POOLINGS["padded"], POOLINGS["2x2"]
    nodes = [*pooling("one", "x", "between", *first), *pooling("two", "between", "y", *second)]
    np.testing.assert_array_equal(answer(model_of(nodes, x.shape, AXES), x), pooled(pooled(x, *first), *second))


def test_the_number_of_images_stays_free():
    model = model_of(pooling("pool", "x", "y", *POOLINGS["2x2"]), ("images", 4, 4, 1), AXES)
    x = np.random.default_rng(0).normal(size=(5, 4, 4, 1)).astype(np.float32)
    assert answer(model, x).shape == (5, 2, 2, 1)


def test_what_onnx_has_is_left_as_it_is():
    nodes = [
        helper.make_node("MaxPool", ["x"], ["pooled"], kernel_shape=(2, 2), strides=(2, 2)),
        helper.make_node("Relu", ["pooled"], ["y"]),
    ]
    model = model_of(nodes, (1, 3, 4, 4))
    before = model.SerializeToString()
    mend_graph(model.graph)
    assert model.SerializeToString() == before


def test_erfc_is_one_minus_erf():
    x = np.linspace(-4, 4, 41).astype(np.float32)
    nodes = [helper.make_node("Erfc", ["x"], ["between"]), helper.make_node("Erfc", ["between"], ["y"])]
    found = answer(model_of(nodes, x.shape), x)
    np.testing.assert_allclose(found, [math.erfc(math.erfc(value)) for value in x], atol=1e-6)


def test_bounds_that_are_cast_to_double_are_taken_as_they_are():
    bounds = [helper.make_tensor(name, TensorProto.FLOAT, [], [value]) for name, value in (("low", 0), ("high", 6))]
    casts = [helper.make_node("Cast", [name], [f"{name}_64"], to=TensorProto.DOUBLE) for name in ("low", "high")]
    other = helper.make_node("Cast", ["x"], ["x_64"], to=TensorProto.DOUBLE)
    back = helper.make_node("Cast", ["x_64"], ["x_32"], to=TensorProto.FLOAT)
    clip = helper.make_node("Clip", ["x_32", "low_64", "high_64"], ["y"])
    model = model_of([*casts, other, back, clip], [1, 3], bounds)
    np.testing.assert_array_equal(answer(model, np.array([[-1, 3, 9]], np.float32)), [[0, 3, 6]])
    assert [node.op_type for node in model.graph.node] == ["Cast", "Cast", "Clip"]
