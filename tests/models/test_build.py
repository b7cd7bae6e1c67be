"""Plans become the Keras networks that they describe, with the pixels' scaling inside and in float32."""

import dataclasses
import itertools
from typing import get_args

import numpy as np
import pytest

from cnnctl.architecture import make_plan
from cnnctl.architecture.keras_file import read_keras_file, read_scaling, read_weights
from cnnctl.architecture.scaling import SYMMETRIC, UNIT, Scaling
from cnnctl.layers import base as kinds
from cnnctl.layers.initializers import InitializerName
from cnnctl.layers.output import OutputSettings
from cnnctl.models.build import build_network
from cnnctl.models.load import load_model
from tests.config.build import EVERY_LAYER, layer_item, layers
from tests.training.build import network, pixels

ACTIVATIONS = get_args(kinds.ActivationName)
INITIALIZERS = get_args(InitializerName)
WIDE = (13, 12, 3)

NETWORKS = {
    "convolutions": (
        "conv2d: {filters: 6, kernel_size: [2, 3], padding: [[0, 1], [2, 3]], strides: [1, 2], use_bias: false}",
        "conv2d: {filters: 4, kernel_size: 3, groups: 2, padding: same}",
        "depthwise_conv2d: {kernel_size: 3, depth_multiplier: 2, padding: 2, dilation_rate: 2}",
        "separable_conv2d: {filters: 5, kernel_size: [3, 2], strides: 2, padding: same, depth_multiplier: 2}",
        "flatten",
    ),
    "poolings": (
        "max_pooling2d: {pool_size: 2, strides: 1}",
        "average_pooling2d: {pool_size: [3, 2], strides: [2, 1], padding: same}",
        "l2_pooling2d: {pool_size: 2, padding: same}",
        "global_average_pooling2d",
    ),
    "the others": (
        "zero_padding2d: {padding: [[1, 0], [2, 3]]}",
        "batch_normalization: {momentum: 0.9, epsilon: 0.01, center: false}",
        "layer_normalization: {epsilon: 0.1, scale: false}",
        "rescaling: {scale: 0.5, offset: -0.25}",
        "rescaling: {scale: [0.25, 1, 2], offset: 1}",
        "activation: {activation: tanh}",
        "leaky_relu: {negative_slope: 0.25}",
        "spatial_dropout2d: {rate: 0.25}",
        "repeat: {times: 2, layers: [conv2d: {filters: 2, kernel_size: 1}, dropout: {rate: 0.5}]}",
        "global_max_pooling2d",
        "dense: {units: 7, activation: relu}",
    ),
    "activations": ("flatten", *(f"dense: {{units: 3, activation: {name}}}" for name in ACTIVATIONS)),
}


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("output", ["softmax", "sigmoid"])
@pytest.mark.parametrize("policy", ["float32", "mixed_bfloat16", "mixed_float16"])
def test_keras_agrees_with_the_plan(name, output, policy):
    classes = 2 if output == "sigmoid" else 3
    model, plan = network(*NETWORKS[name], shape=WIDE, classes=classes, output=output, policy=policy)
    assert model.input_shape == (None, *WIDE)
    assert model.inputs[0].dtype == "uint8"
    assert model.output_shape == (None, 1 if output == "sigmoid" else 3)
    assert model.outputs[0].dtype == "float32"
    assert model.get_layer("scaling").compute_dtype == "float32"
    assert model.layers[-1].compute_dtype == "float32"
    assert model.layers[-1].activation.__name__ == output
    between = {layer.compute_dtype for layer in model.layers[1:-1]}
    assert between == {policy.removeprefix("mixed_")}
    assert {variable.dtype for variable in model.weights} == {"float32"}
    assert model.count_params() == plan.total_params


CHAIN_LAYERS = [kind for kind in EVERY_LAYER if kind != "backbone"]  # tests/models/test_graph.py has backbones


def test_every_kind_and_every_activation_is_in_the_grid():
    text = str(NETWORKS)
    assert all(kind in text for kind in CHAIN_LAYERS)
    assert all(f"activation: {name}" in text for name in ACTIVATIONS)


@pytest.mark.parametrize("kind", CHAIN_LAYERS)
def test_defaults_are_keras_own(kind):
    flat = [] if kind in ("global_average_pooling2d", "global_max_pooling2d", "flatten", "dense") else ["flatten"]
    before = ["flatten"] if kind == "dense" else []
    network(*before, layer_item(kind, EVERY_LAYER[kind]), *flat)


SETTINGS = [
    (
        "conv2d: {filters: 4, kernel_size: [2, 3], strides: [2, 1], padding: same, groups: 2, use_bias: false}",
        {"filters": 4, "kernel_size": (2, 3), "strides": (2, 1), "padding": "same", "groups": 2, "use_bias": False},
    ),
    (
        "depthwise_conv2d: {kernel_size: 2, dilation_rate: [1, 2], depth_multiplier: 3, activation: elu}",
        {"kernel_size": (2, 2), "dilation_rate": (1, 2), "depth_multiplier": 3, "activation": "elu"},
    ),
    (
        "separable_conv2d: {filters: 3, kernel_size: 2, strides: 2, depth_multiplier: 2, use_bias: false}",
        {"filters": 3, "kernel_size": (2, 2), "strides": (2, 2), "depth_multiplier": 2, "use_bias": False},
    ),
    *(
        (
            f"{kind}: {{pool_size: [2, 3], strides: [1, 2], padding: same}}",
            {"pool_size": (2, 3), "strides": (1, 2), "padding": "same"},
        )
        for kind in ("max_pooling2d", "average_pooling2d", "l2_pooling2d")
    ),
    ("max_pooling2d: {pool_size: [2, 3]}", {"strides": (2, 3), "padding": "valid"}),
    ("zero_padding2d: {padding: [[1, 0], [2, 3]]}", {"padding": ((1, 0), (2, 3))}),
    (
        "batch_normalization: {momentum: 0.5, epsilon: 0.25, center: false, scale: false}",
        {"momentum": 0.5, "epsilon": 0.25, "center": False, "scale": False},
    ),
    (
        "layer_normalization: {epsilon: 0.25, center: false, scale: false}",
        {"epsilon": 0.25, "center": False, "scale": False},
    ),
    ("activation: {activation: silu}", {"activation": "silu"}),
    ("leaky_relu: {negative_slope: 0.25}", {"negative_slope": 0.25}),
    ("rescaling: {scale: 0.25, offset: -1}", {"scale": 0.25, "offset": -1.0}),
    ("dropout: {rate: 0.25}", {"rate": 0.25}),
    ("spatial_dropout2d: {rate: 0.25}", {"rate": 0.25}),
    ("dense: {units: 5, activation: tanh, use_bias: false}", {"units": 5, "activation": "tanh", "use_bias": False}),
]


@pytest.mark.parametrize(("item", "expected"), SETTINGS)
def test_every_setting_reaches_keras(item, expected):
    is_dense = item.startswith("dense")
    model, _ = network(*(["flatten", item] if is_dense else [item, "flatten"]), shape=(7, 6, 4))
    given = model.get_layer(item.partition(":")[0]).get_config()
    assert {name: given[name] for name in expected} == expected


FROZEN = (
    "conv2d: {filters: 4, kernel_size: 3, trainable: false}",
    "depthwise_conv2d: {kernel_size: 2, trainable: false}",
    "separable_conv2d: {filters: 4, kernel_size: 2, trainable: false}",
    "batch_normalization: {momentum: 0.5, trainable: false}",
    "layer_normalization: {trainable: false}",
    "flatten",
    "dense: {units: 3, trainable: false}",
)


@pytest.mark.parametrize("trains", [False, True])
def test_layers_that_are_not_trained(trains):
    """Keras' counts are the plan's (build_network compares them), and only the output layer has trained weights."""
    model, plan = network(*FROZEN, shape=(7, 6, 3), trains=trains)
    rows = plan.layers[:-1]
    assert [row.trainable_params for row in rows] == [0] * 7
    assert all(row.non_trainable_params for row in rows if row.kind != "flatten")
    assert [weight.path.split("/")[-2] for weight in model.trainable_weights] == ["probabilities"] * 2
    assert "4 filters 3x3, stride 1, not trained" in [row.layer.settings_text() for row in rows]
    _, trained = network(*[item.replace("trainable: false", "trainable: true") for item in FROZEN], shape=(7, 6, 3))
    assert trained.total_params == plan.total_params
    assert trained.non_trainable_params == 8  # the moving averages of four channels


def test_a_saved_network_with_rescalings_and_frozen_layers_reads_back(tmp_path):
    """Without Keras, by its own count: the first Rescaling of a file is the scaling of the pixels alone."""
    items = ("rescaling: {scale: [2, 0.5, -1], offset: 3}", *FROZEN[:-1], "rescaling: {scale: 0.125}", FROZEN[-1])
    model, plan = network(*items, shape=(7, 6, 3), scaling=SYMMETRIC)
    model.save(tmp_path / "model.keras")
    read = read_keras_file(tmp_path / "model.keras")
    assert read_scaling(tmp_path / "model.keras") == (SYMMETRIC.scale, SYMMETRIC.offset)
    assert [(row.name, row.layer.settings_text(), row.trainable_params, row.params) for row in read.layers[:-1]] == [
        (row.name, row.layer.settings_text(), row.trainable_params, row.params) for row in plan.layers[:-1]
    ]
    stored = [array for _, arrays in read_weights(tmp_path / "model.keras") for array in arrays]
    assert all((one == other).all() for one, other in zip(stored, model.get_weights(), strict=True))
    again = load_model(tmp_path / "model.keras", plan, SYMMETRIC)
    np.testing.assert_array_equal(
        again.predict_on_batch(pixels(3, (7, 6, 3))), model.predict_on_batch(pixels(3, (7, 6, 3)))
    )


@pytest.mark.parametrize("trains", [False, True])
def test_frozen_batch_normalization_keeps_to_its_averages_in_training(trains):
    item = "batch_normalization: {momentum: 0.5, trainable: false, epsilon: 0.25}"
    model, _ = network(item, "flatten", shape=(4, 4, 2), trains=trains)
    layer = model.get_layer("batch_normalization")
    layer.set_weights([np.array(one) for one in ([2.0, 3.0], [0.5, -1.0], [0.25, 0.75], [0.75, 3.75])])
    values = np.random.default_rng(0).normal(size=(3, 4, 4, 2)).astype(np.float32)
    expected = (values - [0.25, 0.75]) / [1.0, 2.0] * [2.0, 3.0] + [0.5, -1.0]
    np.testing.assert_allclose(np.asarray(layer(values, training=True)), expected, rtol=1e-5, atol=1e-5)
    assert [np.asarray(weight).tolist() for weight in layer.weights[2:]] == [[0.25, 0.75], [0.75, 3.75]]


def test_dirac_passes_the_first_channels_through():
    item = "conv2d: {filters: 5, kernel_size: 3, padding: same, kernel_initializer: dirac}"
    model, _ = network(item, "max_pooling2d: {pool_size: 2}", "flatten", shape=(6, 4, 3), trains=True)
    ordinary, _ = network(item.replace("dirac", "glorot_uniform"), "flatten", shape=(6, 4, 3))
    values = np.random.default_rng(0).normal(size=(2, 6, 4, 3)).astype(np.float32)
    layer = model.get_layer("conv2d")
    np.testing.assert_array_equal(np.asarray(layer(values))[..., :3], values)
    np.testing.assert_array_equal(
        layer.get_weights()[0][..., 3:], ordinary.get_layer("conv2d").get_weights()[0][..., 3:]
    )
    assert layer.get_config()["kernel_initializer"]["class_name"] == "GlorotUniform"  # any Keras can load it


def test_a_rescaling_by_hand():
    model, _ = network("rescaling: {scale: [2, 0.5, -1], offset: 3}", "flatten", shape=(2, 2, 3))
    values = np.arange(12, dtype=np.float32).reshape(1, 2, 2, 3)
    expected = values * np.array([2, 0.5, -1]) + 3
    np.testing.assert_array_equal(np.asarray(model.get_layer("rescaling")(values)), expected)


@pytest.mark.parametrize("activation", ["softmax", "sigmoid"])
def test_an_output_layer_without_bias(activation):
    plan = make_plan(layers("flatten"), (2, 2, 3), 4, OutputSettings(activation=activation, use_bias=False))
    model = build_network(plan, UNIT, "float32", seed=1)
    (kernel,) = model.layers[-1].get_weights()
    assert plan.layers[-1].params == kernel.size == 12 * (4 if activation == "softmax" else 1)
    assert plan.layers[-1].formulas() == [f"parameters: 12 * {kernel.shape[1]} = {kernel.size}"]
    logits = pixels(5, (2, 2, 3)).reshape(5, 12) / 255 @ kernel.astype(np.float64)
    powers = np.exp(logits)
    expected = powers / powers.sum(axis=1, keepdims=True) if activation == "softmax" else powers / (1 + powers)
    np.testing.assert_allclose(model.predict_on_batch(pixels(5, (2, 2, 3))), expected, atol=1e-6)


DOCTORED = [
    (0, {"output_shape": (3, 2, 5)}, "conv2d: "),
    (0, {"trainable_params": 111}, "conv2d: 112 parameters in Keras"),
    (1, {"trainable_params": 12, "non_trainable_params": 4}, "trainable parameters in Keras"),
    (3, {"output_shape": (4,)}, "dense: "),
]


@pytest.mark.parametrize(("row", "change", "message"), DOCTORED)
def test_a_plan_that_keras_contradicts_is_a_bug(row, change, message):
    _, plan = network("conv2d: {filters: 4, kernel_size: 3}", "batch_normalization", "flatten")
    rows = list(plan.layers)
    rows[row] = dataclasses.replace(rows[row], **change)
    with pytest.raises(AssertionError, match=message):
        build_network(dataclasses.replace(plan, layers=tuple(rows)), UNIT, "float32")


def test_zeros_around_a_convolution_are_a_layer_of_their_own(keras):
    model, _ = network("conv2d: {filters: 2, kernel_size: 3, padding: [[0, 1], [2, 3]]}", "flatten")
    assert [layer.name for layer in model.layers] == ["scaling", "conv2d_padding", "conv2d", "flatten", "probabilities"]
    assert model.get_layer("conv2d_padding").padding == ((0, 1), (2, 3))
    assert model.get_layer("conv2d").padding == "valid"
    one = pixels(1)
    kernel, bias = model.get_layer("conv2d").get_weights()
    padded = np.pad(one / 255, [(0, 0), (0, 1), (2, 3), (0, 0)])
    windows = np.lib.stride_tricks.sliding_window_view(padded, (3, 3), axis=(1, 2))
    expected = np.einsum("nyxcij,ijcf->nyxf", windows, kernel) + bias
    convolution = keras.Model(model.inputs[0], model.get_layer("conv2d").output)
    np.testing.assert_allclose(np.asarray(convolution(one)), expected, atol=1e-5)


def test_the_kernel_of_the_introduction():
    raw = Scaling((1.0,), (0.0,))
    item = "conv2d: {filters: 1, kernel_size: 2, use_bias: false}"
    model, _ = network(item, "flatten", shape=(3, 3, 1), scaling=raw)
    layer = model.get_layer("conv2d")
    layer.set_weights([np.array([[0, 1], [2, 3]], np.float32).reshape(2, 2, 1, 1)])
    image = np.arange(9, dtype=np.float32).reshape(1, 3, 3, 1)
    assert np.asarray(layer(image))[0, :, :, 0].tolist() == [[19, 25], [37, 43]]


def cases_of_scaling():
    yield UNIT, lambda x: x / 255
    yield SYMMETRIC, lambda x: x / 127.5 - 1
    scale, offset = np.array([0.5, 0.01, 2.0]), np.array([-3.0, 0.0, 7.0])
    yield Scaling(tuple(scale), tuple(offset)), lambda x: x * scale + offset


@pytest.mark.parametrize("policy", ["float32", "mixed_bfloat16", "mixed_float16"])
@pytest.mark.parametrize(("scaling", "formula"), list(cases_of_scaling()), ids=["unit", "symmetric", "each channel"])
def test_pixels_are_scaled_in_float32_under_any_policy(scaling, formula, policy):
    model, _ = network("flatten", shape=(16, 16, 3), scaling=scaling, policy=policy)
    every = np.arange(256, dtype=np.uint8).reshape(1, 16, 16, 1).repeat(3, axis=3)
    scaled = model.get_layer("scaling")(every)
    assert scaled.dtype.name == "float32"
    np.testing.assert_allclose(np.asarray(scaled), formula(every.astype(np.float64)), rtol=1e-6, atol=1e-6)


def l2_by_numpy(image, window, steps, padding):
    """A reference by slow loops: (height, width, channels) -> the roots of the windows' sums of squares."""
    sides = [-(-size // step) if padding == "same" else (size - w) // step + 1
             for size, w, step in zip(image.shape, window, steps, strict=False)]  # fmt: skip
    lacking = [max((out - 1) * step + w - size, 0)
               for out, step, w, size in zip(sides, steps, window, image.shape, strict=False)]  # fmt: skip
    image = np.pad(image, [*((n // 2, n - n // 2) for n in lacking), (0, 0)])
    result = np.zeros((*sides, image.shape[2]))
    for y, x in itertools.product(range(sides[0]), range(sides[1])):
        part = image[y * steps[0] : y * steps[0] + window[0], x * steps[1] : x * steps[1] + window[1]]
        result[y, x] = np.sqrt(np.square(part.astype(np.float64)).sum(axis=(0, 1)))
    return result


@pytest.mark.parametrize("padding", ["valid", "same"])
@pytest.mark.parametrize(
    ("window", "steps"), [((2, 2), (2, 2)), ((3, 2), (1, 1)), ((2, 3), (2, 1)), ((1, 1), (3, 3)), ((5, 4), (3, 2))]
)
def test_l2_pooling_against_numpy(window, steps, padding):
    from cnnctl.models.layers import L2Pooling2D

    image = np.random.default_rng(1).normal(size=(7, 5, 3)).astype(np.float32)
    layer = L2Pooling2D(window, steps, padding)
    pooled = np.asarray(layer(image[None]))
    expected = l2_by_numpy(image, window, steps, padding)
    assert pooled.shape == layer.compute_output_shape((1, 7, 5, 3)) == (1, *expected.shape)
    np.testing.assert_allclose(pooled[0], expected, rtol=1e-4, atol=1.1e-3)


def test_l2_pooling_by_hand():
    from cnnctl.models.layers import L2Pooling2D

    image = np.array([[3, 4], [0, 0]], np.float32).reshape(1, 2, 2, 1)
    assert np.asarray(L2Pooling2D()(image)).item() == pytest.approx(5, abs=1e-6)


def test_l2_pooling_has_a_gradient_at_zero():
    import tensorflow as tf

    from cnnctl.models.layers import L2Pooling2D

    image = tf.constant([[-3.0, -4.0], [-1.0, 0.0]], shape=(1, 2, 2, 1))
    with tf.GradientTape() as tape:
        tape.watch(image)
        pooled = L2Pooling2D()(tf.nn.relu(image))
    assert float(pooled[0, 0, 0, 0]) == pytest.approx(0, abs=1.1e-3)
    assert np.isfinite(tape.gradient(pooled, image).numpy()).all()


@pytest.mark.parametrize(("policy", "large"), [("mixed_bfloat16", 100.0), ("mixed_float16", 300.0)])
def test_l2_pooling_computes_in_float32(policy, large):
    """300 squared is infinite in float16, and 64 + 1 is 64 among bfloat16's eight bits; the root of the sum is not."""
    from cnnctl.models.layers import L2Pooling2D

    layer = L2Pooling2D((8, 8), dtype=policy)
    ones = np.ones((1, 8, 8, 1), np.float32) * np.float32(large)
    pooled = layer(ones)
    assert pooled.dtype.name == policy.removeprefix("mixed_")
    assert float(pooled[0, 0, 0, 0]) == pytest.approx(8 * large, rel=1e-2)


def test_l2_pooling_survives_saving(keras, tmp_path):
    model, _ = network("l2_pooling2d: {pool_size: [2, 3], strides: 1, padding: same}", "flatten")
    model.save(tmp_path / "model.keras")
    again = keras.saving.load_model(tmp_path / "model.keras")
    layer = again.get_layer("l2_pooling2d")
    assert (layer.pool_size, layer.strides, layer.padding) == ((2, 3), (1, 1), "same")
    np.testing.assert_array_equal(model.predict_on_batch(pixels(4)), again.predict_on_batch(pixels(4)))


def test_the_seed_decides_weights_and_dropout():
    def weights_and_outputs(seed):
        model, _ = network("flatten", "dense: {units: 8}", "dropout: {rate: 0.5}", seed=seed)
        outputs = [np.asarray(model(pixels(2), training=True)) for _ in range(2)]
        return [*model.get_weights(), *outputs]

    first, same, other = (weights_and_outputs(seed) for seed in (1, 1, 2))
    assert all(np.array_equal(a, b) for a, b in zip(first, same, strict=True))
    assert not np.array_equal(first[0], other[0])
    assert not np.array_equal(first[-1], first[-2])  # every call drops other values


DEPTHWISE = (("depthwise_conv2d", "kernel_size: 2, "), ("separable_conv2d", "filters: 3, kernel_size: 2, "))


@pytest.mark.parametrize("name", INITIALIZERS)
def test_every_initializer_has_a_seed_of_its_own_in_each_layer(name, keras):
    bias = "zeros" if name == "orthogonal" else name  # a vector is orthogonal to nothing
    settings = f"padding: same, kernel_initializer: {name}, bias_initializer: {bias}"
    items = [f"conv2d: {{filters: 3, kernel_size: 3, {settings}}}"] * 2
    items += [f"{kind}: {{{sizes}padding: same, depthwise_initializer: {name}}}" for kind, sizes in DEPTHWISE]
    items += ["flatten", *[f"dense: {{units: 60, kernel_initializer: {name}}}"] * 2]

    def kernels(seed, global_seed):
        keras.utils.set_random_seed(global_seed)
        model, _ = network(*items, seed=seed)
        return [array for array in model.get_weights() if array.ndim > 1]

    first, same, other = kernels(1, 7), kernels(1, 8), kernels(2, 7)
    assert all(np.array_equal(a, b) for a, b in zip(first, same, strict=True))
    alike = [(a == b).all() for a, b in itertools.combinations(first[:-1], 2) if a.shape == b.shape]
    assert len(alike) >= 3
    if name in ("zeros", "ones"):
        assert all((array == (name == "ones")).all() for array in first[:3])
    else:
        assert not any((a == b).all() for a, b in zip(first, other, strict=True))
        assert not any(alike)


def test_every_dropout_drops_other_values():
    spatial, plain = "spatial_dropout2d: {rate: 0.5}", "dropout: {rate: 0.5}"
    model, _ = network(spatial, spatial, "flatten", plain, plain)
    ones = np.ones((64, 1, 1, 60), np.float32)
    drops = [layer for layer in model.layers if "dropout" in layer.name]
    dropped = [np.asarray(layer(ones if "2d" in layer.name else ones[:, 0, 0], training=True)) == 0 for layer in drops]
    assert [0.45 < one.mean() < 0.55 for one in dropped] == [True] * 4
    assert not any((a.ravel() == b.ravel()).all() for a, b in itertools.combinations(dropped, 2))


REGULARIZED = [
    ("conv2d: {filters: 2, kernel_size: 3, kernel_regularizer: {l1: 0.1, l2: 0.01}}", [0]),
    ("depthwise_conv2d: {kernel_size: 3, depthwise_regularizer: {l1: 0.1, l2: 0.01}}", [0]),
    (
        "separable_conv2d: {filters: 2, kernel_size: 3, depthwise_regularizer: {l1: 0.1, l2: 0.01}, "
        "pointwise_regularizer: {l1: 0.1, l2: 0.01}}",
        [0, 1],
    ),
    ("dense: {units: 2, kernel_regularizer: {l1: 0.1, l2: 0.01}}", [0]),
]


@pytest.mark.parametrize(("item", "which"), REGULARIZED, ids=[item.partition(":")[0] for item, _ in REGULARIZED])
def test_regularizers_add_to_the_loss(item, which):
    is_dense = item.startswith("dense")
    model, _ = network(*(["flatten", item] if is_dense else [item, "flatten"]))
    weights = model.get_layer(item.partition(":")[0]).get_weights()
    expected = sum(0.1 * np.abs(weights[one]).sum() + 0.01 * np.square(weights[one]).sum() for one in which)
    assert float(sum(model.losses)) == pytest.approx(expected, rel=1e-5)


INITIALIZED = [
    ("conv2d: {filters: 64, kernel_size: 3, kernel_initializer: he_normal, bias_initializer: ones}", 2 / 27),
    ("dense: {units: 512, kernel_initializer: lecun_uniform, bias_initializer: ones}", 1 / 60),
]


@pytest.mark.parametrize(("item", "variance"), INITIALIZED)
def test_initializers_reach_keras(item, variance):
    is_dense = item.startswith("dense")
    model, _ = network(*(["flatten", item] if is_dense else [item, "flatten"]))
    kernel, bias = model.get_layer(item.partition(":")[0]).get_weights()
    assert kernel.var() == pytest.approx(variance, rel=0.1)
    assert (bias == 1).all()
