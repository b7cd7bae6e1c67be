"""Schedules: how the learning rate changes while a network is trained."""

from typing import Annotated, Literal

from cnnctl.settings import FromZero, Named, described

Monitor = Annotated[Literal["val_loss", "val_accuracy", "loss", "accuracy"], described("Metric to monitor.")]
Patience = Annotated[FromZero, described("Number of epochs without improvement to wait.")]


class Constant(Named):
    """Keeps the learning rate of the optimizer constant."""


class Cosine(Named):
    """Linear warmup, then cosine decay to 0 (Loshchilov and Hutter 2016,
    https://arxiv.org/abs/1608.03983).
    """

    warmup_epochs: Annotated[float, described("Number of warmup epochs; 0.5 is half an epoch.", 1, ge=0)] = 0.0


class OneCycle(Named):
    """Rise from a part of the learning rate to all of it, then decay to nearly 0 (Smith and Topin 2017,
    https://arxiv.org/abs/1708.07120).
    """

    warmup_fraction: Annotated[
        float, described("Fraction of the steps in which the learning rate rises.", gt=0, lt=1)
    ] = 0.3
    begin: Annotated[float, described("First learning rate, as a fraction of the optimizer's.", 0.2, ge=0, le=1)] = 0.04
    end: Annotated[float, described("Last learning rate, as a fraction of the optimizer's.", 0.07, ge=0, le=1)] = 4e-6
    shape: Annotated[
        Literal["cosine", "linear"], described("Along half a cosine, or in straight lines, up and down.")
    ] = "cosine"


class Exponential(Named):
    """Multiplies the learning rate by the same factor in each epoch, a little with each step."""

    decay_per_epoch: Annotated[
        float, described("Factor by which an epoch multiplies the learning rate.", 0.9, gt=0, le=1)
    ]


class ReduceOnPlateau(Named):
    """Multiplies the learning rate by `factor` when `monitor` has not improved for `patience` epochs."""

    factor: Annotated[float, described("Factor by which the learning rate is multiplied.", gt=0, lt=1)] = 0.1
    patience: Patience = 10
    monitor: Monitor = "val_loss"


Schedule = Constant | Cosine | OneCycle | Exponential | ReduceOnPlateau
