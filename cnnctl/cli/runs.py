"""`cnnctl runs`."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cnnctl.cli.app import guarded
from cnnctl.cli.options import JsonOption
from cnnctl.formatting import percent
from cnnctl.terminal.render import LEFT, RIGHT, print_json, print_table, printable

if TYPE_CHECKING:
    from cnnctl.runs.listing import Listed


def register(app: typer.Typer) -> None:
    """Add the command to the application."""
    app.command("runs", epilog="Example: cnnctl runs runs/digits")(guarded(runs_cli))


def runs_cli(
    folder: Annotated[
        Path | None, typer.Argument(metavar="[FOLDER]", help="Where to look; runs when left out.", show_default=False)
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """List runs, the newest first: how far each is, and how good."""
    from cnnctl.errors import RunError
    from cnnctl.runs.directory import RUNS
    from cnnctl.runs.listing import list_runs

    base = Path(RUNS) if folder is None else folder
    if not base.is_dir() and (folder is not None or base.exists()):
        what = "is a file, not a folder" if base.exists() else "is not there"
        raise RunError(f"{base} {what}", "name a folder that holds runs, such as runs/digits")
    found = list_runs(base)
    latest = _latest(base)
    marked = [latest is not None and one.run.path.resolve() == latest.resolve() for one in found]
    if as_json:
        rows = [_to_json(one, mark) for one, mark in zip(found, marked, strict=True)]
        print_json({"folder": str(base), "latest": None if latest is None else str(latest), "runs": rows})
    elif found:
        _print_runs(found, marked)
        _print_notes(found, latest if not any(marked) else None)
    else:
        print(f"there is no run in {printable(str(base))}: `cnnctl train CONFIG` makes one")


def _latest(base: Path) -> Path | None:
    """What a command without --run takes, where `base` is the folder of runs or one in it."""
    from cnnctl.runs.directory import RUNS, latest_of

    around = [base.parent] if base.absolute().parent.name == RUNS else []
    for place in (base, *around, Path(RUNS)):
        latest = latest_of(place)
        if latest is not None:
            return latest
    return None


def _to_json(one: "Listed", is_latest: bool) -> dict[str, Any]:
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


def _print_runs(found: "list[Listed]", marked: list[bool]) -> None:
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
