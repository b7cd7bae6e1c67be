"""The Keras optimizer of the settings: its learning rates planned, its gradients clipped, its weights averaged."""

from typing import Any, assert_never

from cnnctl.config.training import Adam, AdamW, RMSprop, Sgd, TrainSettings
from cnnctl.models.backend import TENSORFLOW
from cnnctl.training.schedules import Rates, is_fixed


def make_optimizer(settings: TrainSettings, rates: Rates) -> Any:
    """The Keras optimizer of a train section.

    Args:
        settings: Optimizer, schedule and moving average.
        rates: Of `schedules.learning_rates`, by step.
    """
    optimizer = settings.optimizer
    make = _makers()
    common = {
        "learning_rate": optimizer.learning_rate if is_fixed(settings.schedule) else _planned(rates),
        "weight_decay": optimizer.weight_decay,
        "clipnorm": optimizer.clipnorm,
        "global_clipnorm": optimizer.global_clipnorm,
        "clipvalue": optimizer.clipvalue,
        "use_ema": settings.ema is not None,
        "ema_momentum": settings.ema or 0.0,
    }
    match optimizer:
        case Adam() | AdamW():
            kind = make.AdamW if isinstance(optimizer, AdamW) else make.Adam
            return kind(
                beta_1=optimizer.beta_1,
                beta_2=optimizer.beta_2,
                epsilon=optimizer.epsilon,
                amsgrad=optimizer.amsgrad,
                **common,
            )
        case Sgd():
            return make.SGD(momentum=optimizer.momentum, nesterov=optimizer.nesterov, **common)
        case RMSprop():
            return make.RMSprop(
                rho=optimizer.rho,
                momentum=optimizer.momentum,
                epsilon=optimizer.epsilon,
                centered=optimizer.centered,
                **common,
            )
        case _:
            assert_never(optimizer)


def _makers() -> Any:
    """Where the classes of the optimizers are to be had."""
    import keras

    if keras.backend.backend() == TENSORFLOW:
        from cnnctl.models import fused_optimizers

        return fused_optimizers
    return keras.optimizers


def _planned(rates: Rates) -> Any:
    """A Keras schedule that looks each step's rate up; steps beyond the plan keep the last one."""
    import keras

    class Planned(keras.optimizers.schedules.LearningRateSchedule):  # type: ignore[misc]
        def __call__(self, step: Any) -> Any:
            place = keras.ops.minimum(keras.ops.cast(step, "int32"), len(rates) - 1)
            return keras.ops.take(keras.ops.convert_to_tensor(rates), place)

        def get_config(self) -> dict[str, Any]:
            return {"rates": rates.tolist()}

    return Planned()
