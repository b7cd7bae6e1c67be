"""GELU is the exact one, x * P(X <= x) of a standard normal X, wherever a network is computed: by math.erfc."""

import math

import numpy as np
import pytest

from cnnctl.architecture import make_plan
from cnnctl.architecture.scaling import Scaling
from cnnctl.exporting.formats import LITERT, ONNX
from cnnctl.exporting.writers import write_litert
from cnnctl.layers.compute import activate
from cnnctl.models.onnx import to_onnx
from tests.config.build import layers
from tests.exporting.build import answers
from tests.training.build import network

ITEMS = ("conv2d: {filters: 1, kernel_size: 1, activation: gelu}", "activation: {activation: gelu}", "flatten")
SHAPE = (16, 16, 1)
PIXELS = np.arange(256, dtype=np.uint8).reshape(1, *SHAPE)
VALUES = (PIXELS.ravel() - 128.0) / 16
"""-8 to 7.9, where the tanh formula is wrong by up to 5e-4."""
SCALING = Scaling((1 / 16,), (-8.0,))


def gelu(values):
    return np.array([value * math.erfc(-value / math.sqrt(2)) / 2 for value in values])


EXACT = gelu(gelu(VALUES))
PLAN = make_plan(layers(*ITEMS), SHAPE, 256)


def made(**more):
    """A network whose only filter passes the scaled pixels, and whose output layer passes their GELU of a GELU."""
    model, _ = network(*ITEMS, shape=SHAPE, classes=256, scaling=SCALING, **more)
    model.get_layer("conv2d").set_weights([np.ones((1, 1, 1, 1)), np.zeros(1)])
    model.layers[-1].set_weights([np.eye(256), np.zeros(256)])
    return model


def logits(probabilities):
    """Those of a softmax, up to a number: that of pixel 128, whose GELU is 0."""
    found = np.log(np.asarray(probabilities, np.float64))
    return found - found[128]


def test_the_formula_of_explanations():
    np.testing.assert_allclose(activate(VALUES, "gelu"), gelu(VALUES), atol=1e-14)


@pytest.mark.parametrize("trains", [False, True])
def test_keras_and_the_network_that_trains(trains):
    np.testing.assert_allclose(logits(made(trains=trains).predict(PIXELS, verbose=0)[0]), EXACT, atol=1e-5)


def test_under_bfloat16_it_is_the_exact_one_rounded(keras):
    """To 8 bits; the tanh formula would be wrong by more where GELU is nearly 0."""
    values = np.linspace(-3, 3, 601, dtype=np.float32)
    rounded = keras.ops.convert_to_tensor(values, "bfloat16")
    given = np.asarray(keras.ops.cast(rounded, "float32"), np.float64)
    found = np.asarray(keras.ops.cast(keras.activations.gelu(rounded), "float32"), np.float64)
    np.testing.assert_allclose(found, gelu(given), rtol=0.05, atol=2e-4)


def test_onnx(tmp_path):
    path = tmp_path / "model.onnx"
    path.write_bytes(to_onnx(made(), PLAN).SerializeToString())
    np.testing.assert_allclose(logits(answers(path, ONNX, PIXELS)[0]), EXACT, atol=1e-5)


def test_litert(tmp_path):
    path, model = tmp_path / "model.tflite", made()
    write_litert(model, path, None, iter(()), "{}")
    np.testing.assert_allclose(logits(answers(path, LITERT, PIXELS)[0]), EXACT, atol=1e-5)
