"""`cnnctl runs`."""

from pathlib import Path
from typing import Annotated

import typer

from cnnctl.cli.options import JsonOption

EPILOG = "Example: cnnctl runs runs/digits"


def runs_cli(
    folder: Annotated[
        Path | None, typer.Argument(metavar="[FOLDER]", help="Folder of the runs; default: runs.", show_default=False)
    ] = None,
    only_best: Annotated[bool, typer.Option("--best", help="Only the best complete run of each name.")] = False,
    as_json: JsonOption = False,
) -> None:
    """List runs, the newest first, with their status and accuracy."""
    from cnnctl.runs.find import runs_in
    from cnnctl.terminal.found import print_runs

    print_runs(*runs_in(folder, only_best), as_json)
