"""Compile and fit: the loss, the optimizer, the loop and its callbacks; begun or resumed."""

from contextlib import nullcontext
from typing import Any

from cnnctl.config import Config
from cnnctl.config.schedules import Constant, Exponential, ReduceOnPlateau
from cnnctl.config.training import TrainSettings
from cnnctl.data.prepare import Prepared
from cnnctl.data.split import TRAIN
from cnnctl.errors import DivergedError
from cnnctl.models.backend import JAX
from cnnctl.models.devices import FLOAT32
from cnnctl.models.distribution import distributed
from cnnctl.models.memory import is_out_of_memory, memory_error, total_memory
from cnnctl.models.together import Together
from cnnctl.system.interrupts import Interrupts
from cnnctl.system.watcher import Watcher
from cnnctl.training.callbacks import LossError, make_bookkeeping, make_ema_callback
from cnnctl.training.checkpointing import make_committer
from cnnctl.training.feeding import as_keras_dataset
from cnnctl.training.finish import keep_best
from cnnctl.training.network import Network
from cnnctl.training.optimizers import make_optimizer
from cnnctl.training.phases import Phase, phases
from cnnctl.training.record import FINE_TUNE, TrainingRecord
from cnnctl.training.resume import all_epochs, is_trained, machine_warnings, phase_of
from cnnctl.training.schedules import learning_rates

MOST_STEPS_AT_ONCE = 32
_AT_ONCE = 2.5e11
"""Floating-point operations between two looks at signals and progress: half a second where a processor is fast."""

_DIVERGED = "lower the learning_rate or clip the gradients (clipnorm: 1); batch_normalization helps too"


def fit(
    network: Network,
    config: Config,
    prepared: Prepared,
    record: TrainingRecord,
    watcher: Watcher,
    interrupts: Interrupts,
    together: Together | None = None,
) -> float:
    """Fit, or resume a fit; its best weights are in the record (averages, where they are kept), not in the model.

    Without validation images the last epoch is the best. Signals stop it between two executions, in all processes of
    the training at the same step. Afterwards this process computes alone.

    Returns:
        Seconds in which a step waited for its batch.

    Raises:
        DivergedError: the loss became NaN or infinite; the message says what was kept.
        MachineError: memory ran out.
        Interrupt: a signal came in.
    """
    if record.begin is None:
        images, epochs = int((prepared.splits == TRAIN).sum()), config.train.epochs
        tuned = "" if config.train.fine_tune is None else f" and {config.train.fine_tune.epochs} of fine-tuning"
        watcher.note(f"training {images:,} images, {epochs} epochs{tuned}, into {record.run.path}")
    else:
        record.write_history()
        _say_resumed(config, record, watcher)

    waited = 0.0
    phase: Phase | None = None
    try:
        with distributed():
            for phase in phases(network, config, prepared, record, watcher, interrupts):
                with nullcontext(interrupts) if together is None else together.fitting(interrupts) as agreed:
                    fit_model(phase, record, watcher, agreed)
                waited += phase.feeds.training.waited
    except DivergedError as error:
        if not record.best_epoch or (together is not None and not together.cluster.is_first):
            raise
        raise DivergedError(f"{error.message}; {keep_best(record, network)}", error.hint) from None
    except Exception as error:
        if not is_out_of_memory(error):
            raise
        device = network.device
        size = 4 if device.precision == FLOAT32 else 2
        plan = network.plan if phase is None else phase.plan
        raise memory_error(plan, config.train, total_memory(device.kind), size, device.total) from error
    finally:
        if together is not None:
            together.take_signals(interrupts)
    return waited


def _say_resumed(config: Config, record: TrainingRecord, watcher: Watcher) -> None:
    """Where a training is resumed, and why it may not be what an uninterrupted one would have been."""
    begin, train = record.begin, config.train
    assert begin is not None
    watcher.note(f"resuming after epoch {begin.epoch} of {all_epochs(begin, train)}, in {record.run.path}")
    for warning in machine_warnings(begin, record.facts["machine"]):
        watcher.note(f"warning: {warning}")

    phase = train if phase_of(begin) != FINE_TUNE or train.fine_tune is None else train.fine_tune
    there = begin.state["config"]["train"]
    before = (there if phase is train else there["fine_tune"])["epochs"]
    is_planned = not isinstance(phase.schedule, Constant | ReduceOnPlateau | Exponential)
    if is_planned and before != phase.epochs and not is_trained(begin, train):
        said = f"planned for {before} epochs; from here on for {phase.epochs}"
        watcher.note(f"warning: the learning rates so far were {said}")


def fit_model(phase: Phase, record: TrainingRecord, watcher: Watcher, interrupts: Interrupts) -> None:
    """Keras' fit of a phase, from where the record is.

    Raises:
        DivergedError: the loss became NaN or infinite; the record has what was good before.
        Interrupt: a signal came in.
    """
    import keras

    model, settings, feeds, training = phase.model, phase.settings, phase.feeds, phase.feeds.training
    rates = learning_rates(settings.schedule, settings.optimizer.learning_rate, settings.epochs, len(training))
    objective = training.examples.objective
    on_jax = keras.backend.backend() == JAX
    model.compile(
        optimizer=make_optimizer(settings, rates),
        loss=objective.keras_loss(),
        metrics=[objective.keras_accuracy()],
        jit_compile=on_jax,
        steps_per_execution=1 if on_jax else steps_at_once(phase.multiply_adds, settings.batch_size, len(training)),
    )

    if settings.lookahead is not None:
        model.optimizer.build(model.trainable_variables)  # here, and not in the first step: see with_lookahead

    planned = None if isinstance(settings.schedule, ReduceOnPlateau) else rates
    callbacks = [
        *([make_ema_callback()] if settings.ema is not None else []),  # first, so that the others see the averages
        make_bookkeeping(record, training, phase.all_epochs, planned, watcher, interrupts),
        *_stopping(settings),
    ]
    callbacks.append(make_committer(record, callbacks, phase.name, phase.begin))

    try:
        with interrupts.deferred():
            model.fit(
                as_keras_dataset(training),
                epochs=phase.begin + settings.epochs,
                initial_epoch=record.committed,
                validation_data=as_keras_dataset(feeds.validation) if feeds.validation is not None else None,
                callbacks=callbacks,
                shuffle=False,
                verbose=0,
            )
    except LossError as error:
        raise DivergedError(f"training diverged: {error}", _DIVERGED) from None
    finally:
        feeds.close()
    if not record.best_epoch:
        raise DivergedError("training diverged: no epoch has a finite validation loss", _DIVERGED)


def steps_at_once(multiply_adds: int, batch_size: int, steps: int) -> int:
    """How many steps TensorFlow takes at once, without Python in between: at most a quarter of an epoch's `steps`.

    A training step takes about 6 operations for each of the network's multiply-adds.
    """
    quick = int(_AT_ONCE / max(6 * multiply_adds * batch_size, 1))
    return max(1, min(quick, MOST_STEPS_AT_ONCE, steps // 4))


def _stopping(settings: TrainSettings) -> list[Any]:
    """The callbacks that wait for progress: lower the learning rate, end the training."""
    import keras

    make, callbacks = keras.callbacks, []
    schedule, stopping = settings.schedule, settings.early_stopping
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
