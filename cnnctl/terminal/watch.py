"""Progress on stderr: bars where it is a terminal, plain lines where it is not."""

import os
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, TextIO

from cnnctl.formatting import duration, size, visible
from cnnctl.system.loudness import details_to, is_quiet
from cnnctl.system.stderr import captured_stderr
from cnnctl.system.watcher import Epoch, NullProgress, Watcher
from cnnctl.terminal.epochs import Clock, Pace, shown_figures
from cnnctl.terminal.layout import cells_of, width_of, wrapped

_BETWEEN_LINES = 10.0  # seconds between two plain lines about the same long step
_LONGEST_BAR, _SHORTEST_BAR = 30, 5


class PlainWatcher:
    """A line for each piece of news; long steps say where they are every ten seconds."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._told = time.monotonic()
        self._pace = Pace()
        self._clock = Clock(stream)

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
            self.note(
                f"epoch {epoch}/{epochs}: {done:,} of {total:,} batches, {'  '.join(shown_figures(figures))}{ending}"
            )

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
        self._pace = Pace()
        self._clock = Clock(stream)

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
        self._show(f"epoch {epoch}/{epochs}", done, total, f"{done}/{total}", *shown_figures(figures), ending)

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


def _watcher(stream: TextIO) -> Any:
    """What shows progress to people here."""
    if in_notebook():
        from cnnctl.terminal.notebook import NotebookWatcher

        return NotebookWatcher()
    return TerminalWatcher(stream) if stream.isatty() and not _is_dumb() else PlainWatcher(stream)


def in_notebook() -> bool:
    """Whether this process is the kernel of a notebook; IPython in a terminal is none."""
    ipython = sys.modules.get("IPython")  # which a kernel has imported
    shell = ipython.get_ipython() if ipython is not None else None
    return getattr(shell, "kernel", None) is not None


def _is_dumb() -> bool:
    """Whether the terminal cannot move its cursor, as it says itself."""
    return os.environ.get("TERM", "").lower() in ("dumb", "unknown")


@contextmanager
def watching(progress: bool | Watcher | None, stream: TextIO) -> Iterator[Watcher]:
    """The watcher of a block: nobody for False, what the commands print for True, or the caller's own.

    In a notebook True is a bar, and so is None, which is nobody elsewhere.
    """
    if progress is not None and not isinstance(progress, bool):
        yield progress
    elif progress is False or is_quiet() or (progress is None and not in_notebook()):
        yield NullProgress()
    else:
        watcher = _watcher(stream)
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
