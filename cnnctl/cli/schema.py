"""`cnnctl schema`."""

import typer

from cnnctl.cli.app import guarded
from cnnctl.cli.render import print_json


def register(app: typer.Typer) -> None:
    """Add the command to the application."""
    app.command("schema", epilog="Example: cnnctl schema > configs/schema.json")(guarded(schema_cli))


def schema_cli() -> None:
    """Print the JSON Schema of a config, for editors."""
    from cnnctl.config.json_schema import json_schema

    print_json(json_schema())
