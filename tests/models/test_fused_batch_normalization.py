"""The fused batch normalization is Keras', in the forward pass, the gradients, the moving statistics and the files."""

import itertools

import numpy as np
import pytest

from cnnctl.models.save import save_keras
from cnnctl.runs import Run
from tests.models.test_save import randomise
from tests.training.build import network, pixels


def pair(keras, shape, **settings):
    """Our layer and Keras', with the same weights, which are nowhere 0 or 1."""
    from cnnctl.models.layers import FusedBatchNormalization

    layers = FusedBatchNormalization(**settings), keras.layers.BatchNormalization(**settings)
    generator = np.random.default_rng(1)
    for layer in layers:
        layer.build(shape)
    weights = [generator.uniform(0.5, 2, weight.shape).astype(np.float32) for weight in layers[0].weights]
    for layer in layers:
        layer.set_weights(weights)
    return layers


def passed(layer, images, pull):
    """(output, gradients of inputs and weights, weights afterwards) of one training step's pass."""
    import tensorflow as tf

    inputs = tf.constant(images)
    with tf.GradientTape() as tape:
        tape.watch(inputs)
        output = layer(inputs, training=True)
        total = tf.reduce_sum(tf.cast(output, tf.float32) * pull)
    sources = [inputs, *(weight.value for weight in layer.trainable_weights)]
    return output, tape.gradient(total, sources), layer.get_weights()


def photos(shape, dtype="float32"):
    """Some channels far from 0, one of them nearly constant."""
    generator = np.random.default_rng(2)
    centre, spread = generator.uniform(-20, 20, shape[-1]), generator.uniform(0.5, 5, shape[-1])
    spread[0] = 0.01
    return generator.normal(centre, spread, shape).astype(dtype)


SHAPES = {"images": (8, 5, 4, 3), "one image": (1, 5, 4, 3), "one column": (6, 7, 1, 2), "one channel": (3, 4, 4, 1)}
SETTINGS = [
    {"center": center, "scale": scale, "momentum": momentum, "epsilon": epsilon}
    for center, scale in itertools.product([True, False], repeat=2)
    for momentum, epsilon in ((0.99, 1e-3), (0.5, 0.25), (0.0, 1e-5))
]


@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)
@pytest.mark.parametrize("settings", SETTINGS, ids=lambda settings: " ".join(map(str, settings.values())))
def test_a_training_pass_is_keras_own(shape, settings, keras):
    ours, theirs = pair(keras, shape, **settings)
    images, pull = photos(shape), np.random.default_rng(3).normal(size=shape).astype(np.float32)
    output, gradients, weights = passed(ours, images, pull)
    expected, expected_gradients, expected_weights = passed(theirs, images, pull)
    np.testing.assert_allclose(output, expected, rtol=1e-3, atol=2e-3)
    assert len(gradients) == len(expected_gradients) == 1 + settings["center"] + settings["scale"]
    for gradient, other in zip(gradients, expected_gradients, strict=True):
        np.testing.assert_allclose(gradient, other, rtol=1e-3, atol=2e-3 * float(np.abs(other).max()))
    for weight, other in zip(weights, expected_weights, strict=True):
        np.testing.assert_allclose(weight, other, rtol=1e-4, atol=1e-5)


def test_moving_statistics_by_hand(keras):
    """Keras divides the variance by n; the fused kernel gives it divided by n - 1."""
    ours, _ = pair(keras, (2, 3, 2, 4), momentum=0.75)
    before_mean, before_variance = (np.asarray(weight) for weight in ours.non_trainable_weights)
    images = np.random.default_rng(0).normal(3, 2, (2, 3, 2, 4)).astype(np.float32)
    ours(images, training=True)
    mean, variance = (np.asarray(weight) for weight in ours.non_trainable_weights)
    np.testing.assert_allclose(mean, 0.75 * before_mean + 0.25 * images.mean(axis=(0, 1, 2)), rtol=1e-5)
    np.testing.assert_allclose(variance, 0.75 * before_variance + 0.25 * images.var(axis=(0, 1, 2)), rtol=1e-5)


def test_a_single_pixel_has_no_variance(keras):
    ours, theirs = pair(keras, (1, 1, 1, 3), momentum=0.5)
    image, pull = photos((1, 1, 1, 3)), np.ones((1, 1, 1, 3), np.float32)
    output, gradients, weights = passed(ours, image, pull)
    expected, expected_gradients, expected_weights = passed(theirs, image, pull)
    np.testing.assert_array_equal(output[0, 0, 0], ours.beta)
    np.testing.assert_allclose(output, expected, rtol=1e-4)
    for found, other in zip((*gradients, *weights), (*expected_gradients, *expected_weights), strict=True):
        assert np.isfinite(found).all()
        np.testing.assert_allclose(found, other, atol=1e-4)


@pytest.mark.parametrize("training", [False, None])
def test_inference_is_keras_own(training, keras):
    ours, theirs = pair(keras, (8, 5, 4, 3), epsilon=0.1)
    before = ours.get_weights()
    images = photos((8, 5, 4, 3))
    np.testing.assert_array_equal(ours(images, training=training), theirs(images, training=training))
    assert all((one == other).all() for one, other in zip(before, ours.get_weights(), strict=True))


def test_rows_of_numbers_go_keras_own_way(keras):
    ours, theirs = pair(keras, (16, 3))
    rows = photos((16, 3))
    np.testing.assert_array_equal(ours(rows, training=True), theirs(rows, training=True))
    for one, other in zip(ours.get_weights(), theirs.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
def test_sixteen_bits_are_normalized_in_thirty_two(dtype, keras):
    """Statistics of 16-bit images far from 0 are those of float32; only the result is rounded."""
    shape = (8, 5, 4, 3)
    ours, theirs = pair(keras, shape, dtype=f"mixed_{dtype}", momentum=0.5)
    images = keras.ops.cast(np.random.default_rng(4).normal(30, 4, shape), dtype)
    pull = np.random.default_rng(3).normal(size=shape).astype(np.float32)
    output, gradients, weights = passed(ours, images, pull)
    expected, expected_gradients, expected_weights = passed(theirs, images, pull)
    assert output.dtype.name == dtype
    wide = [np.asarray(array, np.float32) for array in (output, expected, *gradients, *expected_gradients)]
    np.testing.assert_allclose(wide[0], wide[1], rtol=1e-2, atol=2e-2)
    for gradient, other in zip(wide[2:5], wide[5:], strict=True):
        np.testing.assert_allclose(gradient, other, rtol=5e-2, atol=2e-2 * float(np.abs(other).max()))
    for weight, other in zip(weights, expected_weights, strict=True):
        assert weight.dtype == np.float32
        np.testing.assert_allclose(weight, other, rtol=1e-3)


ITEMS = (
    "conv2d: {filters: 4, kernel_size: 3, padding: same}",
    "batch_normalization: {momentum: 0.5, epsilon: 0.01}",
    "dropout: {rate: 0.5}",
    "batch_normalization: {center: false, scale: false}",
    "flatten",
    "batch_normalization",
)


def classes_of(model):
    return [type(layer).__name__ for layer in model.layers if "batch" in layer.name]


@pytest.mark.parametrize("training", [False, True])
def test_the_network_that_trains_and_the_bare_one_answer_alike(training, keras):
    trains, _ = network(*ITEMS, trains=True)
    bare, _ = network(*ITEMS)
    assert (classes_of(trains), classes_of(bare)) == (["FusedBatchNormalization"] * 3, ["BatchNormalization"] * 3)
    for one, other in zip(trains.get_weights(), bare.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)
    randomise(trains)
    bare.set_weights(trains.get_weights())
    ours, theirs = (np.asarray(model(pixels(9), training=training)) for model in (trains, bare))
    np.testing.assert_allclose(ours, theirs, atol=1e-4)
    assert np.ptp(ours[:, 0]) > 0.01
    for one, other in zip(trains.get_weights(), bare.get_weights(), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-5)


def test_what_is_saved_is_keras_own_layer(keras, tmp_path):
    trains, _ = network(*ITEMS, trains=True)
    randomise(trains)
    bare, _ = network(*ITEMS, seed=None)
    bare.set_weights(trains.get_weights())
    run = Run(tmp_path)
    save_keras(bare, run)
    saved = keras.saving.load_model(run.keras_model)
    assert [type(layer) for layer in saved.layers if "batch" in layer.name] == [keras.layers.BatchNormalization] * 3
    np.testing.assert_allclose(saved.predict_on_batch(pixels(5)), trains.predict_on_batch(pixels(5)), atol=1e-6)
