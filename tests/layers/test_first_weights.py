"""Kernels that pass their input through, and kernels that make patches uncorrelated: by hand, without Keras."""

import itertools
import math

import numpy as np
import pytest

from cnnctl.layers import Conv2D
from cnnctl.layers.compute import convolve
from cnnctl.layers.first_weights import covariance, dirac, whitening
from cnnctl.layers.window import Window


def drawn(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=shape)


@pytest.mark.parametrize(("channels", "filters"), [(3, 5), (5, 3), (4, 4)])
@pytest.mark.parametrize("size", [(3, 3), (1, 1), (5, 3), (2, 2), (4, 1)])
def test_the_first_filters_pass_their_channels_through(size, channels, filters):
    kernel, image = drawn(*size, channels, filters), drawn(6, 7, channels, seed=1)
    begun = dirac(kernel)
    made = convolve(image, begun, Window(size, (1, 1), "same", (1, 1), "kernel_size", "convolution"))
    common = min(channels, filters)
    np.testing.assert_allclose(made[:, :, :common], image[:, :, :common], atol=1e-12)
    np.testing.assert_array_equal(begun[..., common:], kernel[..., common:])
    assert np.count_nonzero(begun[..., :common]) == common


def test_each_group_has_filters_of_its_own():
    """Of 6 filters in 2 groups of 2 channels, the first 2 of each group are set."""
    kernel = drawn(3, 3, 2, 6)
    begun = dirac(kernel, groups=2)
    assert [begun[1, 1, channel, number] for number, channel in ((0, 0), (1, 1), (3, 0), (4, 1))] == [1] * 4
    assert np.count_nonzero(begun[..., [0, 1, 3, 4]]) == 4
    np.testing.assert_array_equal(begun[..., [2, 5]], kernel[..., [2, 5]])


def patches_of(images: list[np.ndarray], size: tuple[int, int], dilation: tuple[int, int] = (1, 1)) -> np.ndarray:
    """By loops: (patches, values), rows before columns before channels."""
    found = []
    for image in images:
        spans = [(one - 1) * step for one, step in zip(size, dilation, strict=True)]
        for y, x in itertools.product(range(image.shape[0] - spans[0]), range(image.shape[1] - spans[1])):
            taps = itertools.product(range(size[0]), range(size[1]))
            found.append([image[y + a * dilation[0], x + b * dilation[1]] for a, b in taps])
    return np.array(found).reshape(len(found), -1)


@pytest.mark.parametrize("dilation", [(1, 1), (2, 1)])
@pytest.mark.parametrize("size", [(2, 2), (3, 2)])
def test_the_covariance_is_that_of_all_whole_patches(size, dilation, monkeypatch):
    images = [drawn(7, 6, 3, seed=seed) for seed in range(4)]
    layer = Conv2D(filters=2, kernel_size=size, padding="same", strides=1, dilation_rate=dilation)
    expected = np.cov(patches_of(images, size, dilation).T)
    np.testing.assert_allclose(covariance(images, layer.window), expected, atol=1e-12)
    monkeypatch.setattr("cnnctl.layers.first_weights._VALUES_AT_ONCE", 1)  # row by row
    np.testing.assert_allclose(covariance(images, layer.window), expected, atol=1e-12)


def test_whitened_patches_are_uncorrelated_with_variance_one():
    images = [np.cumsum(drawn(12, 12, 3, seed=seed), axis=0) for seed in range(5)]
    layer = Conv2D(filters=24, kernel_size=2)
    kernel = whitening(covariance(images, layer.window), (2, 2, 3, 24), 1e-9)
    outputs = np.concatenate([convolve(image, kernel, layer.window).reshape(-1, 24) for image in images])
    np.testing.assert_allclose(np.cov(outputs[:, :12].T), np.eye(12), atol=1e-5)
    np.testing.assert_array_equal(kernel[..., 12:], -kernel[..., :12])


def test_whitening_by_hand():
    """Two pixels beside each other that are always equal: eigenvalues 2v along (1, 1), and 0 along (1, -1)."""
    values, epsilon = np.array([1.0, 2.0, 3.0, 6.0]), 0.01
    images = [np.full((1, 2, 1), value) for value in values]
    layer = Conv2D(filters=4, kernel_size=(1, 2))
    spread = covariance(images, layer.window)
    variance = np.var(values, ddof=1)
    np.testing.assert_allclose(spread, np.full((2, 2), variance))
    large, small = 1 / math.sqrt(2 * variance + epsilon), 1 / math.sqrt(epsilon)
    kernel = whitening(spread, (1, 2, 1, 4), epsilon)[0, :, 0]
    half = math.sqrt(0.5)
    np.testing.assert_allclose(np.abs(kernel[:, 0]), [half * large] * 2)
    assert (kernel[:, 0] > 0).all()
    np.testing.assert_allclose(np.abs(kernel[:, 1]), [half * small] * 2)
    assert kernel[0, 1] * kernel[1, 1] < 0
    np.testing.assert_array_equal(kernel[:, 2:], -kernel[:, :2])


@pytest.mark.parametrize("filters", [1, 2, 5, 6])
def test_fewer_filters_are_those_of_the_largest_eigenvalues(filters):
    spread = np.cov(drawn(50, 12).T)
    all_of_them = whitening(spread, (2, 2, 3, 24), 5e-4)
    fewer = whitening(spread, (2, 2, 3, filters), 5e-4)
    first = math.ceil(filters / 2)
    np.testing.assert_array_equal(fewer[..., :first], all_of_them[..., :first])
    np.testing.assert_array_equal(fewer[..., first:], -all_of_them[..., : filters - first])


def test_images_that_are_all_alike_leave_filters_finite():
    image = np.ones((4, 4, 1))
    layer = Conv2D(filters=8, kernel_size=2)
    kernel = whitening(covariance([image], layer.window), (2, 2, 1, 8), 5e-4)
    assert np.isfinite(kernel).all()
