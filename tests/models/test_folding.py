"""Batch normalization by stored statistics in the kernel of the convolution before: the same outputs and gradients."""

from functools import partial

import numpy as np
import pytest

from cnnctl.architecture.backbone import graph_of_file
from cnnctl.layers.convolution import Conv2D, DepthwiseConv2D
from cnnctl.layers.normalization import BatchNormalization
from cnnctl.models.build import _layer, _Seeds
from cnnctl.models.graph import build
from cnnctl.models.rewrite import folded_normalizations

SHAPE = (13, 10, 3)


@pytest.fixture
def graph(keras, tmp_path):
    """Convolutions that can take over the normalization after them, and each kind that cannot."""
    kinds = keras.layers
    image = kinds.Input(SHAPE)
    stem = kinds.BatchNormalization(name="folded")(kinds.Conv2D(8, 3, 2, "same", use_bias=False)(image))
    stem = kinds.ReLU(max_value=6.0)(stem)
    depths = kinds.DepthwiseConv2D(3, padding="same", depth_multiplier=2, use_bias=False)(stem)
    deep = kinds.BatchNormalization(name="folded_depths", epsilon=0.1)(depths)
    groups = kinds.Conv2D(16, 3, dilation_rate=2, padding="same", groups=4, use_bias=False)(deep)
    bare = kinds.BatchNormalization(name="folded_bare", center=False, scale=False)(groups)
    biased = kinds.BatchNormalization(name="after_bias")(kinds.Conv2D(16, 1)(bare))
    active = kinds.BatchNormalization(name="after_activation")(
        kinds.Conv2D(16, 1, use_bias=False, activation="tanh")(biased)
    )
    forked = kinds.Conv2D(16, 1, use_bias=False)(active)
    joined = kinds.Add()([forked, kinds.BatchNormalization(name="after_a_fork")(forked)])
    spread = kinds.SeparableConv2D(8, 3, use_bias=False)(joined)
    keras.Model(image, kinds.BatchNormalization(name="after_separable")(spread)).save(tmp_path / "some.keras")
    return graph_of_file(tmp_path / "some.keras")


def folded_names(graph):
    return {graph.nodes[after].name for after in folded_normalizations(graph.nodes).values()}


def test_which_are_folded(graph):
    assert folded_names(graph) == {"folded", "folded_depths", "folded_bare"}
    for before, after in folded_normalizations(graph.nodes).items():
        assert isinstance(graph.nodes[before].layer, Conv2D | DepthwiseConv2D)
        assert isinstance(graph.nodes[after].layer, BatchNormalization)


def built(graph, trains):
    """The model of a graph, its first weights of a seed, all statistics and factors drawn."""
    model = build(graph, "some", SHAPE, partial(_layer, seeds=_Seeds(1), trains=trains), trains)
    generator = np.random.default_rng(2)
    model.set_weights([generator.uniform(0.3, 1, one.shape).astype(np.float32) for one in model.get_weights()])
    return model


def passed(model, images):
    """(output, gradients of the inputs and of every weight that trains)."""
    import tensorflow as tf

    inputs = tf.constant(images)
    with tf.GradientTape() as tape:
        tape.watch(inputs)
        output = model(inputs, training=False)
        total = tf.reduce_sum(tf.cast(output, tf.float32) ** 2)
    return output, tape.gradient(total, [inputs, *(weight.value for weight in model.trainable_weights)])


def test_outputs_and_gradients_are_those_of_the_two_layers(graph):
    ours, theirs = (built(graph, trains) for trains in (True, False))
    assert [one.path for one in ours.weights] == [one.path for one in theirs.weights]
    assert {one.name for one in ours.layers if getattr(one, "is_folded", False)} == folded_names(graph)
    images = np.random.default_rng(3).normal(size=(4, *SHAPE)).astype(np.float32)
    (output, gradients), (expected, expected_gradients) = passed(ours, images), passed(theirs, images)
    np.testing.assert_allclose(output, expected, rtol=1e-4)
    assert len(gradients) == 1 + len(theirs.trainable_weights)
    for one, other in zip(gradients, expected_gradients, strict=True):
        np.testing.assert_allclose(one, other, rtol=2e-4, atol=2e-5 * float(np.abs(other).max()))


def test_statistics_stay_as_they_are(graph):
    model = built(graph, True)
    before = [one.numpy() for one in model.non_trainable_weights]
    model(np.ones((2, *SHAPE), np.float32), training=True)
    for one, other in zip(before, model.non_trainable_weights, strict=True):
        np.testing.assert_array_equal(one, other)
