"""The ready configs: what `cnnctl init --example` copies."""

import re
from dataclasses import dataclass
from pathlib import Path

from cnnctl.errors import UsageError
from cnnctl.ready import EXAMPLES

FOLDER = Path(__file__).parent / "configs"
"""The files that are edited; `make configs` copies them to configs/ at the top of the checkout."""

_MODELINE = re.compile(r"\A# yaml-language-server:.*\n")
_TO_FILL_IN = re.compile(r"^\s*(?P<key>\w+): (?P<value>.*?)\s*# <- (?P<what>.+)$")


@dataclass(frozen=True)
class Blank:
    """A line of a config that the user has to fill in: its number, what it says, and what belongs there."""

    line: int
    text: str
    what: str


@dataclass(frozen=True)
class Example:
    """A ready config, without the line for editors that names a schema beside the original.

    `about` is what its comment says of it; `blanks` are the lines to fill in.
    """

    text: str
    about: str
    blanks: tuple[Blank, ...]


def read_example(name: str) -> Example:
    """A ready config by its name.

    Raises:
        UsageError: there is none of that name.
    """
    if name not in EXAMPLES:
        from cnnctl.config.meant import suggest  # --help lists the names, and must not wait for pydantic

        hint = suggest(name, EXAMPLES, "the examples are")
        raise UsageError(f"there is no example {name!r}", hint)
    text = _MODELINE.sub("", (FOLDER / EXAMPLES[name]).read_text(encoding="utf-8"))
    lines = text.splitlines()
    head = next(number for number, line in enumerate(lines) if not line.startswith("#"))
    about = " ".join(line.removeprefix("#").strip() for line in lines[:head])
    found = ((number, _TO_FILL_IN.match(line)) for number, line in enumerate(lines, start=1))
    blanks = tuple(Blank(number, f"{one['key']}: {one['value']}", one["what"]) for number, one in found if one)
    return Example(text, about, blanks)
