"""`cnnctl card`."""

from pathlib import Path
from typing import Annotated

import typer

from cnnctl.cli.options import JsonOption, RunOptions

EPILOG = "Example: cnnctl card runs/photos/1"


def card_cli(
    run: RunOptions,
    output: Annotated[
        Path | None,
        typer.Option("--output", metavar="DIR", help="Folder to write it into; default: the run.", show_default=False),
    ] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace a card that is there already.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Write a model card, README.md in Hugging Face's form, from what the run has recorded."""
    from cnnctl.evaluation.card.write import write_card
    from cnnctl.formatting import printable
    from cnnctl.system.stderr import captured_stderr
    from cnnctl.terminal.render import print_json, print_text, say_values

    found = run.find()
    with captured_stderr():
        path = write_card(found, output, overwrite)
    if as_json:
        print_json({"card": str(path), "bytes": path.stat().st_size})
    elif not say_values(path):
        print_text(f"written: {printable(str(path))}")
        print_text("yours to fill in: the license in its head, and what the model is for")
