"""`cnnctl pull`."""

from pathlib import Path
from typing import Annotated

import typer

from cnnctl.cli.options import JsonOption

EPILOG = "Example: cnnctl pull s3://bucket/photos\n\nThen: cnnctl predict IMAGE --run runs/photos/1"


def pull_cli(
    source: Annotated[
        str,
        typer.Argument(
            metavar="SOURCE",
            help="Where cnnctl push sent it: a folder, an address such as s3://bucket/photos, or "
            "hf://OWNER/NAME[@REVISION].",
            show_default=False,
        ),
    ],
    output: Annotated[
        Path | None,
        typer.Option(
            "--output", metavar="DIR", help="New folder for it; default: runs/NAME/NUMBER.", show_default=False
        ),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Bring a run that was pushed here, and compare each file with its SHA-256."""
    import shlex
    from functools import partial

    from cnnctl.formatting import printable
    from cnnctl.terminal.render import print_json, print_text, say_values
    from cnnctl.terminal.watch import captured_watcher
    from cnnctl.transfer.pull import pull

    with captured_watcher() as watcher:
        run = pull(source, output, partial(watcher.progress, "bringing"))
    if as_json:
        print_json({"run": str(run.path)})
    elif not say_values(run.path):
        print_text(f"run   {printable(str(run.path))}")
        print_text(f"next  cnnctl predict IMAGE --run {printable(shlex.quote(str(run.path)))}")
