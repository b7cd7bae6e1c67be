"""`cnnctl init`."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cnnctl.cli.app import guarded
from cnnctl.init.examples import EXAMPLES
from cnnctl.terminal.render import LEFT, RIGHT, print_table, printable

if TYPE_CHECKING:
    from cnnctl.init.choose import Choices
    from cnnctl.init.look import DatasetSummary

_MOST_CLASSES = 12
_NAMES = ", ".join(EXAMPLES)


def register(app: typer.Typer) -> None:
    """Add the command to the application."""
    epilog = "Example: cnnctl init photos --output photos.yaml\n\nExample: cnnctl init --example digits"
    app.command("init", epilog=epilog)(guarded(init_cli))


def init_cli(
    data: Annotated[
        str | None,
        typer.Argument(
            metavar="DATA",
            help="A folder with one folder for each class, one with train/ and test/, or a CSV.",
            show_default=False,
        ),
    ] = None,
    example: Annotated[
        str | None,
        typer.Option("--example", metavar="NAME", help=f"Copy a ready config instead: {_NAMES}.", show_default=False),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option("--output", metavar="CONFIG", help="Left out: NAME.yaml here.", show_default=False),
    ] = None,
) -> None:
    """Look at images and write a commented config that trains well as it is, or copy a ready one."""
    from cnnctl.errors import UsageError

    if (data is None) == (example is None):
        what = "either DATA or --example NAME, not both" if data else "DATA, the images that a config is for"
        raise UsageError(f"init takes {what}", f"name a folder of images, or a ready config: --example {_NAMES}")
    if example is not None:
        _copy(example, output)
    elif data is not None:
        _look(data, output)


def _copy(name: str, output: Path | None) -> None:
    """Write a ready config."""
    from cnnctl.init.examples import read_example

    example = read_example(name)
    path = output or Path(f"{name}.yaml")
    _refuse(path)
    _write(path, example.text)
    print(f"{example.about}\n")
    for blank in example.blanks:
        print(f"line {blank.line} is to be filled in: {blank.text}  <- {blank.what}")
    print(f"written: {printable(str(path))}\nnext  cnnctl train {printable(str(path))}")


def _refuse(path: Path) -> None:
    """Raises:
    UsageError: a config cannot go there, or something is there already.
    """
    from cnnctl.errors import UsageError

    if path.suffix not in (".yaml", ".yml"):
        raise UsageError(f"a config is a YAML file; received: --output {printable(str(path))}", "end it in .yaml")
    if path.exists():
        hint = "choose another file with --output CONFIG, or remove this one"
        raise UsageError(f"{printable(str(path))} exists already, and init writes over nothing", hint)


def _write(path: Path, text: str) -> None:
    from cnnctl.errors import MachineError
    from cnnctl.system.files import write_text

    try:
        write_text(path, text)
    except MachineError as error:
        raise MachineError(error.message, "choose another file with --output CONFIG") from None


def _look(data: str, output: Path | None) -> None:
    """Write a config for images."""
    from cnnctl.init.choose import choose
    from cnnctl.init.compose import compose, run_name
    from cnnctl.init.look import look
    from cnnctl.system.stderr import captured_stderr

    name = run_name(data)
    path = output or Path(f"{name}.yaml")
    _refuse(path)
    with captured_stderr():
        seen = look(data)
    choices = choose(seen)
    _write(path, compose(seen, choices, name, path.parent))
    _print(seen, choices, path)


def _print(seen: "DatasetSummary", choices: "Choices", path: Path) -> None:
    from cnnctl.data.listing import describe_left_out

    rows = sorted(seen.counts.items(), key=lambda item: (-item[1], item[0]))
    print_table(("class", "images"), [(name, f"{count:,}") for name, count in rows[:_MOST_CLASSES]], (LEFT, RIGHT))
    if len(rows) > _MOST_CLASSES:
        rest = rows[_MOST_CLASSES:]
        print(f"... and {len(rest):,} classes more, with {rest[-1][1]:,} to {rest[0][1]:,} images")
    print()
    left_out = describe_left_out(seen.left_out)
    if left_out:
        print(left_out)
    for unreadable, reason in seen.unreadable[:5]:
        print(f"cannot be opened: {printable(unreadable)}: {reason}")
    if len(seen.unreadable) > 5:
        print(f"... and {len(seen.unreadable) - 5:,} more of the {seen.opened:,} that were opened")
    for what, reason in choices.reasons.items():
        print(f"{what}: {reason}")
    print(f"\nwritten: {printable(str(path))}\nnext  cnnctl train {printable(str(path))}")
