"""Blur and exposure."""

import numpy as np

from cnnctl.data.decoder.images import opencv
from cnnctl.examining.quality import Quality, measure
from tests.images import photo


def test_blurred_dark_bright_and_empty_images_are_told_apart() -> None:
    cv2 = opencv()
    draws = np.random.default_rng(1)
    images = [
        np.clip(photo(64, 64, seed) + draws.normal(0, 12, (64, 64, 3)), 0, 255).astype(np.uint8) for seed in range(30)
    ]
    sharp = images[0]
    odd = [
        cv2.GaussianBlur(sharp, (0, 0), 8),
        (sharp * 0.1).astype(np.uint8),
        (255 - (255 - sharp) * 0.05).astype(np.uint8),
        np.full_like(sharp, (200, 10, 10)),
    ]
    quality = Quality(*measure(np.stack([*images, *odd])))
    assert np.flatnonzero(quality.blurred()).tolist() == [30]
    assert np.flatnonzero(quality.dark()).tolist() == [31]
    assert np.flatnonzero(quality.bright()).tolist() == [32]
    assert np.flatnonzero(quality.empty()).tolist() == [33]


def test_the_smallest_images_have_figures_too() -> None:
    quality = Quality(*measure(np.arange(8, dtype=np.uint8).reshape(2, 2, 2, 1)))
    assert not quality.blurred().any()
    assert np.isfinite(quality.blur()).all()
