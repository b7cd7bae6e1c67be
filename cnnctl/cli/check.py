"""`cnnctl check`."""

from pathlib import Path
from typing import Annotated

import typer

from cnnctl.cli.options import ConfigArgument, JsonOption, SetOption, StrictOption
from cnnctl.terminal.render import print_json

EPILOG = "Example: cnnctl init --example digits\n\nThen: cnnctl check digits.yaml"


def check_cli(
    config: ConfigArgument,
    output: Annotated[
        Path | None, typer.Option("--output", metavar="DIR", help="Run directory that the training is to write.")
    ] = None,
    assignments: SetOption = None,
    strict: StrictOption = False,
    as_json: JsonOption = False,
) -> int:
    """Report every mistake in a config and in its data, and what the machine lacks, before training."""
    from cnnctl.checks import Before, check
    from cnnctl.config import parse_config
    from cnnctl.errors import ConfigError
    from cnnctl.terminal.found import print_findings, problem_json
    from cnnctl.terminal.watch import captured_watcher, counting

    try:
        with captured_watcher() as watcher:
            loaded = parse_config(config, assignments or ())
            findings = check(loaded, counting(watcher, "decoding"), strict=strict, before=Before(output))
    except ConfigError as error:
        if not as_json:
            raise
        print_json({"ok": False, "problems": [problem_json(one) for one in error.problems], "remarks": []})
        return error.exit_code
    print_findings(str(config), findings, as_json)
    return findings.exit_code
