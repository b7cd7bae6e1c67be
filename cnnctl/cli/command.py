"""The commands: what they make of a command line that is wrong."""

import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from functools import partial
from itertools import pairwise
from pathlib import Path
from types import ModuleType
from typing import Any

from typer.core import TyperCommand, TyperGroup

_JSON_FORMATS = ("json", "jsonl")
_MARKDOWN = "rich.markdown"
_ALIKE = 0.75
"""From here on an option is like another one: --jsno is like --json; --epoch is not like --process, as Typer says."""


class Command(TyperCommand):
    """Answers `--epochs 3`, which is no option, with the `--set` that does it."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        words = tuple(args)  # the parser takes them away
        try:
            return super().parse_args(ctx, args)
        except Exception as error:  # NoSuchOption: of click, or of the copy of it that newer Typers have
            if hasattr(error, "possibilities") and any("--set" in option.opts for option in self.params):
                error.possibilities = _settings(str(getattr(error, "option_name", "")), words, error.possibilities)
            raise

    def format_help(self, ctx: Any, formatter: Any) -> None:
        _import_help()
        super().format_help(ctx, formatter)


def _import_help() -> None:
    """Import what prints help but the parser of Markdown, in which no text of ours is: a fifth of the time."""
    if _MARKDOWN in sys.modules:
        return
    stand_in = ModuleType(_MARKDOWN)
    stand_in.Markdown = type("Markdown", (), {})  # type: ignore[attr-defined]
    sys.modules[_MARKDOWN] = stand_in
    try:
        import typer.rich_utils  # noqa: F401
    finally:
        del sys.modules[_MARKDOWN]


def _settings(option: str, words: Sequence[str], possible: Sequence[str] | None) -> Sequence[str] | None:
    """The `--set`s that do what an unknown option was to do, with its value; else the options that are like it."""
    import shlex
    from difflib import SequenceMatcher

    from cnnctl.config.meant import keys_called

    if not option.startswith("--"):  # of -epochs a parser takes the e alone
        option = next((word.partition("=")[0] for word in words if word.startswith(option)), option)
    is_typo = any(SequenceMatcher(None, option, one).ratio() >= _ALIKE for one in possible or ())
    keys = keys_called(option, _config_among(words), only_same=is_typo)
    value = _value_of(option, words)
    return [f"--set {shlex.quote(f'{key}={value}')}" for key in keys] or possible


def _config_among(words: Sequence[str]) -> Mapping[str, Any]:
    """What the config of a command line holds, as far as it can be read."""
    from cnnctl.config import parse_config
    from cnnctl.errors import CnnctlError
    from cnnctl.network_source import CONFIG_SUFFIXES

    path = next((Path(word) for word in words if Path(word).suffix in CONFIG_SUFFIXES), None)
    with suppress(CnnctlError):
        data = {} if path is None else parse_config(path).document.data
        return data if isinstance(data, dict) else {}
    return {}


def _value_of(option: str, words: Sequence[str]) -> str:
    for word, following in pairwise([*words, "--"]):
        name, equals, value = word.partition("=")
        if name == option and (equals or not following.startswith("--")):
            return value if equals else following
    return "VALUE"


class Commands(TyperGroup):
    """Tells programs on stdout, where JSON is asked for, what is wrong with the command line; Typer tells people."""

    def make_context(self, info_name: str | None, args: list[str], parent: Any = None, **extra: Any) -> Any:
        self._words = tuple(args)
        return self._told(partial(super().make_context, info_name, args, parent, **extra))

    def format_help(self, ctx: Any, formatter: Any) -> None:
        _import_help()
        super().format_help(ctx, formatter)

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
