"""The fit of a run, begun or resumed, and what is kept of one that does not come to its end."""

from dataclasses import dataclass
from typing import Any

from cnnctl.architecture import Plan
from cnnctl.config import Config
from cnnctl.config.training import Constant, Exponential, ReduceOnPlateau
from cnnctl.errors import DivergedError
from cnnctl.models.build import Scaling
from cnnctl.models.devices import FLOAT32, Device
from cnnctl.runs import Run
from cnnctl.system.interrupts import Interrupts
from cnnctl.system.watcher import Watcher
from cnnctl.training.callbacks import Record
from cnnctl.training.checkpointing import Commits, recall
from cnnctl.training.feeding import Feed
from cnnctl.training.finish import save_best
from cnnctl.training.fit import fit, steps_at_once
from cnnctl.training.memory import is_out_of_memory, memory_error, total_memory
from cnnctl.training.resume import is_trained, machine_warnings


@dataclass(frozen=True)
class Network:
    """The network that trains, and what it was made from."""

    model: Any
    plan: Plan
    scaling: Scaling
    device: Device


def learn(
    network: Network,
    config: Config,
    training: Feed,
    validation: Feed | None,
    record: Record,
    watcher: Watcher,
    commits: Commits,
    interrupts: Interrupts,
) -> None:
    """Fit, or resume a fit; its errors say what was kept."""
    epochs, run, begin = config.train.epochs, commits.run, commits.begin
    if begin is not None:
        recall(record, begin, run)
        watcher.note(f"going on after epoch {begin.epoch} of {epochs}, in {run.path}")
        for warning in machine_warnings(begin, commits.about["machine"]):
            watcher.note(f"warning: {warning}")
        if is_trained(begin, epochs):
            return
        before = begin.state["config"]["train"]["epochs"]
        if before != epochs and not isinstance(config.train.schedule, Constant | ReduceOnPlateau | Exponential):
            watcher.note(
                f"warning: the learning rates so far were planned for {before} epochs; from here on for {epochs}"
            )
    else:
        watcher.note(f"training {len(training.examples):,} images, {epochs} epochs, into {run.path}")
    try:
        steps_per_execution = steps_at_once(network.plan, config.train.batch_size, len(training))
        fit(network.model, config, training, validation, run, watcher, record, commits, interrupts, steps_per_execution)
    except DivergedError as error:
        if not record.best_epoch:
            raise
        kept = _keep_best(run, network.plan, network.scaling, record)
        raise DivergedError(f"{error.message}; {kept}", error.hint) from None
    except Exception as error:
        if not is_out_of_memory(error):
            raise
        size = 4 if network.device.precision == FLOAT32 else 2
        raise memory_error(network.plan, config.train, total_memory(network.device.kind), size) from error


def interruption_message(run: Run, config: Config, record: Record, plan: Plan, scaling: Scaling) -> str:
    """What an interruption leaves; the best weights so far go into model.keras."""
    epochs = config.train.epochs
    if record.stopped or record.committed >= epochs:
        return "interrupted after the last epoch, before the run was complete"
    message = f"interrupted in epoch {record.committed + 1} of {epochs}, which will be repeated"
    return f"{message}; {_keep_best(run, plan, scaling, record)}" if record.best_epoch else message


def _keep_best(run: Run, plan: Plan, scaling: Scaling, record: Record) -> str:
    save_best(run, plan, scaling, record)
    return f"the weights of epoch {record.best_epoch}, the best so far, are in {run.keras_model}"
