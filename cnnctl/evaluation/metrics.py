"""How good probabilities are, given the truth."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

CONFIDENCE = 0.95
CALIBRATION_BINS = 15
TOP = 5
_SMALLEST_PROBABILITY = 1e-7  # Keras' backend.epsilon(), where its losses clip


@dataclass(frozen=True)
class ClassMetrics:
    """One class against the rest. `support` is the number of its images; without any, recall and F1 are 0."""

    precision: float
    recall: float
    f1: float
    support: int


@dataclass(frozen=True)
class Metrics:
    """The evaluation of one split.

    Attributes:
        images: How many.
        accuracy: Share of right answers.
        accuracy_interval: Its 95% interval (Wilson 1927).
        loss: Mean cross-entropy in nats, as Keras computes it.
        top_5_accuracy: Share of images whose class is among the five most probable; None for five classes or fewer.
        roc_auc: Area under the ROC curve of the second class; None unless there are two classes, both present.
        expected_calibration_error: Mean gap between probability and accuracy (Guo et al. 2017,
            https://arxiv.org/abs/1706.04599, 15 bins of equal width).
        classes: Names in label order.
        per_class: In that order.
        confusion_matrix: Rows are the truth, columns the answers; counts.
    """

    images: int
    accuracy: float
    accuracy_interval: tuple[float, float]
    loss: float
    top_5_accuracy: float | None
    roc_auc: float | None
    expected_calibration_error: float
    classes: tuple[str, ...]
    per_class: tuple[ClassMetrics, ...]
    confusion_matrix: tuple[tuple[int, ...], ...]

    def to_json(self) -> dict[str, Any]:
        """The form of metrics.json; what does not apply is left out."""
        value: dict[str, Any] = {
            "images": self.images,
            "accuracy": self.accuracy,
            "accuracy_interval": list(self.accuracy_interval),
            "loss": self.loss,
        }
        if self.top_5_accuracy is not None:
            value["top_5_accuracy"] = self.top_5_accuracy
        if self.roc_auc is not None:
            value["roc_auc"] = self.roc_auc
        value["expected_calibration_error"] = self.expected_calibration_error
        value["classes"] = list(self.classes)
        value["per_class"] = {
            name: {"precision": one.precision, "recall": one.recall, "f1": one.f1, "support": one.support}
            for name, one in zip(self.classes, self.per_class, strict=True)
        }
        value["confusion_matrix"] = [list(row) for row in self.confusion_matrix]
        return value


def score(probabilities: NDArray[np.float32], truth: NDArray[np.int64], classes: Sequence[str]) -> Metrics:
    """Every metric of one split.

    Args:
        probabilities: (images, classes), rows summing to 1.
        truth: (images,), the number of each image's class.
        classes: Names in label order.
    """
    from scipy.stats import binomtest
    from sklearn.metrics import confusion_matrix, precision_recall_fscore_support, roc_auc_score, top_k_accuracy_score

    numbers = np.arange(len(classes))
    answers = probabilities.argmax(axis=1)
    right = int((answers == truth).sum())
    interval = binomtest(right, len(truth)).proportion_ci(CONFIDENCE, method="wilson")
    own = probabilities[np.arange(len(truth)), truth].astype(np.float64)
    precision, recall, f1, support = precision_recall_fscore_support(truth, answers, labels=numbers, zero_division=0)
    two = len(classes) == 2 and len(np.unique(truth)) == 2
    return Metrics(
        images=len(truth),
        accuracy=right / len(truth),
        accuracy_interval=(float(interval.low), float(interval.high)),
        loss=float(-np.log(np.clip(own, _SMALLEST_PROBABILITY, 1.0)).mean()),
        top_5_accuracy=float(top_k_accuracy_score(truth, probabilities, k=TOP, labels=numbers))
        if len(classes) > TOP
        else None,
        roc_auc=float(roc_auc_score(truth, probabilities[:, 1])) if two else None,
        expected_calibration_error=calibration(probabilities, truth).expected_error,
        classes=tuple(classes),
        per_class=tuple(
            ClassMetrics(float(p), float(r), float(f), int(n))
            for p, r, f, n in zip(precision, recall, f1, support, strict=True)
        ),
        confusion_matrix=tuple(
            tuple(int(count) for count in row) for row in confusion_matrix(truth, answers, labels=numbers)
        ),
    )


@dataclass(frozen=True)
class Calibration:
    """Images in bins of equal width by the probability of their answer.

    Attributes:
        images: (bins,), how many.
        confidence: (bins,), the mean probability; 0 where there are none.
        accuracy: (bins,), the share of right answers; 0 where there are none.
        expected_error: Mean over all images of |accuracy - confidence| of the bin that an image falls into.
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

    Args:
        probabilities: (images, classes), rows summing to 1.
        truth: (images,), the number of each image's class.
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
