"""The Typer application and the one error boundary: every CnnctlError becomes its text on stderr and its exit code."""

import functools
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from importlib import import_module
from typing import Annotated, ParamSpec

import typer

from cnnctl.cli.command import Command, Commands
from cnnctl.cli.loudness import QuietOption, VerboseOption, loud, say_as_much
from cnnctl.cli.options import grouped
from cnnctl.errors import EXIT_INTERRUPTED, EXIT_OK, CnnctlError, MachineError
from cnnctl.system.loudness import detail, is_quiet, lap
from cnnctl.system.notices import untold
from cnnctl.system.streams import ReaderGoneError, let_nothing_through, standard_streams
from cnnctl.version import __version__

app = typer.Typer(
    name="cnnctl",
    cls=Commands,
    help="Train, evaluate and use convolutional image classifiers declared in a YAML file.",
    epilog="Begin with: cnnctl init --example digits\n\nThen: cnnctl train digits.yaml",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    context_settings={"help_option_names": ["-h", "--help"]},
)


P = ParamSpec("P")


def guarded(command: Callable[P, int | None]) -> Callable[P, None]:
    """The boundary around a command: it may return an exit code, and raise what the user can mend."""

    @functools.wraps(command)
    def run_guarded(*args: P.args, **kwargs: P.kwargs) -> None:
        let_nothing_through()
        lap("starting")
        code = _code_of(lambda: command(*args, **kwargs), _wants_json(kwargs))
        _say_boxes()
        for text in untold():
            _remark(text)
        detail("done")
        raise typer.Exit(code)

    return run_guarded


def _wants_json(given: Mapping[str, object]) -> bool:
    return bool(given.get("as_json")) or given.get("output_format") in ("json", "jsonl")


def _code_of(work: Callable[[], int | None], wants_json: bool = False) -> int:
    """The exit code of some work, with its output written; what failed is told, to programs on stdout as well."""
    try:
        code = _permitted(work) or EXIT_OK
        sys.stdout.flush()
    except CnnctlError as error:
        _say(error)
        if wants_json:
            from cnnctl.terminal.found import print_error

            _code_of(functools.partial(print_error, error))
        return error.exit_code
    except KeyboardInterrupt as stop:
        _say("interrupted")
        return int(getattr(stop, "exit_code", EXIT_INTERRUPTED))
    except ReaderGoneError:
        return EXIT_OK
    return code


def _permitted(work: Callable[[], int | None]) -> int | None:
    """Do some work; a file or folder that may not be used is never a bug, wherever the system says so."""
    try:
        return work()
    except PermissionError as error:
        if not isinstance(error.filename, str):
            raise
        raise MachineError(f"{error.filename}: permission denied", "ask its owner, or name another one") from error


def _say(what: object) -> None:
    """Tell whoever reads stderr."""
    from cnnctl.formatting import shortened
    from cnnctl.terminal.layout import width_of, wrapped

    text = shortened(str(what))
    if _is_folder_gone():
        text += "\nhint: the current folder was deleted: go to another one with cd"
    with suppress(OSError):
        print(wrapped(text, width_of(sys.stderr)), file=sys.stderr, flush=True)


def _remark(text: str) -> None:
    """Tell people, where more than the result is wanted."""
    if not is_quiet():
        _say(text)


def _is_folder_gone() -> bool:
    try:
        os.getcwd()  # noqa: PTH109 - pathlib's asks the same
    except FileNotFoundError:
        return True
    return False


def _say_boxes() -> None:
    """Warn of letters that stand as boxes in the pictures of this command."""
    fonts = sys.modules.get("cnnctl.pictures.fonts")  # without it no picture was drawn
    letters = [] if fonts is None else fonts.without_font()
    if letters:
        more = f" and {len(letters) - 5:,} more" if len(letters) > 5 else ""
        _remark(f"warning: pictures show boxes: no font of this system has {' '.join(letters[:5])}{more}")
        _remark("  hint: install one that has them, for example Noto Sans: apt install fonts-noto-cjk fonts-noto-core")


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"cnnctl {__version__}")
        raise typer.Exit


@app.callback()
def root(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version and exit.")
    ] = False,
    quiet: QuietOption = False,
    verbose: VerboseOption = False,
) -> None:
    """Train, evaluate and use convolutional image classifiers declared in a YAML file."""
    say_as_much(quiet, verbose)


COMMANDS = (
    *("init", "train", "evaluate", "predict", "explain", "serve", "export", "eject", "report", "runs", "compare"),
    *("card", "push", "pull"),
    *("sweep", "cross-validate", "summary", "check", "doctor", "preview", "schedule", "convolve", "cache", "weights"),
    *("schema", "info"),
)
"""In the order of --help; each is a module of this package with an EPILOG and a function `NAME_cli`, with _ for -."""


def register(words: Sequence[str]) -> None:
    """Add the command that is asked for; all of them where that is not clear (--help, a misspelt one).

    Typer builds a validator for every option of every command that it has, which is a tenth of a second for all. So
    where all are listed they have no options, but for a shell that completes a line.
    """
    asked = next((word for word in words if not word.startswith("-")), None)
    is_list = asked not in COMMANDS and not any(name.endswith("_COMPLETE") for name in os.environ)
    for name in (asked,) if asked in COMMANDS else COMMANDS:
        word = name.replace("-", "_")
        module = import_module(f"cnnctl.cli.{word}")
        command = getattr(module, f"{word}_cli")
        made = _listed(command) if is_list else grouped(loud(guarded(command)))
        app.command(name, cls=Command, epilog=module.EPILOG)(made)


def _listed(command: Callable[..., object]) -> Callable[[], None]:
    """A command that is described and not called."""

    def describe() -> None:
        raise AssertionError("it was to be listed only")

    describe.__doc__ = command.__doc__
    return describe


def run() -> int:
    """Run the command line of this process; the exit code."""
    with standard_streams():
        register(sys.argv[1:])
        return _code_of(_call)


def _call() -> int:
    try:
        app()
    except SystemExit as done:
        return done.code if isinstance(done.code, int) else 1
    return EXIT_OK
