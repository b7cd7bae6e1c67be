"""The classes in pictures: the confusion matrix, and F1, precision and recall of each class."""

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cnnctl.evaluation.metrics import Metrics
from cnnctl.pictures import style

_WIDEST = 18.0  # inches of a matrix
_WRITTEN = 400  # cells with a number in them; each costs half a millisecond
_SMALLEST_FONT = 6.0
_SMALLEST_NUMBER = 4.0
_EVEN = 20  # classes; of more the colours are by the square root, so that single mistakes are seen
_LONGEST_NAME = 2.2  # inches
_BARS = 120  # classes in a picture
_ACROSS = 4.6


def confusion_figure(metrics: Metrics, title: str, normalised: bool) -> Any:
    """Rows are the truth, columns the answers; the largest numbers are written in.

    `normalised` colours and writes the share of the true class instead of counts.
    """
    import matplotlib as mpl
    from matplotlib.colors import PowerNorm

    counts = np.array(metrics.confusion_matrix)
    size = len(counts)
    totals = counts.sum(axis=1, keepdims=True)
    shares = np.where(totals > 0, counts / np.maximum(totals, 1), np.nan)
    cell = min(_WIDEST / size, 1.2 if size <= 3 else 0.56 if size <= 12 else 0.45 if size <= 24 else 0.26)
    if size > 60:
        cell = min(cell, 0.175)
    side = cell * size
    font = max(_SMALLEST_FONT, min(style.TEXT, 0.72 * 72 * cell))
    every = int(np.ceil(_SMALLEST_FONT / (0.72 * 72 * cell)))
    places = range(0, size, every)
    names, widest = style.labels([metrics.classes[place] for place in places], _LONGEST_NAME, font)
    lies = widest > 0.9 * cell * every
    left, below = 0.6 + widest, 0.5 + (widest if lies else font / 72)
    content = left + side + 1.0
    figure = style.new_figure(max(style.NARROWEST, content + style.MARGIN), style.HEAD + side + below + 0.1)
    left += max(0.0, (style.NARROWEST - content) / 2)
    axes = style.panel(figure, left, below, side, side)
    values = shares if normalised else counts
    power = 1.0 if size <= _EVEN else 0.5
    norm = PowerNorm(power, vmin=0, vmax=1 if normalised else max(1, counts.max()))
    colours = axes.imshow(values, cmap=mpl.colormaps["Blues"].with_extremes(bad=style.PALE), norm=norm)
    axes.set_aspect("auto")  # its panel is square
    axes.set_xticks(places, names, rotation=90 if lies else 0, fontsize=font)
    axes.set_yticks(places, names, fontsize=font)
    axes.tick_params(length=2, pad=2)
    axes.set_xlabel("predicted class")
    axes.set_ylabel("true class")
    axes.spines[:].set_visible(False)
    high = min(side, 3.0)
    bar = figure.colorbar(colours, cax=style.panel(figure, left + side + 0.15, below + side - high, 0.14, high))
    bar.outline.set_visible(False)
    if normalised:
        style.plain(bar.ax.yaxis, percent=True)
    bar.set_label("share of the true class" if normalised else "images")
    fine = cell >= 0.5
    texts = partial(_percent, fine=fine) if normalised else "{:,}".format
    least = _write_numbers(axes, np.nan_to_num(values), texts, norm, cell)
    facts = f"accuracy {metrics.accuracy:.1%} of {metrics.images:,} images"
    if normalised and np.isnan(shares).any():
        facts += "; grey rows: no images"
    if least:
        said = f"{least:.1%}" if normalised else f"{least:,.0f}"
        facts += f"; numbers above {said} are written in"
    style.heading(figure, f"Confusion matrix, {'% of each true class' if normalised else 'counts'}", title, facts)
    return figure


def _write_numbers(axes: Any, values: NDArray[Any], say: Callable[[float], str], norm: Any, cell: float) -> float:
    """Write the largest numbers into their cells; the largest that is left out, 0 where none is."""
    order = np.argsort(-values, axis=None, kind="stable")[: np.count_nonzero(values)]
    least = float(values.flat[order[_WRITTEN]]) if len(order) > _WRITTEN else 0.0
    found = [(int(at), say(values.flat[at])) for at in order if values.flat[at] > least]
    longest = max((style.width_of(text, 10.0) for text in {text for _, text in found}), default=1.0)
    font = min(11.0, 0.5 * 72 * cell, 10.0 * 0.86 * cell / longest)
    if font < _SMALLEST_NUMBER:
        return 0.0
    for at, text in found:
        row, column = divmod(at, len(values))
        colour = "white" if norm(values[row, column]) > 0.55 else "black"
        axes.text(column, row, text, ha="center", va="center_baseline", color=colour, fontsize=font)
    return least


def _percent(share: float, fine: bool) -> str:
    """A share above 0 in percent; what is not nothing and not all is not called so."""
    digits = 1 if fine else 0
    least = 10.0**-digits
    value = 100 * share
    if value >= 100:
        return "100"
    if round(value, digits) >= 100:
        return f">{100 - least:.{digits}f}"
    return f"<{least:g}" if round(value, digits) == 0 else f"{value:.{digits}f}"


def f1_figure(metrics: Metrics, title: str) -> Any:
    """A bar for each class, the lowest F1 first; classes without images last. Of very many the lowest are shown."""
    count = len(metrics.classes)
    order = sorted(range(count), key=lambda at: (metrics.per_class[at].support == 0, metrics.per_class[at].f1))[:_BARS]
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
    if count > _BARS:
        present = [one.f1 for one in metrics.per_class if one.support]
        facts = f"mean F1 {np.mean(present):.3f} of {len(present):,} classes, of which the {_BARS} lowest are shown"
    style.heading(figure, "F1 of each class", title, facts)
    return figure
