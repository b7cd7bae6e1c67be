"""How foreign an image is to a trained network: the distance of its features to those of training images.

Features are what the output layer gets. Their length is made 1, and the score of an image is the distance to the k-th
nearest training image (Sun et al. 2022, https://arxiv.org/abs/2204.06507). A run keeps some training images, by their
coordinates along the main axes of all; what an image has outside these axes counts as distance from each of them.
"""

import base64
import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cnnctl.errors import RunError
from cnnctl.runs import Run

MOST_FEATURES = 2048
"""Of an image; of more, `reduced` makes so many."""

MOST_KEPT = 20_000
"""Training images that a file may have."""

_LARGEST = 4.0

_AT_ONCE = 64
"""Images, each of which takes a number for every training image that was kept."""

_ALONE = 2**18
"""Multiplications that OpenBLAS does not share out."""

WITHOUT = "remove unknown.json, and no image is called unknown; or train the run again"

Features = NDArray[np.float32]


@dataclass(frozen=True)
class Foreignness:
    """How foreign an image is: the higher the `score`, the less it is like the training images."""

    score: float
    threshold: float

    @property
    def is_unknown(self) -> bool:
        """Whether the network should not be asked about it."""
        return self.score > self.threshold


@dataclass(frozen=True)
class Familiar:
    """What a run knows of its training images.

    Attributes:
        mean: float32 (features,), of their features of length 1.
        axes: float16 (features, axes); None where the features themselves are the axes.
        scales: float32 (axes,), of `points`.
        points: int8 (images, axes): divided by the scales, the coordinates of training images around the mean.
        neighbours: Which of the nearest images counts, from 1.
        threshold: The score above which an image is unknown.
        share: The share of the validation images that was to be above it.
        split: What the images are called that it was chosen on.
        images: How many these were.
        source: The file that it was read from.
    """

    mean: NDArray[np.float32]
    axes: NDArray[np.float16] | None
    scales: NDArray[np.float32]
    points: NDArray[np.int8]
    neighbours: int
    threshold: float = math.inf
    share: float = 0.0
    split: str = ""
    images: int = 0
    source: str = "unknown.json"

    @cached_property
    def _known(self) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.float32] | None]:
        """The coordinates of the training images, their squared lengths, and the axes, ready to be multiplied."""
        known = self.points * self.scales
        return known, (known**2).sum(axis=1), None if self.axes is None else self.axes.astype(np.float32)

    def scores(self, features: Features) -> NDArray[np.float32]:
        """How foreign images are: `features` are float32 (images, features), as `reduced` makes them."""
        parts = (features[start : start + _AT_ONCE] for start in range(0, len(features), _AT_ONCE))
        return np.concatenate([self._scores(part) for part in parts]) if len(features) else np.zeros(0, np.float32)

    def _scores(self, features: Features) -> NDArray[np.float32]:
        known, lengths, axes = self._known
        centred = unit(features) - self.mean
        places = centred if axes is None else centred @ axes
        own = (places**2).sum(axis=1)
        products = np.concatenate([places @ some.T for some in _small(known, len(places))], axis=1)
        squares = lengths - 2 * products + own[:, None]
        nearest = np.partition(squares, self.neighbours - 1, axis=1)[:, self.neighbours - 1]
        outside = (centred**2).sum(axis=1) - own
        found: NDArray[np.float32] = np.sqrt(np.maximum(nearest, 0) + np.maximum(outside, 0))
        return found

    def judge(self, features: Features) -> list[Foreignness]:
        """`scores` of images, each beside the threshold.

        Raises:
            RunError: they have another number of features than the training images.
        """
        if features.shape[1:] != self.mean.shape:
            told = f"{self.source} is about {len(self.mean):,} features, but an image has {features.shape[1]:,}"
            raise RunError(told, WITHOUT)
        return [Foreignness(float(score), self.threshold) for score in self.scores(features)]

    def summary(self) -> dict[str, Any]:
        """The `unknown` part of metrics.json."""
        return {
            "threshold": self.threshold,
            "share": self.share,
            "split": self.split,
            "images": self.images,
            "training_images": len(self.points),
        }

    def to_json(self) -> dict[str, Any]:
        """The form of unknown.json: numbers, and arrays as base64 of their bytes, row by row, little end first."""
        return {
            **self.summary(),
            "neighbours": self.neighbours,
            "features": len(self.mean),
            "axes": len(self.scales),
            "mean_float32": _packed(self.mean),
            "axes_float16": None if self.axes is None else _packed(self.axes),
            "scales_float32": _packed(self.scales),
            "points_int8": _packed(self.points),
        }

    @classmethod
    def from_json(cls, value: Any, source: str) -> "Familiar":
        """Read what `to_json` wrote; `source` names it in an error.

        Raises:
            RunError: it has another form.
        """
        try:
            features, axes, count = (_count(value, name) for name in ("features", "axes", "training_images"))
            limits = features <= MOST_FEATURES and axes <= features and count <= MOST_KEPT
            has_axes = value["axes_float16"] is not None
            if not limits or not (has_axes or axes == features):
                raise ValueError("sizes")
            found = cls(
                _unpacked(value, "mean_float32", "<f4", (features,)),
                _unpacked(value, "axes_float16", "<f2", (features, axes)) if has_axes else None,
                _unpacked(value, "scales_float32", "<f4", (axes,)),
                _unpacked(value, "points_int8", "i1", (count, axes)),
                _count(value, "neighbours"),
                float(value["threshold"]),
                float(value["share"]),
                str(value["split"]),
                _count(value, "images"),
                source,
            )
            if found.neighbours > count or not (math.isfinite(found.threshold) and 0 <= found.share < 1):
                raise ValueError("numbers")
        except (TypeError, KeyError, ValueError, OverflowError, AttributeError) as error:
            raise RunError(f"{source} does not hold what cnnctl writes: {error!r}", WITHOUT) from None
        return found


def read_familiar(run: Run) -> Familiar:
    """What a run knows of its training images.

    Raises:
        RunError: the file is damaged.
        FileNotFoundError: it is not there.
    """
    return Familiar.from_json(run.read_json(run.unknown), str(run.unknown))


def unit(features: Features) -> Features:
    """Features of length 1; those that are all 0 stay so."""
    largest = np.abs(features).max(axis=1, keepdims=True)
    near = features / np.where(largest > 0, largest, 1)  # so that no square is too large or too small for float32
    made: Features = near / np.maximum(np.linalg.norm(near, axis=1, keepdims=True), 1)
    return made


def reduced(features: Features) -> Features:
    """At most MOST_FEATURES for each image, (images, any number) otherwise; distances between images about stay.

    Each one is the sum of several, half of them subtracted (a count sketch: Charikar et al. 2002), so that nothing has
    to be kept for it.
    """
    images, count = features.shape
    if count <= MOST_FEATURES:
        return features
    mixed = np.arange(count, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15)
    signs = 1 - 2 * ((mixed >> np.uint64(40)) & np.uint64(1)).astype(np.float32)
    padded = np.pad(features * signs, ((0, 0), (0, -count % MOST_FEATURES)))
    summed: Features = padded.reshape(images, -1, MOST_FEATURES).sum(axis=1)
    return summed


def _small(known: Features, images: int) -> list[Features]:
    """The rows in parts whose products with so many images OpenBLAS computes in the thread that asks.

    For a larger product it wakes all cores, which costs ten times as much where they are at other images.
    """
    size = max(1, _ALONE // max(1, images * known.shape[1]))
    return [known[start : start + size] for start in range(0, len(known), size)]


def _packed(array: NDArray[Any]) -> str:
    return base64.b64encode(np.ascontiguousarray(array, array.dtype.newbyteorder("<")).tobytes()).decode()


def _unpacked(value: Mapping[str, Any], name: str, dtype: str, shape: tuple[int, ...]) -> Any:
    """An array of a file, of numbers as vectors of length 1 and their differences have them."""
    array = np.frombuffer(base64.b64decode(value[name], validate=True), dtype).reshape(shape)
    if dtype != "i1" and not (np.abs(array) <= _LARGEST).all():  # False for NaN
        raise ValueError(f"{name} has what is no such number")
    return array


def _count(value: Mapping[str, Any], name: str) -> int:
    """A whole number from 1."""
    found = value[name]
    if type(found) is not int or found < 1:
        raise ValueError(f"{name}={found!r}")
    return found
