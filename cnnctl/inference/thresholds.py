"""Several labels an image: which of them a network gives it, by a threshold for each class.

The thresholds are chosen on the validation images, each class by itself: that with the best F1, or of those with a
stated precision the one with the highest recall. They lie between two probabilities of these images, so that rounding
in another file format does not matter.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cnnctl.data.several import joined
from cnnctl.errors import RunError
from cnnctl.runs import Run

HALF = 0.5
"""The threshold of a class of which nothing is known."""


@dataclass(frozen=True)
class OfClass:
    """The threshold of a class, and its precision and recall on the images that it was chosen on."""

    threshold: float
    precision: float
    recall: float


@dataclass(frozen=True)
class Thresholds:
    """Of every class, by its name.

    `split` and `images` say what they were chosen on, and `precision` is the wanted one; None is the best F1.
    """

    split: str
    images: int
    precision: float | None
    classes: Mapping[str, OfClass]

    def values(self, classes: Sequence[str]) -> NDArray[np.float32]:
        """The thresholds of these classes, float32 (classes,).

        Raises:
            KeyError: there is none of a class.
        """
        return np.array([self.classes[name].threshold for name in classes], np.float32)

    def missed(self) -> list[str]:
        """The classes that do not have the wanted precision at any threshold."""
        wanted = self.precision or 0.0
        return [name for name, one in self.classes.items() if one.precision < wanted - 1e-9]

    def to_json(self) -> dict[str, Any]:
        """The form of thresholds.json."""
        return {
            "split": self.split,
            "images": self.images,
            "rule": "f1" if self.precision is None else "precision",
            "precision": self.precision,
            "classes": {name: vars(one) for name, one in self.classes.items()},
        }

    @classmethod
    def from_json(cls, value: Any, source: str) -> "Thresholds":
        """Read what `to_json` wrote; `source` names it in an error.

        Raises:
            RunError: it has another form.
        """
        try:
            each = {
                str(name): OfClass(*(float(one[key]) for key in ("threshold", "precision", "recall")))
                for name, one in value["classes"].items()
            }
            wanted = None if value["precision"] is None else float(value["precision"])
            found = cls(str(value["split"]), int(value["images"]), wanted, each)
        except (TypeError, KeyError, ValueError, OverflowError, AttributeError) as error:
            raise RunError(f"{source} does not hold what cnnctl writes: {error!r}", _AGAIN) from None
        if not all(0 <= one.threshold <= 1 for one in each.values()):  # False for NaN
            raise RunError(f"{source} has a threshold that is not between 0 and 1", _AGAIN)
        return found


_AGAIN = "cnnctl evaluate --split validation writes it again"


def read_thresholds(run: Run, classes: Sequence[str]) -> NDArray[np.float32]:
    """Those of a run, float32 (classes,); one half where it has none.

    Raises:
        RunError: the file is damaged, or lacks a class.
    """
    if not run.has(run.thresholds):
        return np.full(len(classes), HALF, np.float32)
    try:
        return Thresholds.from_json(run.read_json(run.thresholds), str(run.thresholds)).values(classes)
    except KeyError as error:
        raise RunError(f"{run.thresholds} has no threshold of the class {error.args[0]}", _AGAIN) from None


def choose_thresholds(
    probabilities: NDArray[np.float32],
    truth: NDArray[Any],
    classes: Sequence[str],
    split: str,
    precision: float | None = None,
) -> Thresholds:
    """The thresholds of the best F1, or of a wanted precision; both arrays are (images, classes)."""
    each = (_choose(probabilities[:, at], truth[:, at], precision) for at in range(len(classes)))
    return Thresholds(split, len(truth), precision, dict(zip(classes, each, strict=True)))


def _choose(probabilities: NDArray[np.float32], truth: NDArray[Any], precision: float | None) -> OfClass:
    """The threshold of a class; of equally good ones the highest, and of equal precisions that of the best recall."""
    positives = int(truth.sum())
    if not positives:
        return OfClass(HALF, 0.0, 0.0)
    order = np.argsort(-probabilities, kind="stable")
    ranked = probabilities[order]
    ends = np.flatnonzero(np.append(ranked[1:] != ranked[:-1], True))  # images with one probability go together
    hits, taken = np.cumsum(truth[order], dtype=np.int64)[ends], ends + 1
    precisions, recalls = hits / taken, hits / positives
    if precision is None:
        best = int((2 * hits / (taken + positives)).argmax())
    else:
        reach = min(precision, float(precisions.max())) - 1e-9
        best = int(np.flatnonzero(precisions >= reach)[-1])
    high = ranked[ends[best]]
    low = ranked[taken[best]] if taken[best] < len(ranked) else np.float32(0)
    between = np.float32((float(high) + float(low)) / 2)
    threshold = between if between > low else high
    return OfClass(float(threshold), float(precisions[best]), float(recalls[best]))


def given(probabilities: NDArray[np.float32], thresholds: NDArray[np.float32]) -> NDArray[np.bool_]:
    """Which labels images get: (..., classes)."""
    return probabilities >= thresholds


def probability_of(probabilities: NDArray[np.float32], labels: NDArray[Any]) -> NDArray[np.float64]:
    """The probability that images have these labels and no others: (...,), by (..., classes) of each class alone."""
    each = np.where(labels.astype(bool), probabilities, 1 - probabilities).astype(np.float64)
    product: NDArray[np.float64] = each.prod(axis=-1)
    return product


def label_text(classes: Sequence[str], labels: NDArray[Any]) -> str:
    """The text of the labels that an image has, by (classes,) of whether it has each."""
    return joined(classes[at] for at in np.flatnonzero(labels).tolist())
