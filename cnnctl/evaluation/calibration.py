"""Whether probabilities mean what they say, in bins (Guo et al. 2017, https://arxiv.org/abs/1706.04599)."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

CALIBRATION_BINS = 15
_DEVIATION = 0.4
_LOG_TEMPERATURES = (-4.0, 4.0)


@dataclass(frozen=True)
class Calibration:
    """Images in bins of equal width by the probability of their answer.

    Each array has a value a bin: the number of `images`, the mean probability (`confidence`) and the share of right
    answers (`accuracy`), 0 where there are no images. `expected_error` is the mean over all images of |accuracy -
    confidence| of the bin that an image falls into.
    """

    images: NDArray[np.int64]
    confidence: NDArray[np.float64]
    accuracy: NDArray[np.float64]
    expected_error: float

    @property
    def mean_confidence(self) -> float:
        """Over all images."""
        return float(np.average(self.confidence, weights=self.images))

    @property
    def mean_accuracy(self) -> float:
        """Over all images."""
        return float(np.average(self.accuracy, weights=self.images))


def calibration(probabilities: NDArray[np.float32], truth: NDArray[Any]) -> Calibration:
    """The bins of a reliability diagram: the lower edge of each is outside, the upper one inside.

    `probabilities` are (images, classes), rows summing to 1; `truth` is (images,), class numbers. Where images may have
    several labels, `truth` has rows of 0 and 1, and each class of each image counts as an image with its probability.
    """
    if truth.ndim == 2:
        confidence, correct = probabilities.ravel().astype(np.float64), truth.ravel() > 0
    else:
        confidence = probabilities.max(axis=1).astype(np.float64)
        correct = probabilities.argmax(axis=1) == truth
    bins = np.clip(np.ceil(confidence * CALIBRATION_BINS).astype(int) - 1, 0, CALIBRATION_BINS - 1)

    def total(weights: NDArray[Any] | None) -> NDArray[Any]:
        return np.bincount(bins, weights=weights, minlength=CALIBRATION_BINS)

    images = total(None)
    error = float(np.abs(total(correct - confidence)).sum() / len(confidence))
    most = np.maximum(images, 1)
    return Calibration(images, total(confidence) / most, total(correct) / most, error)


def fit_temperature(logits: NDArray[np.float32], truth: NDArray[Any]) -> float:
    """The most probable number T, if the truth comes from softmax(logits / T), for one logit sigmoid(logit / T).

    Where images may have several labels, each comes from the sigmoid of its class, and is one of the "images" below.

    Before the images are seen, log T is normal around 0 with a deviation of 0.4: a network without a mistake on few
    images would else be made infinitely sure. A thousand images outweigh it.

    `logits` are (images, units) and finite, `truth` is (images,), class numbers, or (images, units) of 0 and 1.
    """
    from scipy.optimize import minimize_scalar

    if truth.ndim == 2:
        return fit_temperature(logits.reshape(-1, 1), truth.ravel())
    scores, images = _scores(logits), len(logits)
    own = float(scores[np.arange(images), truth].mean(dtype=np.float64))

    def loss(log_temperature: float) -> float:
        scale = np.float32(np.exp(-log_temperature))
        cross_entropy = np.log(np.exp(scores * scale).sum(axis=1, dtype=np.float64)).mean() - float(scale) * own
        return float(cross_entropy + (log_temperature / _DEVIATION) ** 2 / (2 * images))

    return float(np.exp(minimize_scalar(loss, bounds=_LOG_TEMPERATURES, method="bounded").x))


def probabilities_at(logits: NDArray[np.float32], temperature: float, several: bool = False) -> NDArray[np.float32]:
    """The probabilities of (images, units) logits divided by a temperature: float32 (images, classes).

    With `several` labels an image each is that of a sigmoid of its own.
    """
    if several:
        return probabilities_at(logits.reshape(-1, 1), temperature)[:, 1].reshape(logits.shape)
    powers: NDArray[np.float32] = np.exp(_scores(logits) / np.float32(temperature))
    chances: NDArray[np.float32] = powers / powers.sum(axis=1, keepdims=True)
    return chances


def _scores(logits: NDArray[np.float32]) -> NDArray[np.float32]:
    """A logit for each class, the largest being 0; a sigmoid's one logit is that of the second of two classes."""
    both = np.concatenate([np.zeros_like(logits), logits], axis=1) if logits.shape[1] == 1 else logits
    scores: NDArray[np.float32] = both - both.max(axis=1, keepdims=True)
    return scores
