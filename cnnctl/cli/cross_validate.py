"""`cnnctl cross-validate`."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from cnnctl.cli.options import ConfigArgument, JsonOption, SetOption

EPILOG = "Example: cnnctl cross-validate photos.yaml --folds 5 --output folds/photos"


def cross_validate_cli(
    config: ConfigArgument,
    output: Annotated[
        Path, typer.Option("--output", metavar="DIR", help="Folder of the folds; one that is there is resumed.")
    ],
    folds: Annotated[int, typer.Option("--folds", min=2, max=1000, help="Number of folds.")] = 5,
    repeat: Annotated[
        int,
        typer.Option("--repeat", min=1, max=1000, help="Times that the folds are dealt, each with another seed."),
    ] = 1,
    ensemble: Annotated[
        bool, typer.Option("--ensemble", help="Also write ensemble/, a run whose model is the mean of the folds'.")
    ] = False,
    assignments: SetOption = None,
    as_json: JsonOption = False,
) -> None:
    """Train a config once for each fold of its images, and judge each image by a network that has not seen it."""
    from cnnctl.config import parse_config
    from cnnctl.sweeping.cross_validation import cross_validate, resume_line
    from cnnctl.system.interrupts import caught
    from cnnctl.terminal.render import print_json
    from cnnctl.terminal.sweep import print_cross_validation
    from cnnctl.terminal.watch import watching

    loaded = parse_config(config, assignments or ())
    line = resume_line(loaded, output, folds, repeat, ensemble)
    with watching(True, sys.stderr) as watcher, caught(sys.stderr, watcher.note) as interrupts:
        interrupts.farewell = f"exited at once; resume with: {line}"
        result = cross_validate(loaded, output, folds, repeat, sys.argv, watcher.note, ensemble)
    if as_json:
        print_json(result.to_json())
    else:
        print_cross_validation(result)
