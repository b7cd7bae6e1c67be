"""`cnnctl train`."""

import sys
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Annotated

import typer

from cnnctl.cli.options import ConfigArgument, JsonOption, SetOption, StrictOption
from cnnctl.terminal.render import print_json

EPILOG = "Example: cnnctl init --example digits\n\nThen: cnnctl train digits.yaml --set train.epochs=3"


def train_cli(
    config: ConfigArgument,
    output: Annotated[
        Path | None,
        typer.Option("--output", metavar="DIR", help="Directory of the run; default: the next number in runs/NAME/."),
    ] = None,
    resume: Annotated[
        bool,
        typer.Option(
            "--resume", help="Resume the run at --output after its last saved epoch, or start it if it is new."
        ),
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
    from cnnctl.terminal.training import print_trained
    from cnnctl.terminal.watch import watching
    from cnnctl.training.request import TrainRequest
    from cnnctl.training.train import Complete, train

    if resume and output is None:
        raise UsageError("--resume needs --output, the run to resume", "add --output runs/NAME/1")
    loaded = parse_config(config, assignments or ())
    repeat = _repeat(config, assignments, strict)
    request = TrainRequest(loaded, output, resume, strict, sys.argv, repeat, begun)
    with ExitStack() as stack:
        capture = stack.enter_context(captured_stderr())
        watcher = stack.enter_context(watching(True, capture.terminal))
        interrupts = stack.enter_context(caught(capture.terminal, watcher.note))
        trained = train(request, watcher, capture, interrupts)
    if as_json:
        print_json({"run": str(trained.run.path), "metrics": trained.run.read_metrics()})
    else:
        print_trained(trained.run.path, None if isinstance(trained, Complete) else trained)


def _repeat(config: Path, assignments: list[str] | None, strict: bool) -> list[str]:
    """The words of the command line, but for the run directory and the form of the answer."""
    sets = [word for assignment in assignments or () for word in ("--set", assignment)]
    return ["cnnctl", "train", str(config), *sets, *(["--strict"] if strict else [])]
