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
    from cnnctl.errors import RunError
    from cnnctl.runs.directory import RUNS
    from cnnctl.runs.find import best_of_each, latest_around
    from cnnctl.runs.listing import list_runs
    from cnnctl.system.files import exists, is_folder
    from cnnctl.terminal.found import print_runs

    base = Path(RUNS) if folder is None else folder
    if not is_folder(base) and (folder is not None or exists(base)):
        what = "is a file, not a folder" if exists(base) else "is not there"
        raise RunError(f"{base} {what}", "name a folder that holds runs, such as runs/digits")
    found = list_runs(base)
    print_runs(base, best_of_each(found) if only_best else found, latest_around(base), as_json)
