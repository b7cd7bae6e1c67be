"""`cnnctl schema`."""

from typing import Annotated

import typer

from cnnctl.terminal.render import print_json

EPILOG = "Example: cnnctl schema > schema.json"


def schema_cli(
    as_markdown: Annotated[
        bool, typer.Option("--markdown", help="Print the reference page of every key instead: docs/config.md.")
    ] = False,
) -> None:
    """Print the JSON Schema of a config, for editors and other programs."""
    if as_markdown:
        from cnnctl.config.reference import markdown

        print(markdown(), end="")
        return
    from cnnctl.config.json_schema import json_schema

    print_json(json_schema())
