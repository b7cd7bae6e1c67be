"""The nearest training images of each image, by what the output layer gets, with the image itself left out.

Of many training images each image is compared with MOST_COMPARED, so that the time grows with the images, not with
their square.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Features = NDArray[np.float32]

MOST, LEAST = 40, 5
"""Nearest training images that say what an image is: many average out wrong labels, but a small class has few."""

MOST_COMPARED = 50_000
"""Training images that each image is compared with; of more, so many spread over all classes."""

_BATCH_BYTES = 64 * 2**20


@dataclass(frozen=True)
class Neighbours:
    """The nearest training images of each image, the nearest first.

    `rows` are int64 (images, neighbours), `distances` float32 of that shape, from 0 to 2.
    """

    rows: NDArray[np.int64]
    distances: NDArray[np.float32]

    def probabilities(self, labels: NDArray[np.int64], classes: int) -> NDArray[np.float32]:
        """The share of each class among the neighbours, the nearer ones counting more: float32 (images, classes).

        `labels` are those of all images. Each class has a little more than its share, so that none is impossible.
        """
        weights = 1 / np.maximum(self.distances.astype(np.float64), 1e-3)
        weights /= weights.sum(axis=1, keepdims=True)
        count = self.rows.shape[1]
        found = np.full((len(self.rows), classes), 1 / classes / (count + 1), np.float32)
        for place in range(count):
            found[np.arange(len(found)), labels[self.rows[:, place]]] += weights[:, place] * count / (count + 1)
        return found


def how_many(labels: NDArray[np.int64]) -> int:
    """Neighbours that are asked, where training images have these labels: a fifth of a class of the usual size."""
    return int(np.clip(np.median(np.bincount(labels)) // 5, LEAST, MOST))


def find_neighbours(
    features: Features, reference: NDArray[np.int64], count: int, progress: Callable[[int, int], None]
) -> Neighbours:
    """The nearest images among the rows `reference` of each image, without itself.

    `features` are float32 (images, numbers).
    """
    count = min(count, len(reference) - 1)
    places = features - features[reference].mean(axis=0, dtype=np.float64).astype(np.float32)
    known = places[reference]
    lengths = (known**2).sum(axis=1)
    at = np.full(len(features), -1, np.int64)
    at[reference] = np.arange(len(reference))
    rows = np.empty((len(features), count), np.int64)
    distances = np.empty((len(features), count), np.float32)
    size = max(1, _BATCH_BYTES // (4 * len(reference)))
    for start in range(0, len(features), size):
        own = places[start : start + size]
        squares = lengths - 2 * (own @ known.T)
        itself = np.flatnonzero(at[start : start + size] >= 0)
        squares[itself, at[start : start + size][itself]] = np.inf
        nearest = np.argpartition(squares, count - 1, axis=1)[:, :count]
        found = np.take_along_axis(squares, nearest, axis=1)
        order = found.argsort(axis=1, kind="stable")
        rows[start : start + size] = reference[np.take_along_axis(nearest, order, axis=1)]
        ranked = np.take_along_axis(found, order, axis=1) + (own**2).sum(axis=1, keepdims=True)
        distances[start : start + size] = np.sqrt(np.maximum(ranked, 0))
        progress(min(start + size, len(features)), len(features))
    return Neighbours(rows, distances)
