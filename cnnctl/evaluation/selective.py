"""What a model's probabilities are good for: its accuracy where it is sure, and what its prediction sets hold."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from cnnctl.inference.sets import SetScores, in_sets

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

THRESHOLDS = (0.5, 0.8, 0.9, 0.95, 0.99)
COVERAGES = (0.8, 0.9, 0.95, 0.99)


@dataclass(frozen=True)
class Answered:
    """The images whose answer has at least the probability `threshold`: their share of all, and their accuracy.

    The accuracy is None where there are none.
    """

    threshold: float
    share: float
    accuracy: float | None


@dataclass(frozen=True)
class Covered:
    """Prediction sets for a wanted `coverage`: the share that has the right class, and the mean number of classes."""

    coverage: float
    reached: float
    mean_size: float


def answered(probabilities: "NDArray[np.float32]", truth: "NDArray[np.int64]") -> tuple[Answered, ...]:
    """A row for each of THRESHOLDS: probabilities are (images, classes), truth is (images,), class numbers."""
    return answered_by(probabilities.max(axis=1), probabilities.argmax(axis=1) == truth)


def answered_by(sure: "NDArray[np.floating[Any]]", right: "NDArray[np.bool_]") -> tuple[Answered, ...]:
    """The same by the probability of each answer and whether it is right, both (images,)."""
    rows = []
    for threshold in THRESHOLDS:
        taken = sure >= threshold
        rows.append(Answered(threshold, float(taken.mean()), float(right[taken].mean()) if taken.any() else None))
    return tuple(rows)


def covered(probabilities: "NDArray[np.float32]", truth: "NDArray[np.int64]", scores: SetScores) -> tuple[Covered, ...]:
    """A row for each of COVERAGES: probabilities are (images, classes), truth is (images,), class numbers."""
    rows = []
    for coverage in COVERAGES:
        within = in_sets(probabilities, scores.threshold(coverage))
        held = within[range(len(truth)), truth]
        rows.append(Covered(coverage, float(held.mean()), float(within.sum(axis=1).mean())))
    return tuple(rows)
