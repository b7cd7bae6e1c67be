"""What is said of the epochs of a training, and how long the rest of a step or a training will take."""

import time
from typing import TextIO

from cnnctl.formatting import duration
from cnnctl.system.watcher import Epoch
from cnnctl.terminal.layout import width_of


class Pace:
    """How long the rest of a step will take."""

    def __init__(self) -> None:
        self._what = ""
        self._begun = 0.0

    def left(self, what: str, done: int, total: int) -> str:
        """`20 s left`; nothing in the first second, and at the end."""
        if what != self._what or not done:
            self._what, self._begun = what, time.monotonic()
        passed = time.monotonic() - self._begun
        return f"{duration(passed / done * (total - done))} left" if done < total and done and passed > 1 else ""


class Clock:
    """How long the rest of a training will take, judged by its epochs since `begun_at`, from 1; 0 if there is none."""

    def __init__(self, stream: TextIO) -> None:
        self._width = width_of(stream)  # once, so that the columns stay those of the header
        self.begun_at = 0
        self._first_step: float | None = None

    def finish(self, epoch: Epoch) -> list[str]:
        """What is told of an epoch that is over: its line, below the header of columns if it is the first."""
        self.begun_at = self.begun_at or epoch.number
        self._first_step = self._first_step or time.monotonic() - epoch.seconds
        cells = epoch_cells(epoch, self.left(epoch.number + 1, epoch.total, 0.0))
        header, line = epoch_lines(cells, self._width, epoch.is_best)
        return [header, line] if self.begun_at == epoch.number else [line]

    def left(self, epoch: int, epochs: int, share: float) -> float:
        """Seconds left when `share` of `epoch` (from 1) is done; 0 at the end, and before anything is known."""
        now = time.monotonic()
        self.begun_at = self.begun_at or epoch
        self._first_step = self._first_step or now
        done = epoch - self.begun_at + share
        return (now - self._first_step) / max(done, 1e-9) * (epochs - epoch + 1 - share) if done else 0.0


_COLUMNS = ("loss", "accuracy", "val_loss", "val_accuracy")
_LEAST_IMPORTANT = ("images/s", "left", "time", "loss", "acc", "val_loss")
_BEST = "best"


def shown_figures(figures: dict[str, float]) -> list[str]:
    """`loss 0.1234` and so on, the main figures of an epoch."""
    return [f"{name} {float(figures[name]):.4f}" for name in _COLUMNS if name in figures]


def epoch_cells(epoch: Epoch, left: float) -> dict[str, str]:
    """One finished epoch by the names of its columns, each cell as wide as the column."""
    figures = {
        name.replace("accuracy", "acc"): f"{epoch.figures[name]:8.4f}" for name in _COLUMNS if name in epoch.figures
    }
    return {
        "epoch": f"{f'{epoch.number}/{epoch.total}':>{max(5, 2 * len(str(epoch.total)) + 1)}}",
        **figures,
        "images/s": f"{epoch.images_per_second:>8,.0f}",
        "time": f"{duration(epoch.seconds):>9}",
        "left": f"{duration(left) if left else '':>12}",
    }


def epoch_lines(cells: dict[str, str], width: int | None, is_best: bool = False) -> tuple[str, str]:
    """The names of the columns, and the line of an epoch below them; `best` marks the best one so far.

    What does not fit into `width` is left out, the least important column first.
    """
    shown = dict(cells)
    for name in _LEAST_IMPORTANT:
        if width is not None and len("  ".join([*shown.values(), _BEST])) > width:
            shown.pop(name, None)
    header = "  ".join(f"{name:>{len(cell)}}" for name, cell in shown.items())
    return header, "  ".join([*shown.values(), *([_BEST] if is_best else [])]).rstrip()
