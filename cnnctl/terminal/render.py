"""Plain data -> text on stdout: tables for people, JSON for programs."""

import io
import json
import shutil
import sys
from collections.abc import Sequence
from typing import Any, TextIO

from cnnctl.formatting import printable

LEFT, RIGHT = "left", "right"
_WIDE = 1000


def print_json(value: Any) -> None:
    """Indented JSON."""
    print(json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False))


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

    table = Table(box=SIMPLE_HEAD, pad_edge=False, show_edge=False)
    for place, (name, side) in enumerate(zip(header, align, strict=True)):
        keep = keep_first and place == 0
        table.add_column(Text(name), justify="right" if side == RIGHT else "left", overflow="fold", no_wrap=keep)
    for row in rows:
        table.add_row(*(Text(printable(cell)) for cell in row))
    stream = stream or sys.stdout
    width = shutil.get_terminal_size().columns if stream.isatty() else _WIDE
    console = Console(file=io.StringIO(), width=width, color_system=None, highlight=False)
    with console.capture() as captured:
        console.print(table)
    print("\n".join(line.rstrip() for line in captured.get().splitlines()), file=stream)
