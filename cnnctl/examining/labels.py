"""Labels that are contradicted, and classes that are confused."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cnnctl.examining.confident import confident_classes, label_shares
from cnnctl.examining.findings import LABEL, LOOK, RELABEL, Confused, Finding
from cnnctl.formatting import percent

Labels = NDArray[np.int64]
Probabilities = NDArray[np.float32]
Mask = NDArray[np.bool_]

SURE = 0.95
"""The score of a label from which on another one is suggested, and not only a look at the image."""

_MOST_PAIRS = 10
_LEAST_SHARE, _LEAST_IMAGES = 0.02, 2
"""Of a class that is taken for another one, in both directions: what is less is nobody's concern."""


@dataclass(frozen=True)
class Opinion:
    """What is said of the classes of some images by who has not seen their labels.

    Attributes:
        who: As in `WHO dog (97%)`.
        how: As in `labels of 10 images by HOW`.
        chosen: (images,), which images it is about.
        probabilities: float32 (images, classes); only the rows of the chosen ones count.
        second: Probabilities of somebody else, who may have seen the labels; None where nobody is asked.
        is_of_networks: Whether these are answers of a network, of which confused classes can be counted.
    """

    who: str
    how: str
    chosen: Mask
    probabilities: Probabilities
    second: Probabilities | None = None
    is_of_networks: bool = True


def contradicted(opinion: Opinion, labels: Labels, classes: tuple[str, ...]) -> list[Finding]:
    """The images whose label an opinion contradicts: as many as do not belong to it with confidence, and all sure ones.

    They are those for which the label is least likely, by the opinion and the second one, beside how likely it is for
    all images of that label.
    """
    rows = np.flatnonzero(opinion.chosen)
    probabilities, given = opinion.probabilities[rows], labels[rows]
    likeliest = probabilities.argmax(axis=1)
    confident = confident_classes(probabilities, given)
    is_other = likeliest != given
    count = int((is_other & (confident >= 0) & (confident != given)).sum())
    shares = [label_shares(probabilities, given)]
    if opinion.second is not None:
        shares.append(label_shares(opinion.second[rows], given))
    scores = 1 - np.mean(shares, axis=0)
    count = max(count, int((is_other & (scores >= SURE)).sum()))
    others = np.flatnonzero(is_other)
    worst = others[np.argsort(-scores[others], kind="stable")[:count]]
    return [
        Finding(
            LABEL,
            int(rows[at]),
            f"{opinion.who} {classes[likeliest[at]]} ({percent(float(probabilities[at, likeliest[at]]), 0)}; "
            f"{classes[given[at]]}: {percent(float(probabilities[at, given[at]]), 0)})",
            RELABEL if scores[at] >= SURE else LOOK,
            classes[likeliest[at]],
            score=float(scores[at]),
        )
        for at in worst
    ]


def confused_classes(opinions: Sequence[Opinion], labels: Labels, classes: tuple[str, ...]) -> tuple[Confused, ...]:
    """The pairs of classes that networks most often take for each other, in both directions."""
    count = len(classes)
    matrix = np.zeros((count, count), np.int64)
    for one in opinions:
        if one.is_of_networks:
            answers = one.probabilities[one.chosen].argmax(axis=1)
            matrix += np.bincount(labels[one.chosen] * count + answers, minlength=count * count).reshape(matrix.shape)
    images = matrix.sum(axis=1)
    shares = matrix / np.maximum(images, 1)[:, None]
    both = np.where(matrix >= _LEAST_IMAGES, shares, 0)
    both = np.triu(np.minimum(both, both.T), 1)
    wrong = shares.sum() - np.trace(shares)
    usual = wrong / max(1, count * (count - 1))
    enough = max(_LEAST_SHARE, usual if count > 2 else 0)
    order = np.argsort(-both, axis=None, kind="stable")[:_MOST_PAIRS]
    pairs = [divmod(int(at), count) for at in order if both.flat[at] >= enough]
    return tuple(
        Confused(
            classes[one],
            classes[other],
            (int(images[one]), int(images[other])),
            (int(matrix[one, other]), int(matrix[other, one])),
        )
        for one, other in pairs
    )
