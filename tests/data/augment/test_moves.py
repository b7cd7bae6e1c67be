"""Flips and whole shifts by their numbers show the very pixels that the augmentation of each image shows."""

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from cnnctl.config.augmentations import AugmentationStep, CutMix, RandomFlip, RandomRotation, RandomTranslation
from cnnctl.data.augment import augmenter
from cnnctl.data.augment.moves import OUTSIDE, whole_moves

Range = tuple[float, float]

FLIPS = ("horizontal", "vertical", "horizontal_and_vertical")
FILLS = ("reflect", "mirror", "constant", "wrap", "nearest")


def shift(fill: str, height: Range = (-0.2, 0.2), width: Range = (-0.15, 0.15)) -> RandomTranslation:
    return RandomTranslation(
        height_factor=height, width_factor=width, interpolation="nearest", fill_mode=fill, fill_value=77
    )


CASES = [
    *([RandomFlip(mode=mode, alternate=alternate)] for mode in FLIPS for alternate in (False, True)),
    *([shift(fill)] for fill in FILLS),
    *([shift(fill, (-1, 0.9), (0.8, 1))] for fill in FILLS),
    *([RandomFlip(mode="horizontal", alternate=True), shift(fill)] for fill in FILLS),
    [shift("wrap"), RandomFlip(), shift("wrap", (1, 1), (0.3, 0.4))],
]


def moved(images: NDArray[np.uint8], steps: list[AugmentationStep], seed: int, epoch: int) -> NDArray[np.uint8]:
    moves = whole_moves(steps, seed, *images.shape[1:3])
    assert moves is not None
    rows, columns = moves.sources(np.arange(len(images)), epoch)
    shown = images[np.arange(len(images))[:, None, None], rows[:, :, None], columns[:, None, :]]
    shown[(rows == OUTSIDE)[:, :, None] | (columns == OUTSIDE)[:, None, :]] = moves.fill_value
    return shown


@pytest.mark.parametrize("steps", CASES, ids=str)
def test_they_are_the_pixels_of_the_augmentation(steps: list[AugmentationStep]) -> None:
    for seed, (height, width) in enumerate(((9, 14), (32, 32), (1, 5))):
        images = np.random.default_rng(seed).integers(0, 256, (120, height, width, 3), np.uint8)
        vary = augmenter(steps, seed, lambda number, images=images: images[number], len(images))
        assert vary is not None
        for epoch in (0, 1, 2, 7):
            expected = np.stack([vary(number, epoch).image for number in range(len(images))])
            same = (moved(images, steps, seed, epoch) == expected).all(axis=(1, 2, 3))
            assert same.all() if cv2.__version__ >= "5" else same.mean() > 0.95


@pytest.mark.parametrize(
    "steps",
    [
        [RandomRotation(factor=(-0.1, 0.1))],
        [RandomTranslation(height_factor=(-0.1, 0.1), width_factor=(-0.1, 0.1))],
        [shift("wrap"), shift("reflect")],
        [RandomFlip(), CutMix()],
    ],
    ids=str,
)
def test_what_is_more_than_whole_moves_is_none(steps: list[AugmentationStep]) -> None:
    assert whole_moves(steps, 0, 8, 8) is None
