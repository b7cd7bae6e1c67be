"""Two networks that give images several labels, judged on the same images: whether one has the higher macro F1.

A paired bootstrap: as many images are drawn with replacement as there are, again and again, and both networks are
judged on the same draw (Efron and Tibshirani 1993, An Introduction to the Bootstrap; for the comparison of systems:
Koehn 2004, https://aclanthology.org/W04-3250). The draws come from a fixed seed, so that a comparison can be repeated.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cnnctl.data.labels import encode
from cnnctl.data.several import joined, names_of
from cnnctl.evaluation.labels import f1
from cnnctl.evaluation.significance import CONFIDENCE

DRAWS = 2000
_AT_ONCE = 2**22
"""Numbers of how often an image is in a draw that are in memory at once."""


@dataclass(frozen=True)
class Bootstrap:
    """The difference in macro F1 of two networks: on all images, and the ends of its 95% interval over the draws.

    `p` is twice the share of draws in which the sign is the other one, and at least that of one draw.
    """

    difference: float
    low: float
    high: float
    p: float


def paired_bootstrap(truth: Sequence[str], one: Sequence[str], other: Sequence[str], seed: int = 0) -> Bootstrap:
    """The macro F1 of `one` minus that of `other`: texts of the labels of the same images, as in data/several.py."""
    classes = names_of(joined(name for label in {*truth, *one, *other} for name in names_of(label)))
    if not classes:
        return Bootstrap(0.0, 0.0, 0.0, 1.0)
    true, *given = (encode(labels, classes, "the labels", several=True).astype(bool) for labels in (truth, one, other))
    counted = [_counts(true, labels) for labels in given]
    images = len(truth)
    whole = np.ones((1, images), np.float32)
    difference = float((_macro_f1(whole, counted[0]) - _macro_f1(whole, counted[1]))[0])
    generator, found = np.random.default_rng(seed), []
    step = max(1, min(DRAWS, _AT_ONCE // images))
    for start in range(0, DRAWS, step):
        draws = min(step, DRAWS - start)
        drawn = generator.multinomial(images, np.full(images, 1 / images), draws).astype(np.float32)
        found.append(_macro_f1(drawn, counted[0]) - _macro_f1(drawn, counted[1]))
    differences = np.concatenate(found)
    low, high = np.quantile(differences, [(1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2])
    against = min((differences <= 0).mean(), (differences >= 0).mean())
    p = min(1.0, 2 * max(float(against), 1 / DRAWS))
    return Bootstrap(difference, float(low), float(high), p)


def _counts(truth: NDArray[np.bool_], given: NDArray[np.bool_]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Of each image and class: whether it is right, and how often it is true or given; the parts of F1."""
    return (truth & given).astype(np.float32), truth.astype(np.float32) + given


def _macro_f1(
    drawn: NDArray[np.float32], counted: tuple[NDArray[np.float32], NDArray[np.float32]]
) -> NDArray[np.float64]:
    """Of each draw, by how often it has each image: (draws, images)."""
    right, both = (drawn @ one for one in counted)
    found: NDArray[np.float64] = f1(right, both, 0).mean(axis=1)
    return found
