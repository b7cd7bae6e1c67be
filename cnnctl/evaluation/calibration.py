"""Whether probabilities mean what they say, in bins (Guo et al. 2017, https://arxiv.org/abs/1706.04599)."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

CALIBRATION_BINS = 15


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


def calibration(probabilities: NDArray[np.float32], truth: NDArray[np.int64]) -> Calibration:
    """The bins of a reliability diagram: the lower edge of each is outside, the upper one inside.

    `probabilities` are (images, classes), rows summing to 1; `truth` is (images,), class numbers.
    """
    confidence = probabilities.max(axis=1).astype(np.float64)
    correct = probabilities.argmax(axis=1) == truth
    bins = np.clip(np.ceil(confidence * CALIBRATION_BINS).astype(int) - 1, 0, CALIBRATION_BINS - 1)

    def total(weights: NDArray[Any] | None) -> NDArray[Any]:
        return np.bincount(bins, weights=weights, minlength=CALIBRATION_BINS)

    images = total(None)
    error = float(np.abs(total(correct - confidence)).sum() / len(truth))
    most = np.maximum(images, 1)
    return Calibration(images, total(confidence) / most, total(correct) / most, error)
