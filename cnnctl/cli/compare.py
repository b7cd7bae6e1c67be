"""`cnnctl compare`."""

from pathlib import Path
from typing import Annotated

import typer

from cnnctl.cli.options import JsonOption

EPILOG = "Example: cnnctl compare runs/digits/1 runs/digits/2"


def compare_cli(
    named: Annotated[
        list[Path] | None,
        typer.Argument(
            metavar="[RUN]...",
            help="Two or more run directories; runs/NAME is the newest run of that name, and best the best of all.",
            show_default=False,
        ),
    ] = None,
    run: Annotated[
        list[Path] | None,
        typer.Option("--run", metavar="RUN", help="Another of them. Repeatable.", show_default=False),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Show runs side by side and test whether one is significantly better (McNemar's test)."""
    from cnnctl.evaluation.comparison import compare
    from cnnctl.terminal.compare import print_comparison

    print_comparison(compare([*(named or ()), *(run or ())]), as_json)
