"""What layers compute in numpy, against Keras: every kind, on images and on vectors."""

import keras
import numpy as np
import pytest

from cnnctl import layers as kinds
from cnnctl.architecture import make_plan
from cnnctl.architecture.scaling import UNIT
from cnnctl.layers import RealLayer
from cnnctl.layers.backbone import Backbone
from cnnctl.layers.base import ActivationName
from cnnctl.layers.compute import taps
from cnnctl.models.build import build_network

SHAPE = (7, 9, 6)
PADDINGS = ("valid", "same", ((1, 2), (0, 3)))
WINDOWS = [
    {"kernel_size": (3, 2), "padding": padding, **more}
    for padding in PADDINGS
    for more in ({}, {"strides": 2}, {"dilation_rate": (2, 1)}, {"activation": "tanh", "use_bias": False})
]
POOLS = [
    {"pool_size": (3, 2), "padding": padding, "strides": strides}
    for padding in ("valid", "same")
    for strides in (None, (1, 1), (2, 3))
]
LEARNING = [
    *(kinds.Conv2D(filters=4, groups=groups, **window) for window in WINDOWS for groups in (1, 2)),
    *(kinds.DepthwiseConv2D(depth_multiplier=2, **window) for window in WINDOWS),
    *(kinds.SeparableConv2D(filters=4, depth_multiplier=2, **window) for window in WINDOWS),
]
IMAGES = [
    *LEARNING,
    *(made(**pool) for pool in POOLS for made in (kinds.MaxPooling2D, kinds.AveragePooling2D, kinds.L2Pooling2D)),
    *(kinds.ActivationLayer(activation=name) for name in ActivationName.__args__),
    kinds.LeakyReLU(negative_slope=0.4),
    *(
        made(center=center, scale=scale)
        for made in (kinds.BatchNormalization, kinds.LayerNormalization)
        for center in (True, False)
        for scale in (True, False)
    ),
    kinds.Rescaling(scale=0.25, offset=-1),
    kinds.Rescaling(scale=(1, 2, 3, 0.5, -1, 0), offset=(0, 1, 2, 3, 4, 5)),
    kinds.ZeroPadding2D(padding=((1, 2), (3, 0))),
    kinds.Dropout(rate=0.5),
    kinds.SpatialDropout2D(rate=0.5),
    kinds.GlobalAveragePooling2D(),
    kinds.GlobalMaxPooling2D(),
    kinds.Flatten(),
]
VECTORS = [
    *(kinds.Dense(units=5, activation=name) for name in ActivationName.__args__),
    kinds.Dense(units=1, use_bias=False),
    kinds.BatchNormalization(),
    kinds.LayerNormalization(),
    kinds.Rescaling(scale=0.5),
]


def outputs(layer, front, shape=SHAPE):
    """A layer's plan, and what Keras and we make of random values, with weights that leave nothing at 0 or 1."""
    plan = make_plan([*front, layer], shape, None)
    assert plan.problems == ()
    made = build_network(plan, UNIT, "float32", seed=0)
    learned = made.layers[-1]
    generator = np.random.default_rng(1)
    learned.set_weights([generator.uniform(0.1, 0.9, weight.shape) for weight in learned.weights])
    row = plan.layers[-1]
    values = generator.normal(size=row.input_shape)
    zeros = [one for one in made.layers if one.name.endswith("_padding")]
    given = keras.ops.convert_to_tensor(values[np.newaxis].astype(np.float32))
    for keras_layer in (*zeros, learned):
        given = keras_layer(given, training=False)
    weights = [np.asarray(weight, np.float64) for weight in learned.get_weights()]
    return row, values, weights, np.asarray(given)[0], layer.compute(values, weights)


@pytest.mark.parametrize("layer", IMAGES, ids=repr)
def test_on_an_image(layer):
    row, _, _, theirs, ours = outputs(layer, ())
    assert ours.shape == row.output_shape
    np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("layer", VECTORS, ids=repr)
def test_on_a_vector(layer):
    row, _, _, theirs, ours = outputs(layer, (kinds.Flatten(),), (2, 3, 4))
    assert ours.shape == row.output_shape
    np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=1e-5)


def test_every_kind_is_compared():
    assert {type(layer) for layer in (*IMAGES, *VECTORS)} == set(RealLayer.__args__) - {Backbone}


@pytest.mark.parametrize("layer", LEARNING, ids=repr)
def test_the_weights_of_one_unit(layer):
    layer = layer.model_copy(update={"activation": "linear"})
    row, values, weights, _, ours = outputs(layer, ())
    bias = weights[-1] if layer.use_bias else np.zeros(row.output_shape[2])
    for channel in range(row.output_shape[2]):
        channels, kernel = layer.unit_weights(row.input_shape, weights, channel)
        seen = dict(taps(values[:, :, channels], layer.window))
        total = sum(float(seen[tap][1, 2] @ kernel[tap]) for tap in seen)
        assert total + bias[channel] == pytest.approx(ours[1, 2, channel])
