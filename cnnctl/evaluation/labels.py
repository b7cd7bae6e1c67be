"""The figures of images that may have several labels."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from cnnctl.evaluation.significance import wilson

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_SMALLEST_PROBABILITY = 1e-7


@dataclass(frozen=True)
class Several:
    """Images with several labels: probabilities, the truth, and which labels they were given, all (images, classes)."""

    probabilities: "NDArray[np.float32]"
    truth: "NDArray[np.bool_]"
    given: "NDArray[np.bool_]"

    @property
    def correct(self) -> "NDArray[np.bool_]":
        """Whether an image got all of its labels and no others: (images,)."""
        return (self.truth == self.given).all(axis=1)  # type: ignore[no-any-return]


def all_right_interval(several: Several) -> tuple[float, float]:
    """The 95% interval of the share of images with all labels right (Wilson 1927)."""
    return wilson(int(several.correct.sum()), len(several.truth))


def loss(several: Several) -> float:
    """Mean binary cross-entropy of all labels, in nats."""
    import numpy as np

    own = np.where(several.truth, several.probabilities, 1 - several.probabilities).astype(np.float64)
    return abs(float(np.log(np.clip(own, _SMALLEST_PROBABILITY, 1.0)).mean()))


def average_precisions(several: Several) -> list[float | None]:
    """The average precision of each class; None where no image has it."""
    from sklearn.metrics import average_precision_score

    columns = zip(several.truth.T, several.probabilities.T, strict=True)
    return [float(average_precision_score(truth, one)) if truth.any() else None for truth, one in columns]


def mean_average_precision(several: Several) -> float | None:
    """Over the classes that images have."""
    known = [one for one in average_precisions(several) if one is not None]
    return sum(known) / len(known) if known else None


def counts(several: Several) -> "tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]":
    """Of each class: the images that have it and got it, that have it, and that got it."""
    import numpy as np

    both = (several.truth & several.given).sum(axis=0, dtype=np.int64)
    return both, several.truth.sum(axis=0, dtype=np.int64), several.given.sum(axis=0, dtype=np.int64)


def f1(right: Any, true: Any, given: Any) -> Any:
    """F1 by counts, 0 where there are none: arrays of one shape."""
    import numpy as np

    return 2 * right / np.maximum(true + given, 1)


def macro_f1(several: Several) -> float:
    """The mean F1 of the classes."""
    return float(f1(*counts(several)).mean())


def micro_f1(several: Several) -> float:
    """F1 over all labels of all images."""
    return float(f1(*(one.sum() for one in counts(several))))


def calibration_error(several: Several) -> float:
    """Mean gap between the probability of a label and the share of images that have it."""
    from cnnctl.evaluation.calibration import calibration

    return calibration(several.probabilities, several.truth).expected_error
