"""Whether probabilities mean what they say."""

from typing import Any

import numpy as np

from cnnctl.evaluation.calibration import CALIBRATION_BINS, Calibration
from cnnctl.pictures import style

_SIDE = 4.0


def reliability_figure(calibration: Calibration, title: str) -> Any:
    """Accuracy over the probability of the answer, in bins (Niculescu-Mizil and Caruana 2005), and the bins' sizes.

    Args:
        calibration: The bins.
        title: Which run and images.
    """
    width, left, below, low = style.NARROWEST, 0.95, 0.9, 1.0
    figure = style.new_figure(width, style.HEAD + _SIDE + 0.15 + low + below)
    upper = style.panel(figure, left, below + low + 0.15, _SIDE + 0.7, _SIDE)
    lower = style.panel(figure, left, below, _SIDE + 0.7, low)
    edges = np.linspace(0, 1, CALIBRATION_BINS + 1)
    full = np.flatnonzero(calibration.images)
    options = {"width": 1 / CALIBRATION_BINS, "align": "edge", "edgecolor": "white"}
    upper.bar(edges[full], calibration.accuracy[full], color=style.BLUE, alpha=0.45, label="accuracy", **options)
    upper.plot([0, 1], [0, 1], color=style.GREY, linestyle="--", linewidth=1, label="perfectly calibrated")
    means = (calibration.confidence[full], calibration.accuracy[full])
    upper.plot(*means, "o", color=style.RED, markersize=4.5, label="at the mean probability", clip_on=False)
    upper.set_ylabel("accuracy")
    lower.bar(edges[:-1], calibration.images, color=style.GREY, **options)
    style.legend_below(figure, upper)
    lower.set_ylabel("images")
    lower.set_xlabel("probability of the predicted class")
    lower.locator_params(axis="y", nbins=3, integer=True)
    for axes in (upper, lower):
        axes.set_xlim(0, 1)
        style.plain(axes.xaxis, percent=True)
        axes.grid(axis="y")
    upper.tick_params(labelbottom=False)
    upper.set_ylim(0, 1)
    style.plain(upper.yaxis, percent=True)
    error = f"expected calibration error {calibration.expected_error:.3f}"
    average = f"mean probability {calibration.mean_confidence:.1%}, accuracy {calibration.mean_accuracy:.1%}"
    style.heading(figure, "Reliability", title, f"{error}; {average}")
    return figure
