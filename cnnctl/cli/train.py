"""`cnnctl train`."""

import sys
import time
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cnnctl.cli.app import guarded
from cnnctl.cli.options import ConfigArgument, JsonOption, SetOption, StrictOption
from cnnctl.cli.render import LEFT, RIGHT, duration, percent, print_json, print_table, size

if TYPE_CHECKING:
    from cnnctl.architecture import Plan
    from cnnctl.checks import Findings
    from cnnctl.config import Config
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
    assignments: SetOption = None,
    strict: StrictOption = False,
    as_json: JsonOption = False,
) -> None:
    """Train the network of a config on its images and write a run directory."""
    begun = time.perf_counter()
    from cnnctl.checks import check, decode_catalog
    from cnnctl.cli.watch import counting, make_watcher
    from cnnctl.config import parse_config
    from cnnctl.errors import MachineError
    from cnnctl.quiet import captured_stderr
    from cnnctl.runs.directory import refuse_occupied
    from cnnctl.training.backend import KerasImport
    from cnnctl.training.train import train

    loaded = parse_config(config, assignments or ())
    if output is not None:
        refuse_occupied(output)
    findings = check(loaded, lambda done, total: None, decode=False)
    findings.insist()
    assert loaded.config is not None
    assert findings.plan is not None
    with captured_stderr() as capture:
        watcher = make_watcher(capture.terminal)
        _describe_data(findings, watcher)
        keras_import = KerasImport(loaded.config.train, loaded.config.deterministic is True)
        try:
            waiting = partial(watcher.busy, "another process is decoding these images; waiting for it")
            decode_catalog(loaded, findings, counting(watcher, "decoding"), waiting, strict)
            findings.insist()
            for remark in findings.remarks:
                between = "\n  hint: " if "\n" in remark.message else "; "
                watcher.note(f"remark: {remark.message}{between}{remark.hint}")
            _describe_network(loaded.config, findings.plan, watcher)
            trained = train(loaded.config, findings, output, sys.argv, keras_import, watcher, capture, begun)
        except MachineError as error:
            if isinstance(error.__cause__, ImportError):
                print(capture.text(), file=capture.terminal, end="")
            raise
        finally:
            watcher.close()
            keras_import.join()
    if as_json:
        print_json({"run": str(trained.run.path), "metrics": trained.evaluation.content})
    else:
        _print_result(trained)


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
