"""`cnnctl runs`."""

from pathlib import Path
from typing import Annotated

import typer

from cnnctl.cli.options import JsonOption
from cnnctl.formatting import printable
from cnnctl.terminal.render import print_json

EPILOG = "Example: cnnctl runs runs/digits"


def runs_cli(
    folder: Annotated[
        Path | None, typer.Argument(metavar="[FOLDER]", help="Folder of the runs; default: runs.", show_default=False)
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """List runs, the newest first, with their status and accuracy."""
    from cnnctl.errors import RunError
    from cnnctl.runs.directory import RUNS, latest_around
    from cnnctl.runs.listing import list_runs
    from cnnctl.terminal.runs import print_runs, to_json

    base = Path(RUNS) if folder is None else folder
    if not base.is_dir() and (folder is not None or base.exists()):
        what = "is a file, not a folder" if base.exists() else "is not there"
        raise RunError(f"{base} {what}", "name a folder that holds runs, such as runs/digits")
    found = list_runs(base)
    latest = latest_around(base)
    marked = [latest is not None and one.run.path.resolve() == latest.resolve() for one in found]
    if as_json:
        rows = [to_json(one, mark) for one, mark in zip(found, marked, strict=True)]
        print_json({"folder": str(base), "latest": None if latest is None else str(latest), "runs": rows})
    elif found:
        print_runs(found, marked, latest)
    else:
        print(f"there is no run in {printable(str(base))}: `cnnctl train CONFIG` makes one")
