"""Plain data -> text on stdout: tables for people, JSON for programs."""

import io
import json
import shutil
import sys
from collections.abc import Sequence
from typing import Any, TextIO

from cnnctl.formatting import printable
from cnnctl.system.streams import encodable, is_unicode

LEFT, RIGHT = "left", "right"
_WIDE = 1000


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
    return shutil.get_terminal_size().columns if (stream or sys.stdout).isatty() else _WIDE


def print_table(
    header: Sequence[str],
    rows: Sequence[Sequence[str]],
    align: Sequence[str],
    stream: TextIO | None = None,
    keep_first: bool = False,
) -> None:
    """A table as wide as the terminal, or as wide as it needs to be where stdout is no terminal.

    Control characters in cells are made visible. `align` is `left` or `right` for each column. With `keep_first` the
    cells of the first column stay in one piece while the others can be folded instead.
    """
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    stream = stream or sys.stdout

    def shown(cell: str) -> Text:
        return Text(encodable(printable(cell), stream))

    table = Table(box=SIMPLE_HEAD, pad_edge=False, show_edge=False)
    for place, (name, side) in enumerate(zip(header, align, strict=True)):
        keep = keep_first and place == 0
        heading = shown(name)
        table.add_column(heading, justify="right" if side == RIGHT else "left", overflow="fold", no_wrap=keep)
    for row in rows:
        table.add_row(*map(shown, row))
    console = Console(file=io.StringIO(), width=screen_width(stream), color_system=None, highlight=False)
    with console.capture() as captured:
        console.print(table)
    print("\n".join(line.rstrip() for line in captured.get().splitlines()), file=stream)
