"""The learning rate of every step, worked out before training: what is planned, printed and drawn is what is used."""

import math
from typing import assert_never

import numpy as np
from numpy.typing import NDArray

from cnnctl.config.schedules import Constant, Cosine, Exponential, OneCycle, ReduceOnPlateau, Schedule
from cnnctl.config.training import TrainSettings

Rates = NDArray[np.float32]


def learning_rates(schedule: Schedule, learning_rate: float, epochs: int, steps_per_epoch: int) -> Rates:
    """The planned learning rate of each step.

    With t the step (from 0), T the steps in all and S the steps of an epoch:

    - constant, reduce_on_plateau: `learning_rate` (what a plateau takes away is known only while training);
    - cosine: `learning_rate (t + 1) / W` for the first W = warmup_epochs S steps, then
      `learning_rate (1 + cos(pi (t - W) / (T - W))) / 2`;
    - one_cycle: from `begin learning_rate` at the first step up to `learning_rate` at step `warmup_fraction T - 1`,
      then down to `end learning_rate` at the last step, both along half a cosine or in a straight line (the defaults
      are those of torch's OneCycleLR);
    - exponential: `learning_rate decay_per_epoch^(t / S)`.

    Returns:
        float32 (epochs * steps_per_epoch,).
    """
    total = epochs * steps_per_epoch
    step = np.arange(total, dtype=np.float64)
    match schedule:
        case Constant() | ReduceOnPlateau():
            rates = np.full(total, learning_rate)
        case Cosine():
            warmup = min(round(schedule.warmup_epochs * steps_per_epoch), total - 1)
            rates = learning_rate * _falling((step - warmup) / (total - warmup))
            rates[:warmup] = learning_rate * (step[:warmup] + 1) / max(warmup, 1)
        case OneCycle():
            top = max(schedule.warmup_fraction * total - 1, 0.0)
            begin, end = learning_rate * schedule.begin, learning_rate * schedule.end
            falling = _falling if schedule.shape == "cosine" else _falling_straight
            up = learning_rate + (begin - learning_rate) * falling(step / max(top, 1e-9))
            down = end + (learning_rate - end) * falling((step - top) / max(total - 1 - top, 1e-9))
            rates = np.where(step < top, up, down)
        case Exponential():
            rates = learning_rate * schedule.decay_per_epoch ** (step / steps_per_epoch)
        case _:
            assert_never(schedule)
    return rates.astype(np.float32)


def planned_rates(train: TrainSettings, steps_per_epoch: int) -> Rates:
    """The planned learning rate of each step of a whole training, of both phases where it has two.

    Returns:
        float32 (train.all_epochs * steps_per_epoch,).
    """
    phases = [train] if train.second_phase is None else [train, train.second_phase]
    return np.concatenate(
        [learning_rates(one.schedule, one.optimizer.learning_rate, one.epochs, steps_per_epoch) for one in phases]
    )


def _falling(share: NDArray[np.float64]) -> NDArray[np.float64]:
    """From 1 to 0 along half a cosine while `share` goes from 0 to 1."""
    return (1 + np.cos(math.pi * np.clip(share, 0.0, 1.0))) / 2


def _falling_straight(share: NDArray[np.float64]) -> NDArray[np.float64]:
    """From 1 to 0 in a straight line while `share` goes from 0 to 1."""
    return 1 - np.clip(share, 0.0, 1.0)


def is_fixed(schedule: Schedule) -> bool:
    """Whether the optimizer's learning rate stays a number: it is constant, or a callback lowers it."""
    return isinstance(schedule, Constant | ReduceOnPlateau)
