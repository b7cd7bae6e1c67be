"""What training tells whoever watches; the command line draws it, tests record it."""

from dataclasses import dataclass
from typing import Any, Protocol


@dataclass(frozen=True)
class Epoch:
    """One finished epoch.

    Attributes:
        number: From 1.
        total: Epochs in all.
        figures: loss, accuracy, and val_loss and val_accuracy where there is a validation split.
        learning_rate: Of its last step.
        seconds: That it took, validation included.
        images_per_second: Of its training steps.
        is_best: Whether its weights are the best so far.
    """

    number: int
    total: int
    figures: dict[str, float]
    learning_rate: float
    seconds: float
    images_per_second: float
    is_best: bool


class Watcher(Protocol):
    """Receives news of a training, in this order."""

    def note(self, text: str) -> None:
        """A line for people."""

    def busy(self, what: str) -> None:
        """A step called `what` begins, whose length is not known; any other news ends it."""

    def progress(self, what: str, done: int, total: int) -> None:
        """`done` of `total` images of a step called `what`, such as `decoding`."""

    def step(self, epoch: int, epochs: int, done: int, total: int, figures: dict[str, float]) -> None:
        """`done` of `total` batches of an epoch (from 1), with the running figures."""

    def epoch(self, epoch: Epoch) -> None:
        """An epoch is over."""


class NullProgress:
    """Nobody watches."""

    def _ignore(self, *args: Any, **named: Any) -> None:
        """Not told."""

    note = busy = progress = step = epoch = _ignore


def show_bytes(watcher: Watcher, what: str, done: int, total: int) -> None:
    """`done` of `total` bytes of a step; told as `progress` to watchers that have no method `transfer`."""
    getattr(watcher, "transfer", watcher.progress)(what, done, total)
