"""The Keras optimizer of the settings: its learning rates planned, its gradients clipped, its weights averaged."""

from typing import Any

from cnnctl.config.optimizers import Sgd
from cnnctl.config.training import TrainSettings
from cnnctl.models.backend import TENSORFLOW
from cnnctl.training.schedules import Rates, is_fixed


def make_optimizer(settings: TrainSettings, rates: Rates) -> Any:
    """The Keras optimizer of a train section; `rates` are those of `schedules.learning_rates`."""
    import keras

    from cnnctl.models.optimizer_steps import with_bias_factor, with_lookahead

    optimizer = settings.optimizer
    if keras.backend.backend() == TENSORFLOW:
        from cnnctl.models import fused_optimizers as makers
    else:
        makers = keras.optimizers
    make = getattr(makers, optimizer.keras_class)
    if isinstance(optimizer, Sgd) and optimizer.bias_factor != 1:
        make = with_bias_factor(make, optimizer.bias_factor)
    if settings.lookahead is not None:
        make = with_lookahead(make, **dict(settings.lookahead), steps=len(rates))
    return make(
        learning_rate=optimizer.learning_rate if is_fixed(settings.schedule) else _planned(rates),
        use_ema=settings.ema is not None,
        ema_momentum=settings.ema or 0.0,
        **optimizer.keras_arguments(),
    )


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
