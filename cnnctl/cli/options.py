"""Options and arguments that several commands share."""

from pathlib import Path
from typing import Annotated

import typer

ConfigArgument = Annotated[Path, typer.Argument(metavar="CONFIG", help="A YAML config.", show_default=False)]
RunArgument = Annotated[
    Path | None,
    typer.Argument(metavar="[RUN]", help="A run directory; runs/latest when left out.", show_default=False),
]
RunOption = Annotated[
    Path | None,
    typer.Option("--run", metavar="RUN", help="A run directory; runs/latest when left out.", show_default=False),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON on stdout instead of text.")]
SetOption = Annotated[
    list[str] | None,
    typer.Option(
        "--set", metavar="KEY=VALUE", help="Override a key of the config, such as train.epochs=3. Repeatable."
    ),
]
StrictOption = Annotated[
    bool,
    typer.Option("--strict", help="Refuse data that makes figures lie: one image in two splits, images of one colour."),
]
