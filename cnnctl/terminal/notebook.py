"""Progress in a notebook: a bar that is drawn anew in its place, and below it the lines of what is done."""

import html
import io
import time
from typing import Any

from cnnctl.formatting import duration, size, visible
from cnnctl.system.watcher import Epoch
from cnnctl.terminal.epochs import Clock, Pace, shown_figures

_BETWEEN_DRAWINGS = 0.25
"""Seconds: the page is drawn by a browser, maybe over a network, and each drawing is kept until the next."""


class NotebookWatcher:
    """A bar and the lines told so far, as one output of a cell; once all is done the lines alone."""

    def __init__(self) -> None:
        self._lines: list[str] = []
        self._bar = ""
        self._drawn = 0.0
        self._handle: Any = None
        self._pace = Pace()
        self._clock = Clock(io.StringIO())

    def note(self, text: str) -> None:
        self._lines += visible(text).split("\n")
        self._draw()

    def busy(self, what: str) -> None:
        self._show(f"{what} ...", None, None)

    def progress(self, what: str, done: int, total: int) -> None:
        self._step(what, done, total, f"{done:,} of {total:,} images")

    def transfer(self, what: str, done: int, total: int) -> None:
        """`progress` in bytes, of a download."""
        self._step(what, done, total, f"{size(done)} of {size(total)}")

    def _step(self, what: str, done: int, total: int, news: str) -> None:
        left = self._pace.left(what, done, total)
        self._show(f"{what}: {news}{left and f', {left}'}", done, total)

    def step(self, epoch: int, epochs: int, done: int, total: int, figures: dict[str, float]) -> None:
        left = self._clock.left(epoch, epochs, done / total)
        news = [f"epoch {epoch} of {epochs}", *shown_figures(figures), *([f"{duration(left)} left"] if left else [])]
        self._show(", ".join(news), (epoch - 1) * total + done, epochs * total)

    def epoch(self, epoch: Epoch) -> None:
        self._lines += self._clock.finish(epoch)
        self._draw()

    def close(self) -> None:
        """Take the bar away."""
        self._bar = ""
        if self._handle is not None:
            self._draw()

    def _show(self, text: str, done: int | None, total: int | None) -> None:
        """The bar with its news; one whose length is not known moves by itself."""
        share = "" if done is None else f' value="{done}" max="{total}"'
        self._bar = f'<progress{share} style="width: 20em"></progress> {html.escape(visible(text))}'
        if time.monotonic() - self._drawn >= _BETWEEN_DRAWINGS:
            self._draw()

    def _draw(self) -> None:
        from importlib import import_module

        shown: Any = import_module("IPython.display")  # it is there in a kernel, and nowhere else needed
        self._drawn = time.monotonic()
        lines = html.escape("\n".join(self._lines))
        page = shown.HTML(f'<pre style="white-space: pre-wrap">{lines}</pre>{self._bar and f"<div>{self._bar}</div>"}')
        if self._handle is None:
            self._handle = shown.display(page, display_id=True)
        else:
            self._handle.update(page)
