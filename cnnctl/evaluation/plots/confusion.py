"""The confusion matrix, in counts or in shares of the true class."""

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


def confusion_figure(metrics: Metrics, title: str, normalised: bool) -> Any:
    """Rows are the truth, columns the answers; the largest numbers are written in.

    Args:
        metrics: Of any number of classes.
        title: Which run and images.
        normalised: Colour and write the share of the true class instead of counts.
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
