"""Compile and fit: the loss, the optimizer, the loop and its callbacks."""

from typing import Any

from cnnctl.architecture import Plan
from cnnctl.config import Config
from cnnctl.config.training import ReduceOnPlateau
from cnnctl.errors import DivergedError
from cnnctl.models.backend import JAX
from cnnctl.runs import Run
from cnnctl.system.interrupts import Interrupts
from cnnctl.system.watcher import Watcher
from cnnctl.training.callbacks import LossError, Record, make_averages, make_callback
from cnnctl.training.checkpointing import Commits, make_committer
from cnnctl.training.feeding import Feed, as_keras_dataset
from cnnctl.training.optimizers import make_optimizer
from cnnctl.training.schedules import learning_rates

MOST_STEPS_AT_ONCE = 32
_AT_ONCE = 2.5e11
"""Floating-point operations between two looks at signals and progress: half a second where a processor is fast."""

_DIVERGED = "lower the learning_rate or clip the gradients (clipnorm: 1); batch_normalization helps too"


def fit(
    model: Any,
    config: Config,
    training: Feed,
    validation: Feed | None,
    run: Run,
    watcher: Watcher,
    record: Record,
    commits: Commits | None = None,
    interrupts: Interrupts | None = None,
    steps_per_execution: int = 1,
) -> None:
    """Train a model; its best weights are in the record (averages, where they are kept), not in the model.

    Args:
        model: From build_network.
        config: Its train section says how.
        training: The training batches.
        validation: The validation batches, or None: then the last epoch is the best.
        run: Gets history.csv after every epoch.
        watcher: Hears of every step and epoch.
        record: Filled epoch by epoch, so that it is of use when the training is interrupted.
        commits: Where the state is kept at the end of each epoch, and from where it goes on; None keeps nothing.
        interrupts: May stop it between two executions.
        steps_per_execution: Steps of an execution, of `steps_at_once`; TensorFlow goes through them without Python.

    Raises:
        DivergedError: the loss became NaN or infinite; the record has what was good before.
        Interrupt: a signal came in.
    """
    import keras

    interrupts = interrupts or Interrupts()

    settings = config.train
    rates = learning_rates(settings.schedule, settings.optimizer.learning_rate, settings.epochs, len(training))
    objective = training.examples.objective
    on_jax = keras.backend.backend() == JAX
    model.compile(
        optimizer=make_optimizer(settings, rates),
        loss=objective.keras_loss(),
        metrics=[objective.keras_accuracy()],
        jit_compile=on_jax,
        steps_per_execution=1 if on_jax else steps_per_execution,
    )
    planned = None if isinstance(settings.schedule, ReduceOnPlateau) else rates
    callbacks = [
        *([make_averages()] if settings.ema is not None else []),  # first, so that the others see the averages
        make_callback(record, run, training, settings.epochs, watcher, planned, interrupts),
        *_stopping(config),
    ]
    if commits is not None:
        callbacks.append(make_committer(commits, record, callbacks))
    try:
        with interrupts.deferred():
            model.fit(
                as_keras_dataset(training),
                epochs=settings.epochs,
                initial_epoch=commits.begin.epoch if commits is not None and commits.begin is not None else 0,
                validation_data=as_keras_dataset(validation) if validation is not None else None,
                callbacks=callbacks,
                shuffle=False,
                verbose=0,
            )
    except LossError as error:
        raise DivergedError(f"training diverged: {error}", _DIVERGED) from None
    finally:
        for feed in (training, validation):
            if feed is not None:
                feed.close()
    if not record.best_epoch:
        raise DivergedError("training diverged: no epoch has a finite validation loss", _DIVERGED)


def steps_at_once(plan: Plan, batch_size: int, steps: int) -> int:
    """How many steps TensorFlow takes at once.

    Args:
        plan: The network; a training step takes about 6 operations for each of its multiply-adds.
        batch_size: Images of a step.
        steps: Those of an epoch, a quarter of which is the most.
    """
    quick = int(_AT_ONCE / max(6 * plan.multiply_adds * batch_size, 1))
    return max(1, min(quick, MOST_STEPS_AT_ONCE, steps // 4))


def _stopping(config: Config) -> list[Any]:
    """The callbacks that wait for progress: lower the learning rate, end the training."""
    import keras

    make, callbacks = keras.callbacks, []
    schedule, stopping = config.train.schedule, config.train.early_stopping
    if isinstance(schedule, ReduceOnPlateau):
        mode = _mode(schedule.monitor)
        waits = {"patience": schedule.patience, "min_delta": 0, "mode": mode}
        callbacks.append(make.ReduceLROnPlateau(schedule.monitor, schedule.factor, **waits))
    if stopping is not None:
        mode = _mode(stopping.monitor)
        callbacks.append(make.EarlyStopping(stopping.monitor, stopping.min_delta, stopping.patience, mode=mode))
    return callbacks


def _mode(monitor: str) -> str:
    return "max" if monitor.endswith("accuracy") else "min"
