"""--quiet and --verbose, which every command has, and which may stand before its name too."""

import functools
import inspect
from collections.abc import Callable
from typing import Annotated, Any

import typer

from cnnctl.system.loudness import QUIET, VERBOSE, is_verbose, loudness, set_loudness

QuietOption = Annotated[
    bool, typer.Option("--quiet", "-q", help="Print the result alone, as a script reads it, and errors.")
]
VerboseOption = Annotated[
    bool, typer.Option("--verbose", "-v", help="Print also what is decided, where files are found, and when.")
]
_OPTIONS = {"quiet": QuietOption, "verbose": VerboseOption}


def loud(command: Callable[..., None]) -> Callable[..., None]:
    """A command with --quiet and --verbose, which says as much as they ask for; a --verbose of its own stays."""
    signature = inspect.signature(command)
    has_own = "verbose" in signature.parameters
    added = {name: option for name, option in _OPTIONS.items() if name not in signature.parameters}

    @functools.wraps(command)
    def call(*args: Any, quiet: bool = False, verbose: bool = False, **values: Any) -> None:
        own = {"verbose": verbose or is_verbose()} if has_own else {}
        before = say_as_much(quiet, verbose and not has_own)
        try:
            command(*args, **values, **own)
        finally:
            set_loudness(before)

    parameters = [
        inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=False, annotation=option)
        for name, option in added.items()
    ]
    call.__signature__ = signature.replace(  # type: ignore[attr-defined]
        parameters=[*signature.parameters.values(), *parameters]
    )
    call.__annotations__ = {**command.__annotations__, **added}
    return call


def say_as_much(quiet: bool, verbose: bool) -> int:
    """Say from now on what these options ask for, and as much as before where neither is given; how much it was."""
    if quiet and verbose:
        raise typer.BadParameter("--quiet and --verbose exclude each other")
    return set_loudness(QUIET if quiet else VERBOSE if verbose else loudness())
