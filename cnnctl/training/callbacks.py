"""What happens at the ends of steps and epochs of a fit."""

import math
import time
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from cnnctl.runs import Run
from cnnctl.system import files
from cnnctl.system.interrupts import Interrupts
from cnnctl.system.watcher import Epoch, Watcher
from cnnctl.training.feeding import Feed
from cnnctl.training.schedules import Rates

_BETWEEN_STEPS = 0.1  # seconds between two pieces of news


@dataclass
class Record:
    """What a fit leaves behind.

    Attributes:
        monitor: The figure that decides which epoch is the best; None takes the last one.
        history: One dict of figures an epoch.
        best_epoch: From 1; 0 while there is none.
        best_value: Its figure.
        best_weights: Copies of its arrays.
        committed: The epoch of the last checkpoint; 0 while there is none.
        stopped: Whether early stopping ended the training.
    """

    monitor: str | None
    history: list[dict[str, float]] = field(default_factory=list)
    best_epoch: int = 0
    best_value: float = math.nan
    best_weights: list[Any] = field(default_factory=list)
    committed: int = 0
    stopped: bool = False

    def is_better(self, figures: dict[str, float]) -> bool:
        """Whether an epoch's figures beat the best so far; a loss falls, an accuracy rises."""
        if self.monitor is None:
            return all(math.isfinite(value) for value in figures.values())
        value = figures[self.monitor]
        if not math.isfinite(value):
            return False
        if not self.best_epoch:
            return True
        return value > self.best_value if self.monitor.endswith("accuracy") else value < self.best_value


class LossError(Exception):
    """Raised out of a fit: the mean loss of an epoch, or a weight, became NaN or infinite."""


def make_averages() -> Any:
    """A keras callback that has the averages of the weights in the model whenever it is judged.

    Keras' own, but that it keeps the weights behind the averages at the end, so that more epochs can follow.
    """
    import keras

    class Averages(keras.callbacks.SwapEMAWeights):  # type: ignore[misc]
        def _finalize_ema_values(self) -> None:
            pass

    return Averages(swap_on_epoch=True)


def make_callback(
    record: Record,
    run: Run,
    feed: Feed,
    epochs: int,
    watcher: Watcher,
    rates: Rates | None,
    interrupts: Interrupts,
) -> Any:
    """A keras callback that sets the feed's epoch, keeps the best weights, writes history.csv and tells the watcher.

    `rates` are the planned learning rates by step; None where only the optimizer knows. It stops between two steps
    when `interrupts` say so.
    """
    import keras

    def insist_on_a_number(figures: dict[str, float], done: int) -> None:
        if not math.isfinite(figures["loss"]):
            raise LossError(f"the loss is {figures['loss']} in epoch {feed.epoch + 1}, by step {done} of {len(feed)}")

    class Bookkeeping(keras.callbacks.Callback):  # type: ignore[misc]
        def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
            feed.epoch = epoch
            self.begun = self.told = time.perf_counter()
            self.trained = 0.0

        def on_test_batch_end(self, batch: int, logs: Any = None) -> None:
            interrupts.check()

        def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
            interrupts.check()
            now = time.perf_counter()
            self.trained = now - self.begun
            if now - self.told >= _BETWEEN_STEPS:
                self.told = now
                done = min(batch + 1, len(feed))
                figures = {name: float(value) for name, value in (logs or {}).items()}
                insist_on_a_number(figures, done)
                watcher.step(epoch=feed.epoch + 1, epochs=epochs, done=done, total=len(feed), figures=figures)

        def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
            figures = {name: float(value) for name, value in (logs or {}).items() if name != "learning_rate"}
            insist_on_a_number(figures, len(feed))
            weights = self.model.get_weights()
            if not all(np.isfinite(weight).all() for weight in weights):
                raise LossError(f"a weight is NaN or infinite at the end of epoch {epoch + 1}")
            rate = self.learning_rate()
            record.history.append({**figures, "learning_rate": rate})
            best = record.is_better(figures)
            if best:
                record.best_epoch = epoch + 1
                record.best_value = figures[record.monitor] if record.monitor else math.nan
                record.best_weights = weights
            write_history(run, record)
            seconds = time.perf_counter() - self.begun
            speed = len(feed.examples) / max(self.trained, 1e-9)
            watcher.epoch(Epoch(epoch + 1, epochs, figures, rate, seconds, speed, best))

        def learning_rate(self) -> float:
            """Of the epoch's last step; a step that float16 skips, because its gradients overflow, uses up no rate."""
            optimizer = self.model.optimizer
            if rates is None:
                return float(optimizer.learning_rate)
            steps = int(keras.ops.convert_to_numpy(optimizer.iterations))
            return float(rates[min(max(steps, 1), len(rates)) - 1])

    return Bookkeeping()


def write_history(run: Run, record: Record) -> None:
    """history.csv: one row an epoch, no times in it, so that equal runs have equal files."""
    columns = list(record.history[0])
    rows = ([number, *(row[name] for name in columns)] for number, row in enumerate(record.history, start=1))
    files.write_csv(run.history, ("epoch", *columns), rows)
