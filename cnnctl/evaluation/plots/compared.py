"""Runs side by side as a picture: the accuracy of each with its interval."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from cnnctl.evaluation.comparison import ComparedRun
from cnnctl.evaluation.metrics import RANKING
from cnnctl.pictures import style

_ROW = 0.34
_LONGEST_NAME = 2.4
_BELOW = 0.75


def accuracies_figure(runs: Sequence[ComparedRun]) -> Any:
    """A row for each run: a point at its accuracy, and a line over the 95% interval."""
    shares = np.array([float(one.figures[RANKING.key]) for one in runs])
    ends = np.array([one.figures[RANKING.interval_key] for one in runs], float)
    names, widest = style.labels([f"{one.letter}  {one.run.title}" for one in runs], _LONGEST_NAME, style.TEXT)
    left, high = style.MARGIN + 0.12 + widest, _ROW * len(runs)
    figure = style.new_figure(style.NARROWEST, style.HEAD + 0.1 + high + _BELOW)
    axes = style.panel(figure, left, _BELOW, style.NARROWEST - left - 2 * style.MARGIN, high)
    places = np.arange(len(runs))
    axes.hlines(places, 100 * ends[:, 0], 100 * ends[:, 1], color=style.BLUE, linewidth=3, alpha=0.45)
    axes.plot(100 * shares, places, marker="o", linestyle="none", color=style.BLUE)
    axes.set_yticks(places, names)
    axes.set_ylim(len(runs) - 0.5, -0.5)
    axes.tick_params(axis="y", length=0)
    axes.grid(axis="x")
    axes.set_xlabel("accuracy in per cent, and its 95% interval")
    splits = sorted({one.split for one in runs})
    facts = "the test of the same images is sharper than whether intervals overlap"
    style.heading(figure, "Accuracy", f"on {' and '.join(splits)} images", facts)
    return figure
