"""Which images are foreign to a network: fitted to its training images, with a threshold by its validation images."""

import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cnnctl.architecture.cost import images_at_once
from cnnctl.data.labels import kinds_of
from cnnctl.data.prepare import Prepared
from cnnctl.inference.unknown import Familiar, Features, unit

NEIGHBOURS = 0.01
"""Which of the nearest images counts, as a share of those that are kept; benchmarks/foreign.py measured others."""

_MOST_AXES = 128
_MOST_POINT_BYTES = 160 * 1024
_MOST_AXIS_BYTES = 128 * 1024
"""What a run keeps of it: at most so many bytes of training images, and of axes."""

_ITERATIONS = 4

_MOST_IMAGES, _LEAST_IMAGES = 4000, 200
_MULTIPLY_ADDS = 2e11
"""Of all training images that are looked at: some seconds on two cores."""


def learn_familiar(
    prepared: Prepared,
    inputs: NDArray[Any],
    features: Callable[[NDArray[Any]], Features],
    multiply_adds: int,
) -> Familiar:
    """What a network makes of its training images as they are, without augmentation.

    `inputs` has a row for each of the prepared images, of which `features` makes what the output layer gets. That takes
    `multiply_adds` for an image; where these are many, fewer images are looked at.
    """
    learned = prepared.sampled()
    kinds = kinds_of(learned.labels)
    chosen = np.sort(spread(np.argsort(kinds, kind="stable"), images_for(multiply_adds)))
    rows, size = learned.rows[chosen], images_at_once(prepared.pixels.shape[1:])
    batches = (np.asarray(inputs[rows[start : start + size]]) for start in range(0, len(rows), size))
    return fit_familiar(np.concatenate([features(batch) for batch in batches]), kinds[chosen])


def images_for(multiply_adds: int) -> int:
    """How many training images are looked at, at the most, where one takes so many multiply-adds."""
    return max(_LEAST_IMAGES, min(_MOST_IMAGES, int(_MULTIPLY_ADDS // max(multiply_adds, 1))))


def fit_familiar(features: Features, labels: NDArray[np.int64]) -> Familiar:
    """What is kept of training images: `features` are float32 (images, features), as `reduced` makes them.

    Of many images those that are kept are spread evenly over the classes of `labels`, int64 (images,).
    """
    made = unit(features)
    mean = made.mean(axis=0, dtype=np.float64).astype(np.float32)
    centred = made - mean
    axes, places = None, centred
    if features.shape[1] > _MOST_AXES:
        axes = main_axes(centred, min(_MOST_AXES, _MOST_AXIS_BYTES // (2 * features.shape[1])))
        places = centred @ axes.astype(np.float32)
    order = np.argsort(labels, kind="stable")
    kept = spread(order, _MOST_POINT_BYTES // places.shape[1])
    scales = np.abs(places[kept]).max(axis=0) / 127
    scales = np.where(scales > 0, scales, 1).astype(np.float32)
    points = np.round(places[kept] / scales).astype(np.int8)
    return Familiar(mean, axes, scales, points, max(1, round(NEIGHBOURS * len(kept))))


def with_threshold(familiar: Familiar, scores: NDArray[np.float32], share: float, split: str) -> Familiar:
    """The same with the threshold that is passed by `share` of some images, rounded down to whole images.

    `scores` are those of the images. It lies between two of them, so that rounding in another batch does not matter;
    where none is to pass, it is the highest.
    """
    ranked = np.sort(scores)[::-1]
    above = min(math.floor(share * len(ranked) + 1e-9), len(ranked) - 1)
    threshold = float(ranked[above] if above == 0 else (ranked[above - 1] + ranked[above]) / 2)
    return replace(familiar, threshold=threshold, share=share, split=split, images=len(ranked))


def spread(rows: NDArray[np.int64], most: int) -> NDArray[np.int64]:
    """At most so many of some rows, evenly from the first to the last."""
    places = np.linspace(0, len(rows) - 1, min(len(rows), most)).round().astype(int)
    return np.asarray(rows[places], np.int64)


def main_axes(centred: NDArray[np.float32], most: int) -> NDArray[np.float16]:
    """About the directions in which images differ most, (features, axes), by subspace iteration."""
    axes = np.random.default_rng(0).standard_normal((centred.shape[1], most)).astype(np.float32)
    for _ in range(_ITERATIONS):
        axes, _ = np.linalg.qr(centred.T @ (centred @ axes))
    return axes.astype(np.float16)
