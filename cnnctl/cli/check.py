"""`cnnctl check`."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cnnctl.cli.options import JsonOption, SetOption, StrictOption

if TYPE_CHECKING:
    from cnnctl.checks import Findings

EPILOG = "Example: cnnctl init --example digits\n\nThen: cnnctl check digits.yaml"


def check_cli(
    configs: Annotated[
        list[Path],
        typer.Argument(metavar="CONFIG...", help="Config files (YAML), or - for stdin.", show_default=False),
    ],
    output: Annotated[
        Path | None, typer.Option("--output", metavar="DIR", help="Run directory that the training is to write.")
    ] = None,
    assignments: SetOption = None,
    strict: StrictOption = False,
    as_json: JsonOption = False,
) -> int:
    """Report every mistake in configs and in their data, and what the machine lacks, before training."""
    from cnnctl.errors import ConfigError
    from cnnctl.terminal.found import print_findings, refused_json
    from cnnctl.terminal.render import print_json

    if len(configs) > 1:
        return _check_several(configs, output, assignments or (), strict, as_json)
    try:
        findings = _look_at(configs[0], output, assignments or (), strict)
    except ConfigError as error:
        if not as_json:
            raise
        print_json(refused_json(error))
        return error.exit_code
    print_findings(_name(configs[0]), findings, as_json)
    return findings.exit_code


def _name(config: Path) -> str:
    from cnnctl.config.load import STANDARD_INPUT
    from cnnctl.config.reading import STDIN

    return STDIN if config == STANDARD_INPUT else str(config)


def _look_at(config: Path, output: Path | None, assignments: Sequence[str], strict: bool) -> "Findings":
    from cnnctl.checks import Before, check
    from cnnctl.config import parse_config
    from cnnctl.terminal.watch import captured_watcher, counting

    with captured_watcher() as watcher:
        loaded = parse_config(config, assignments)
        return check(loaded, counting(watcher, "decoding"), strict=strict, before=Before(output))


def _check_several(
    configs: Sequence[Path], output: Path | None, assignments: Sequence[str], strict: bool, as_json: bool
) -> int:
    """Each config in turn; the exit code is that of the worst: a config's before the data's before the machine's."""
    from cnnctl.errors import CnnctlError, UsageError
    from cnnctl.terminal.found import findings_json, print_checked, print_findings, print_refused, refused_json
    from cnnctl.terminal.render import print_json

    if output is not None:
        raise UsageError("--output is the run directory of one config", "check that config alone")
    if configs.count(Path("-")) > 1:
        raise UsageError("stdin holds one config", "give - once")
    codes: list[int] = []
    values: list[dict[str, Any]] = []
    for config in configs:
        name = _name(config)
        try:
            findings = _look_at(config, None, assignments, strict)
        except CnnctlError as error:
            codes.append(error.exit_code)
            values.append({"config": name, **refused_json(error)})
            if not as_json:
                print_refused(name, error)
            continue
        codes.append(findings.exit_code)
        values.append({"config": name, **findings_json(findings)})
        if not as_json:
            print_findings(name, findings, as_json, is_one_of_several=True)
    if as_json:
        print_json(values)
    else:
        print_checked(codes.count(0), len(codes))
    return min(filter(None, codes), default=0)
