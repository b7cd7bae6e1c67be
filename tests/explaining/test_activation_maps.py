"""Class activation maps against values computed another way."""

import numpy as np
import pytest

from cnnctl.explaining.activation_maps import GRAD_CAM, HIRES_CAM, class_maps
from cnnctl.models.of_run import features
from tests.explaining.build import image, network, values_of

CONV = "conv2d: {filters: 4, kernel_size: 3, padding: same, activation: relu}"


def features_of(made, pixels):
    row = features(made.plan)
    return row, values_of(made, pixels, [row])[0].astype(np.float64)


@pytest.mark.parametrize("method", [GRAD_CAM, HIRES_CAM])
def test_before_a_global_average_they_are_the_weighted_sum_of_the_maps(method):
    """The class activation maps of Zhou et al. 2016 (https://arxiv.org/abs/1512.04150), but for the division."""
    made = network(CONV, "max_pooling2d: {pool_size: 2}", CONV, "global_average_pooling2d")
    kernel, bias = made.model.layers[-1].get_weights()
    kernel[:2] *= -1
    made.model.layers[-1].set_weights([kernel, bias])
    pixels = image()
    row, values = features_of(made, pixels)
    high, wide, _ = values.shape
    maps = class_maps(made, row, pixels, (0, 2), method)
    assert [one.number for one in maps] == [0, 2]
    for one in maps:
        assert np.allclose(one.values, np.maximum(values @ kernel[:, one.number], 0) / (high * wide), rtol=1e-4)


def test_before_a_flatten_each_method_has_its_own():
    made = network(CONV, "flatten")
    kernel, _ = made.model.layers[-1].get_weights()
    kernel -= kernel.mean()
    made.model.layers[-1].set_weights([kernel, np.zeros(3, np.float32)])
    pixels = image()
    row, values = features_of(made, pixels)
    slope = kernel[:, 1].reshape(values.shape)
    (found,) = class_maps(made, row, pixels, (1,), GRAD_CAM)
    assert np.allclose(found.values, np.maximum((slope.mean(axis=(0, 1)) * values).sum(axis=2), 0), atol=1e-5)
    (found,) = class_maps(made, row, pixels, (1,), HIRES_CAM)
    assert np.allclose(found.values, np.maximum((slope * values).sum(axis=2), 0), atol=1e-5)


def test_the_slope_is_that_of_the_score_through_everything_between(keras):
    """Against differences of the score as Keras computes it, through batch normalization, pooling and dense layers."""
    made = network(
        CONV,
        "batch_normalization",
        "average_pooling2d: {pool_size: 2}",
        "flatten",
        "dense: {units: 5, activation: tanh}",
    )
    pixels = image()
    row, _ = features_of(made, pixels)
    assert row.name == "batch_normalization"
    place = made.place(row)
    (start,) = values_of(made, pixels, [row])
    weights, bias = made.model.layers[-1].get_weights()

    def score(values, number):
        for layer in made.model.layers[place:-1]:
            values = layer(values, training=False)
        return np.asarray(values, np.float64) @ weights.astype(np.float64)[:, number] + bias[number]

    steps = np.stack([start] * start.size)
    steps.reshape(start.size, -1)[np.arange(start.size), np.arange(start.size)] += 0.01
    slope = ((score(steps, 2) - score(start[None], 2)) / 0.01).reshape(start.shape)
    (found,) = class_maps(made, row, pixels, (2,), HIRES_CAM)
    assert np.allclose(found.values, np.maximum((slope * start).sum(axis=2), 0), rtol=0.05, atol=0.01)


def test_the_two_classes_of_a_sigmoid_pull_in_opposite_directions():
    made = network(CONV, "global_average_pooling2d", classes=2, output="sigmoid")
    kernel, bias = made.model.layers[-1].get_weights()
    kernel[:2] *= -1
    made.model.layers[-1].set_weights([kernel, bias])
    pixels = image()
    row, values = features_of(made, pixels)
    first, second = class_maps(made, row, pixels, (0, 1))
    whole = values @ kernel[:, 0] / values[:, :, 0].size
    assert np.allclose(second.values, np.maximum(whole, 0), rtol=1e-4)
    assert np.allclose(first.values, np.maximum(-whole, 0), rtol=1e-4)


def test_without_a_convolution_pixels_stand_for_features():
    made = network("flatten")
    pixels = image()
    kernel, _ = made.model.layers[-1].get_weights()
    (found,) = class_maps(made, None, pixels, (1,))
    expected = np.maximum((kernel[:, 1].reshape(pixels.shape) * pixels / 255).sum(axis=2), 0)
    assert np.allclose(found.values, expected, atol=1e-5)
