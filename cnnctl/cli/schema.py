"""`cnnctl schema`."""

from typing import Annotated

import typer

EPILOG = "Example: cnnctl schema > schema.json"


def schema_cli(
    as_markdown: Annotated[
        bool, typer.Option("--markdown", help="Print the reference page of every key (docs/config.md) instead.")
    ] = False,
) -> None:
    """Print the JSON Schema of the config, for editors and other programs."""
    from cnnctl.config.reference import json_schema, markdown
    from cnnctl.terminal.render import print_json

    if as_markdown:
        print(markdown(), end="")
    else:
        print_json(json_schema())
