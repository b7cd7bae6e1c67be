"""`cnnctl eject`."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cnnctl.cli.app import guarded
from cnnctl.cli.options import ConfigArgument, JsonOption, SetOption
from cnnctl.terminal.render import print_json, printable

if TYPE_CHECKING:
    from cnnctl.ejecting.eject import Ejected


def register(app: typer.Typer) -> None:
    """Add the command to the application."""
    app.command("eject", epilog="Example: cnnctl eject digits.yaml --output train.py")(guarded(eject_cli))


def eject_cli(
    config: ConfigArgument,
    output: Annotated[Path, typer.Option("--output", metavar="SCRIPT", help="The Python file to write.")] = Path(
        "train.py"
    ),
    assignments: SetOption = None,
    as_json: JsonOption = False,
) -> None:
    """Write one Keras script, free of cnnctl, that trains the same network on the same images."""
    from cnnctl.checks import check
    from cnnctl.config import parse_config
    from cnnctl.ejecting.eject import eject, refuse_output
    from cnnctl.system.stderr import captured_stderr
    from cnnctl.terminal.watch import counting, make_watcher

    refuse_output(output)
    with captured_stderr() as capture:
        watcher = make_watcher(capture.terminal)
        try:
            loaded = parse_config(config, assignments or ())
            findings = check(loaded, counting(watcher, "decoding"))
        finally:
            watcher.close()
        findings.raise_if_problems()
        assert loaded.config is not None
        ejected = eject(loaded.name, loaded.config, findings, output)
    if as_json:
        print_json(to_json(ejected))
    else:
        _print(ejected)


def to_json(ejected: "Ejected") -> dict[str, object]:
    """The form of `eject --json`."""
    return {
        "script": str(ejected.script),
        "split": str(ejected.split),
        "images": ejected.counts,
        "remarks": list(ejected.warnings),
    }


def _print(ejected: "Ejected") -> None:
    import shlex

    counts = ", ".join(f"{split} {count:,}" for split, count in ejected.counts.items())
    print(f"{printable(str(ejected.script))}  builds, trains and saves the network")
    print(f"{printable(str(ejected.split))}  which image is in which split: {counts}")
    if ejected.warnings:
        print("\nwhat it does otherwise than cnnctl:")
        for warning in ejected.warnings:
            print(f"  - {printable(warning)}")
    print(f"\nnext  python {printable(shlex.quote(str(ejected.script)))}")
