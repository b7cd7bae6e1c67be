"""Images with the truth and with what a model says of them, and every metric of that."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from cnnctl.evaluation import labels
from cnnctl.evaluation.metrics import METRICS, ClassMetrics, LabelMetrics, Metrics
from cnnctl.evaluation.selective import answered, answered_by, covered
from cnnctl.inference.sets import SetScores

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from cnnctl.data.decoder.images import ImageSpec
    from cnnctl.data.labels import Labels
    from cnnctl.evaluation.metrics import Probabilities, Truth


@dataclass(frozen=True)
class ScoredSplit:
    """Images, the truth, and what a model says of them.

    `title` says which run and which images, such as `digits 3, test images`. `truth` has class numbers (images,), or
    rows of 0 and 1 (images, classes) where images may have several labels; they get those whose probability reaches
    `thresholds`, (classes,). `probabilities` are float32 (images, classes), in the order of `classes`. `spec` is what
    the model's images are made to be.
    `set_scores` are those of the run where it has some, of other images than these. `unknown`, bool (images,), says
    which images are called so; it is None where the run cannot tell.
    """

    title: str
    classes: Sequence[str]
    paths: Sequence[str]
    truth: "Labels"
    probabilities: "Probabilities"
    spec: "ImageSpec"
    set_scores: SetScores | None = None
    unknown: "NDArray[np.bool_] | None" = None
    thresholds: "NDArray[np.float32] | None" = None

    @cached_property
    def metrics(self) -> Metrics:
        """Every figure."""
        if self.several is not None:
            assert self.thresholds is not None
            return score_several(self.several, self.classes, self.thresholds, self.unknown)
        return score(self.probabilities, self.truth.astype(int), self.classes, self.set_scores, self.unknown)

    @cached_property
    def several(self) -> labels.Several | None:
        """What there is of images that may have several labels; None where each has one."""
        if self.thresholds is None:
            return None
        from cnnctl.inference.thresholds import given

        return labels.Several(self.probabilities, self.truth.astype(bool), given(self.probabilities, self.thresholds))

    def rows(self) -> "Iterator[tuple[str, str, str, float, bool]]":
        """Of each image: path, label, answer, the probability of the answer, and whether it is right."""
        from cnnctl.data.labels import texts_of

        if self.several is None:
            answers, chances = self.probabilities.argmax(axis=1), self.probabilities.max(axis=1)
            right = answers == self.truth
        else:
            from cnnctl.inference.thresholds import probability_of

            answers, chances = self.several.given.astype(int), probability_of(self.probabilities, self.several.given)
            right = self.several.correct
        classes = self.metrics.classes
        texts = texts_of(self.truth, classes), texts_of(answers, classes)
        return zip(self.paths, *texts, chances.tolist(), right.tolist(), strict=True)


def score(
    probabilities: "Probabilities",
    truth: "Truth",
    classes: Sequence[str],
    set_scores: SetScores | None = None,
    unknown: "NDArray[np.bool_] | None" = None,
) -> Metrics:
    """Every metric of one split.

    `probabilities` are (images, classes), rows summing to 1; `truth` is (images,), numbers of `classes`. `set_scores`
    are those of other images, by which prediction sets are made. `unknown`, bool (images,), are those called so.
    """
    from sklearn.metrics import confusion_matrix, precision_recall_fscore_support

    figures: dict[str, Any] = {}
    for metric in METRICS:
        value = None if metric.compute is None else metric.compute(probabilities, truth)
        if value is not None:
            figures[metric.key] = value
        if value is not None and metric.interval is not None:
            figures[metric.interval_key] = list(metric.interval(probabilities, truth))
    if unknown is not None:
        figures["unknown_share"] = float(unknown.mean())

    predicted, numbers = probabilities.argmax(axis=1), range(len(classes))
    columns = precision_recall_fscore_support(truth, predicted, labels=numbers, zero_division=0)
    per_class = (ClassMetrics(float(p), float(r), float(f), int(n)) for p, r, f, n in zip(*columns, strict=True))
    matrix = confusion_matrix(truth, predicted, labels=numbers).tolist()
    sets = covered(probabilities, truth, set_scores) if set_scores is not None else ()
    rows = tuple(map(tuple, matrix))
    return Metrics(figures, tuple(classes), tuple(per_class), rows, answered(probabilities, truth), sets)


def score_several(
    several: labels.Several,
    classes: Sequence[str],
    thresholds: "NDArray[np.float32]",
    unknown: "NDArray[np.bool_] | None" = None,
) -> Metrics:
    """Every metric of one split whose images may have several labels; `thresholds` are (classes,)."""
    from cnnctl.inference.thresholds import probability_of

    figures: dict[str, Any] = {}
    for metric in METRICS:
        value = None if metric.of_several is None else metric.of_several(several)
        if value is not None:
            figures[metric.key] = value
        if value is not None and metric.interval_of_several is not None:
            figures[metric.interval_key] = list(metric.interval_of_several(several))
    if unknown is not None:
        figures["unknown_share"] = float(unknown.mean())

    right, true, given = labels.counts(several)
    columns = zip(
        right / given.clip(1),
        right / true.clip(1),
        labels.f1(right, true, given),
        true,
        labels.average_precisions(several),
        thresholds,
        strict=True,
    )
    per_class = (
        LabelMetrics(float(p), float(r), float(f), int(n), area, float(threshold))
        for p, r, f, n, area, threshold in columns
    )
    sure = probability_of(several.probabilities, several.given)
    return Metrics(figures, tuple(classes), tuple(per_class), (), answered_by(sure, several.correct), ())
