"""What the network of a run makes of images: probabilities, and features with few numbers an image."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cnnctl.architecture.cost import images_at_once
from cnnctl.data.decoder.images import Image
from cnnctl.evaluation.foreign import fit_familiar, main_axes, spread
from cnnctl.inference.model import FEATURES, Classifier
from cnnctl.inference.unknown import unit

_MOST_AXES = 128
_SAMPLE = 2000
"""Training images whose features tell the main axes of all."""


@dataclass(frozen=True)
class Seen:
    """What a network makes of images.

    Attributes:
        probabilities: float32 (images, classes).
        features: float32 (images, numbers): what the output layer gets, made to length 1, by its main axes, and how
            long the rest is; None where the model does not give it.
        foreign: float32 (images,), how foreign each is to the training images; None without features.
    """

    probabilities: NDArray[np.float32]
    features: NDArray[np.float32] | None
    foreign: NDArray[np.float32] | None


def look(
    classifier: Classifier,
    pixels: Image,
    rows: NDArray[np.int64],
    training: NDArray[np.int64],
    labels: NDArray[np.int64],
    progress: Callable[[int, int], None],
) -> Seen:
    """The answers of a network for some rows of the pixels, batch by batch.

    `training` are the places among them whose images tell the main axes; `labels` are those of all rows.

    Raises:
        RunError: the model cannot be computed.
    """
    size = images_at_once(pixels.shape[1:])
    has_features = FEATURES in [output.name for output in classifier.session.get_outputs()]
    probabilities = np.empty((len(rows), len(classifier.classes)), np.float32)
    if not has_features or not len(training):
        for start in range(0, len(rows), size):
            probabilities[start : start + size] = classifier.probabilities(
                np.asarray(pixels[rows[start : start + size]])
            )
            progress(min(start + size, len(rows)), len(rows))
        return Seen(probabilities, None, None)

    sample = spread(training[np.argsort(labels[training], kind="stable")], _SAMPLE)
    batches = (np.asarray(pixels[rows[sample[start : start + size]]]) for start in range(0, len(sample), size))
    known = np.concatenate([classifier.features(batch) for batch in batches])
    familiar = classifier.familiar or fit_familiar(known, labels[sample])
    narrow, features = _narrow(known), []
    foreign = np.empty(len(rows), np.float32)
    for start in range(0, len(rows), size):
        batch = np.asarray(pixels[rows[start : start + size]])
        probabilities[start : start + size], made = classifier.probabilities_and_features(batch)
        foreign[start : start + size] = [one.score for one in familiar.judge(made)]
        features.append(narrow(made))
        progress(min(start + size, len(rows)), len(rows))
    return Seen(probabilities, np.concatenate(features), foreign)


def _narrow(known: NDArray[np.float32]) -> Callable[[NDArray[np.float32]], NDArray[np.float32]]:
    """The function that makes features narrow, as those of some training images tell."""
    made = unit(known)
    if made.shape[1] <= _MOST_AXES:
        return unit
    mean = made.mean(axis=0)
    axes = main_axes(made - mean, min(_MOST_AXES, len(made))).astype(np.float32)

    def narrow(features: NDArray[np.float32]) -> NDArray[np.float32]:
        centred = unit(features) - mean
        places = centred @ axes
        rest = np.maximum((centred**2).sum(axis=1) - (places**2).sum(axis=1), 0)
        return np.concatenate([places, np.sqrt(rest)[:, None]], axis=1)

    return narrow
