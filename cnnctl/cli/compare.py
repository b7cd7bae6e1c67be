"""`cnnctl compare`."""

from pathlib import Path
from typing import Annotated

import typer

from cnnctl.cli.options import JsonOption

EPILOG = "Example: cnnctl compare runs/digits/1 runs/digits/2"


def compare_cli(
    runs: Annotated[
        list[Path],
        typer.Argument(metavar="RUN", help="Two or more run directories; runs/NAME is the newest run of that name."),
    ],
    as_json: JsonOption = False,
) -> None:
    """Show runs side by side and test whether one is significantly better (McNemar's test)."""
    from cnnctl.evaluation.comparison import compare
    from cnnctl.terminal.compare import print_comparison

    print_comparison(compare(runs), as_json)
