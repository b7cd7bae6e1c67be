"""What a tracker is told of a training."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, Protocol

from cnnctl.config import Config
from cnnctl.runs import Run

Figures = Mapping[str, float]
"""What an epoch came to, by the names of history.csv."""


@dataclass(frozen=True)
class RunStarted:
    """A training that begins, or goes on after the epochs of `history`; the config is the resolved one.

    `machine` is what trains, by `backend`, `device`, `precision` and `devices` (how many).
    """

    run: Run
    config: Config
    history: Sequence[Figures]
    machine: Mapping[str, str]


@dataclass(frozen=True)
class Outcome:
    """What came of a training that is finished, has failed by an error, or was killed by a signal.

    `best_epoch` is from 1, 0 while there is none; `scores` are accuracy, loss and the rest, by split.
    """

    status: Literal["finished", "failed", "killed"]
    best_epoch: int = 0
    scores: Mapping[str, Figures] = field(default_factory=dict)
    plots: Sequence[Path] = ()
    models: Sequence[Path] = ()
    files: Sequence[Path] = ()


class Tracker(Protocol):
    """One of them. It may raise what it likes."""

    def begin(self, beginning: RunStarted) -> None:
        """The training begins, or goes on: nothing that was told before is told twice."""

    def epoch(self, number: int, figures: Figures) -> None:
        """Epoch `number`, from 1, is over and kept."""

    def end(self, outcome: Outcome) -> None:
        """Nothing will follow."""

    def how_to_look(self) -> str | None:
        """The command, or the address, that shows the training; None where it cannot be known."""
