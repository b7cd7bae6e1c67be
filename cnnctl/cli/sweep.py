"""`cnnctl sweep`."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from cnnctl.cli.on_cluster import GpusOption, WorkersOption, sweep_on_cluster
from cnnctl.cli.options import JsonOption

EPILOG = "Example: cnnctl sweep sweep.yaml --output sweeps/photos\n\nStarted once more meanwhile, it joins as a worker."


def sweep_cli(
    path: Annotated[
        Path,
        typer.Argument(metavar="SWEEP", help="Sweep file (YAML): a config, and what is varied.", show_default=False),
    ],
    output: Annotated[
        Path,
        typer.Option("--output", metavar="DIR", help="Folder of the sweep; one that is there is joined or resumed."),
    ],
    as_json: JsonOption = False,
    engine: Annotated[
        str | None,
        typer.Option(
            "--cluster", metavar="ray", help="Start workers on the hosts of a Ray cluster.", show_default=False
        ),
    ] = None,
    workers: WorkersOption = None,
    gpus: GpusOption = 0,
) -> int:
    """Train a config many times with settings that Optuna chooses, and write the best config."""
    from cnnctl.errors import EXIT_OK
    from cnnctl.sweeping.sweep import resume_line, sweep
    from cnnctl.system.interrupts import caught
    from cnnctl.system.ray import refuse_engine
    from cnnctl.terminal.render import print_json
    from cnnctl.terminal.sweep import print_sweep
    from cnnctl.terminal.watch import watching

    refuse_engine(engine, "--workers and --gpus are", workers is not None or gpus > 0)
    if engine is not None:
        code = sweep_on_cluster(path, output, workers, gpus)
        if code != EXIT_OK:
            return code
    with watching(True, sys.stderr) as watcher, caught(sys.stderr, watcher.note) as interrupts:
        interrupts.farewell = f"exited at once; resume with: {resume_line(path, output)}"
        result = sweep(path, output, sys.argv, watcher.note)
    if as_json:
        print_json(result.to_json())
    else:
        print_sweep(result)
    return EXIT_OK
