"""`cnnctl init`."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cnnctl.cli.app import guarded
from cnnctl.cli.render import LEFT, RIGHT, print_table, printable

if TYPE_CHECKING:
    from cnnctl.starting.choose import Choices
    from cnnctl.starting.look import Seen

_MOST_CLASSES = 12


def register(app: typer.Typer) -> None:
    """Add the command to the application."""
    app.command("init", epilog="Example: cnnctl init photos --output photos.yaml")(guarded(init_cli))


def init_cli(
    data: Annotated[
        str,
        typer.Argument(
            metavar="DATA", help="A folder with one folder for each class, one with train/ and test/, or a CSV."
        ),
    ],
    output: Annotated[
        Path | None,
        typer.Option("--output", metavar="CONFIG", help="Left out: NAME.yaml here.", show_default=False),
    ] = None,
) -> None:
    """Look at images and write a commented config that trains well as it is."""
    from cnnctl.errors import MachineError, UsageError
    from cnnctl.quiet import captured_stderr
    from cnnctl.runs.files import write_text
    from cnnctl.starting.choose import choose
    from cnnctl.starting.compose import compose, run_name
    from cnnctl.starting.look import look

    name = run_name(data)
    path = output or Path(f"{name}.yaml")
    if path.suffix not in (".yaml", ".yml"):
        raise UsageError(f"a config is a YAML file; received: --output {printable(str(path))}", "end it in .yaml")
    if path.exists():
        hint = "choose another file with --output CONFIG, or remove this one"
        raise UsageError(f"{printable(str(path))} exists already, and init writes over nothing", hint)
    with captured_stderr():
        seen = look(data)
    choices = choose(seen)
    try:
        write_text(path, compose(seen, choices, name, path.parent))
    except MachineError as error:
        raise MachineError(error.message, "choose another file with --output CONFIG") from None
    _print(seen, choices, path)


def _print(seen: "Seen", choices: "Choices", path: Path) -> None:
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
