"""Probabilities in pictures: whether they mean what they say, and two classes under every threshold."""

from typing import Any

import numpy as np

from cnnctl.evaluation.calibration import CALIBRATION_BINS, Calibration
from cnnctl.evaluation.score import ScoredSplit
from cnnctl.pictures import style

_SIDE = 4.4
_RELIABILITY_SIDE = 4.0


def has_thresholds(scored: ScoredSplit) -> bool:
    """Whether there are two classes, both with images: else neither curve is defined; and images have one label."""
    return scored.metrics.roc_auc is not None


def roc_figure(scored: ScoredSplit) -> Any:
    """True positive rate over false positive rate."""
    from sklearn.metrics import roc_curve

    metrics = scored.metrics
    false, true, _ = roc_curve(scored.truth, scored.probabilities[:, 1])
    facts = f"area under the curve {metrics.roc_auc:.4f}; {_sizes(scored)}"
    figure, axes = _square("ROC curve", scored.title, facts)
    axes.plot([0, 1], [0, 1], color=style.GREY, linestyle="--", linewidth=1, label="chance")
    axes.plot(false, true, color=style.BLUE, label="every threshold", clip_on=False)
    (negatives, alarms), _ = metrics.confusion_matrix
    _mark_half(axes, alarms / (negatives + alarms), metrics.per_class[1].recall)
    positive = style.fitted(metrics.classes[1], 1.6)
    other = style.fitted(metrics.classes[0], 1.6)
    axes.set_xlabel(f"false positive rate: share of {other} called {positive}")
    axes.set_ylabel(f"true positive rate: share of {positive} found")
    style.legend_below(figure, axes)
    return figure


def precision_recall_figure(scored: ScoredSplit) -> Any:
    """Precision over recall; the average precision is the area under the steps."""
    from sklearn.metrics import average_precision_score, precision_recall_curve

    metrics = scored.metrics
    scores = scored.probabilities[:, 1]
    precision, recall, _ = precision_recall_curve(scored.truth, scores, drop_intermediate=True)
    area = average_precision_score(scored.truth, scores)
    figure, axes = _square("Precision and recall", scored.title, f"average precision {area:.4f}; {_sizes(scored)}")
    share = float(np.mean(scored.truth == 1))
    axes.axhline(share, color=style.GREY, linestyle="--", linewidth=1, label="chance")
    axes.plot(recall, precision, color=style.BLUE, drawstyle="steps-post", label="every threshold", clip_on=False)
    one = metrics.per_class[1]
    if any(row[1] for row in metrics.confusion_matrix):
        _mark_half(axes, one.recall, one.precision)
    positive = style.fitted(metrics.classes[1], 1.6)
    axes.set_xlabel(f"recall: share of {positive} found")
    axes.set_ylabel(f"precision: share of right answers among {positive}")
    style.legend_below(figure, axes)
    return figure


def _mark_half(axes: Any, across: float, up: float) -> None:
    axes.plot(across, up, "o", color=style.RED, label="threshold 50%", clip_on=False, linestyle="none")


def _sizes(scored: ScoredSplit) -> str:
    other, positive = scored.metrics.per_class
    return f"{positive.support:,} positive and {other.support:,} negative images"


def _square(what: str, title: str, facts: str) -> tuple[Any, Any]:
    figure = style.new_figure(style.NARROWEST, style.HEAD + _SIDE + 0.95)
    style.heading(figure, what, title, facts)
    axes = style.panel(figure, 1.0, 0.9, _SIDE, _SIDE)
    axes.set_xlim(0, 1)
    axes.set_ylim(0, 1)
    style.plain(axes.xaxis, percent=True)
    style.plain(axes.yaxis, percent=True)
    axes.grid()
    return figure, axes


def reliability_figure(calibration: Calibration, title: str, several: bool = False) -> Any:
    """Accuracy over the probability of the answer, in bins (Niculescu-Mizil and Caruana 2005), and the bins' sizes.

    Where images may have `several` labels, each label of each image has a probability.
    """
    what, unit, of = "accuracy", "images", "probability of the predicted class"
    if several:
        what, unit, of = "share that has it", "labels", "probability of a label, of every class and image"
    width, left, below, low = style.NARROWEST, 0.95, 0.9, 1.0
    figure = style.new_figure(width, style.HEAD + _RELIABILITY_SIDE + 0.15 + low + below)
    upper = style.panel(figure, left, below + low + 0.15, _RELIABILITY_SIDE + 0.7, _RELIABILITY_SIDE)
    lower = style.panel(figure, left, below, _RELIABILITY_SIDE + 0.7, low)
    edges = np.linspace(0, 1, CALIBRATION_BINS + 1)
    full = np.flatnonzero(calibration.images)
    options = {"width": 1 / CALIBRATION_BINS, "align": "edge", "edgecolor": "white"}
    upper.bar(edges[full], calibration.accuracy[full], color=style.BLUE, alpha=0.45, label=what, **options)
    upper.plot([0, 1], [0, 1], color=style.GREY, linestyle="--", linewidth=1, label="perfectly calibrated")
    means = (calibration.confidence[full], calibration.accuracy[full])
    upper.plot(*means, "o", color=style.RED, markersize=4.5, label="at the mean probability", clip_on=False)
    upper.set_ylabel(what)
    lower.bar(edges[:-1], calibration.images, color=style.GREY, **options)
    style.legend_below(figure, upper)
    lower.set_ylabel(unit)
    lower.set_xlabel(of)
    lower.locator_params(axis="y", nbins=3, integer=True)
    for axes in (upper, lower):
        axes.set_xlim(0, 1)
        style.plain(axes.xaxis, percent=True)
        axes.grid(axis="y")
    upper.tick_params(labelbottom=False)
    upper.set_ylim(0, 1)
    style.plain(upper.yaxis, percent=True)
    error = f"expected calibration error {calibration.expected_error:.3f}"
    average = f"mean probability {calibration.mean_confidence:.1%}, {what} {calibration.mean_accuracy:.1%}"
    style.heading(figure, "Reliability", title, f"{error}; {average}")
    return figure
