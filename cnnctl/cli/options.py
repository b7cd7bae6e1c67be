"""Options and arguments that several commands share."""

import functools
import inspect
from collections.abc import Callable
from dataclasses import dataclass, fields, is_dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cnnctl.system.loudness import detail, is_quiet

if TYPE_CHECKING:
    from cnnctl.errors import UsageError
    from cnnctl.runs import Run

ConfigArgument = Annotated[
    Path, typer.Argument(metavar="CONFIG", help="Config file (YAML), or - for stdin.", show_default=False)
]
RunArgument = Annotated[
    Path | None,
    typer.Argument(metavar="[RUN]", help="Directory of the run, or best; default: runs/latest.", show_default=False),
]
RunOption = Annotated[
    Path | None,
    typer.Option(
        "--run", metavar="RUN", help="Directory of the run, or best; default: runs/latest.", show_default=False
    ),
]
FolderOption = Annotated[
    Path | None,
    typer.Option(
        "--folder",
        metavar="DIR",
        help="Folder that the file names of a CSV are relative to; default: the folder of the CSV.",
        show_default=False,
    ),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON on stdout instead of text.")]
SetOption = Annotated[
    list[str] | None,
    typer.Option(
        "--set", metavar="KEY=VALUE", help="Override a key of the config, such as train.epochs=3. Repeatable."
    ),
]


@dataclass(frozen=True)
class RunOptions:
    """The run that a command is about, as an argument or as an option."""

    named: RunArgument = None
    run: RunOption = None

    def find(self) -> "Run":
        """The run, of which stderr is told.

        Raises:
            UsageError: both were given, and differ.
            RunError: there is none.
        """
        if self.named is not None and self.run is not None and self.named != self.run:
            raise two_runs(self.named, self.run)
        return find_and_tell(self.named or self.run)


def with_run(words: list[str], run: Path | None) -> tuple[list[str], Path | None]:
    """The images of a command line and its run, which may be its first word: `predict runs/digits/1 seven.png`.

    Raises:
        UsageError: two runs are named, or no image.
    """
    from cnnctl.errors import UsageError
    from cnnctl.runs.find import names_missing_run, names_run

    if not words or not (names_run(words[0]) or names_missing_run(words[0])):
        return words, run
    if run is not None and run != Path(words[0]):
        raise two_runs(Path(words[0]), run)
    if len(words) == 1 and names_run(words[0]):
        raise UsageError(
            f"{words[0]} is a run, and the images are missing", f"for example: cnnctl predict {words[0]} seven.png"
        )
    return words[1:], Path(words[0])


def two_runs(one: Path, other: Path) -> "UsageError":
    """The error where a run is named twice."""
    from cnnctl.errors import UsageError

    return UsageError(f"two runs are named: {one} and {other}", "leave one of them out")


def find_and_tell(path: Path | None) -> "Run":
    """`find_run`, and a line on stderr where it was not the user who named that very run."""
    from cnnctl.runs.find import BEST, find_run

    run = find_run(path)
    detail(f"run: {'the latest' if path is None else path} is {run.path.absolute()}")
    if (path is None or path.name == BEST) and not is_quiet():
        from cnnctl.terminal.found import say_run

        say_run(run, beside=path is None)
    return run


StrictOption = Annotated[
    bool,
    typer.Option(
        "--strict",
        help="Refuse data with an image in two splits, in two classes or twice, or with images of one colour.",
    ),
]


def grouped(command: Callable[..., None]) -> Callable[..., None]:
    """A command that takes groups of options, in the form that Typer reads: one parameter for each option.

    A group is a frozen dataclass whose fields are options; it keeps commands with many of them short:

        @dataclass(frozen=True)
        class SizeOptions:
            height: Annotated[int, typer.Option("--height", help="Rows.")] = 28
            width: Annotated[int, typer.Option("--width", help="Columns.")] = 28

        def draw_cli(size: SizeOptions, as_json: JsonOption = False) -> None: ...

        app.command("draw")(grouped(draw_cli))  # --height, --width, --json

    Args:
        command: A parameter whose annotation is a dataclass stands for the fields of it, in their order and with their
            defaults; the command is called with one instance. Its other parameters stay as they are.
    """
    signature = inspect.signature(command)
    annotations = {name: parameter.annotation for name, parameter in signature.parameters.items()}
    groups = {name: kind for name, kind in annotations.items() if isinstance(kind, type) and is_dataclass(kind)}
    parameters = [
        parameter.replace(kind=inspect.Parameter.KEYWORD_ONLY)
        for name, whole in signature.parameters.items()
        for parameter in (inspect.signature(groups[name]).parameters.values() if name in groups else (whole,))
    ]

    @functools.wraps(command)
    def call(**values: Any) -> None:
        for name, group in groups.items():
            values[name] = group(**{field.name: values.pop(field.name) for field in fields(group)})
        command(**values)

    call.__signature__ = signature.replace(parameters=parameters)  # type: ignore[attr-defined]
    call.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
    return call
