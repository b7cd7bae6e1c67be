"""From a config to a complete run, as `cnnctl train` and the Python API begin it: what is wrong is said first."""

from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from cnnctl.architecture import Plan
from cnnctl.architecture.cost import training_bytes
from cnnctl.checks import Findings, check, decode_catalog
from cnnctl.config import Config, Loaded
from cnnctl.data.listing import describe_left_out
from cnnctl.errors import MachineError
from cnnctl.formatting import size
from cnnctl.layers.notation import format_shape
from cnnctl.models.backend import KerasImport
from cnnctl.runs import Run
from cnnctl.runs.directory import mark_latest, refuse_occupied
from cnnctl.system.interrupts import Interrupts
from cnnctl.system.stderr import Capture
from cnnctl.system.watcher import Watcher
from cnnctl.training.request import Task
from cnnctl.training.resume import take_up
from cnnctl.training.train import Trained, train


@dataclass(frozen=True)
class Order:
    """A training that is asked for.

    Attributes:
        loaded: The config, with or without mistakes.
        output: The run directory; None for the next number under runs/.
        resume: Whether to resume the run at `output`.
        strict: See checks.decode_catalog.
        command: The command line, for the record.
        repeat: See Task.
        begun: time.perf_counter() at the start of the command.
        call: See Task.
    """

    loaded: Loaded
    output: Path | None
    resume: bool
    strict: bool
    command: Sequence[str]
    repeat: Sequence[str]
    begun: float
    call: str | None = None


@dataclass(frozen=True)
class Launched:
    """What came of it: the run, and what its training said; None where nothing was left to train."""

    run: Run
    trained: Trained | None


def launch(order: Order, watcher: Watcher, capture: Capture, interrupts: Interrupts) -> Launched:
    """Check, decode and train.

    Args:
        order: What is wanted.
        watcher: Hears how it goes.
        capture: Holds descriptor 2.
        interrupts: The signals of the process.

    Raises:
        ConfigError: with every mistake of the config and of its data.
        UsageError: the run directory is in use for something else, or the run is of another config.
        CnnctlError: as `train`.
    """
    loaded = order.loaded
    if order.output is not None and not order.resume:
        refuse_occupied(order.output)
    findings = check(loaded, lambda done, total: None, decode=False)
    findings.raise_if_problems()
    assert loaded.config is not None
    assert findings.plan is not None
    with ExitStack() as stack:
        resumed = order.output if order.resume else None
        taken_up = take_up(resumed, loaded.config, watcher.note) if resumed is not None else None
        if taken_up is not None:
            stack.callback(taken_up.lock.release, remove=True)
            if taken_up.is_complete:
                mark_latest(taken_up.run)
                return Launched(taken_up.run, None)
        _describe_data(findings, watcher)
        keras_import = KerasImport(loaded.config.train, loaded.config.deterministic is True)
        stack.callback(keras_import.join)
        try:
            waiting = partial(watcher.busy, "another process is decoding these images; waiting for it")
            decode_catalog(loaded, findings, partial(watcher.progress, "decoding"), waiting, order.strict)
            findings.raise_if_problems()
            for warning in findings.warnings:
                between = "\n  hint: " if "\n" in warning.message else "; "
                watcher.note(f"warning: {warning.message}{between}{warning.hint}")
            _describe_network(loaded.config, findings.plan, watcher)
            task = Task(loaded.config, order.output, order.command, order.repeat, order.begun, taken_up, order.call)
            trained = train(task, findings, keras_import, watcher, capture, interrupts)
        except MachineError as error:
            if isinstance(error.__cause__, ImportError):
                print(capture.text(), file=capture.terminal, end="")
            raise
    return Launched(trained.run, trained)


def _describe_data(findings: Findings, watcher: Watcher) -> None:
    assert findings.catalog is not None
    for split, counts in findings.catalog.counts().items():
        each = ", ".join(f"{name} {count:,}" for name, count in counts.items())
        if len(counts) > 12:
            each = f"{min(counts.values()):,} to {max(counts.values()):,} each"
        watcher.note(f"{split}: {sum(counts.values()):,} images of {len(counts)} classes ({each})")
    left_out = describe_left_out(findings.catalog.left_out)
    if left_out:
        watcher.note(left_out)


def _describe_network(config: Config, plan: Plan, watcher: Watcher) -> None:
    memory = training_bytes(plan, config.train.batch_size, config.train.optimizer, config.train.ema is not None)
    watcher.note(
        f"network: {len(plan.layers)} layers, {plan.total_params:,} parameters, {plan.multiply_adds:,} multiply-adds "
        f"an image of {format_shape(plan.input_shape)}, about {size(memory)} a training step"
    )
