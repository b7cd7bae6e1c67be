"""Groups of images that show nearly the same: in two splits, in two classes, or twice."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cnnctl.data.decoder.images import Image
from cnnctl.examining.hashes import SIDE, Hashes, Rows, greys, similar_pairs

_ALIKE, _ALIKE_IF_TINY = 0.9, 0.995
"""The least correlation of the grey pixels of near-duplicates; of images of less than SIDE pixels a side, two that are
written alike are as alike as two copies.
"""

_USUAL, _NEARER = 0.9, 8
"""Near-duplicates are so many times nearer to 1 than most pairs: scans of one kind are alike without being the
same.
"""

_MOST_TRIES = 50
"""How often the pixels of an image are compared, at the most; those whose hashes are sorted closest come first."""

_SAMPLE = 2000
_AT_ONCE = 2048


@dataclass(frozen=True)
class Group:
    """Rows of images that show nearly the same, the lowest first; `likeness` is the least correlation of two that were
    compared.
    """

    rows: tuple[int, ...]
    likeness: float


def find_groups(pixels: Image, rows: NDArray[np.int64], hashes: Hashes) -> list[Group]:
    """The groups among some rows of the pixels, whose hashes are given, in the order of their first rows.

    Chains are one group: an image belongs to it where it is like one of the others.
    """
    forest = _Forest(len(rows))
    least, tries = _least_likeness(pixels, rows), np.zeros(len(rows), np.int64)
    for pairs in similar_pairs(hashes):
        for start in range(0, len(pairs), _AT_ONCE):
            open_ones = forest.apart(pairs[start : start + _AT_ONCE])
            open_ones = open_ones[(tries[open_ones] < _MOST_TRIES).all(axis=1)]
            tries += np.bincount(open_ones.ravel(), minlength=len(tries))
            likeness = _correlations(pixels, rows, open_ones)
            for (one, other), value in zip(open_ones[likeness >= least], likeness[likeness >= least], strict=True):
                forest.join(int(one), int(other), float(value))
    return [Group(tuple(int(rows[at]) for at in members), least) for members, least in forest.groups()]


def _least_likeness(pixels: Image, rows: NDArray[np.int64]) -> float:
    """From which correlation on two images are near-duplicates; seen by some pairs that are not."""
    if min(pixels.shape[1:3]) < SIDE:
        return _ALIKE_IF_TINY
    if len(rows) < 2:
        return _ALIKE
    draws = np.random.default_rng(0)
    pairs = draws.integers(0, len(rows), (_SAMPLE, 2))
    usual = float(np.quantile(_correlations(pixels, rows, pairs[pairs[:, 0] != pairs[:, 1]]), _USUAL))
    return max(_ALIKE, 1 - (1 - usual) / _NEARER)


def _correlations(pixels: Image, rows: NDArray[np.int64], pairs: Rows) -> NDArray[np.float64]:
    """How alike the grey pixels of each pair are, from -1 to 1."""
    if not len(pairs):
        return np.zeros(0)
    used, places = np.unique(pairs, return_inverse=True)
    pictures = greys(pixels[rows[used]]).reshape(len(used), -1).astype(np.float32)
    pictures -= pictures.mean(axis=1, keepdims=True)
    pictures /= np.maximum(np.linalg.norm(pictures, axis=1, keepdims=True), 1e-6)
    one, other = places.reshape(pairs.shape).T
    found: NDArray[np.float64] = np.einsum("ij,ij->i", pictures[one], pictures[other]).astype(np.float64)
    return found


class _Forest:
    """Which images belong together: a union-find whose trees are flat wherever it was asked."""

    def __init__(self, count: int) -> None:
        self._parents = np.arange(count, dtype=np.int64)
        self._least: dict[int, float] = {}

    def apart(self, pairs: Rows) -> Rows:
        """Those of some pairs that do not belong together yet."""
        parents = self._parents
        while not np.array_equal(above := parents[parents], parents):
            parents = above
        self._parents = parents
        found: Rows = pairs[parents[pairs[:, 0]] != parents[pairs[:, 1]]]
        return found

    def join(self, one: int, other: int, likeness: float) -> None:
        """Let two belong together."""
        low, high = sorted((self._root(one), self._root(other)))
        self._parents[high] = low
        self._least[low] = min(likeness, self._least.get(low, 1.0), self._least.pop(high, 1.0) if high != low else 1.0)

    def _root(self, at: int) -> int:
        while (above := int(self._parents[at])) != at:
            at = above
        return at

    def groups(self) -> list[tuple[Sequence[int], float]]:
        """The members of each group of two or more, with the least likeness of two that were joined."""
        members: dict[int, list[int]] = {}
        for at in np.flatnonzero(self._parents != np.arange(len(self._parents))):
            members.setdefault(self._root(int(at)), []).append(int(at))
        return [((first, *others), self._least[first]) for first, others in sorted(members.items())]
