"""Every shape and parameter count against the Keras layer itself, and every refusal against Keras' own."""

import itertools
import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cnnctl import layers as kinds
from cnnctl.architecture import make_plan
from cnnctl.layers import RealLayer
from cnnctl.models.backend import import_keras
from tests.config.build import problems, with_model

import_keras()
import keras  # noqa: E402

CONVOLUTION = ("filters", "kernel_size", "strides", "dilation_rate", "groups", "depth_multiplier", "use_bias")
SAME_NAMES = {
    kinds.BatchNormalization: (keras.layers.BatchNormalization, ("center", "scale")),
    kinds.LayerNormalization: (keras.layers.LayerNormalization, ("center", "scale")),
    kinds.ZeroPadding2D: (keras.layers.ZeroPadding2D, ("padding",)),
    kinds.GlobalAveragePooling2D: (keras.layers.GlobalAveragePooling2D, ()),
    kinds.GlobalMaxPooling2D: (keras.layers.GlobalMaxPooling2D, ()),
    kinds.ActivationLayer: (keras.layers.Activation, ("activation",)),
    kinds.LeakyReLU: (keras.layers.LeakyReLU, ("negative_slope",)),
    kinds.Rescaling: (keras.layers.Rescaling, ("scale", "offset")),
    kinds.Dropout: (keras.layers.Dropout, ("rate",)),
    kinds.SpatialDropout2D: (keras.layers.SpatialDropout2D, ("rate",)),
    kinds.Flatten: (keras.layers.Flatten, ()),
    kinds.Dense: (keras.layers.Dense, ("units", "use_bias")),
    kinds.Conv2D: (keras.layers.Conv2D, CONVOLUTION),
    kinds.DepthwiseConv2D: (keras.layers.DepthwiseConv2D, CONVOLUTION),
    kinds.SeparableConv2D: (keras.layers.SeparableConv2D, CONVOLUTION),
    kinds.MaxPooling2D: (keras.layers.MaxPooling2D, ("pool_size", "strides", "padding")),
    kinds.AveragePooling2D: (keras.layers.AveragePooling2D, ("pool_size", "strides", "padding")),
    # Keras has no L2 pooling; its windows are those of the average
    kinds.L2Pooling2D: (keras.layers.AveragePooling2D, ("pool_size", "strides", "padding")),
}


def to_keras(layer: RealLayer) -> list[keras.Layer]:
    made, names = SAME_NAMES[type(layer)]
    arguments = {name: getattr(layer, name) for name in names if hasattr(layer, name)}
    if names is not CONVOLUTION:
        return [made(**arguments)]
    if isinstance(layer.padding, str):
        return [made(**arguments, padding=layer.padding)]
    return [keras.layers.ZeroPadding2D(layer.padding), made(**arguments, padding="valid")]


def count(weights: list[keras.Variable]) -> int:
    return sum(math.prod(weight.shape) for weight in weights)


def keras_says(layer: RealLayer, shape: tuple[int, ...]) -> tuple[tuple[int, ...], int, int] | None:
    """Output shape, trainable and non-trainable parameters; None where Keras refuses."""
    trainable = fixed = 0
    try:
        for made in to_keras(layer):
            made.build((None, *shape))
            shape = tuple(made.compute_output_shape((None, *shape)))[1:]
            trainable, fixed = trainable + count(made.trainable_weights), fixed + count(made.non_trainable_weights)
    except ValueError:
        return None
    return shape, trainable, fixed


def plan_says(layer: RealLayer, shape: tuple[int, int, int]) -> tuple[tuple[int, ...], int, int] | None:
    made = make_plan([layer], shape, None)
    if made.problems:
        return None
    (row,) = made.layers
    return row.output_shape, row.trainable_params, row.non_trainable_params


def compare(cases: list[tuple[RealLayer, tuple[int, int, int]]], least: int) -> list[bool]:
    """Whether each case is possible; Keras and the plan must agree on it."""
    assert len(cases) >= least
    possible = []
    for layer, shape in cases:
        expected = keras_says(layer, shape)
        assert plan_says(layer, shape) == expected, (layer, shape)
        possible.append(expected is not None)
    return possible


SHAPES = [(14, 14, 3), (16, 13, 1), (13, 19, 3)]
KERNELS = [(1, 1), (2, 2), (3, 3), (4, 3), (1, 5)]
PADDINGS = ["valid", "same", ((1, 1), (1, 1)), ((0, 1), (2, 3))]


def steps(*strides: tuple[int, int]) -> list[dict[str, tuple[int, int]]]:
    return [*({"strides": one} for one in strides), {"dilation_rate": (2, 2)}, {"dilation_rate": (1, 3)}]


def test_convolutions():
    grid = itertools.product(KERNELS, PADDINGS, steps((1, 1), (2, 2), (1, 3), (3, 2)), SHAPES)
    cases = [
        (kinds.Conv2D(filters=5, kernel_size=kernel, padding=padding, use_bias=bool(number % 2), **step), shape)
        for number, (kernel, padding, step, shape) in enumerate(grid)
    ]
    assert all(compare(cases, 350))


@pytest.mark.parametrize(
    ("made", "more"),
    [(kinds.DepthwiseConv2D, {}), (kinds.SeparableConv2D, {"filters": 4})],
    ids=["depthwise", "separable"],
)
def test_depthwise_and_separable_convolutions(made, more):
    grid = itertools.product(KERNELS, PADDINGS, steps((1, 1), (2, 2), (3, 3)), (1, 2), SHAPES)
    cases = [
        (
            made(
                kernel_size=kernel, padding=padding, depth_multiplier=times, use_bias=bool(number % 3), **step, **more
            ),
            shape,
        )
        for number, (kernel, padding, step, times, shape) in enumerate(grid)
    ]
    assert all(compare(cases, 550))


def test_groups():
    cases = [
        (kinds.Conv2D(filters=filters, kernel_size=3, groups=groups), (7, 6, channels))
        for filters, groups, channels in itertools.product((2, 4, 6), (1, 2, 3, 4, 6), (1, 3, 4, 6))
    ]
    possible = compare(cases, 60)
    assert 10 < sum(possible) < 50


@pytest.mark.parametrize("made", [kinds.MaxPooling2D, kinds.AveragePooling2D, kinds.L2Pooling2D])
def test_pooling(made):
    grid = itertools.product(
        [(1, 1), (2, 2), (3, 2), (4, 5)], [None, (1, 1), (2, 2), (3, 1)], ["valid", "same"], [*SHAPES, (4, 5, 7)]
    )
    cases = [(made(pool_size=pool, strides=strides, padding=padding), shape) for pool, strides, padding, shape in grid]
    assert all(compare(cases, 128))


PLAIN = [
    *(
        made(center=center, scale=scale)
        for made in (kinds.BatchNormalization, kinds.LayerNormalization)
        for center in (True, False)
        for scale in (True, False)
    ),
    *(kinds.ZeroPadding2D(padding=padding) for padding in (1, 0, 3, ((1, 2), (3, 4)), ((0, 0), (0, 5)))),
    kinds.GlobalAveragePooling2D(),
    kinds.GlobalMaxPooling2D(),
    *(kinds.ActivationLayer(activation=name) for name in ("relu", "gelu", "softmax", "linear")),
    kinds.LeakyReLU(),
    kinds.Rescaling(scale=0.5, offset=1),
    kinds.Dropout(rate=0.5),
    kinds.SpatialDropout2D(rate=0.5),
    kinds.Flatten(),
]


def test_layers_without_windows():
    assert all(compare(list(itertools.product(PLAIN, [*SHAPES, (1, 1, 1), (5, 5, 64)])), 100))


@pytest.mark.parametrize("layer", [*PLAIN, kinds.Dense(units=7), kinds.Dense(units=1, use_bias=False)], ids=repr)
def test_layers_on_a_vector(layer):
    made = make_plan([kinds.Flatten(), layer], (3, 4, 5), None)
    inputs = keras.KerasTensor((None, 60))
    try:
        (keras_layer,) = to_keras(layer)
        output = keras_layer(inputs)
    except ValueError:
        assert [problem.path for problem in made.problems] == [("model", 1)]
        return
    assert made.problems == ()
    row = made.layers[1]
    assert (None, *row.output_shape) == output.shape
    assert (row.trainable_params, row.non_trainable_params) == (
        count(keras_layer.trainable_weights),
        count(keras_layer.non_trainable_weights),
    )


def test_every_kind_is_compared():
    assert {*SAME_NAMES, kinds.Backbone} == set(RealLayer.__args__)  # tests/architecture/graph has backbones


def test_windows_larger_than_the_image_are_refused_exactly_where_keras_refuses():
    sides = [(1, 1), (2, 3), (3, 2), (4, 1), (5, 5)]
    windows = [(1, 1), (2, 2), (3, 3), (1, 4), (6, 2)]
    cases = [
        *(
            (kinds.Conv2D(filters=2, kernel_size=window, padding=padding, dilation_rate=dilation), (*side, 1))
            for side, window, padding, dilation in itertools.product(sides, windows, PADDINGS, (1, 2))
        ),
        *(
            (made(kernel_size=window, strides=2, padding=padding, **more), (*side, 3))
            for side, window, padding in itertools.product(sides, windows, PADDINGS)
            for made, more in ((kinds.DepthwiseConv2D, {}), (kinds.SeparableConv2D, {"filters": 2}))
        ),
        *(
            (made(pool_size=window, strides=strides, padding=padding), (*side, 3))
            for side, window, strides, padding in itertools.product(sides, windows, (None, 1, 3), ("valid", "same"))
            for made in (kinds.MaxPooling2D, kinds.AveragePooling2D, kinds.L2Pooling2D)
        ),
    ]
    possible = compare(cases, 800)
    assert 200 < possible.count(False) < 600


def test_strides_with_dilation_are_refused_by_both():
    for strides, dilation in [(2, 2), ((1, 2), (2, 1)), ((3, 1), (1, 2))]:
        with pytest.raises(ValueError, match="strides"):
            keras.layers.Conv2D(1, 3, strides=strides, dilation_rate=dilation)
        text = "conv2d: {{filters: 1, kernel_size: 3, strides: {}, dilation_rate: {}}}"
        form = [list(one) if isinstance(one, tuple) else one for one in (strides, dilation)]
        assert len(problems(with_model(text.format(*form)))) == 1


def test_a_dense_layer_on_an_image_is_refused_although_keras_applies_it_to_each_pixel():
    assert keras_says(kinds.Dense(units=4), (5, 5, 3)) == ((5, 5, 4), 16, 0)
    assert plan_says(kinds.Dense(units=4), (5, 5, 3)) is None


PADDED = st.sampled_from(PADDINGS)
SIDE = st.integers(1, 4)
PAIRS = st.tuples(SIDE, SIDE)
LAYERS = st.one_of(
    st.builds(kinds.Conv2D, filters=SIDE, kernel_size=PAIRS, strides=PAIRS, padding=PADDED, use_bias=st.booleans()),
    st.builds(
        kinds.Conv2D, filters=SIDE, kernel_size=PAIRS, dilation_rate=PAIRS, padding=PADDED, groups=st.integers(1, 2)
    ),
    st.builds(
        kinds.DepthwiseConv2D, kernel_size=PAIRS, strides=SIDE, padding=PADDED, depth_multiplier=st.integers(1, 2)
    ),
    st.builds(kinds.SeparableConv2D, filters=SIDE, kernel_size=PAIRS, strides=SIDE, padding=PADDED),
    st.builds(
        kinds.MaxPooling2D, pool_size=PAIRS, strides=st.none() | PAIRS, padding=st.sampled_from(["valid", "same"])
    ),
    st.builds(kinds.AveragePooling2D, pool_size=PAIRS, padding=st.sampled_from(["valid", "same"])),
    st.sampled_from(PLAIN),
    st.sampled_from([kinds.Flatten(), kinds.GlobalAveragePooling2D(), kinds.BatchNormalization()]),
)


@settings(max_examples=120, deadline=None, derandomize=True)
@given(
    layers=st.lists(LAYERS, min_size=2, max_size=6),
    shape=st.tuples(st.integers(1, 20), st.integers(1, 20), st.sampled_from([1, 3])),
)
def test_whole_networks(layers, shape):
    made = make_plan(layers, shape, None)
    network = keras.Sequential([keras.Input(shape)])
    for number, layer in enumerate(layers):
        try:
            for one in to_keras(layer):
                network.add(one)
        except ValueError:
            assert made.problems
            assert made.problems[0].path[:2] == ("model", number)
            return
    assert made.problems == ()
    assert (None, *made.layers[-1].output_shape) == network.output_shape
    assert made.trainable_params == count(network.trainable_weights)
    assert made.non_trainable_params == count(network.non_trainable_weights)
    keras_params = sum(layer.count_params() for layer in network.layers)
    assert made.total_params == keras_params
