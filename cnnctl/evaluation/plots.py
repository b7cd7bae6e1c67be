"""The pictures of an evaluation, as PNG files."""

import io
import logging
import warnings
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cnnctl.evaluation.metrics import Metrics

_MOST_LABELLED = 60


def _figure(width: float, height: float) -> Any:
    logging.getLogger("matplotlib").setLevel(logging.ERROR)
    from matplotlib.figure import Figure

    return Figure(figsize=(width, height), dpi=110, layout="constrained")


def png(figure: Any) -> bytes:
    """A figure as the bytes of a PNG file."""
    content = io.BytesIO()
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph .* missing from font", UserWarning)  # a box stands for it
        figure.savefig(content, format="png", bbox_inches="tight", metadata={"Software": None})
    return content.getvalue()


def confusion_matrix_png(metrics: Metrics, title: str) -> bytes:
    """The confusion matrix: coloured by the share of each true class, the counts written in while they fit.

    Args:
        metrics: Of 2 to some hundred classes.
        title: What was evaluated, such as `digits, test`.

    Returns:
        A PNG file.
    """
    counts = np.array(metrics.confusion_matrix)
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    size = len(metrics.classes)
    longest = max(len(name) for name in metrics.classes)
    side = min(24.0, max(4.5, 2.2 + 0.52 * size if size <= _MOST_LABELLED else 2.2 + 0.2 * size))
    figure = _figure(side + 0.07 * min(longest, 30) + 0.9, side + 0.6)
    axes = figure.add_subplot()
    image = axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    bar = figure.colorbar(image, ax=axes, fraction=0.046, pad=0.03)
    bar.set_label("share of the true class")
    accuracy = f"accuracy {metrics.accuracy:.1%} of {metrics.images:,} images"
    axes.set_title(f"Confusion matrix: {_one_line(title)}\n{accuracy}", fontsize=11, parse_math=False)
    axes.set_xlabel("predicted class")
    axes.set_ylabel("true class")
    names = [_short(name) for name in metrics.classes]
    upright = longest <= 3 and size <= 20
    font = 10.0 if size <= 20 else 8.0 if size <= _MOST_LABELLED else 6.0
    axes.set_xticks(range(size), names, rotation=0 if upright else 90, fontsize=font, parse_math=False)
    axes.set_yticks(range(size), names, fontsize=font, parse_math=False)
    if size <= _MOST_LABELLED:
        cell = 72 * (side - 2.2) / size  # in points, of which a digit takes 0.6 of its font's size
        font = min(font, 1.3 * cell / len(str(counts.max())))
        for row, column in np.argwhere(counts > 0):
            colour = "white" if shares[row, column] > 0.5 else "black"
            axes.text(column, row, str(counts[row, column]), ha="center", va="center", color=colour, fontsize=font)
    return png(figure)


def learning_rate_png(rates: NDArray[np.float32], steps_per_epoch: int, title: str) -> bytes:
    """The learning rate over the epochs.

    Args:
        rates: (steps,), the rate of each step.
        steps_per_epoch: Steps of an epoch.
        title: What is planned.

    Returns:
        A PNG file.
    """
    figure = _figure(7.0, 3.6)
    axes = figure.add_subplot()
    axes.step(np.arange(len(rates) + 1) / steps_per_epoch, np.append(rates, rates[-1:]), where="post", color="tab:blue")
    highest = int(rates.argmax())
    axes.set_title(
        f"Learning rate: {_one_line(title)}\nhighest {rates[highest]:.3g} in epoch {highest // steps_per_epoch + 1}, "
        f"last {rates[-1]:.3g}",
        fontsize=11,
        parse_math=False,
    )
    axes.set_xlabel(f"epochs done (of {steps_per_epoch:,} steps)")
    axes.set_ylabel("learning rate")
    axes.set_xlim(0, len(rates) / steps_per_epoch)
    axes.set_ylim(bottom=0)
    axes.grid(alpha=0.3)
    return png(figure)


def _short(name: str) -> str:
    """A class name fit for a tick label: one line of at most 30 characters."""
    line = _one_line(name)
    return line if len(line) <= 30 else line[:29] + "…"


def _one_line(text: str) -> str:
    """Text without line breaks, tabs and what cannot be printed."""
    return "".join(char if char.isprintable() else "\N{REPLACEMENT CHARACTER}" for char in " ".join(text.split()))
