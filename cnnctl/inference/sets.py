"""Prediction sets: the classes that hold the right one in a stated share of cases (conformal prediction).

The score of a class is the probability of all classes that are likelier than it. A set takes the classes up to a
threshold: a quantile of the scores of the true classes of images that were not trained on. If other images are like
these, the set holds the right class at least as often as the coverage says (Romano, Sesia and Candès 2020,
https://arxiv.org/abs/2006.02544, without the random choice at the edge, so that no set is empty).
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from cnnctl.errors import RunError, UsageError
from cnnctl.runs import Run

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_MOST_KEPT = 1000


@dataclass(frozen=True)
class SetScores:
    """Scores of the true classes of `images` images of a split.

    `ranked` has (rank from 1, score) pairs by rank, of every image or of a thousand ranks among them.
    """

    split: str
    images: int
    ranked: tuple[tuple[int, float], ...]

    def threshold(self, coverage: float) -> float:
        """The score up to which classes are in the set, so that `coverage` of the images have theirs; maybe infinite.

        Raises:
            UsageError: the coverage is not between 0 and 1.
        """
        if not 0 < coverage < 1:
            raise UsageError(f"expected a coverage between 0 and 1; received: {coverage:g}", "for example 0.95")
        wanted = math.ceil((self.images + 1) * coverage - 1e-9)
        return next((score for rank, score in self.ranked if rank >= wanted), math.inf)

    def to_json(self) -> dict[str, Any]:
        """The form of prediction_sets.json."""
        return {"split": self.split, "images": self.images, "ranked_scores": [list(pair) for pair in self.ranked]}

    @classmethod
    def from_json(cls, value: Any, source: str) -> "SetScores":
        """Read what `to_json` wrote; `source` names it in an error.

        Raises:
            RunError: it has another form.
        """
        try:
            ranked = tuple((int(rank), float(score)) for rank, score in value["ranked_scores"])
            found = cls(str(value["split"]), int(value["images"]), ranked)
        except (TypeError, KeyError, ValueError, OverflowError) as error:
            raise RunError(f"{source} does not hold what cnnctl writes: {error!r}") from None
        ranks, scores = [rank for rank, _ in ranked], [score for _, score in ranked]
        if ranks != sorted(set(ranks)) or scores != sorted(scores) or not all(0 <= one <= 1.001 for one in scores):
            raise RunError(f"{source} does not hold ranked scores")
        return found


def read_scores(run: Run) -> SetScores:
    """Those of a run.

    Raises:
        RunError: it has none.
    """
    if not run.has(run.prediction_sets):
        if run.has(run.thresholds) or (run.has(run.config) and run.read_config().output.multi_label is not None):
            raise UsageError(
                "prediction sets are for images with one label, and this run may give several",
                f"leave the coverage out: {run.thresholds.name} says from which probability on an image has a label",
            )
        message = f"the run {run.path} has no {run.prediction_sets.name}, which prediction sets need"
        raise RunError(message, "if it has validation images, cnnctl evaluate --split validation makes it")
    return SetScores.from_json(run.read_json(run.prediction_sets), str(run.prediction_sets))


def score_sets(probabilities: "NDArray[np.float32]", truth: "NDArray[np.int64]", split: str) -> SetScores:
    """The scores of the true classes: probabilities are (images, classes), truth is (images,), class numbers."""
    import numpy as np

    scores = np.sort(_scores(probabilities)[np.arange(len(truth)), truth]).astype(float)
    count = len(scores)
    ranks = np.unique(np.ceil(np.linspace(1, count, min(count, _MOST_KEPT))).astype(int))
    return SetScores(split, count, tuple((int(rank), float(scores[rank - 1])) for rank in ranks))


def prediction_set(probabilities: "NDArray[np.float32]", classes: Sequence[str], threshold: float) -> tuple[str, ...]:
    """The names of the classes of an image's set, the likeliest first: never none."""
    scores = _scores(probabilities[None])[0]
    order = (-probabilities).argsort(kind="stable")
    return tuple(classes[at] for at in order if scores[at] <= threshold)


def in_sets(probabilities: "NDArray[np.float32]", threshold: float) -> "NDArray[np.bool_]":
    """Which classes are in the set of each image: (images, classes)."""
    return _scores(probabilities) <= threshold


def _scores(probabilities: "NDArray[np.float32]") -> "NDArray[np.float32]":
    """The probability of all classes before each, in the order of `predicted`: (images, classes)."""
    import numpy as np

    order = (-probabilities).argsort(axis=1, kind="stable")
    ranked = np.take_along_axis(probabilities, order, axis=1)
    before = np.cumsum(ranked, axis=1) - ranked
    scores = np.empty_like(before)
    np.put_along_axis(scores, order, before, axis=1)
    return scores
