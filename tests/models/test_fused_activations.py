"""The activations that XLA makes one kernel of are Keras', in the forward pass and in the gradient."""

import numpy as np
import pytest

from tests.training.build import network, pixels

NAMES = ("gelu", "silu")


def passed(function, values, pull):
    """(output, gradient of the inputs) in float64."""
    import tensorflow as tf

    with tf.GradientTape() as tape:
        tape.watch(values)
        output = function(values)
    gradient = tape.gradient(output, values, tf.cast(pull, values.dtype))
    assert output.dtype == gradient.dtype == values.dtype
    return [np.asarray(tf.cast(one, tf.float64)) for one in (output, gradient)]


def numbers():
    """Small and large values of both signs, and where exp and erf run out of float32."""
    generator = np.random.default_rng(1)
    spread = generator.normal(0, 3, (4, 5, 6, 7)).astype(np.float32)
    spread[0, 0, 0] = [0.0, -0.0, 1e-30, -88.0, 88.0, -1e30, 1e30]
    return spread, generator.normal(size=spread.shape).astype(np.float32)


@pytest.mark.parametrize("name", NAMES)
def test_values_and_gradients_are_keras_own(name, keras):
    import tensorflow as tf

    from cnnctl.models.fused_activations import fused

    values, pull = map(tf.constant, numbers())
    ours, theirs = (passed(function, values, pull) for function in (fused(name), keras.activations.get(name)))
    for one, other in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-5, atol=3e-6)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
def test_sixteen_bits_are_computed_in_thirty_two(name, dtype, keras):
    """The result is that of float32, rounded once; Keras rounds after each of its operations."""
    import tensorflow as tf

    from cnnctl.models.fused_activations import fused

    values, pull = (tf.cast(np.clip(one, -6e4, 6e4), dtype) for one in numbers())
    ours = passed(fused(name), values, pull)
    exact = passed(keras.activations.get(name), tf.cast(values, tf.float64), tf.cast(pull, tf.float64))
    step = {"bfloat16": 2.0**-8, "float16": 2.0**-10}[dtype]
    for one, other in zip(ours, exact, strict=True):
        np.testing.assert_allclose(one, other, rtol=step, atol=1e-6)


def test_other_activations_stay_keras_own(keras):
    from cnnctl.models.fused_activations import fused

    assert fused("relu") is fused("tanh") is None
    trains, _ = network("conv2d: {filters: 2, kernel_size: 2, activation: elu}", "flatten", trains=True)
    assert trains.get_layer("conv2d").activation is keras.activations.elu


def test_without_xla_they_are_keras_own(monkeypatch, keras):
    import tensorflow as tf

    from cnnctl.models import fused_activations

    def refuse(*_, **__):
        def call(*_):
            raise tf.errors.InvalidArgumentError(None, None, "no XLA here")

        return lambda _: call

    assert fused_activations.fused("gelu") is not None
    monkeypatch.setattr(fused_activations.tf, "function", refuse)
    fused_activations._compiles.cache_clear()
    try:
        assert fused_activations.fused("gelu") is None
    finally:
        fused_activations._compiles.cache_clear()


@pytest.mark.parametrize("name", NAMES)
def test_the_network_that_trains_and_the_bare_one_learn_alike(name, keras):
    """As the activation of a layer and as a layer of its own."""
    import tensorflow as tf

    items = (f"conv2d: {{filters: 6, kernel_size: 3, activation: {name}}}", f"activation: {{activation: {name}}}")
    networks = [network(*items, "flatten", trains=trains)[0] for trains in (True, False)]
    images, truth = pixels(6), np.arange(6) % 3
    found = []
    for model in networks:
        with tf.GradientTape() as tape:
            loss = keras.losses.SparseCategoricalCrossentropy()(truth, model(images, training=True))
        found.append([loss, *tape.gradient(loss, [weight.value for weight in model.trainable_weights])])
    assert networks[0].layers[1].activation is not networks[1].layers[1].activation
    for one, other in zip(*found, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-6)
