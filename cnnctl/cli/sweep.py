"""`cnnctl sweep`."""

import sys
from pathlib import Path
from typing import Annotated

import typer

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
) -> None:
    """Train a config many times with settings that Optuna chooses, and write the best config."""
    from cnnctl.sweeping.sweep import resume_line, sweep
    from cnnctl.system.interrupts import caught
    from cnnctl.terminal.render import print_json
    from cnnctl.terminal.sweep import print_sweep
    from cnnctl.terminal.watch import watching

    with watching(True, sys.stderr) as watcher, caught(sys.stderr, watcher.note) as interrupts:
        interrupts.farewell = f"exited at once; resume with: {resume_line(path, output)}"
        result = sweep(path, output, sys.argv, watcher.note)
    if as_json:
        print_json(result.to_json())
    else:
        print_sweep(result)
