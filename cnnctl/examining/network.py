"""What the network of a run tells: labels that it and its neighbours contradict, and images unlike all others.

The network has seen its training images with their labels. So what it says of them is no evidence; their neighbours
among the training images are, each image itself left out. Of validation and test images, its own answers are.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
from numpy.typing import NDArray

from cnnctl.data.cache.decoded import Decoded
from cnnctl.data.split import TRAIN
from cnnctl.errors import RunError
from cnnctl.evaluation.foreign import spread
from cnnctl.examining.findings import FOREIGN, LOOK, Finding
from cnnctl.examining.labels import Opinion
from cnnctl.examining.neighbours import MOST_COMPARED, find_neighbours, how_many
from cnnctl.examining.seen import look
from cnnctl.examining.subject import Subject
from cnnctl.inference.model import load_classifier

Mask = NDArray[np.bool_]
Rows = NDArray[np.int64]

_FAR = 3.5
"""Deviations above the usual score of foreign images, from which on an image is unlike all others."""

_HIGH, _OF_HIGH = 0.9, 1.28
"""A share of a normal distribution that is below so many deviations: the lower half has another spread."""

_LEAST_SCORE = 0.02
"""The least deviation of scores: where all images are alike, no small difference is one."""

_NO_FEATURES = "labels of training images, and images unlike all others: model.onnx has no output features; train again"


@dataclass(frozen=True)
class Asked:
    """What a network told: opinions on labels, images unlike all others, and what could not be asked."""

    opinions: tuple[Opinion, ...]
    findings: tuple[Finding, ...]
    left_out: tuple[str, ...]


def ask_the_network(
    subject: Subject,
    decoded: Decoded,
    usable: Rows,
    opinions: Sequence[Opinion],
    progress: Callable[[str, int, int], None],
) -> Asked:
    """Let the network of a run look at the images in the rows `usable`.

    `opinions` are those of others, which come first.

    Raises:
        RunError: the run has no usable model.
    """
    assert subject.run is not None
    classifier = load_classifier(subject.run, tells_unknown=True)
    if classifier.spec.shape != decoded.pixels.shape[1:]:
        raise RunError(f"{classifier.path} takes other images than {subject.run.config} says", "train the run again")
    is_training = subject.splits == TRAIN
    is_usable = np.zeros(len(subject.paths), bool)
    is_usable[usable] = True
    training, labels = np.flatnonzero(is_training[usable]), subject.labels[usable]
    seen = look(classifier, decoded.pixels, usable, training, labels, partial(progress, "asking the network"))
    answers = _for_all(seen.probabilities, usable, len(subject.paths))
    is_open = is_usable.copy()
    for one in opinions:
        is_open &= ~one.chosen
    network = Opinion("the network says", "the network, which has not seen them", is_open & ~is_training, answers)
    if seen.features is None or seen.foreign is None or len(training) < 2:
        return Asked(_spoken([*opinions, network]), (), (_NO_FEATURES,))

    classes = len(subject.classes)
    order = np.argsort(labels[training], kind="stable")
    reference = np.sort(spread(training[order], MOST_COMPARED))
    near = find_neighbours(
        seen.features, reference, how_many(labels[reference]), partial(progress, "finding neighbours")
    )
    shares = _for_all(near.probabilities(labels, classes), usable, len(subject.paths))
    told = [
        *(replace(one, second=shares) for one in opinions),
        replace(network, second=shares),
        Opinion(
            "its nearest training images say",
            "their nearest training images, themselves left out, since the network has seen them",
            is_open & is_training,
            shares,
            second=answers,
            is_of_networks=False,
        ),
    ]
    return Asked(_spoken(told), tuple(_unlike_all_others(seen.foreign, usable, is_training[usable])), ())


def _for_all(values: NDArray[np.float32], rows: Rows, count: int) -> NDArray[np.float32]:
    """The values of some rows as those of all; 0 for the others."""
    made = np.zeros((count, values.shape[1]), np.float32)
    made[rows] = values
    return made


def _spoken(opinions: Sequence[Opinion]) -> tuple[Opinion, ...]:
    return tuple(one for one in opinions if one.chosen.any())


def _unlike_all_others(scores: NDArray[np.float32], rows: Rows, is_training: Mask) -> list[Finding]:
    """Images that are far more foreign than others; those that the network has seen are less so than others."""
    found = []
    for chosen in (np.flatnonzero(is_training), np.flatnonzero(~is_training)):
        if not len(chosen):
            continue
        values = scores[chosen].astype(np.float64)
        middle, high = np.quantile(values, (0.5, _HIGH))
        far = (values - middle) / max((high - middle) / _OF_HIGH, _LEAST_SCORE)
        found += [
            Finding(
                FOREIGN,
                int(rows[chosen[at]]),
                f"{values[at]:.2f} far from the training images; {middle:.2f} is usual, and {high:.2f} is already far",
                LOOK,
                score=float(far[at]),
            )
            for at in np.flatnonzero(far > _FAR)
        ]
    return found
