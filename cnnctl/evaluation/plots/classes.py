"""F1, precision and recall of each class."""

from typing import Any

import numpy as np

from cnnctl.evaluation.metrics import Metrics
from cnnctl.pictures import style

_MOST = 120  # classes in a picture
_LONGEST_NAME = 2.2  # inches
_ACROSS = 4.6


def f1_figure(metrics: Metrics, title: str) -> Any:
    """A bar for each class, the lowest F1 first; classes without images last.

    Args:
        metrics: Of any number of classes; of very many the lowest are shown.
        title: Which run and images.
    """
    count = len(metrics.classes)
    order = sorted(range(count), key=lambda at: (metrics.per_class[at].support == 0, metrics.per_class[at].f1))[:_MOST]
    row = 0.34 if len(order) <= 12 else 0.26 if len(order) <= 40 else 0.17
    font = min(style.TEXT, 0.72 * 72 * row)
    names, widest = style.labels([metrics.classes[at] for at in order], _LONGEST_NAME, font)
    counts = [f"{metrics.per_class[at].support:,}" for at in order]
    beside = max(style.width_of(text, font) for text in [*counts, "no images"]) + 0.55
    left, below, high = style.MARGIN + 0.12 + widest, 0.95, row * len(order)
    width = max(style.NARROWEST, left + _ACROSS + beside + style.MARGIN)
    figure = style.new_figure(width, style.HEAD + 0.22 + high + below)
    axes = style.panel(figure, left, below, width - left - beside - style.MARGIN, high)
    places = np.arange(len(order))
    seen = [place for place, at in enumerate(order) if metrics.per_class[at].support]
    own = [metrics.per_class[order[place]] for place in seen]
    axes.barh(seen, [one.f1 for one in own], height=0.72, color=style.BLUE, alpha=0.45, label="F1")
    marks = {"linestyle": "none", "clip_on": False, "markersize": min(6.0, 72 * row * 0.42)}
    axes.plot([one.precision for one in own], seen, marker="D", color=style.RED, label="precision", **marks)
    axes.plot([one.recall for one in own], seen, marker="o", color="black", label="recall", fillstyle="none", **marks)
    for place, text in zip(places, counts, strict=True):
        shown = text if text != "0" else "no images"
        options = {"transform": axes.get_yaxis_transform(), "va": "center_baseline", "fontsize": font}
        axes.text(1 + 0.14 / _ACROSS, place, shown, color=style.GREY, **options)
    axes.text(1 + 0.14 / _ACROSS, -0.62, "images", transform=axes.get_yaxis_transform(), va="bottom", color=style.GREY)
    axes.set_yticks(places, names, fontsize=font)
    axes.set_ylim(len(order) - 0.4, -0.6)
    axes.set_xlim(0, 1)
    axes.tick_params(axis="y", length=0)
    axes.grid(axis="x")
    axes.set_xlabel("score, from 0 to 1")
    style.legend_below(figure, axes)
    mean = np.mean([one.f1 for one in own]) if own else 0.0
    facts = f"mean F1 {mean:.3f} of {len([1 for one in metrics.per_class if one.support]):,} classes"
    if count > _MOST:
        present = [one.f1 for one in metrics.per_class if one.support]
        facts = f"mean F1 {np.mean(present):.3f} of {len(present):,} classes, of which the {_MOST} lowest are shown"
    style.heading(figure, "F1 of each class", title, facts)
    return figure
