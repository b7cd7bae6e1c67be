"""What a model says of an image: for Python, for `predict` and for `serve`."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from cnnctl.inference import DEFAULT_TOP

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from cnnctl.inference.unknown import Foreignness


NONE = "none of the classes"


@dataclass(frozen=True)
class Prediction:
    """What a model says of one image.

    Attributes:
        label: The likeliest class; where an image may have several labels, those that it gets: `cat|dog`, in label
            order, and an empty text for none of them.
        probability: That of `label`: of several, that the image has these and no others.
        top: The likeliest classes with their probabilities, and at least those in `label`.
        probabilities: float32 (classes,) in label order; they sum to 1, unless an image may have several labels.
        prediction_set: The classes among which the right one is in the stated share of cases, the likeliest first; None
            where no coverage was asked for.
        foreign: How unlike the training images the image is, and from where on it is unknown; None where nobody asks,
            or the run does not say.
        see: Reads the image as the network saw it, for a notebook; None where it is not kept.
        labels: The classes in `label`, with their probabilities; None where an image has one label.
        thresholds: float32 (classes,), from which probability on an image has a label; None where it has one.
    """

    label: str
    probability: float
    top: tuple[tuple[str, float], ...]
    probabilities: "NDArray[np.float32]" = field(repr=False, compare=False)
    prediction_set: tuple[str, ...] | None = None
    foreign: "Foreignness | None" = field(default=None, repr=False, compare=False)
    see: "Callable[[], NDArray[np.uint8]] | None" = field(default=None, repr=False, compare=False)
    labels: tuple[tuple[str, float], ...] | None = None
    thresholds: "NDArray[np.float32] | None" = field(default=None, repr=False, compare=False)

    @property
    def named(self) -> str:
        """The label for people: `cat`, or `cat, dog`, or that there is none."""
        if self.labels is None:
            return self.label
        return ", ".join(name for name, _ in self.labels) or NONE

    @property
    def unknown(self) -> bool | None:
        """Whether the image is so unlike the training images that `label` is not to be trusted."""
        return None if self.foreign is None else self.foreign.is_unknown

    def _repr_html_(self) -> str:
        """For notebooks; every text in it is escaped."""
        from cnnctl.inference.shown import prediction_html

        others = self.top[1:] if self.labels is None else self.top
        answered = (self.named, self.probability)
        return prediction_html(answered, others, self.unknown or False, self.prediction_set, self.see)


@dataclass(frozen=True)
class Answer:
    """What becomes of one image file: its prediction, or the error why it could not be read."""

    path: str
    prediction: Prediction | None
    error: str | None = None

    @property
    def probabilities(self) -> "NDArray[np.float32] | None":
        """Those of the prediction."""
        return None if self.prediction is None else self.prediction.probabilities

    def to_json(self) -> dict[str, Any]:
        """The form of `predict --format json` and of `serve`; a set where it is wanted, an error where it failed."""
        value: dict[str, Any] = {"path": self.path, "label": None, "probability": None, "top": []}
        value |= unknown_json(None if self.prediction is None else self.prediction.foreign)
        if self.prediction is not None:
            top = [{"label": name, "probability": chance} for name, chance in self.prediction.top]
            value |= {"label": self.prediction.label, "probability": self.prediction.probability, "top": top}
            if self.prediction.labels is not None:
                each = [{"label": name, "probability": chance} for name, chance in self.prediction.labels]
                value["labels"] = each
            if self.prediction.prediction_set is not None:
                value["prediction_set"] = list(self.prediction.prediction_set)
        return value if self.error is None else {**value, "error": self.error}


def unknown_json(foreign: "Foreignness | None") -> dict[str, Any]:
    """Whether an image is unknown, and why, in JSON; nulls where the run does not say."""
    if foreign is None:
        return {"unknown": None, "unknown_score": None, "unknown_threshold": None}
    return {
        "unknown": foreign.is_unknown,
        "unknown_score": foreign.score,
        "unknown_threshold": foreign.threshold,
    }


def predicted(
    probabilities: "NDArray[np.float32]",
    classes: Sequence[str],
    top: int = DEFAULT_TOP,
    threshold: float | None = None,
    foreign: "Foreignness | None" = None,
    thresholds: "NDArray[np.float32] | None" = None,
) -> Prediction:
    """The prediction that names the `top` (at least 1) likeliest classes; of equals, those first in label order.

    With a `threshold`, which `SetScores` has, it names the set of classes up to it. `foreign` is that of the image.
    With `thresholds`, (classes,), it may have several labels: those whose probability is not below.
    """
    if thresholds is not None:
        return _of_several(probabilities, classes, top, foreign, thresholds)
    best = (-probabilities).argsort(kind="stable")[:top]
    named = tuple((classes[at], float(probabilities[at])) for at in best)
    within = None
    if threshold is not None:
        from cnnctl.inference.sets import prediction_set

        within = prediction_set(probabilities, classes, threshold)
    return Prediction(*named[0], named, probabilities, within, foreign)


def _of_several(
    probabilities: "NDArray[np.float32]",
    classes: Sequence[str],
    top: int,
    foreign: "Foreignness | None",
    thresholds: "NDArray[np.float32]",
) -> Prediction:
    from cnnctl.inference.thresholds import given, label_text, probability_of

    has = given(probabilities, thresholds)
    labels = tuple((classes[at], float(probabilities[at])) for at in has.nonzero()[0].tolist())
    least = int((probabilities >= probabilities[has].min()).sum()) if labels else 0
    best = (-probabilities).argsort(kind="stable")[: max(top, least)]
    named = tuple((classes[at], float(probabilities[at])) for at in best)
    chance = float(probability_of(probabilities, has))
    text = label_text(classes, has)
    return Prediction(text, chance, named, probabilities, foreign=foreign, labels=labels, thresholds=thresholds)
