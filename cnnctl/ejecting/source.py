"""Python source as `ruff format` would leave it: literals, calls, and what does not fit into a line.

The lines are at most 88 columns wide, ruff's default, and what is broken into several lines ends in a comma, so that a
formatter with longer lines leaves it as it is too.
"""

import textwrap
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

COLUMNS = 88
STEP = 4


@dataclass(frozen=True)
class Group:
    """Something in brackets: a call, a list or a dict.

    Attributes:
        opening: Everything up to the bracket, such as `layers.Dense(`.
        items: (what stands before it, such as `units=`; the item).
        closing: The bracket that ends it.
        is_open: Whether each item gets a line of its own even if all would fit into one.
    """

    opening: str
    items: "tuple[tuple[str, Node], ...]"
    closing: str
    is_open: bool = False


Node = str | Group
"""An expression: its text, or what may have to be broken into lines."""


def call(name: str, *positional: Node, **keywords: Node) -> Group:
    """`name(positional, keyword=value)`."""
    items = (*(("", one) for one in positional), *((f"{key}=", value) for key, value in keywords.items()))
    return Group(f"{name}(", items, ")")


def array(items: Iterable[Node]) -> Group:
    """`[item, item]`."""
    return Group("[", tuple(("", item) for item in items), "]")


def mapping(items: Mapping[str, Node]) -> Group:
    """`{key: item}`; the keys are source already."""
    return Group("{", tuple((f"{key}: ", item) for key, item in items.items()), "}")


def opened(group: Group) -> Group:
    """The same with a line of its own for each item."""
    return replace(group, is_open=True)


def lines(node: Node, indent: int = 0, before: str = "", after: str = "") -> list[str]:
    """An expression as lines of source.

    Args:
        node: The expression.
        indent: Columns of blanks before it.
        before: What stands before it in its first line, such as `return `.
        after: What follows it in its last line, such as a comma.
    """
    blanks = " " * indent
    if isinstance(node, str):
        return [f"{blanks}{before}{node}{after}"]
    one = f"{blanks}{before}{_flat(node)}{after}"
    if not node.items or (_width(one) <= COLUMNS and not _holds_open(node)):
        return [one]
    inner = [line for prefix, item in node.items for line in lines(item, indent + STEP, prefix, ",")]
    if len(node.items) == 1 and len(inner) > 1:
        inner[-1] = inner[-1].removesuffix(",")  # what stands alone in its brackets and is broken itself gets no comma
    return [f"{blanks}{before}{node.opening}", *inner, f"{blanks}{node.closing}{after}"]


def literal(value: Any) -> str:
    """A number, a text, a boolean, None, or a tuple of them, as source."""
    if isinstance(value, str):
        return text(value)
    if isinstance(value, tuple):
        inside = ", ".join(map(literal, value))
        return f"({inside},)" if len(value) == 1 else f"({inside})"
    return repr(value)


def text(value: str) -> str:
    """A text in the quotes that need fewer escapes, double ones where that is equal; it reads back as itself."""
    quote = "'" if value.count('"') > value.count("'") else '"'
    escaped = "".join(_escaped(letter, quote) for letter in value)
    return f"{quote}{escaped}{quote}"


def comment(sentence: str, indent: int = 0, first: str = "", rest: str = "") -> list[str]:
    """A sentence as lines that begin with `#`; nothing in it can end them.

    Args:
        sentence: Any text.
        indent: Columns of blanks before it.
        first: What comes after the `# ` of the first line.
        rest: What comes after the `# ` of the others.
    """
    start = " " * indent + "# "
    shown = "".join(letter if letter.isprintable() else repr(letter)[1:-1] for letter in sentence)
    return textwrap.wrap(
        shown,
        COLUMNS,
        initial_indent=start + first,
        subsequent_indent=start + rest,
        break_long_words=False,
        break_on_hyphens=False,
    )


def _escaped(letter: str, quote: str) -> str:
    if letter == quote:
        return "\\" + letter
    return letter if letter in "'\"" else repr(letter)[1:-1]


def _flat(node: Node) -> str:
    if isinstance(node, str):
        return node
    inside = ", ".join(prefix + _flat(item) for prefix, item in node.items)
    return f"{node.opening}{inside}{node.closing}"


def _holds_open(node: Node) -> bool:
    return isinstance(node, Group) and (node.is_open or any(_holds_open(item) for _, item in node.items))


def _width(line: str) -> int:
    """Columns that a line takes at most: letters of some scripts take two."""
    return sum(1 if letter.isascii() else 2 for letter in line)
