"""Values as Python source, templates filled in with it, and long lines folded as `ruff format` would leave them.

The lines are at most 88 columns wide, ruff's default, and what is folded ends in a comma, so that a formatter with
longer lines leaves it as it is too.
"""

import re
import textwrap
from functools import cache
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from cnnctl.system.packages import insist_on

if TYPE_CHECKING:
    from jinja2 import Environment

COLUMNS = 88
STEP = 4

_TOKEN = re.compile(r"""("(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')|[\[({]|[\])}]|,""")


class Code(str):
    """Text that is source already, where any other text becomes a quoted string."""

    __slots__ = ()


def render(template: str, **values: Any) -> str:
    """Source from a file of templates/: every value becomes a literal, but for `Code`."""
    return _environment().get_template(template).render(values)


@cache
def _environment() -> "Environment":
    insist_on("jinja2")
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader("cnnctl.ejecting"),
        autoescape=False,  # for HTML; here finalize quotes
        finalize=literal,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters["code"] = Code
    environment.filters["comment"] = comment
    environment.filters["mode"] = lambda monitor: "max" if monitor.endswith("accuracy") else "min"
    return environment


def literal(value: Any) -> Code:
    """Source that reads back as the value: a number, a text, None, or a tuple, a list or a dict of them.

    Raises:
        TypeError: it is something else.
    """
    match value:
        case Code():
            return value
        case str():
            return text(value)
        case tuple():
            inside = ", ".join(map(literal, value))
            return Code(f"({inside},)" if len(value) == 1 else f"({inside})")
        case list():
            return Code(f"[{', '.join(map(literal, value))}]")
        case dict():
            return Code(f"{{{', '.join(f'{literal(key)}: {literal(one)}' for key, one in value.items())}}}")
        case bool() | int() | float() | None:
            return Code(repr(value))
        case _:
            raise TypeError(f"no literal of Python: {value!r}")


def text(value: str) -> Code:
    """A text in the quotes that need fewer escapes, double ones where that is equal; it reads back as itself."""
    quote = "'" if value.count('"') > value.count("'") else '"'
    escaped = "".join(_escaped(letter, quote) for letter in value)
    return Code(f"{quote}{escaped}{quote}")


def call(name: str, *positional: Any, **keywords: Any) -> Code:
    """`name(positional, keyword=value)`, each value a literal or `Code`."""
    given = [*map(literal, positional), *(f"{key}={literal(value)}" for key, value in keywords.items())]
    return Code(f"{name}({', '.join(given)})")


def comment(sentence: str, first: str = "", rest: str = "") -> Code:
    """A sentence as lines that begin with `#`, then `first` or in later lines `rest`; nothing in it can end them."""
    shown = "".join(letter if letter.isprintable() else repr(letter)[1:-1] for letter in sentence)
    wrapped = textwrap.wrap(
        shown,
        COLUMNS,
        initial_indent=f"# {first}",
        subsequent_indent=f"# {rest}",
        break_long_words=False,
        break_on_hyphens=False,
    )
    return Code("\n".join(wrapped))


def fold(source: str) -> str:
    """Source whose lines that are too wide have each item of their outermost brackets in a line of its own."""
    return "\n".join(part for line in source.split("\n") for part in _folded(line))


def _folded(line: str) -> list[str]:
    cuts = _cuts(line)
    if _width(line) <= COLUMNS or line.lstrip().startswith("#") or not cuts:
        return [line]

    indent = " " * (len(line) - len(line.lstrip()))
    items = [line[start:end].strip(", ") for start, end in pairwise(cuts)]
    inner = [part for item in items if item for part in _folded(f"{indent}{' ' * STEP}{item},")]
    if len(items) == 1 and len(inner) > 1:
        inner[-1] = inner[-1].removesuffix(",")  # what stands alone in its brackets and is folded itself gets no comma
    return [line[: cuts[0]], *inner, f"{indent}{line[cuts[-1] :]}"]


def _cuts(line: str) -> list[int]:
    """Where the items of the outermost brackets begin and end; empty where a line does not end with such brackets."""
    depth, cuts = 0, []
    for token in _TOKEN.finditer(line):
        if token[1]:
            continue
        if token[0] in "([{":
            depth += 1
            if depth == 1:
                cuts = [token.end()]
        elif token[0] == ",":
            if depth == 1:
                cuts.append(token.start())
        else:
            depth -= 1
            if depth == 0:
                ends_line = line[token.end() :] in ("", ",")
                return [*cuts, token.start()] if ends_line and line[cuts[0] : token.start()] else []
    return []


def _escaped(letter: str, quote: str) -> str:
    if letter == quote:
        return "\\" + letter
    return letter if letter in "'\"" else repr(letter)[1:-1]


def _width(line: str) -> int:
    """Columns that a line takes at most: letters of some scripts take two."""
    return sum(1 if letter.isascii() else 2 for letter in line)
