"""Predictions as a table, JSON, JSON lines or CSV."""

import json
from collections.abc import Callable, Iterable
from typing import TextIO

from cnnctl.formatting import percent, printable
from cnnctl.inference.rows import Row
from cnnctl.terminal.render import LEFT, RIGHT, print_table


def _write_table(rows: Iterable[Row], stream: TextIO) -> None:
    everything = list(rows)
    if len(everything) == 1 and everything[0].top:
        (only,) = everything
        print(f"{printable(only.top[0][0])} ({percent(only.top[0][1])})", file=stream)
        if len(only.top) > 1:
            print(file=stream)
            cells = [(name, percent(chance)) for name, chance in only.top]
            print_table(("class", "probability"), cells, (LEFT, RIGHT), stream)
        return
    table = []
    for row in everything:
        if row.top:
            others = ", ".join(f"{name} {percent(chance)}" for name, chance in row.top[1:])
            table.append((row.path, row.top[0][0], percent(row.top[0][1]), others))
        else:
            table.append((row.path, "-", "-", row.error or ""))
    print_table(("path", "class", "probability", "then"), table, (LEFT, LEFT, RIGHT, LEFT), stream)


def _write_json(rows: Iterable[Row], stream: TextIO) -> None:
    separator = "["
    for row in rows:
        stream.write(f"{separator}\n  {json.dumps(row.to_json())}")
        separator = ","
    stream.write("[]\n" if separator == "[" else "\n]\n")


def _write_jsonl(rows: Iterable[Row], stream: TextIO) -> None:
    for row in rows:
        stream.write(json.dumps(row.to_json()) + "\n")


def _write_csv(rows: Iterable[Row], stream: TextIO) -> None:
    from cnnctl.system.files import write_rows

    write_rows(stream, [("path", "label", "probability", "error")])
    answers = ((row, *(row.top[0] if row.top else ("", ""))) for row in rows)
    write_rows(stream, ((row.path, label, probability, row.error or "") for row, label, probability in answers))


WRITERS: dict[str, Callable[[Iterable[Row], TextIO], None]] = {
    "table": _write_table,
    "json": _write_json,
    "jsonl": _write_jsonl,
    "csv": _write_csv,
}
"""By the names that --format takes."""
