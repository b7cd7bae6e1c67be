"""What `check`, `cache` and `runs` found, as text or as JSON."""

import os
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cnnctl.formatting import duration, percent, printable, several, size
from cnnctl.system.loudness import is_quiet
from cnnctl.terminal.render import (
    LEFT,
    RIGHT,
    error_screen,
    print_json,
    print_pairs,
    print_table,
    print_text,
    say,
    say_values,
    screen,
)

if TYPE_CHECKING:
    from cnnctl.checks import Findings
    from cnnctl.data.cache.entries import Entry, Removed
    from cnnctl.errors import CnnctlError, Position, Problem
    from cnnctl.models.machine import Machine
    from cnnctl.runs import Run
    from cnnctl.runs.listing import Listed

_SIBLINGS = 200
"""Runs of a name that are looked at for a better one: a millisecond each."""


def print_machine(machine: "Machine", as_json: bool) -> None:
    """Versions, device, precision and cache."""
    from cnnctl.version import __version__

    device = machine.device
    if as_json:
        precision = None if device is None else {"policy": device.precision, "reason": device.reason}
        print_json(
            {
                "cnnctl": __version__,
                "versions": machine.versions,
                "executable": machine.executable,
                "backend": machine.backend,
                "device": None if device is None else {"kind": device.kind, "name": device.name},
                "devices": None if device is None else device.count + device.idle,
                "precision": precision,
                "trouble": None if machine.trouble is None else machine.trouble.message,
                "cache": {"folder": str(machine.cache), "bytes": machine.cache_bytes},
            }
        )
        return
    rows = {"cnnctl": __version__, **machine.versions, "executable": machine.executable, "backend": machine.backend}
    if device is not None:
        named = several(device.count + device.idle, device.name)
        rows |= {
            "device": f"{device.kind}: {named}",
            "precision": f"{device.precision} ({device.reason})",
        }
    if machine.trouble is not None:
        rows["no training"] = f"{machine.trouble.message}; {machine.trouble.hint}"
    rows["cache"] = f"{size(machine.cache_bytes)} in {machine.cache}"
    print_pairs({name: printable(value) for name, value in rows.items()}, max(map(len, rows)) + 2)


def findings_json(findings: "Findings") -> dict[str, Any]:
    """The form of `check --json`."""
    value: dict[str, Any] = {
        "ok": not findings.problems,
        "problems": [problem_json(problem) for problem in findings.problems],
        "remarks": [
            {
                "path": one.path,
                **_place_json(one.position),
                "message": one.message,
                "hint": one.hint,
                **_pairs_json(one.pairs),
            }
            for one in findings.warnings
        ],
    }
    images = findings.prepared or findings.catalog
    if images is not None:
        value["classes"] = list(images.classes)
        value["images"] = images.counts()
        if findings.catalog is not None and findings.catalog.several:
            value["totals"] = images.totals()
    if findings.catalog is not None:
        value["left_out"] = dict(findings.catalog.left_out)
    if findings.plan is not None:
        value["total_params"] = findings.plan.total_params
    return value


def _pairs_json(pairs: "tuple[tuple[str, str], ...]") -> dict[str, Any]:
    return {"pairs": [list(pair) for pair in pairs]} if pairs else {}


def refused_json(error: "CnnctlError") -> dict[str, Any]:
    """The form of `check --json` for a config that cannot be looked at."""
    from cnnctl.errors import ConfigError, Problem

    own = (Problem(error.message, hint=error.hint, exit_code=error.exit_code),)
    problems = error.problems if isinstance(error, ConfigError) else own
    return {"ok": False, "problems": [problem_json(problem) for problem in problems], "remarks": []}


def print_refused(name: str, error: "CnnctlError") -> None:
    """Why one config of several cannot be looked at."""
    print_text(f"{printable(name)}:\n{error}\n", error_screen())


def print_checked(right: int, of: int) -> None:
    """How many configs of several are right."""
    if not say_values():
        say(f"{right:,} of {of:,} configs are ready to train")


def print_error(error: "CnnctlError") -> None:
    """What a program reads where a command with `--json` fails: the first problem of a config, and all of them."""
    from cnnctl.errors import ConfigError

    value: dict[str, Any] = {"message": error.message, "hint": error.hint, "path": None, "line": None, "column": None}
    if isinstance(error, ConfigError):
        problems = [problem_json(problem) for problem in error.problems]
        value |= {name: problems[0][name] for name in ("message", "hint", "path", "line", "column")}
        value["problems"] = problems
    print_json({"error": value | {"exit_code": error.exit_code}})


def problem_json(problem: "Problem") -> dict[str, Any]:
    """One problem in the form of `check --json`."""
    from cnnctl.errors import EXIT_BUSY, EXIT_DATA, EXIT_ENVIRONMENT

    kinds = {EXIT_DATA: "data", EXIT_ENVIRONMENT: "machine", EXIT_BUSY: "run"}
    return {
        "kind": kinds.get(problem.exit_code, "config"),
        "exit_code": problem.exit_code,
        "path": problem.path,
        **_place_json(problem.position),
        "message": problem.message,
        "received": problem.received,
        "hint": problem.hint,
        **_pairs_json(problem.pairs),
    }


def _place_json(position: "Position | None") -> dict[str, Any]:
    if position is None:
        return {"file": None, "line": None, "column": None}
    return {"file": position.origin, "line": position.line, "column": position.column}


def print_findings(name: str, findings: "Findings", as_json: bool, is_one_of_several: bool = False) -> None:
    """Counts and warnings on stdout, problems on stderr; `name` is that of the config."""
    from cnnctl.data.listing import describe_left_out

    if as_json:
        print_json(findings_json(findings))
        return
    if not findings.problems and say_values():
        return
    if is_one_of_several:
        print_text(f"{printable(name)}:", error_screen() if findings.problems else screen())
    if findings.problems:
        print_text("\n\n".join(str(problem) for problem in findings.problems), error_screen())
    if findings.catalog is not None and not findings.problems:
        images = findings.prepared or findings.catalog
        for split, total in images.totals().items():
            print_text(f"{split}: {total:,} images of {len(images.classes)} classes")
        left_out = describe_left_out(findings.catalog.left_out)
        if left_out:
            print_text(left_out)
    if findings.plan is not None and not findings.problems:
        say(f"network: {len(findings.plan.layers)} layers, {findings.plan.total_params:,} parameters")
    for warning in () if is_quiet() else findings.warnings:
        where = f"{warning.position}: {warning.path}: " if warning.position else ""
        print_text(f"warning: {where}{warning.message}\n  hint: {warning.hint}")
    if not findings.problems:
        print_text(f"{printable(name)} is ready to train")
    elif not is_quiet():
        count = len(findings.problems)
        print(f"\n{count} problem{'s' if count > 1 else ''}", file=error_screen())
    if is_one_of_several:
        print(file=error_screen() if findings.problems else screen(), flush=True)


def print_entries(base: Path, found: "list[Entry]", left: int, as_json: bool) -> None:
    """What the cache in the folder `base` holds; `left` bytes of it are what killed runs left behind."""
    total = sum(entry.size for entry in found) + left
    if as_json:
        plain = [_plain(entry) for entry in found]
        print_json({"folder": str(base), "bytes": total, "left_behind": left, "entries": plain})
        return
    if say_values(total):
        return
    now = time.time()
    rows = [
        (
            entry.source or "?",
            f"{entry.images:,}" if entry.images is not None else "?",
            " x ".join(map(str, entry.shape)) or "?",
            entry.fit or "?",
            size(entry.size),
            f"{duration(max(0.0, now - entry.used))} ago",
        )
        for entry in found
    ]
    if rows:
        align = (LEFT, RIGHT, RIGHT, LEFT, RIGHT, RIGHT)
        header = ("decoded from", "images", "size", "fit", "on disk", "last used")
        print_table(header, rows, align, drop=("fit", "size", "last used"))
        say()
    of_killed = f", {size(left)} of it left behind by killed runs" if left else ""
    print_text(f"{size(total)} in {printable(str(base))}{of_killed}")
    if rows or left:
        say("clear it with: cnnctl cache --clear")


def print_removed(base: Path, removed: "Removed", as_json: bool) -> None:
    """What was cleared."""
    if as_json:
        gone = [_plain(entry) for entry in removed.entries]
        print_json(
            {
                "folder": str(base),
                "bytes": removed.size,
                "removed": gone,
                "busy": removed.busy,
                "foreign": removed.foreign,
            }
        )
        return
    if say_values():
        return
    noun = "entry" if len(removed.entries) == 1 else "entries"
    print_text(f"removed {len(removed.entries):,} {noun}, {size(removed.size)}, from {printable(str(base))}")
    if removed.busy:
        say(f"{removed.busy:,} being made just now: left alone")
    if removed.foreign:
        say(f"{removed.foreign:,} of other users: left alone")


def _plain(entry: "Entry") -> dict[str, Any]:
    return {**asdict(entry), "path": str(entry.path), "shape": list(entry.shape)}


def say_run(run: "Run", beside: bool) -> None:
    """Name on stderr the run that a command uses, which was chosen and not named; `beside` it maybe a better one."""
    from cnnctl.runs.find import BEST, best_of
    from cnnctl.runs.listing import list_runs, look

    own = look(run)
    print(f"run: {printable(str(run.path))}{_score(own)}", file=sys.stderr, flush=True)
    has_siblings = beside and run.path.name.isdecimal() and int(run.path.name) <= _SIBLINGS
    best = best_of(list_runs(run.path.parent)) if has_siblings else None
    is_better = best is not None and best.split == own.split and (best.accuracy or 0) > (own.accuracy or 0)
    if best is not None and is_better:
        hint = f"`--run {BEST}` takes {printable(str(best.run.path))}{_score(best)}"
        print_text(f"  hint: it is not the best of its name: {hint}", sys.stderr)


def _score(one: "Listed") -> str:
    return "" if one.accuracy is None else f" ({one.split} accuracy {percent(one.accuracy)})"


def marks_of(found: "Sequence[Listed]", latest: Path | None) -> list[bool]:
    """Which of the runs is the latest one, wherever that is."""
    place = None if latest is None else os.path.realpath(latest)  # pathlib's raises where links lead in a circle
    return [os.path.realpath(one.run.path) == place for one in found]


def runs_json(folder: Path, found: "Sequence[Listed]", latest: Path | None) -> dict[str, Any]:
    """The form of `runs --json`; `latest` is as for `print_runs`."""
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
        for one, mark in zip(found, marks_of(found, latest), strict=True)
    ]
    return {"folder": str(folder), "latest": None if latest is None else str(latest), "runs": runs}


def print_runs(folder: Path, found: "Sequence[Listed]", latest: Path | None, as_json: bool) -> None:
    """A table of runs, or with `as_json` the form of `runs --json`; below the table what is odd of them.

    `latest` is the latest run, wherever it is, not only in `folder`.
    """
    from cnnctl.runs.listing import UNFINISHED

    if as_json:
        print_json(runs_json(folder, found, latest))
        return
    if say_values(*(one.run.path for one in found)):
        return
    marked = marks_of(found, latest)
    if not found:
        print_text(f"there is no run in {printable(str(folder))}: `cnnctl train CONFIG` makes one")
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
    print_table(
        header, rows, (LEFT, LEFT, LEFT, RIGHT, RIGHT, LEFT), drop=("evaluated on", "date", "epochs"), keep_first=True
    )
    notes = [f"{printable(str(one.run.path))} is damaged: {one.reason}" for one in found if one.reason]
    if latest is not None and not any(marked):
        there = "" if latest.is_dir() else ", which is gone"
        notes.append(f"the latest run is {printable(str(latest))}{there}")
    if any(one.status == UNFINISHED for one in found):
        notes.append("resume an unfinished one: cnnctl train --resume RUN")
    if notes:
        print_text("\n" + "\n".join(notes))
