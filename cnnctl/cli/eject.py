"""`cnnctl eject`."""

from pathlib import Path
from typing import Annotated

import typer

from cnnctl.cli.options import ConfigArgument, JsonOption, SetOption

EPILOG = "Example: cnnctl init --example digits\n\nThen: cnnctl eject digits.yaml --output train.py"


def eject_cli(
    config: ConfigArgument,
    output: Annotated[Path, typer.Option("--output", metavar="SCRIPT", help="Python file to write.")] = Path(
        "train.py"
    ),
    assignments: SetOption = None,
    as_json: JsonOption = False,
) -> None:
    """Write a Keras script that trains the same network on the same images without cnnctl."""
    from cnnctl.checks import check
    from cnnctl.config import parse_config
    from cnnctl.ejecting.eject import eject, refuse_output
    from cnnctl.terminal.files import print_ejected
    from cnnctl.terminal.watch import captured_watcher, counting

    refuse_output(output)
    with captured_watcher() as watcher:
        loaded = parse_config(config, assignments or ())
        findings = check(loaded, counting(watcher, "decoding"))
        findings.raise_if_problems()
        assert loaded.config is not None
        ejected = eject(loaded.name, loaded.config, findings, output)
    print_ejected(ejected, as_json)
