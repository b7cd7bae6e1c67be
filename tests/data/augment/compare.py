"""Steps done once, the Keras layers of their names, and how far apart two pictures or two samples are."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from cnnctl.config.augmentations import AugmentationStep
from cnnctl.data.augment import Varied, augmenter
from cnnctl.models.backend import import_keras

DRAWS = 2000


def vary(image: np.ndarray, *steps: AugmentationStep, number: int = 0, seed: int = 0, epoch: int = 0) -> np.ndarray:
    """What the steps make of an image that is image `number` of 1000 equal ones."""
    varied = augmenter(steps, seed, lambda _: image, 1000)
    assert varied is not None
    return varied(number, epoch).image


def vary_all(images: np.ndarray, *steps: AugmentationStep, seed: int = 0, epoch: int = 0) -> list[Varied]:
    """What the steps make of each image of a small set."""
    varied = augmenter(steps, seed, images.__getitem__, len(images))
    assert varied is not None
    return [varied(number, epoch) for number in range(len(images))]


def keras_layer(name: str, **settings: Any) -> Any:
    """A layer of Keras' that computes in float32, whose own random numbers have a fixed seed."""
    import_keras()
    import keras

    if name not in ("AutoContrast", "Equalization"):
        settings["seed"] = 3
    return getattr(keras.layers, name)(**settings, data_format="channels_last", dtype="float32")


def transformed(layer: Any, image: np.ndarray, transformation: Any) -> np.ndarray:
    """What a Keras layer makes of an image by a transformation that is given: float32 of its shape."""
    return np.asarray(layer.transform_images(image[None].astype(np.float32), transformation))[0]


def distance(found: np.ndarray, expected: np.ndarray, margin: float = 0.0) -> float:
    """The mean difference, without a share of the picture along its sides."""
    height, width = found.shape[:2]
    down, across = round(margin * height), round(margin * width)
    inner = (slice(down, height - down), slice(across, width - across))
    return float(np.abs(found[inner].astype(float) - expected[inner]).mean())


def check_rounded(found: np.ndarray, expected: np.ndarray, most: float = 0.501) -> None:
    """Each pixel is Keras' fraction, rounded."""
    assert found.dtype == np.uint8
    assert found.shape == expected.shape
    assert np.abs(found.astype(float) - expected).max() <= most


def check_range(values: Sequence[float] | np.ndarray, low: float, high: float) -> None:
    """All lie between `low` and `high`, and some within a hundredth of each end."""
    near = 0.01 * (high - low)
    assert low - 1e-6 <= min(values) <= low + near
    assert high - near <= max(values) <= high + 1e-6


def check_same_distribution(found: Sequence[float] | np.ndarray, expected: Sequence[float] | np.ndarray) -> None:
    """By the distance of Kolmogorov and Smirnov, which chance makes as large for one pair of seeds in a thousand."""
    first, second = np.sort(np.ravel(found)), np.sort(np.ravel(expected))
    places = np.concatenate([first, second])
    shares = [np.searchsorted(values, places, side="right") / len(values) for values in (first, second)]
    assert np.abs(shares[0] - shares[1]).max() < 1.95 * math.sqrt(1 / len(first) + 1 / len(second))


def check_same_boxes(found: np.ndarray, expected: np.ndarray) -> None:
    """Where rectangles begin and how far they go along each side: bool (draws, height, width) both."""
    for axis in (1, 2):
        extents = [masks.any(axis=axis) for masks in (found, expected)]
        check_same_distribution(*(extent.sum(axis=1) for extent in extents))
        check_same_distribution(*(extent[extent.any(axis=1)].argmax(axis=1) for extent in extents))
