"""Pooling before an activation that never falls: the same outputs and gradients, and only where it may be done."""

import numpy as np
import pytest

from cnnctl.architecture import make_plan
from cnnctl.models.rewrite import pool_first
from tests.config.build import layers
from tests.training.build import network, pixels

CONV = "conv2d: {{filters: 4, kernel_size: 3, padding: same, activation: {}}}"
POOL = "max_pooling2d: {pool_size: 2, padding: same}"
NEVER_FALLS = ("relu", "leaky_relu", "elu", "tanh", "sigmoid")
FALLS = ("gelu", "silu", "softmax", "linear")


def names(*items: str) -> list[str]:
    plan = make_plan(layers(*items), (6, 6, 3), 3)
    assert plan.problems == ()
    return [row.name for row in pool_first(plan.layers)][:-1]


@pytest.mark.parametrize("activation", NEVER_FALLS)
def test_what_moves(activation: str) -> None:
    conv = CONV.format(activation)
    assert names(conv, POOL, "flatten") == ["conv2d", "max_pooling2d", "conv2d_activation", "flatten"]
    layer = f"activation: {{activation: {activation}}}"
    moved = ["conv2d", "batch_normalization", "max_pooling2d", "activation", "flatten"]
    assert names(CONV.format("linear"), "batch_normalization", layer, POOL, "flatten") == moved


@pytest.mark.parametrize("activation", FALLS)
def test_what_stays_because_it_may_fall(activation: str) -> None:
    assert names(CONV.format(activation), POOL, "flatten") == ["conv2d", "max_pooling2d", "flatten"]


def test_what_stays_because_of_what_comes_after() -> None:
    conv = CONV.format("relu")
    assert names(conv, "average_pooling2d: {pool_size: 2}", "flatten")[:2] == ["conv2d", "average_pooling2d"]
    assert names(conv, "l2_pooling2d: {pool_size: 2}", "flatten")[:2] == ["conv2d", "l2_pooling2d"]
    assert names(conv, "dropout: {rate: 0.5}", POOL, "flatten")[:3] == ["conv2d", "dropout", "max_pooling2d"]
    assert names(conv, "batch_normalization", POOL, "flatten")[:3] == ["conv2d", "batch_normalization", "max_pooling2d"]


def test_chains() -> None:
    """An activation moves behind every pooling that follows it."""
    two = names(CONV.format("relu"), POOL, POOL, "flatten")
    assert two == ["conv2d", "max_pooling2d", "max_pooling2d_1", "conv2d_activation", "flatten"]
    assert names("leaky_relu", "global_max_pooling2d") == ["global_max_pooling2d", "leaky_relu"]


NETWORK = (
    CONV.format("relu"),
    POOL,
    CONV.format("linear"),
    "batch_normalization",
    "leaky_relu: {negative_slope: 0.1}",
    "max_pooling2d: {pool_size: 2, strides: 1}",
    "depthwise_conv2d: {kernel_size: 2, activation: tanh}",
    "global_max_pooling2d",
)
ROWS = ["conv2d", "max_pooling2d", "conv2d_activation", "conv2d_1", "batch_normalization", "max_pooling2d_1"]
ROWS += ["leaky_relu", "depthwise_conv2d", "global_max_pooling2d", "depthwise_conv2d_activation", "probabilities"]


def passed(model, images):
    """(probabilities, gradients of all weights) of one training pass."""
    import tensorflow as tf

    with tf.GradientTape() as tape:
        output = model(images, training=True)
        total = tf.reduce_sum(output[:, 0] + 2 * output[:, 1])
    return output, tape.gradient(total, [weight.value for weight in model.trainable_weights])


def test_outputs_gradients_and_weights_are_those_of_the_declared_order(keras) -> None:
    reordered, _ = network(*NETWORK, shape=(8, 8, 3), trains=True)
    declared, _ = network(*NETWORK, shape=(8, 8, 3))
    assert [layer.name for layer in reordered.layers[1:]] == ROWS
    assert [layer.name for layer in declared.layers] != [layer.name for layer in reordered.layers]
    for one, other in zip(reordered.weights, declared.weights, strict=True):
        assert one.path.split("/")[1:] == other.path.split("/")[1:]
        np.testing.assert_array_equal(one, other)
    images = pixels(16, (8, 8, 3))
    output, gradients = passed(reordered, images)
    expected, expected_gradients = passed(declared, images)
    np.testing.assert_allclose(output, expected, rtol=1e-4, atol=1e-6)
    for gradient, other in zip(gradients, expected_gradients, strict=True):
        np.testing.assert_allclose(gradient, other, rtol=1e-3, atol=1e-5 + 1e-3 * float(np.abs(other).max()))
    np.testing.assert_allclose(reordered(images), declared(images), rtol=1e-4, atol=1e-6)
