"""Runs in a table or as JSON."""

from pathlib import Path
from typing import TYPE_CHECKING

from cnnctl.formatting import percent, printable
from cnnctl.terminal.render import LEFT, RIGHT, print_json, print_table

if TYPE_CHECKING:
    from cnnctl.runs.listing import Listed


def print_runs(folder: Path, found: "list[Listed]", latest: Path | None, as_json: bool) -> None:
    """A table of runs; below it what is odd of them.

    Args:
        folder: Where they were looked for.
        found: The runs.
        latest: The latest run, wherever it is.
        as_json: Whether to print the form of `runs --json`.
    """
    from cnnctl.runs.listing import UNFINISHED

    marked = [latest is not None and one.run.path.resolve() == latest.resolve() for one in found]
    if as_json:
        runs = [
            {
                "run": str(one.run.path),
                "date": one.date.isoformat(timespec="seconds"),
                "status": one.status,
                "reason": one.reason,
                "epochs": one.epochs,
                "planned_epochs": one.planned,
                "accuracy": one.accuracy,
                "split": one.split,
                "latest": mark,
            }
            for one, mark in zip(found, marked, strict=True)
        ]
        print_json({"folder": str(folder), "latest": None if latest is None else str(latest), "runs": runs})
        return
    if not found:
        print(f"there is no run in {printable(str(folder))}: `cnnctl train CONFIG` makes one")
        return
    rows = [
        (
            str(one.run.path),
            f"{one.date.astimezone():%Y-%m-%d %H:%M}",
            one.status + (", latest" if mark else ""),
            f"{one.epochs:,}" + ("" if one.planned is None else f" of {one.planned:,}"),
            "" if one.accuracy is None else percent(one.accuracy),
            one.split or "",
        )
        for one, mark in zip(found, marked, strict=True)
    ]
    header = ("run", "date", "status", "epochs", "best accuracy", "evaluated on")
    print_table(header, rows, (LEFT, LEFT, LEFT, RIGHT, RIGHT, LEFT), keep_first=True)
    notes = [f"{printable(str(one.run.path))} is damaged: {one.reason}" for one in found if one.reason]
    if latest is not None and not any(marked):
        there = "" if latest.is_dir() else ", which is gone"
        notes.append(f"the latest run is {printable(str(latest))}{there}")
    if any(one.status == UNFINISHED for one in found):
        notes.append("resume an unfinished one: cnnctl train CONFIG --output RUN --resume")
    if notes:
        print("\n" + "\n".join(notes))
