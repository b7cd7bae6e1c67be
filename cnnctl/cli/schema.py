"""`cnnctl schema`."""

from typing import Annotated

import typer

from cnnctl.cli.app import guarded
from cnnctl.terminal.render import print_json


def register(app: typer.Typer) -> None:
    """Add the command to the application."""
    app.command("schema", epilog="Example: cnnctl schema > schema.json")(guarded(schema_cli))


def schema_cli(
    as_markdown: Annotated[
        bool, typer.Option("--markdown", help="Print the reference page of every key instead: docs/config.md.")
    ] = False,
) -> None:
    """Print the JSON Schema of a config, for editors and other programs."""
    from cnnctl.config.reference import json_schema, markdown

    if as_markdown:
        print(markdown(), end="")
    else:
        print_json(json_schema())
