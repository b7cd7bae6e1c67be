"""The record of a run's training: its epochs, the best of them, what was kept, and where it was resumed."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from cnnctl.runs import Run
from cnnctl.runs.checkpoints import Checkpoint
from cnnctl.tracking.tracker import Trackers

HEAD, FINE_TUNE = "head", "fine_tune"
"""The phases of a training with a stem."""


@dataclass
class TrainingRecord:
    """What a run knows of its training. Only its own methods change it.

    Attributes:
        run: The run.
        monitor: The figure that decides which epoch is the best; None takes the last one.
        facts: Goes into every checkpoint: what a resume must agree with.
        begin: The checkpoint to resume from; None for a training from its beginning.
        trackers: Told of each epoch that is kept.
        history: One dict of figures an epoch.
        best_epoch: From 1; 0 while there is none.
        best_value: Its figure.
        best_weights: Copies of its arrays.
        committed: The epoch of the last checkpoint; 0 while there is none.
        stopped: Whether early stopping ended the training, or its first phase.
        all_epochs: How many are planned, as far as the phase that runs knows; 0 before there is one.
    """

    run: Run
    monitor: str | None
    facts: Mapping[str, Any] = field(default_factory=dict)
    begin: Checkpoint | None = None
    trackers: Trackers = field(default_factory=Trackers)
    history: list[dict[str, float]] = field(default_factory=list, init=False)
    best_epoch: int = field(default=0, init=False)
    best_value: float = field(default=math.nan, init=False)
    best_weights: list[Any] = field(default_factory=list, init=False)
    committed: int = field(default=0, init=False)
    stopped: bool = field(default=False, init=False)
    all_epochs: int = field(default=0, init=False)

    def __post_init__(self) -> None:
        if self.begin is not None:
            self._restore(self.begin)

    def _restore(self, checkpoint: Checkpoint) -> None:
        state = checkpoint.state
        self.history = list(state["history"])
        self.best_epoch = state["best_epoch"]
        self.best_value = math.nan if state["best_value"] is None else state["best_value"]
        self.best_weights = list(checkpoint.arrays.get("best", ()))
        self.mark_committed(checkpoint.epoch, state["stopped"])

    def add_epoch(self, figures: Mapping[str, float], learning_rate: float, weights: list[Any]) -> bool:
        """Note an epoch, and bring history.csv up to date; its weights are kept where it is the best so far.

        Returns:
            Whether it is.
        """
        self.history.append({**figures, "learning_rate": learning_rate})
        is_best = self._is_better(figures)
        if is_best:
            self.best_epoch = len(self.history)
            self.best_value = figures[self.monitor] if self.monitor else math.nan
            self.best_weights = weights
        self.write_history()
        return is_best

    def _is_better(self, figures: Mapping[str, float]) -> bool:
        """Whether an epoch's figures beat the best so far; a loss falls, an accuracy rises."""
        if self.monitor is None:
            return all(math.isfinite(value) for value in figures.values())
        value = figures[self.monitor]
        if not math.isfinite(value):
            return False
        if not self.best_epoch:
            return True
        return value > self.best_value if self.monitor.endswith("accuracy") else value < self.best_value

    def begin_phase(self, all_epochs: int) -> None:
        """Note that more epochs are to come, whatever ended those before."""
        self.stopped = False
        self.all_epochs = all_epochs

    def mark_committed(self, epoch: int, stopped: bool) -> None:
        """Note that a checkpoint has the first `epoch` epochs, and whether early stopping ended the training there."""
        self.committed = epoch
        self.stopped = stopped

    def write_history(self) -> None:
        """history.csv: one row an epoch, no times in it, so that equal runs have equal files."""
        columns = list(self.history[0])
        rows = ([number, *(row[name] for name in columns)] for number, row in enumerate(self.history, start=1))
        self.run.write_csv(self.run.history, ("epoch", *columns), rows)

    def to_state(self) -> dict[str, Any]:
        """What a checkpoint keeps of it, but for the weights and `stopped`."""
        return {
            **self.facts,
            "history": self.history,
            "best_epoch": self.best_epoch,
            "best_value": self.best_value if math.isfinite(self.best_value) else None,
        }
