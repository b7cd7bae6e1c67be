"""Figures over the pixels of many images."""

import numpy as np
import pytest

from cnnctl.data.statistics import channel_statistics
from tests.training.build import pixels


@pytest.mark.parametrize(("count", "channels"), [(3, 1), (512, 3), (1100, 3)])
def test_channel_statistics_are_those_of_numpy(count, channels):
    images = pixels(count + 5, (3, 2, channels)) // np.arange(1, channels + 1, dtype=np.uint8)
    rows = np.random.default_rng(0).permutation(count + 5)[:count]
    mean, deviation = channel_statistics(images, rows)
    chosen = images[rows].astype(np.float64)
    np.testing.assert_allclose(mean, chosen.mean(axis=(0, 1, 2)), rtol=1e-9)
    np.testing.assert_allclose(deviation, chosen.std(axis=(0, 1, 2)), rtol=1e-9)


def test_a_channel_of_one_value_is_not_blown_up():
    mean, deviation = channel_statistics(np.full((4, 2, 2, 1), 200, np.uint8), np.arange(4))
    assert (mean, deviation) == ((200.0,), (1.0,))
