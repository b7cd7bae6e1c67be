"""`cnnctl train`."""

import sys
import time
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cnnctl.cli.app import guarded
from cnnctl.cli.options import ConfigArgument, JsonOption, SetOption, StrictOption
from cnnctl.cli.render import LEFT, RIGHT, print_json, print_table
from cnnctl.words import duration, percent, size

if TYPE_CHECKING:
    from cnnctl.architecture import Plan
    from cnnctl.checks import Findings
    from cnnctl.config import Config
    from cnnctl.runs import Run
    from cnnctl.training.progress import Watcher
    from cnnctl.training.train import Trained


def register(app: typer.Typer) -> None:
    """Add the command to the application."""
    app.command("train", epilog="Example: cnnctl train configs/digits.yaml --set train.epochs=3")(guarded(train_cli))


def train_cli(
    config: ConfigArgument,
    output: Annotated[
        Path | None,
        typer.Option("--output", metavar="DIR", help="The run directory; the next number under runs/NAME/."),
    ] = None,
    resume: Annotated[
        bool,
        typer.Option("--resume", help="Go on with the run at --output after its last epoch; begin it if it is new."),
    ] = False,
    assignments: SetOption = None,
    strict: StrictOption = False,
    as_json: JsonOption = False,
) -> None:
    """Train the network of a config on its images and write a run directory."""
    begun = time.perf_counter()
    from cnnctl.checks import check, decode_catalog
    from cnnctl.cli.watch import counting, make_watcher
    from cnnctl.config import parse_config
    from cnnctl.errors import MachineError, UsageError
    from cnnctl.interrupts import caught
    from cnnctl.quiet import captured_stderr
    from cnnctl.runs.directory import mark_latest, refuse_occupied
    from cnnctl.training.backend import KerasImport
    from cnnctl.training.resume import take_up
    from cnnctl.training.task import Task
    from cnnctl.training.train import train

    if resume and output is None:
        raise UsageError("--resume needs the run to go on with", "name it: --output runs/NAME/1")
    loaded = parse_config(config, assignments or ())
    if output is not None and not resume:
        refuse_occupied(output)
    findings = check(loaded, lambda done, total: None, decode=False)
    findings.insist()
    assert loaded.config is not None
    assert findings.plan is not None
    with ExitStack() as stack:
        capture = stack.enter_context(captured_stderr())
        watcher = make_watcher(capture.terminal)
        stack.callback(watcher.close)
        interrupts = stack.enter_context(caught(capture.terminal, watcher.note))
        taken_up = take_up(output, loaded.config, watcher.note) if output is not None and resume else None
        if taken_up is not None:
            stack.callback(taken_up.lock.release, remove=True)
            if taken_up.is_complete:
                mark_latest(taken_up.run)
                _say_complete(taken_up.run, as_json)
                return
        _describe_data(findings, watcher)
        keras_import = KerasImport(loaded.config.train, loaded.config.deterministic is True)
        stack.callback(keras_import.join)
        try:
            waiting = partial(watcher.busy, "another process is decoding these images; waiting for it")
            decode_catalog(loaded, findings, counting(watcher, "decoding"), waiting, strict)
            findings.insist()
            for remark in findings.remarks:
                between = "\n  hint: " if "\n" in remark.message else "; "
                watcher.note(f"remark: {remark.message}{between}{remark.hint}")
            _describe_network(loaded.config, findings.plan, watcher)
            task = Task(loaded.config, output, sys.argv, _repeat(config, assignments, strict), begun, taken_up)
            trained = train(task, findings, keras_import, watcher, capture, interrupts)
        except MachineError as error:
            if isinstance(error.__cause__, ImportError):
                print(capture.text(), file=capture.terminal, end="")
            raise
    if as_json:
        print_json({"run": str(trained.run.path), "metrics": trained.evaluation.content})
    else:
        _print_result(trained)


def _repeat(config: Path, assignments: list[str] | None, strict: bool) -> list[str]:
    """The words of the command line, but for the run directory and the form of the answer."""
    sets = [word for assignment in assignments or () for word in ("--set", assignment)]
    return ["cnnctl", "train", str(config), *sets, *(["--strict"] if strict else [])]


def _say_complete(run: "Run", as_json: bool) -> None:
    if as_json:
        print_json({"run": str(run.path), "metrics": run.read_metrics()})
    else:
        print(f"complete: nothing is left to train\n\nrun   {run.path}\nnext  cnnctl predict IMAGE")


def _describe_data(findings: "Findings", watcher: "Watcher") -> None:
    from cnnctl.data.listing import describe_left_out

    assert findings.catalog is not None
    for split, counts in findings.catalog.counts().items():
        each = ", ".join(f"{name} {count:,}" for name, count in counts.items())
        if len(counts) > 12:
            each = f"{min(counts.values()):,} to {max(counts.values()):,} each"
        watcher.note(f"{split}: {sum(counts.values()):,} images of {len(counts)} classes ({each})")
    left_out = describe_left_out(findings.catalog.left_out)
    if left_out:
        watcher.note(left_out)


def _describe_network(config: "Config", plan: "Plan", watcher: "Watcher") -> None:
    from cnnctl.architecture.cost import training_bytes
    from cnnctl.architecture.plan import format_shape

    memory = training_bytes(plan, config.train.batch_size, config.train.optimizer, config.train.ema is not None)
    watcher.note(
        f"network: {len(plan.layers)} layers, {plan.total_params:,} parameters, {plan.multiply_adds:,} multiply-adds "
        f"an image of {format_shape(plan.input_shape)}, about {size(memory)} a training step"
    )


def _print_result(trained: "Trained") -> None:
    evaluation, metrics = trained.evaluation, trained.evaluation.metrics
    low, high = metrics.accuracy_interval
    rows = [
        (f"{evaluation.split} accuracy", f"{percent(metrics.accuracy)} ({percent(low)} to {percent(high)})"),
        (f"{evaluation.split} loss", f"{metrics.loss:.4f}"),
        (f"{evaluation.split} images", f"{metrics.images:,}"),
        ("best epoch", f"{trained.record.best_epoch} of {len(trained.record.history)}"),
        ("time", duration(trained.seconds)),
    ]
    print_table(("result", ""), rows, (LEFT, RIGHT))
    if evaluation.split != "test":
        why = "there are no test images: these figures are of the images that chose the best epoch"
        if evaluation.split == "train":
            why = "there are no test or validation images: these figures are of the training images themselves"
        print(f"\n{why}")
    if not trained.parity.written:
        difference = trained.parity.largest_difference
        print(f"model.onnx was not written: it differs from model.keras by {difference:.3g}", file=sys.stderr)
    print(f"\nrun   {trained.run.path}\nnext  cnnctl predict IMAGE")
