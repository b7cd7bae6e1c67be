"""What happens at the ends of steps and epochs of a fit."""

import math
import time
from typing import Any

import numpy as np

from cnnctl.system.interrupts import Interrupts
from cnnctl.system.watcher import Epoch, Watcher
from cnnctl.training.feeding import Feed
from cnnctl.training.record import TrainingRecord
from cnnctl.training.schedules import Rates

_BETWEEN_STEPS = 0.1  # seconds between two pieces of news


class LossError(Exception):
    """Raised out of a fit: the mean loss of an epoch, or a weight, became NaN or infinite."""


def make_ema_callback() -> Any:
    """A keras callback that has the averages of the weights in the model whenever it is judged.

    Keras' own, but that it keeps the weights behind the averages at the end, so that more epochs can follow.
    """
    import keras

    class EmaCallback(keras.callbacks.SwapEMAWeights):  # type: ignore[misc]
        def _finalize_ema_values(self) -> None:
            pass

    return EmaCallback(swap_on_epoch=True)


def make_bookkeeping(
    record: TrainingRecord, feed: Feed, epochs: int, rates: Rates | None, watcher: Watcher, interrupts: Interrupts
) -> Any:
    """A keras callback that tells the feed of each epoch, adds the epoch to the record and tells the watcher.

    A loss that is no number ends an epoch where it is seen; in several processes, which look at it at different times,
    after the epoch. `rates` are the planned learning rates by step; None where only the optimizer knows.
    """
    import keras

    is_alone = feed.device is None or feed.device.processes == 1

    def insist_on_a_number(figures: dict[str, float], done: int) -> None:
        if not math.isfinite(figures["loss"]):
            raise LossError(f"the loss is {figures['loss']} in epoch {feed.epoch + 1}, by step {done} of {len(feed)}")

    class Bookkeeping(keras.callbacks.Callback):  # type: ignore[misc]
        def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
            feed.begin_epoch(epoch)
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
                if is_alone:
                    insist_on_a_number(figures, done)
                watcher.step(epoch=feed.epoch + 1, epochs=epochs, done=done, total=len(feed), figures=figures)

        def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
            figures = {name: float(value) for name, value in (logs or {}).items() if name != "learning_rate"}
            insist_on_a_number(figures, len(feed))

            weights = self.model.get_weights()
            if not all(np.isfinite(weight).all() for weight in weights):
                raise LossError(f"a weight is NaN or infinite at the end of epoch {epoch + 1}")

            rate = self.learning_rate()
            best = record.add_epoch(figures, rate, weights)
            seconds = time.perf_counter() - self.begun
            speed = feed.images / max(self.trained, 1e-9)
            watcher.epoch(Epoch(epoch + 1, epochs, figures, rate, seconds, speed, best))

        def learning_rate(self) -> float:
            """Of the epoch's last step; a step that float16 skips, because its gradients overflow, uses up no rate."""
            optimizer = self.model.optimizer
            if rates is None:
                return float(optimizer.learning_rate)
            steps = int(keras.ops.convert_to_numpy(optimizer.iterations))
            return float(rates[min(max(steps, 1), len(rates)) - 1])

    return Bookkeeping()
