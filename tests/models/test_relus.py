"""The two halves of a ReLU around a max pooling: its values and gradients, to the last bit."""

import numpy as np
import pytest

from tests.training.build import network, pixels


@pytest.mark.parametrize("padding", ["valid", "same"])
@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_the_halves_are_the_relu(keras, padding: str, dtype: str) -> None:
    """Windows above 0, below 0, with ties, with zeros as their largest value."""
    import tensorflow as tf

    from cnnctl.models.rewrite import relu_gradient, relu_values

    values = np.random.default_rng(0).integers(-3, 2, (64, 7, 7, 5)).astype(np.float32)
    weights = np.random.default_rng(1).normal(size=(64, 4, 4, 5) if padding == "same" else (64, 3, 3, 5))

    def passed(function):
        inputs = tf.Variable(tf.cast(values, dtype))
        with tf.GradientTape() as tape:
            output = function(inputs)
            total = tf.reduce_sum(output * tf.cast(weights, dtype))
        return np.asarray(output, np.float32), np.asarray(tape.gradient(total, inputs), np.float32)

    def pool(inputs):
        return tf.nn.max_pool2d(inputs, 2, 2, padding.upper())

    output, gradient = passed(lambda inputs: relu_gradient(pool(relu_values(inputs))))
    expected, expected_gradient = passed(lambda inputs: tf.nn.relu(pool(inputs)))
    np.testing.assert_array_equal(output, expected)
    np.testing.assert_array_equal(gradient, expected_gradient)
    assert (output == 0).any()
    assert gradient.any()


def test_it_is_done_where_a_convolution_is_followed_by_a_pooling(keras) -> None:
    from cnnctl.models.rewrite import relu_gradient, relu_values

    conv = "conv2d: {filters: 4, kernel_size: 3, activation: relu}"
    items = (conv, "max_pooling2d: {pool_size: 2}", conv, "flatten")
    trained, _ = network(*items, shape=(12, 12, 3), trains=True)
    layers = {layer.name: layer for layer in trained.layers}
    assert layers["conv2d"].activation is relu_values
    assert layers["conv2d_activation"].activation is relu_gradient
    assert layers["conv2d_1"].activation is keras.activations.relu
    saved, _ = network(*items, shape=(12, 12, 3))
    assert all("activation" not in layer.name for layer in saved.layers)
    images = pixels(8, (12, 12, 3))
    np.testing.assert_allclose(trained(images), saved(images), rtol=1e-5, atol=1e-7)
