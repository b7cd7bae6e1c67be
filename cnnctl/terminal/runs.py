"""Runs in a table, and as JSON."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from cnnctl.formatting import percent, printable
from cnnctl.terminal.render import LEFT, RIGHT, print_table

if TYPE_CHECKING:
    from cnnctl.runs.listing import Listed


def to_json(one: "Listed", is_latest: bool) -> dict[str, Any]:
    """One run in the form of `runs --json`."""
    return {
        "run": str(one.run.path),
        "date": one.date.isoformat(timespec="seconds"),
        "status": one.status,
        "reason": one.reason,
        "epochs": one.epochs,
        "planned_epochs": one.planned,
        "accuracy": one.accuracy,
        "split": one.split,
        "latest": is_latest,
    }


def print_runs(found: "list[Listed]", marked: list[bool], latest: Path | None) -> None:
    """A table of runs; below it what is odd of them.

    Args:
        found: The runs.
        marked: Of each, whether it is the latest.
        latest: The latest run, wherever it is.
    """
    rows = [
        (
            str(one.run.path),
            f"{one.date.astimezone():%Y-%m-%d %H:%M}",
            one.status + (", latest" if mark else ""),
            _epochs(one),
            "" if one.accuracy is None else percent(one.accuracy),
            one.split or "",
        )
        for one, mark in zip(found, marked, strict=True)
    ]
    header = ("run", "date", "status", "epochs", "best accuracy", "evaluated on")
    print_table(header, rows, (LEFT, LEFT, LEFT, RIGHT, RIGHT, LEFT), keep_first=True)
    _print_notes(found, None if any(marked) else latest)


def _epochs(one: "Listed") -> str:
    return f"{one.epochs:,}" if one.planned is None else f"{one.epochs:,} of {one.planned:,}"


def _print_notes(found: "list[Listed]", latest: Path | None) -> None:
    from cnnctl.runs.listing import UNFINISHED

    notes = [f"{printable(str(one.run.path))} is damaged: {one.reason}" for one in found if one.reason]
    if latest is not None:
        there = "" if latest.is_dir() else ", which is gone"
        notes.append(f"the latest run is {printable(str(latest))}{there}")
    if any(one.status == UNFINISHED for one in found):
        notes.append("resume an unfinished one: cnnctl train CONFIG --output RUN --resume")
    if notes:
        print("\n" + "\n".join(notes))
