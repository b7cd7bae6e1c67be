"""A training from epoch to epoch: loss, accuracy, learning rate; and the learning rates that a schedule plans."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cnnctl.pictures import style

_ACROSS, _HIGH = 3.3, 2.7
_MARKED = 40  # epochs of which each is a dot
_WIDE_RANGE = 50.0


@dataclass(frozen=True)
class History:
    """history.csv.

    `figures` has one value an epoch of each column but `epoch`. `best_epoch`, from 1, is the one whose weights were
    kept; 0 is none. Fewer epochs than `planned` were trained where the training stopped early.
    """

    figures: Mapping[str, Sequence[float]]
    best_epoch: int
    planned: int

    @property
    def epochs(self) -> int:
        """How many were trained."""
        return max((len(values) for values in self.figures.values()), default=0)


def history_of(rows: Iterable[Mapping[str, str]], best_epoch: int, planned: int) -> History:
    """The rows of a history.csv."""
    figures: dict[str, list[float]] = {}
    for row in rows:
        for name, text in row.items():
            if name != "epoch":
                figures.setdefault(name, []).append(float(text))
    return History(figures, best_epoch, planned)


def curves_figure(history: History, title: str) -> Any:
    """Loss, accuracy and learning rate side by side, the best epoch marked; without validation only the training's."""
    left, gap, below = 0.85, 1.0, 1.0
    figure = style.new_figure(left + 3 * _ACROSS + 2 * gap + style.MARGIN, style.HEAD + 0.1 + _HIGH + below)
    loss, accuracy, rate = (
        style.panel(figure, left + place * (_ACROSS + gap), below, _ACROSS, _HIGH) for place in range(3)
    )
    _draw(loss, history, "loss")
    _draw(accuracy, history, "accuracy")
    low, high = accuracy.get_ylim()
    accuracy.set_ylim(max(0.0, low - 0.05), min(1.02, high + 0.05))
    style.plain(accuracy.yaxis, percent=True)
    _draw(rate, history, "learning_rate")
    _scale(loss, [value for name in ("loss", "val_loss") for value in history.figures.get(name, ())])
    _scale(rate, history.figures.get("learning_rate", ()))
    loss.set_ylabel("loss" + (" (log scale)" if loss.get_yscale() == "log" else ""))
    accuracy.set_ylabel("accuracy")
    rate.set_ylabel("learning rate, end of epoch" + (" (log scale)" if rate.get_yscale() == "log" else ""))
    style.legend_below(figure, accuracy)
    style.heading(figure, "Training", title, _facts(history))
    return figure


def _draw(axes: Any, history: History, name: str) -> None:
    from matplotlib.ticker import MaxNLocator

    epochs = np.arange(1, history.epochs + 1)
    lines = ((name, style.BLUE, "o", "training"), (f"val_{name}", style.RED, "s", "validation"))
    for column, colour, marker, label in lines:
        if column in history.figures:
            values = style.finite(history.figures[column])
            shape = marker if len(epochs) <= _MARKED else ""
            axes.plot(epochs, values, color=colour, marker=shape, markersize=3.5, linewidth=1.4, label=label)
    if history.best_epoch:
        what = "best epoch" if "val_loss" in history.figures else "epoch"
        label = f"{what} {history.best_epoch}: its weights are kept"
        axes.axvline(history.best_epoch, color=style.GREY, linestyle="--", linewidth=1, label=label)
        shown = history.figures.get(f"val_{name}") or history.figures.get(name, ())
        if history.best_epoch <= len(shown):
            best = style.finite(shown)[history.best_epoch - 1]
            options = {"markersize": 11, "color": "black", "fillstyle": "none", "zorder": 3, "linestyle": "none"}
            axes.plot(history.best_epoch, best, marker="o", label="_best", **options)
    axes.set_xlim(0.5, history.epochs + 0.5)
    axes.xaxis.set_major_locator(MaxNLocator(7, integer=True, min_n_ticks=1))
    style.plain(axes.xaxis)
    style.plain(axes.yaxis)
    axes.set_xlabel("epoch")
    axes.grid()


def _scale(axes: Any, values: Sequence[float]) -> None:
    """A log scale where the values differ by so much that a linear one would hide most of them."""
    from matplotlib.ticker import LogLocator, NullFormatter

    numbers = style.finite(values)
    numbers = numbers[~np.isnan(numbers)]
    if len(numbers) and numbers.min() > 0 and numbers.max() / numbers.min() > _WIDE_RANGE:
        axes.set_yscale("log")
        axes.yaxis.set_major_locator(LogLocator(numticks=6))
        axes.yaxis.set_minor_formatter(NullFormatter())
        style.plain(axes.yaxis)
    else:
        top = float(numbers.max()) if len(numbers) else 1.0
        axes.set_ylim(min(0.0, float(numbers.min()) if len(numbers) else 0.0), 1.06 * top or 1.0)


def _facts(history: History) -> str:
    done = f"{history.epochs:,} epochs" if history.epochs != 1 else "1 epoch"
    if history.epochs < history.planned:
        done += f" of {history.planned:,}, stopped early"
    if not history.best_epoch:
        return done
    names = [name for name in ("val_loss", "val_accuracy", "loss", "accuracy") if name in history.figures]
    shown = names[:2] if "val_loss" in names else names
    figures = ", ".join(
        f"{name.replace('val_', 'validation ')} " + (f"{value:.1%}" if name.endswith("accuracy") else f"{value:.4g}")
        for name in shown
        for value in [history.figures[name][history.best_epoch - 1]]
    )
    kept = f"{done}; epoch {history.best_epoch} is kept: {figures}"
    return kept if "val_loss" in names else f"{kept}; there is no validation split"


def learning_rate_png(rates: NDArray[np.float32], steps_per_epoch: int, title: str) -> bytes:
    """The learning rate over the epochs; `rates` is (steps,), the rate of each step.

    Returns:
        A PNG file.
    """
    with style.drawing():
        figure = style.new_figure(7.0, 4.2)
        axes = style.panel(figure, 0.9, 0.6, 5.8, 4.2 - 0.6 - style.HEAD)
        epochs = np.arange(len(rates) + 1) / steps_per_epoch
        axes.step(epochs, np.append(rates, rates[-1:]), where="post", color=style.BLUE)
        highest = int(rates.argmax())
        facts = f"highest {rates[highest]:.3g} in epoch {highest // steps_per_epoch + 1}, last {rates[-1]:.3g}"
        style.heading(figure, "Learning rate", title, facts)
        axes.set_xlabel(f"epochs done (of {steps_per_epoch:,} steps)")
        axes.set_ylabel("learning rate")
        axes.set_xlim(0, len(rates) / steps_per_epoch)
        axes.set_ylim(bottom=0)
        style.plain(axes.yaxis)
        axes.grid()
        return style.png(figure)
