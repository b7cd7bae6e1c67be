"""Progress on stderr: bars where it is a terminal, plain lines where it is not."""

import os
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, TextIO

from cnnctl.formatting import duration, size, visible
from cnnctl.system.loudness import details_to, is_quiet
from cnnctl.system.stderr import captured_stderr
from cnnctl.system.watcher import Epoch, NullProgress, Watcher
from cnnctl.terminal.layout import cells_of, width_of, wrapped

_BETWEEN_LINES = 10.0  # seconds between two plain lines about the same long step
_LONGEST_BAR, _SHORTEST_BAR = 30, 5


class PlainWatcher:
    """A line for each piece of news; long steps say where they are every ten seconds."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._told = time.monotonic()
        self._pace = _Pace()
        self._clock = _Clock(stream)

    def note(self, text: str) -> None:
        print(visible(text), file=self._stream, flush=True)

    def busy(self, what: str) -> None:
        self.note(f"{what} ...")

    def progress(self, what: str, done: int, total: int) -> None:
        if done == total or time.monotonic() - self._told >= _BETWEEN_LINES:
            self._told = time.monotonic()
            self.note(f"{what}: {done:,} of {total:,} images")

    def transfer(self, what: str, done: int, total: int) -> None:
        """`progress` in bytes, of a download."""
        left = self._pace.left(what, done, total)
        if done == total or time.monotonic() - self._told >= _BETWEEN_LINES:
            self._told = time.monotonic()
            self.note(f"{what}: {size(done)} of {size(total)}{f', {left}' if left else ''}")

    def step(self, epoch: int, epochs: int, done: int, total: int, figures: dict[str, float]) -> None:
        left = self._clock.left(epoch, epochs, done / total)
        if time.monotonic() - self._told >= _BETWEEN_LINES:
            self._told = time.monotonic()
            ending = f", {duration(left)} left" if left else ""
            self.note(f"epoch {epoch}/{epochs}: {done:,} of {total:,} batches, {'  '.join(_figures(figures))}{ending}")

    def epoch(self, epoch: Epoch) -> None:
        self._told = time.monotonic()
        for line in self._clock.finish(epoch):
            self.note(line)

    def close(self) -> None:
        """Nothing is left on the screen to take away."""


class TerminalWatcher:
    """One live bar at the foot of the screen; finished epochs scroll up above it."""

    def __init__(self, stream: TextIO) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, Progress, TextColumn

        self._stream = stream
        self._console = Console(file=stream, highlight=False, emoji=False, force_terminal=True)
        self._bar = BarColumn(bar_width=_LONGEST_BAR)
        columns = (TextColumn("{task.description}"), self._bar, TextColumn("{task.fields[news]}"))
        self._progress = Progress(*columns, console=self._console, transient=True)
        self._task: Any = None
        self._what = ""
        self._busy = False
        self._pace = _Pace()
        self._clock = _Clock(stream)

    def note(self, text: str) -> None:
        if self._busy:
            self.close()
        self._console.print(wrapped(visible(text), width_of(self._stream)), markup=False, soft_wrap=True)

    def busy(self, what: str) -> None:
        self.close()
        self._show(what, 0, None)
        self._busy = True

    def progress(self, what: str, done: int, total: int) -> None:
        self._show_step(what, done, total, f"{done:,} of {total:,} images")

    def transfer(self, what: str, done: int, total: int) -> None:
        """`progress` in bytes, of a download."""
        self._show_step(what, done, total, f"{size(done)} of {size(total)}")

    def _show_step(self, what: str, done: int, total: int, news: str) -> None:
        self._show(what, done, total, news, self._pace.left(what, done, total))
        if done == total:
            self.close()

    def step(self, epoch: int, epochs: int, done: int, total: int, figures: dict[str, float]) -> None:
        if self._busy:
            self.close()
        left = self._clock.left(epoch, epochs, done / total)
        ending = f"{duration(left)} left" if left else ""
        self._show(f"epoch {epoch}/{epochs}", done, total, f"{done}/{total}", *_figures(figures), ending)

    def epoch(self, epoch: Epoch) -> None:
        for line in self._clock.finish(epoch):
            self.note(line)
        if epoch.number == epoch.total:
            self.close()

    def _show(self, what: str, done: int, total: int | None, *news: str) -> None:
        """The bar with its news, of which a narrow screen has the last ones: a number is never cut."""
        width = width_of(self._stream) or self._console.width
        self._console.width = width
        parts = [part for part in news if part]
        while len(parts) > 1 and self._room(width, what, parts) < _SHORTEST_BAR:
            parts.pop(0)
        self._bar.bar_width = max(1, min(_LONGEST_BAR, self._room(width, what, parts)))
        self._draw(what, done, total, "  ".join(parts))

    def _room(self, width: int, what: str, parts: Sequence[str]) -> int:
        return width - 2 - cells_of(what) - cells_of("  ".join(parts))

    def _draw(self, what: str, done: int, total: int | None, news: str) -> None:
        if self._task is None:
            self._progress.start()
            self._task = self._progress.add_task(what, total=total, news=news)
        self._what = what
        self._progress.update(self._task, description=what, completed=done, total=total, news=news)

    def close(self) -> None:
        """Take the bar away."""
        if self._task is not None:
            self._progress.remove_task(self._task)
            self._progress.stop()
            self._task, self._what, self._busy = None, "", False


class _Pace:
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


class _Clock:
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


def _figures(figures: dict[str, float]) -> list[str]:
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


def _is_dumb() -> bool:
    """Whether the terminal cannot move its cursor, as it says itself."""
    return os.environ.get("TERM", "").lower() in ("dumb", "unknown")


@contextmanager
def watching(progress: bool | Watcher, stream: TextIO) -> Iterator[Watcher]:
    """The watcher of a block: nobody for False, what the commands print for True, or the caller's own."""
    if not isinstance(progress, bool):
        yield progress
    elif not progress or is_quiet():
        yield NullProgress()
    else:
        watcher = TerminalWatcher(stream) if stream.isatty() and not _is_dumb() else PlainWatcher(stream)
        try:
            with details_to(watcher.note):
                yield watcher
        finally:
            watcher.close()


@contextmanager
def captured_watcher() -> Iterator[Watcher]:
    """A block in which descriptor 2 is captured, and its watcher, which prints to the screen."""
    with captured_stderr() as capture, watching(True, capture.terminal) as watcher:
        yield watcher


def counting(watcher: Watcher, what: str) -> Callable[[int, int], None]:
    """`watcher.progress` of one step, as a function of (done, total)."""
    return lambda done, total: watcher.progress(what, done, total)
