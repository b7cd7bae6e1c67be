"""The arithmetic, against numbers worked out by hand and against Keras."""

import math
import os
from itertools import product

import numpy as np
import pytest

from cnnctl.convolve.convolution import (
    Filter,
    Pooling,
    activate,
    convolve,
    explain,
    pool,
    run_filters,
    same_zeros,
)
from cnnctl.convolve.demonstration import Wanted, demonstrate
from cnnctl.convolve.kernels import ACTIVATIONS, KERNELS, POOLINGS
from cnnctl.convolve.matrix import parse_matrix
from cnnctl.convolve.sources import Kernel, Picture, read_kernel

os.environ.setdefault("KERAS_BACKEND", "tensorflow")

THREE = [
    [[156, 155, 156, 158, 158], [153, 154, 157, 159, 159], [149, 151, 155, 158, 159]],
    [[167, 166, 167, 169, 169], [164, 165, 168, 170, 170], [160, 162, 166, 169, 170]],
    [[163, 162, 163, 165, 165], [160, 161, 164, 166, 166], [156, 158, 162, 165, 166]],
]
THREE_KERNELS = [
    [[-1, -1, 1], [0, 1, -1], [0, 1, 1]],
    [[1, 0, 0], [1, -1, -1], [1, 0, -1]],
    [[0, 1, 1], [0, 1, 0], [1, -1, 1]],
]
"""The colour example of a well-known introduction: 308 - 498 + 164 + 1 = -25 in the corner."""


def values(nested: object) -> np.ndarray:
    return parse_matrix(str(nested))


def random_picture(height: int, width: int, channels: int) -> np.ndarray:
    return np.random.default_rng(height * width).integers(0, 256, (height, width, channels)).astype(np.float64)


def test_the_kernel_is_not_flipped():
    what = Filter(values([[0, 1], [2, 3]]))
    assert convolve(values([[0, 1, 2], [3, 4, 5], [6, 7, 8]]), what).tolist() == [[19, 25], [37, 43]]


def test_a_colour_picture_channel_by_channel():
    picture, kernel = values(THREE), values(THREE_KERNELS)
    what = Filter(kernel, zeros=same_zeros((3, 5), (3, 3), (1, 1)), bias=1.0, activation="relu")
    corner = explain(picture, what, 0, 0)
    assert corner.channel_sums.tolist() == [308, -498, 164]
    assert corner.value == -25
    assert (corner.top, corner.left) == (-1, -1)
    assert corner.inside.tolist() == [[False, False, False], [False, True, True], [False, True, True]]
    (stages,) = run_filters(picture, [what])
    assert stages.feature_map[0, :2].tolist() == [-25, 466]
    assert stages.activated[0, :2].tolist() == [0, 466]
    assert stages.pooled is None


def by_definition(picture: np.ndarray, kernel: np.ndarray, strides: tuple[int, int]) -> np.ndarray:
    """Valid cross-correlation, by SciPy."""
    from scipy.signal import correlate

    whole = sum(correlate(picture[:, :, c], kernel[:, :, c], "valid", "direct") for c in range(picture.shape[2]))
    return np.asarray(whole)[:: strides[0], :: strides[1]]


@pytest.mark.parametrize("name", KERNELS)
def test_every_named_kernel_against_scipy(name):
    for channels in (1, 3):
        picture, kernel = random_picture(9, 12, channels), read_kernel(name).over(channels)
        assert kernel.shape == (3, 3, channels)
        np.testing.assert_allclose(convolve(picture, Filter(kernel)), by_definition(picture, kernel, (1, 1)), atol=1e-9)


def test_what_the_named_kernels_are_for():
    level = {name: float(np.sum(kernel.rows)) for name, kernel in KERNELS.items()}
    expected = dict.fromkeys(("sharpen", "blur", "emboss", "identity"), 1.0) | dict.fromkeys(
        ("edge", "sobel-x", "sobel-y"), 0.0
    )
    assert level == pytest.approx(expected)
    assert KERNELS["edge"].rows == ((-1, -1, -1), (-1, 8, -1), (-1, -1, -1))
    assert np.array_equal(np.transpose(KERNELS["sobel-x"].rows), KERNELS["sobel-y"].rows)
    picture = random_picture(5, 6, 1)
    what = Filter(read_kernel("identity").over(1), zeros=((1, 1), (1, 1)))
    assert np.array_equal(convolve(picture, what), picture[:, :, 0])


CASES = list(product([(7, 10), (6, 5)], [(3, 3), (2, 4), (1, 5)], [(1, 1), (2, 2), (3, 1)], [1, 3]))


@pytest.mark.parametrize("padding", ["valid", "same"])
def test_convolution_equals_keras(padding):
    import keras

    for size, side, strides, channels in CASES:
        picture = random_picture(*size, channels)
        kernel = np.random.default_rng(1).integers(-4, 5, (*side, channels)).astype(np.float64)
        given = Picture("p", picture, size, False), Kernel("k", kernel)
        (demo,) = demonstrate(given[0], given[1:], Wanted(f"{strides[0]},{strides[1]}", padding, 2.5))
        # TensorFlow has no convolution of unequal strides on a CPU: every row and column, of which a part is taken
        step = strides if strides[0] == strides[1] else (1, 1)
        if step == strides:
            theirs = keras.ops.conv(picture[np.newaxis], kernel[..., np.newaxis], step, padding)
        else:
            padded = np.pad(picture, (*demo.filter.zeros, (0, 0)))
            theirs = keras.ops.conv(padded[np.newaxis], kernel[..., np.newaxis], 1, "valid")
            theirs = np.asarray(theirs)[:, :: strides[0], :: strides[1]]
        ours = convolve(picture, demo.filter)
        np.testing.assert_allclose(ours, np.asarray(theirs)[0, :, :, 0] + 2.5, rtol=1e-5, atol=1e-3)
        for row, column in ((0, 0), (ours.shape[0] - 1, ours.shape[1] - 1)):
            assert explain(picture, demo.filter, row, column).value == pytest.approx(ours[row, column])


@pytest.mark.parametrize(("window", "strides"), [((2, 2), (2, 2)), ((3, 2), (1, 3)), ((3, 3), (2, 2))])
@pytest.mark.parametrize("kind", POOLINGS)
def test_pooling_equals_keras(kind, window, strides):
    import keras

    from cnnctl.models.layers import L2Pooling2D

    given = random_picture(9, 8, 1)[:, :, 0] - 100
    layers = {"max": keras.layers.MaxPooling2D, "average": keras.layers.AveragePooling2D, "l2": L2Pooling2D}
    theirs = layers[kind](window, strides)(given[np.newaxis, :, :, np.newaxis].astype(np.float32))
    ours = pool(given, Pooling(kind, window, strides))
    np.testing.assert_allclose(ours, np.asarray(theirs)[0, :, :, 0], rtol=1e-5)


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_activations_equal_keras(name):
    import keras

    given = np.array([[-2000.0, -3, -0.5, 0], [0.25, 1, 4, 2000]])
    theirs = keras.activations.get(name)(keras.ops.convert_to_tensor(given, "float32"))
    np.testing.assert_allclose(activate(given, name), np.asarray(theirs), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("slope", [0.0, 0.3, 2.0])
def test_the_slope_of_leaky_relu(slope):
    import keras

    theirs = keras.layers.LeakyReLU(negative_slope=slope)(np.array([[-3.0, 0, 4]], np.float32))
    np.testing.assert_allclose(activate(np.array([[-3.0, 0, 4]]), "leaky_relu", slope), np.asarray(theirs), rtol=1e-6)


def test_softmax_is_over_the_kernels_as_over_the_channels_of_a_layer():
    import keras

    picture, kernels = random_picture(6, 5, 1) / 255, np.random.default_rng(2).normal(size=(3, 3, 1, 4))
    layer = keras.layers.Conv2D(4, 3, activation="softmax", use_bias=False)
    layer.build((None, 6, 5, 1))
    layer.set_weights([kernels])
    filters = [Filter(kernels[:, :, :, number], activation="softmax") for number in range(4)]
    ours = np.stack([stages.activated for stages in run_filters(picture, filters)], axis=2)
    np.testing.assert_allclose(ours, np.asarray(layer(picture[np.newaxis]))[0], rtol=1e-4)


def test_pooling_by_hand():
    given = np.array([[3.0, 4, 1], [0, 0, 1], [9, 9, 9]])
    assert pool(given, Pooling("max", (2, 2), (2, 2))).tolist() == [[4]]
    assert pool(given, Pooling("average", (2, 2), (2, 2))).tolist() == [[1.75]]
    assert pool(given, Pooling("l2", (2, 2), (1, 1)))[0].tolist() == [5, math.sqrt(18)]


def test_what_is_no_choice_is_our_own_mistake():
    with pytest.raises(ValueError, match="softplus"):
        activate(np.zeros((1, 1)), "softplus")
    with pytest.raises(ValueError, match="min"):
        pool(np.zeros((2, 2)), Pooling("min", (2, 2), (2, 2)))
