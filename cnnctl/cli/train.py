"""`cnnctl train`."""

import sys
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Annotated

import typer

from cnnctl.cli.on_cluster import GpusOption, WorkersOption, train_on_cluster
from cnnctl.cli.options import JsonOption, SetOption, StrictOption, two_runs

EPILOG = "Example: cnnctl init --example digits\n\nThen: cnnctl train digits.yaml --set train.epochs=3"


def train_cli(
    config: Annotated[
        Path | None,
        typer.Argument(
            metavar="CONFIG", help="Config file (YAML), - for stdin; with --resume, a run or none.", show_default=False
        ),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option("--output", metavar="DIR", help="Directory of the run; default: the next number in runs/NAME/."),
    ] = None,
    resume: Annotated[
        bool,
        typer.Option(
            "--resume",
            help="Resume a run after its last saved epoch: --resume RUN by its own config. With CONFIG and --output "
            "a new one is started where there is none.",
        ),
    ] = False,
    run: Annotated[
        Path | None, typer.Option("--run", metavar="RUN", help="With --resume: the run, or best.", show_default=False)
    ] = None,
    assignments: SetOption = None,
    strict: StrictOption = False,
    as_json: JsonOption = False,
    devices: Annotated[
        int | None,
        typer.Option(
            "--devices",
            metavar="N",
            min=1,
            help="With backend jax: devices that share each batch; default: all GPUs, or the processor.",
            show_default=False,
        ),
    ] = None,
    coordinator: Annotated[
        str | None,
        typer.Option(
            "--coordinator",
            metavar="HOST:PORT",
            help="One training in several processes, started by hand: where process 0 is.",
            show_default=False,
        ),
    ] = None,
    processes: Annotated[
        int | None,
        typer.Option(
            "--processes",
            metavar="N",
            min=1,
            help="How many processes there are; 1 trains alone, whatever started this process.",
            show_default=False,
        ),
    ] = None,
    process: Annotated[
        int | None,
        typer.Option("--process", metavar="I", min=0, help="Which of them this is, from 0.", show_default=False),
    ] = None,
    engine: Annotated[
        str | None,
        typer.Option(
            "--cluster",
            metavar="ray",
            help="With --output: a Ray cluster starts a process on each host, and all of them again when one dies.",
            show_default=False,
        ),
    ] = None,
    workers: WorkersOption = None,
    gpus: GpusOption = 0,
) -> int:
    """Train the network of a config on its images and write a run directory."""
    from cnnctl.terminal.render import print_json

    begun = time.perf_counter()
    from cnnctl.config import parse_config
    from cnnctl.errors import EXIT_OK, UsageError
    from cnnctl.system.cluster import chosen_cluster
    from cnnctl.system.interrupts import caught
    from cnnctl.system.ray import refuse_engine
    from cnnctl.system.stderr import captured_stderr
    from cnnctl.terminal.training import print_trained
    from cnnctl.terminal.watch import watching
    from cnnctl.training.request import TrainRequest, find_resumed, is_recorded, usable_cluster
    from cnnctl.training.train import Complete, Helped, train

    if run is not None:
        output = _resumed_run(run, output, resume)
    if resume:
        config, output = find_resumed(config, output)
    if config is None:
        raise UsageError(
            "expected a config", "for example: cnnctl init --example digits, then cnnctl train digits.yaml"
        )
    loaded = parse_config(config, assignments or (), (resume or engine is not None) and is_recorded(config, output))
    refuse_engine(engine, "--workers and --gpus are", workers is not None or gpus > 0)
    if engine is not None:
        if coordinator is not None or processes is not None or process is not None:
            raise UsageError("--cluster ray starts the processes by itself", "leave --coordinator and the like out")
        options = [word for one in assignments or () for word in ("--set", one)]
        options += [*([] if devices is None else ["--devices", str(devices)]), *(["--strict"] if strict else [])]
        return train_on_cluster(loaded, config, output, options, workers, gpus, as_json)
    chosen = chosen_cluster(coordinator, processes, process)
    cluster = usable_cluster(chosen, loaded, output if resume else None, is_asked=coordinator is not None)
    request = TrainRequest(loaded, output, resume, strict, sys.argv, begun, devices=devices, cluster=cluster)
    with ExitStack() as stack:
        capture = stack.enter_context(captured_stderr())
        watcher = stack.enter_context(watching(request.is_first, capture.terminal))
        interrupts = stack.enter_context(caught(capture.terminal, watcher.note))
        trained = train(request, watcher, capture, interrupts)
    if isinstance(trained, Helped) or not request.is_first:
        return EXIT_OK  # process 0 says what came of it
    if as_json:
        print_json({"run": str(trained.run.path), "metrics": trained.run.read_metrics()})
    else:
        print_trained(trained.run.path, None if isinstance(trained, Complete) else trained)
    return EXIT_OK


def _resumed_run(run: Path, output: Path | None, resume: bool) -> Path:
    """The run of --run, which is another word for the --output of a resume."""
    import shlex

    from cnnctl.errors import UsageError

    if not resume:
        raise UsageError("--run is for --resume", f"resume it: cnnctl train --resume {shlex.quote(str(run))}")
    if output is not None and output != run:
        raise two_runs(run, output)
    return run
