"""How text fits the width of a terminal: lines break between words, tables fold, drop or split columns."""

import os
import re
from collections.abc import Sequence
from typing import NamedTuple, TextIO

_FOLDED = 16
"""The narrowest that a column of text is folded to: no number is longer than its line there."""
_SHORT = 24
"""The longest cell of a column of numbers that stays in one piece; what is longer is text, such as an error."""
_WIDE_GAP, _GAP = 3, 2

_CODE = r" *\d* \| "
"""How a line of a config begins that an error shows, with the mark below it."""
_WORD = r"(\s*)((?:`[^`]*`|\S)+)"
"""A word with the blanks before it; a command in backticks is one word."""
_PIECE = r"[^\s-]+-*|-+"


def width_of(stream: TextIO) -> int | None:
    """The columns of a terminal, or what COLUMNS says of them; None for a pipe, a file or memory."""
    if not stream.isatty():
        return None
    said = os.environ.get("COLUMNS", "")
    if said.isdecimal() and int(said) > 0:
        return int(said)
    try:
        return os.get_terminal_size(stream.fileno()).columns or 80
    except (OSError, ValueError):  # it says that it is a terminal and has no descriptor, as in a notebook
        return 80


def cells_of(text: str) -> int:
    """The columns that a text takes on the screen."""
    if text.isascii():
        return len(text)
    from rich.cells import cell_len

    return cell_len(text)


def wrapped(text: str, width: int | None, hang: int = 0) -> str:
    """The text with lines of at most `width` columns, broken between words and indented like their first one.

    `hang` indents further lines more. Words that are longer than a line, and lines of a config, stay in one piece.
    """
    if width is None:
        return text
    return "\n".join(
        line if cells_of(line) <= width or re.match(_CODE, line) else _broken(line, width, hang)
        for line in text.split("\n")
    )


def _broken(line: str, width: int, hang: int) -> str:
    indent = " " * (len(line) - len(line.lstrip(" ")) + hang)
    if len(indent) > width // 2:
        indent = ""
    lines, current = [], ""
    for blanks, word in _words(line, width - len(indent)):
        if current.strip() and cells_of(current + blanks + word) > width:
            lines.append(current)
            current = indent + word
        else:
            current += blanks + word
    return "\n".join([*lines, current])


def _words(line: str, room: int) -> list[tuple[str, str]]:
    """(blanks, word) of a line; a command that fits no line is several words."""
    words: list[tuple[str, str]] = []
    for blanks, word in re.findall(_WORD, line):
        if cells_of(word) <= room:
            words.append((blanks, word))
        else:
            inner = re.findall(r"(\s*)(\S+)", word)
            words += [(blanks, inner[0][1]), *inner[1:]]
    return words


class Column(NamedTuple):
    """The widths that a column of a table may have.

    Attributes:
        natural: Nothing is folded.
        readable: Text is folded between words; a number is in one piece.
        narrowest: Text is folded within words too.
    """

    natural: int
    readable: int
    narrowest: int


def measured(heading: str, cells: Sequence[str], is_number: bool, is_whole: bool = False) -> Column:
    """The widths of a column; one that `is_whole` is folded only where nothing else helps."""
    natural = max(map(cells_of, (heading, *cells)))
    heading_word = max(map(cells_of, re.findall(_PIECE, heading)), default=0)
    if is_number:
        least = max(heading_word, *map(_least_of, cells), 1)
        return Column(natural, least, least)
    longest = max((cells_of(word) for text in (heading, *cells) for word in text.split()), default=1)
    narrowest = max(1, min(natural, _FOLDED))
    return Column(natural, natural if is_whole else max(narrowest, longest), narrowest)


def _least_of(cell: str) -> int:
    whole = cells_of(cell)
    return whole if whole <= _SHORT else max(map(cells_of, cell.split()))


class Block(NamedTuple):
    """Columns that are printed side by side: the width of each by its place, and the gap between them."""

    widths: dict[int, int]
    gap: int


def arranged(columns: Sequence[Column], droppable: Sequence[int], width: int | None) -> list[Block]:
    """The blocks of a table, one above the other; most tables have one.

    What does not fit is folded between words, then the columns at the places `droppable` go, the first of them first,
    then words are broken. A table of too many numbers continues in further blocks, each with the first column; so
    does one whose first column is to stay whole.
    """
    places = range(len(columns))
    natural = {place: columns[place].natural for place in places}
    if width is None or _total(natural, _WIDE_GAP) <= width:
        return [Block(natural, _WIDE_GAP)]
    readable, narrowest = [one.readable for one in columns], [one.narrowest for one in columns]
    kept = [place for place in places if place not in droppable]
    block = _dropped(columns, droppable, readable, width)
    if block is None and readable[kept[0]] == natural[kept[0]] and _fits_in_pairs(kept, readable, width):
        return _split(columns, kept, readable, width)
    block = block or _dropped(columns, droppable, narrowest, width)
    return _split(columns, kept, narrowest, width) if block is None else [block]


def _dropped(columns: Sequence[Column], droppable: Sequence[int], least: Sequence[int], width: int) -> Block | None:
    """As many of the columns as fit, each at least so wide; None where those that must stay do not."""
    for count in range(len(droppable) + 1):
        kept = [place for place in range(len(columns)) if place not in droppable[:count]]
        if _total({place: least[place] for place in kept}, _GAP) <= width:
            return _shared(columns, kept, least, width)
    return None


def _fits_in_pairs(kept: Sequence[int], least: Sequence[int], width: int) -> bool:
    first, *rest = kept
    return all(least[first] + _GAP + least[place] <= width for place in rest)


def _total(widths: dict[int, int], gap: int) -> int:
    return sum(widths.values()) + gap * (len(widths) - 1)


def _shared(columns: Sequence[Column], kept: Sequence[int], least: Sequence[int], width: int) -> Block:
    """The columns in the width, the widest folded first."""
    cap = width
    while True:
        widths = {place: max(least[place], min(columns[place].natural, cap)) for place in kept}
        if _total(widths, _GAP) <= width or cap == 0:
            return Block(widths, _GAP)
        cap -= 1


def _split(columns: Sequence[Column], kept: Sequence[int], least: Sequence[int], width: int) -> list[Block]:
    """Blocks of as many columns as fit beside the first."""
    first, *rest = kept
    groups: list[list[int]] = []
    used = width
    for place in rest:
        needed = least[place] + _GAP
        if used + needed > width:
            groups.append([])
            used = least[first]
        groups[-1].append(place)
        used += needed
    return [_shared(columns, [first, *group], least, width) for group in groups or [[]]]
