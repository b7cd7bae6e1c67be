"""Means and deviations of the channels of some images."""

import numpy as np
import pytest

from cnnctl.data.statistics import channel_statistics


@pytest.mark.parametrize(("count", "channels"), [(3, 1), (512, 3), (1100, 3)])
def test_channel_statistics_are_those_of_numpy(count, channels):
    pixels = np.random.default_rng(0).integers(0, 256, (count + 5, 3, 2, channels)).astype(np.uint8)
    images = pixels // np.arange(1, channels + 1, dtype=np.uint8)
    rows = np.random.default_rng(0).permutation(count + 5)[:count]
    mean, deviation = channel_statistics(images, rows)
    chosen = images[rows].astype(np.float64)
    np.testing.assert_allclose(mean, chosen.mean(axis=(0, 1, 2)), rtol=1e-9)
    np.testing.assert_allclose(deviation, chosen.std(axis=(0, 1, 2)), rtol=1e-9)


def test_a_channel_of_one_value_is_not_blown_up():
    mean, deviation = channel_statistics(np.full((4, 2, 2, 1), 200, np.uint8), np.arange(4))
    assert (mean, deviation) == ((200.0,), (1.0,))
