"""`cnnctl train`."""

import sys
import time
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cnnctl.cli.app import guarded
from cnnctl.cli.options import ConfigArgument, JsonOption, SetOption, StrictOption
from cnnctl.formatting import duration, percent
from cnnctl.terminal.render import LEFT, RIGHT, print_json, print_table

if TYPE_CHECKING:
    from cnnctl.training.train import Trained


def register(app: typer.Typer) -> None:
    """Add the command to the application."""
    app.command("train", epilog="Example: cnnctl train digits.yaml --set train.epochs=3")(guarded(train_cli))


def train_cli(
    config: ConfigArgument,
    output: Annotated[
        Path | None,
        typer.Option("--output", metavar="DIR", help="The run directory; the next number under runs/NAME/."),
    ] = None,
    resume: Annotated[
        bool,
        typer.Option("--resume", help="Resume the run at --output after its last epoch; begin it if it is new."),
    ] = False,
    assignments: SetOption = None,
    strict: StrictOption = False,
    as_json: JsonOption = False,
) -> None:
    """Train the network of a config on its images and write a run directory."""
    begun = time.perf_counter()
    from cnnctl.config import parse_config
    from cnnctl.errors import UsageError
    from cnnctl.system.interrupts import caught
    from cnnctl.system.stderr import captured_stderr
    from cnnctl.terminal.watch import make_watcher
    from cnnctl.training.request import TrainRequest
    from cnnctl.training.train import Complete, train

    if resume and output is None:
        raise UsageError("--resume needs the run to resume", "name it: --output runs/NAME/1")
    loaded = parse_config(config, assignments or ())
    repeat = _repeat(config, assignments, strict)
    request = TrainRequest(loaded, output, resume, strict, sys.argv, repeat, begun)
    with ExitStack() as stack:
        capture = stack.enter_context(captured_stderr())
        watcher = make_watcher(capture.terminal)
        stack.callback(watcher.close)
        interrupts = stack.enter_context(caught(capture.terminal, watcher.note))
        trained = train(request, watcher, capture, interrupts)
    if as_json:
        print_json({"run": str(trained.run.path), "metrics": trained.run.read_metrics()})
    elif isinstance(trained, Complete):
        print(f"complete: nothing is left to train\n\nrun   {trained.run.path}\nnext  cnnctl predict IMAGE")
    else:
        _print_result(trained)


def _repeat(config: Path, assignments: list[str] | None, strict: bool) -> list[str]:
    """The words of the command line, but for the run directory and the form of the answer."""
    sets = [word for assignment in assignments or () for word in ("--set", assignment)]
    return ["cnnctl", "train", str(config), *sets, *(["--strict"] if strict else [])]


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
