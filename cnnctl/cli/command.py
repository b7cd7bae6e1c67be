"""The commands: what they make of a command line that is wrong."""

from collections.abc import Callable, Sequence
from functools import partial
from itertools import pairwise
from typing import Any

from typer.core import TyperCommand, TyperGroup

_JSON_FORMATS = ("json", "jsonl")


class Command(TyperCommand):
    """Answers `--epochs 3`, which is no option, with the `--set` that does it."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        try:
            return super().parse_args(ctx, args)
        except Exception as error:  # NoSuchOption: of click, or of the copy of it that newer Typers have
            name = getattr(error, "option_name", None)
            if name and any("--set" in option.opts for option in self.params):
                from cnnctl.config.meant import key_called

                key = key_called(name)
                if key:
                    error.possibilities = [f"--set {key}=VALUE"]  # type: ignore[attr-defined]
            raise


class Commands(TyperGroup):
    """Tells programs on stdout, where JSON is asked for, what is wrong with the command line; Typer tells people."""

    def make_context(self, info_name: str | None, args: list[str], parent: Any = None, **extra: Any) -> Any:
        self._words = tuple(args)
        return self._told(partial(super().make_context, info_name, args, parent, **extra))

    def invoke(self, ctx: Any) -> Any:
        return self._told(partial(super().invoke, ctx))

    def _told(self, work: Callable[[], Any]) -> Any:
        try:
            return work()
        except Exception as error:
            if wants_json(self._words) and hasattr(error, "format_message"):  # a usage error, whosever class it is
                command = next((word for word in self._words if word in self.commands), None)
                _print_usage_error(error, " ".join(filter(None, ("cnnctl", command))))
            raise


def wants_json(words: Sequence[str]) -> bool:
    """Whether a command line asks for JSON, be it right or wrong."""
    options = words[: words.index("--")] if "--" in words else words
    formats = [word.partition("=")[2] for word in options if word.startswith("--format=")]
    formats += [value for word, value in pairwise(options) if word == "--format"]
    return "--json" in options or any(one in _JSON_FORMATS for one in formats)


def _print_usage_error(error: Any, command: str) -> None:
    from cnnctl.errors import UsageError
    from cnnctl.terminal.found import print_error

    possible = sorted(getattr(error, "possibilities", None) or ())
    hint = f"did you mean {' or '.join(possible)}?" if possible else f"`{command} --help` describes it"
    print_error(UsageError(error.message if possible else error.format_message(), hint))
