"""What layers put out, against numpy; which layer is taken for what."""

import numpy as np
import pytest

from cnnctl.architecture.receptive_field import receptive_window
from cnnctl.models.of_run import features, first_convolution, kernels, load_network, seen_layers
from cnnctl.runs import Run
from tests.explaining.build import image, network, values_of

CONV = "conv2d: {filters: 2, kernel_size: 3, activation: relu}"
BARE = "conv2d: {filters: 2, kernel_size: 3}"
POOL = "max_pooling2d: {pool_size: 2}"


def test_feature_maps_of_a_hand_made_network():
    made = network(CONV, "max_pooling2d: {pool_size: 2}", "flatten", shape=(6, 8, 1))
    kernel = np.zeros((3, 3, 1, 2), np.float32)
    kernel[1, 1, 0, 0] = 1
    kernel[:, 0, 0, 1], kernel[:, 2, 0, 1] = -1, 1
    made.model.get_layer("conv2d").set_weights([kernel, np.array([0.0, 0.25], np.float32)])
    pixels = image((6, 8, 1))
    scaled = pixels[:, :, 0] / 255.0
    edges = sum(scaled[row : row + 4, 2:] - scaled[row : row + 4, :-2] for row in range(3))
    maps, pooled = values_of(made, pixels, seen_layers(made.plan))
    assert np.allclose(maps[:, :, 0], scaled[1:-1, 1:-1], atol=1e-6)
    assert np.allclose(maps[:, :, 1], np.maximum(edges + 0.25, 0), atol=1e-5)
    assert np.allclose(pooled, maps.reshape(2, 2, 3, 2, 2).max(axis=(1, 3)))


@pytest.mark.parametrize(
    ("items", "name"),
    [
        ((CONV, POOL, "flatten"), "conv2d"),
        ((CONV, CONV, "flatten"), "conv2d_1"),
        ((BARE, "batch_normalization", "activation: {activation: relu}", "flatten"), "activation"),
        ((BARE, POOL, "batch_normalization", "leaky_relu", "flatten"), "leaky_relu"),
        ((BARE, "spatial_dropout2d: {rate: 0.2}", "batch_normalization", "leaky_relu", "flatten"), "leaky_relu"),
        ((BARE, POOL, "flatten"), "conv2d"),
        ((BARE, "batch_normalization", "flatten"), "batch_normalization"),
        ((CONV, "conv2d: {filters: 4, kernel_size: [4, 6], activation: relu}", "flatten"), "conv2d"),
        (("max_pooling2d: {pool_size: 2}", "flatten"), None),
        (("flatten", "dense: {units: 4}"), None),
    ],
)
def test_the_layer_that_class_maps_are_made_of(items, name):
    row = features(network(*items).plan)
    assert (row.name if row is not None else None) == name


@pytest.mark.parametrize(
    ("item", "shape"),
    [
        ("conv2d: {filters: 5, kernel_size: [2, 3]}", (2, 3, 3, 5)),
        ("depthwise_conv2d: {kernel_size: [2, 3], depth_multiplier: 2}", (2, 3, 1, 6)),
        ("separable_conv2d: {filters: 5, kernel_size: 3}", (3, 3, 1, 3)),
    ],
)
def test_kernels_of_the_first_convolution(item, shape):
    made = network("zero_padding2d: {padding: 1}", item, CONV, "flatten")
    row = first_convolution(made.plan)
    assert row.layer.kind == item.partition(":")[0]
    assert kernels(made, row).shape == shape


def test_no_pixel_outside_its_window_moves_a_unit(keras):
    items = (
        "conv2d: {filters: 3, kernel_size: 3, padding: same, strides: 2}",
        "average_pooling2d: {pool_size: 2, padding: same}",
        "conv2d: {filters: 2, kernel_size: 2, padding: [[1, 0], [0, 1]]}",
        "flatten",
    )
    shape = (13, 16, 3)
    made = network(*items, shape=shape)
    last = made.plan.layers[2]
    before = np.zeros(shape, np.uint8)
    (quiet,) = values_of(made, before, [last])
    high, wide, _ = last.output_shape
    for row in range(high):
        for column in range(wide):
            spans = receptive_window(made.plan.layers[:3], row, column)
            inside = [slice(max(0, begin), min(side, end)) for (begin, end), side in zip(spans, shape, strict=False)]
            outside = np.full(shape, 255, np.uint8)
            outside[tuple(inside)] = 0
            assert np.allclose(values_of(made, outside, [last])[0][row, column], quiet[row, column])
            for corner in ((0, 0), (0, -1), (-1, 0), (-1, -1)):
                one = before.copy()
                window = one[tuple(inside)]
                window[corner] = 255
                assert (np.abs(values_of(made, one, [last])[0][row, column] - quiet[row, column]) > 1e-7).all()


def test_the_network_of_a_run(digits_run):
    made = load_network(Run(digits_run.run))
    assert made.classes == tuple("0123456789")
    pixels = image((8, 8, 1))
    from cnnctl.inference.model import load_classifier

    shipped = load_classifier(Run(digits_run.run)).probabilities(pixels[None])[0]
    (own,) = values_of(made, pixels, [made.plan.layers[-1]])
    assert np.allclose(own, shipped, atol=1e-5)
