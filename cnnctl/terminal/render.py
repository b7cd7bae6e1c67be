"""Plain data -> text on stdout: tables for people, JSON for programs."""

import io
import json
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, TextIO

from cnnctl.formatting import printable, visible
from cnnctl.system.loudness import is_quiet
from cnnctl.system.streams import encodable, is_unicode
from cnnctl.terminal.layout import Block, arranged, cells_of, measured, width_of, wrapped

LEFT, RIGHT = "left", "right"
_WIDEST = 1_000_000

_elsewhere: ContextVar[TextIO | None] = ContextVar("elsewhere", default=None)


def screen() -> TextIO:
    """Where a command prints: stdout, or in Python the text of a value; each thread has its own."""
    return _elsewhere.get() or sys.stdout


def error_screen() -> TextIO:
    """Where a command prints errors: stderr, or in Python the text of a value."""
    return _elsewhere.get() or sys.stderr


def say(text: str = "") -> None:
    """A line that is printed as it is."""
    print(text, file=screen())


class HtmlPage(io.StringIO):
    """What is printed, as HTML for a notebook: tables are tables, the rest is preformatted; every text is escaped."""

    def __init__(self) -> None:
        super().__init__()
        self._parts: list[str] = []

    def table(self, header: Sequence[str], rows: Iterable[Sequence[str]], align: Sequence[str]) -> None:
        """A table below what was printed before; one without headings is a table of names and values."""
        self._close_text()
        head = f"<thead>{_row('th', header, align)}</thead>" if any(header) else ""
        body = "".join(_row("td", row, align) for row in rows)
        self._parts.append(f'<table style="margin: 0.5em 0">{head}<tbody>{body}</tbody></table>')

    def html(self) -> str:
        """All of it."""
        self._close_text()
        return "\n".join(self._parts)

    def _close_text(self) -> None:
        text = self.getvalue().strip("\n")
        self.seek(0)
        self.truncate()
        if text:
            self._parts.append(f'<pre style="white-space: pre-wrap">{_escaped_html(visible(text))}</pre>')


def _row(tag: str, cells: Sequence[str], align: Sequence[str]) -> str:
    shown = (
        f'<{tag} style="text-align: {side}">{_escaped_html(printable(cell))}</{tag}>'
        for cell, side in zip(cells, align, strict=True)
    )
    return f"<tr>{''.join(shown)}</tr>"


def _escaped_html(text: str) -> str:
    import html  # two thousand names of letters

    return html.escape(text)


def text_of(show: Callable[[], None]) -> str:
    """What a function prints, as text of any width."""
    with _printing_to(page := io.StringIO()):
        show()
    return page.getvalue().strip("\n")


def html_of(show: Callable[[], None]) -> str:
    """What a function prints, as HTML."""
    with _printing_to(page := HtmlPage()):
        show()
    return page.html()


@contextmanager
def _printing_to(stream: TextIO) -> Iterator[None]:
    before = _elsewhere.set(stream)
    try:
        yield
    finally:
        _elsewhere.reset(before)


def print_json(value: Any) -> None:
    """Indented JSON, the same value wherever it is read: what stdout lacks or a terminal would obey is `\\u001b`."""
    text = json.dumps(value, indent=2, ensure_ascii=not is_unicode(sys.stdout), allow_nan=False)
    for line in text.split("\n"):
        print(line if line.isprintable() else "".join(map(_escaped, line)))


def _escaped(char: str) -> str:
    if char.isprintable():
        return char
    code = char.encode("utf-16-be", "surrogatepass")
    return "".join(f"\\u{code[at : at + 2].hex()}" for at in range(0, len(code), 2))


def screen_width(stream: TextIO | None = None) -> int:
    """Columns of the terminal, or as many as anything needs where stdout, or another stream, is no terminal."""
    return width_of(stream or screen()) or _WIDEST


def print_text(text: str, stream: TextIO | None = None, hang: int = 0) -> None:
    """Sentences, broken between words at the width of the terminal; `hang` indents the further lines of each."""
    stream = stream or screen()
    print(wrapped(text, width_of(stream), hang), file=stream)


def remark(text: str) -> None:
    """Sentences on stderr beside the result of a command; not with --quiet."""
    if not is_quiet():
        print_text(text, sys.stderr)


def say_values(*values: object) -> bool:
    """With --quiet print the lines that are all that a script wants; whether it was done, in place of the rest."""
    if is_quiet():
        for value in values:
            say(printable(str(value), "\t"))
    return is_quiet()


def print_table(
    header: Sequence[str],
    rows: Sequence[Sequence[str]],
    align: Sequence[str],
    stream: TextIO | None = None,
    drop: Sequence[str] = (),
    keep_first: bool = False,
) -> None:
    """A table as wide as the terminal, or as wide as it needs to be where stdout is no terminal.

    Control characters in cells are made visible. `align` is `left` for text, which may be folded, or `right` for
    numbers, which never are. `drop` names the columns that a narrow terminal goes without, the least important first.
    With `keep_first` the first column is folded only where nothing else helps.
    """
    stream = stream or screen()
    if isinstance(stream, HtmlPage):
        stream.table(header, rows, align)
        return
    texts = [[encodable(printable(cell), stream) for cell in row] for row in (header, *rows)]
    columns = [
        measured(cells[0], cells[1:], side == RIGHT, keep_first and place == 0)
        for place, (cells, side) in enumerate(zip(zip(*texts, strict=True), align, strict=True))
    ]
    width = width_of(stream)
    blocks = arranged(columns, [list(header).index(name) for name in drop if name in header], width)
    for number, block in enumerate(blocks):
        if number:
            print(file=stream)
        _print_block(texts, align, block, stream)
    left_out = [name for place, name in enumerate(header) if not any(place in block.widths for block in blocks)]
    if left_out:
        print_text(f"\nnot shown in {width} columns: {', '.join(left_out)}", stream)


def print_pairs(pairs: Mapping[str, str], width: int) -> None:
    """A line for each name and its value, which begins in column `width`."""
    page = screen()
    if isinstance(page, HtmlPage):
        page.table(("", ""), list(pairs.items()), (LEFT, LEFT))
        return
    for name, text in pairs.items():
        print_text(f"{name:<{width}}{text}", page, hang=width)


def _print_block(texts: Sequence[Sequence[str]], align: Sequence[str], block: Block, stream: TextIO) -> None:
    """A block of columns, by rich where cells are to be folded: importing it takes longer than most commands' work."""
    is_folded = any(cells_of(row[place]) > width for row in texts for place, width in block.widths.items())
    lines = _folded_lines(texts, align, block) if is_folded else _plain_lines(texts, align, block)
    print("\n".join(line.rstrip() for line in lines), file=stream)


def _plain_lines(texts: Sequence[Sequence[str]], align: Sequence[str], block: Block) -> list[str]:
    """What rich makes of a block in which every cell has room."""

    def line(row: Sequence[str]) -> str:
        cells = []
        for place, width in block.widths.items():
            text = row[place].rstrip()
            blanks = " " * (width - cells_of(text))
            cells.append(blanks + text if align[place] == RIGHT else text + blanks)
        return (" " * block.gap).join(cells)

    width = sum(block.widths.values()) + block.gap * (len(block.widths) - 1)
    return [line(texts[0]), "─" * width, *map(line, texts[1:])]


def _folded_lines(texts: Sequence[Sequence[str]], align: Sequence[str], block: Block) -> list[str]:
    import textwrap

    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    padding = (0, 1, 0, block.gap - 2)
    table = Table(box=SIMPLE_HEAD, pad_edge=False, show_edge=False, padding=padding)
    for place, width in block.widths.items():
        heading = texts[0][place]
        if cells_of(heading) > width:
            heading = textwrap.fill(heading, width)
        table.add_column(
            Text(heading), justify="right" if align[place] == RIGHT else "left", overflow="fold", width=width
        )
    for row in texts[1:]:
        table.add_row(*(Text(row[place]) for place in block.widths))
    console = Console(file=io.StringIO(), width=_WIDEST, color_system=None, highlight=False)
    with console.capture() as captured:
        console.print(table)
    return captured.get().splitlines()
