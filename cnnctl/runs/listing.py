"""The runs in a folder: how far each is, and how good. Big files are not read."""

import csv
import json
import math
import os
import re
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from cnnctl.errors import CnnctlError
from cnnctl.runs.contents import OWN
from cnnctl.runs.directory import Run
from cnnctl.system import files
from cnnctl.system.inside import UnfitFileError
from cnnctl.system.locks import is_held

COMPLETE = "complete"
TRAINING = "in training"
UNFINISHED = "unfinished"
DAMAGED = "damaged"

_MARKS = OWN - {
    "log.txt",
    "report.html",
    "README.md",
    "network.png",
    "evaluations",
    "plots",
    "tensorboard",
    "mlflow.json",
    "wandb.json",
}
_MARKS_OF_A_RUN = 2
_DEEPEST = 4
_HEAD = 2**16
"""Bytes of a metrics.json that are read: its figures come first, and its matrix may be large."""

_FIGURE = re.compile(r'^  "(accuracy|split)": (.+?),?$', re.MULTILINE)
"""A member of metrics.json itself, as system/files.py writes it: deeper ones are indented by more."""

_TRAIN = re.compile(r"^train:\n((?:  .*\n)+)", re.MULTILINE)
_EPOCHS = re.compile(r"  epochs: ([1-9][0-9]{0,8})\n")
_STOPPING = re.compile(r"^  early_stopping:( null$|(?=\n    ))", re.MULTILINE)
_SECOND = re.compile(r"^  fine_tune:(?: null$|\n    epochs: ([1-9][0-9]{0,8})$)", re.MULTILINE)
"""The train section as config/dump.py writes it, and lines of it; each is found in one pass, whatever the text is."""


class _DamageError(Exception):
    """What is wrong with a run, in a few words."""


@dataclass(frozen=True)
class _History:
    """What history.csv says; `accuracy` is the best of the done epochs on `split`: `validation`, or else `train`."""

    epochs: int = 0
    accuracy: float | None = None
    split: str | None = None


@dataclass(frozen=True)
class Listed:
    """A run at a glance.

    Attributes:
        run: The run.
        status: `complete`; `in training`, where a living process has its lock; `unfinished`, where none has; `damaged`.
        reason: What is damaged, or not read.
        date: When it was finished; while it is not, when an epoch was last done.
        epochs: How many are done.
        planned: How many its config wants.
        accuracy: That of its evaluation; while there is none, the best of its epochs; None where nothing was judged.
        split: The images that were judged: `train`, `validation` or `test`.
    """

    run: Run
    status: str
    reason: str | None
    date: datetime
    epochs: int | None
    planned: int | None
    accuracy: float | None
    split: str | None


def list_runs(folder: Path) -> list[Listed]:
    """Every run at `folder` or in its subfolders, the newest first."""
    found = [look(run) for run in find_runs(folder)]
    return sorted(found, key=lambda one: (-one.date.timestamp(), str(one.run.path)))


def find_runs(folder: Path, depth: int = 0, seen: set[tuple[int, int]] | None = None) -> Iterator[Run]:
    """The runs at a folder or up to four folders below it, each once; links called `latest` are not followed."""
    seen = set() if seen is None else seen
    with suppress(OSError):
        state = folder.stat()
        if (state.st_dev, state.st_ino) in seen:
            return
        seen.add((state.st_dev, state.st_ino))
        with os.scandir(folder) as entries:
            children = sorted(entries, key=lambda entry: entry.name)
        if len(_MARKS.intersection(child.name for child in children)) >= _MARKS_OF_A_RUN:
            yield Run(folder)
        elif depth < _DEEPEST:
            for child in children:
                skipped = child.name.startswith(".") or (child.name == "latest" and child.is_symlink())
                if not skipped and child.is_dir():
                    yield from find_runs(folder / child.name, depth + 1, seen)


def look(run: Run) -> Listed:
    """What a run is just now."""
    is_locked = is_held(run.lock)
    history, planned = _History(), None
    try:
        history = _read_history(run)
        planned, may_stop = _plan(run)
        environment = _environment(run)
        if environment is not None and _is_finished(environment[0], history.epochs, planned, may_stop):
            accuracy, split = _accuracy(run)
            for path in (run.keras_model, run.classes, run.split):
                if not run.has(path):
                    raise _DamageError(f"no {path.name}")
            return Listed(run, COMPLETE, None, environment[1], environment[0], planned, accuracy, split)
        status, reason = (TRAINING if is_locked else UNFINISHED), None
    except _DamageError as error:
        # a run that is being made just now lacks what comes later
        status, reason = (TRAINING, None) if is_locked else (DAMAGED, str(error))
    except UnfitFileError as error:
        status, reason = DAMAGED, f"{error.path.name} {error.what}"
    return Listed(run, status, reason, _last_change(run), history.epochs, planned, history.accuracy, history.split)


def _read_history(run: Run) -> _History:
    """What a history.csv says; nothing where there is none yet.

    Raises:
        _DamageError: it is something else.
        UnfitFileError: it is a link, or no file.
    """
    if not run.has(run.history):
        return _History()
    epochs, column, best = 0, None, -math.inf
    try:
        with run.open(run.history) as file:
            for row in files.read_rows(file):
                if not epochs and "epoch" not in row:
                    raise _DamageError("history.csv has wrong columns")
                epochs += 1
                column = next((name for name in ("val_accuracy", "accuracy") if name in row), None)
                figure = float(row[column]) if column is not None else math.nan
                best = max(best, figure if math.isfinite(figure) else -math.inf)
    except (OSError, ValueError, csv.Error):
        raise _DamageError("history.csv cannot be read") from None
    if best == -math.inf:
        return _History(epochs)
    return _History(epochs, best, "validation" if column == "val_accuracy" else "train")


def _plan(run: Run) -> tuple[int, bool]:
    """How many epochs a run's config wants, and whether early stopping may make them fewer.

    The lines that cnnctl writes are known; any others are parsed, which takes a hundred times as long.
    """
    try:
        text = run.read_bytes(run.config).decode("utf-8-sig")
        written = _written_plan(text)
        if written is not None:
            return written
        from cnnctl.config import source

        parsed = source.parse(text, str(run.config), environment=None).data["train"]
        if type(parsed["epochs"]) is not int:
            raise TypeError("epochs")
        tuned = parsed.get("fine_tune")
        more = 0 if tuned in (None, "none") else tuned["epochs"]
        if type(more) is not int:
            raise TypeError("fine_tune")
        return parsed["epochs"] + more, parsed["early_stopping"] not in (None, "none")
    except FileNotFoundError:
        raise _DamageError("no config.yaml") from None
    except UnfitFileError:
        raise
    except (CnnctlError, OSError, ValueError, LookupError, TypeError, AttributeError):
        raise _DamageError("config.yaml cannot be read") from None


def _written_plan(text: str) -> tuple[int, bool] | None:
    """`_plan` of a config that cnnctl wrote; None for any other."""
    section = _TRAIN.search(text)
    train = section[1] if section is not None else ""
    epochs, stopping, second = _EPOCHS.match(train), _STOPPING.search(train), _SECOND.search(train)
    if not epochs or not stopping or (not second and "\n  fine_tune:" in train):
        return None
    return int(epochs[1]) + int((second and second[1]) or 0), stopping[1] != " null"


def _environment(run: Run) -> tuple[int, datetime] | None:
    """The epochs and the end of the training that wrote environment.json, the last of a run's files; None without."""
    try:
        said = run.read_json(run.environment)
        finished = datetime.fromisoformat(said["finished"])
        return int(said["epochs"]), finished if finished.tzinfo else finished.replace(tzinfo=UTC)
    except FileNotFoundError:
        return None
    except UnfitFileError:
        raise
    except (CnnctlError, OSError, ValueError, LookupError, TypeError, OverflowError):
        raise _DamageError("environment.json cannot be read") from None


def _is_finished(trained: int, epochs: int, planned: int, may_stop: bool) -> bool:
    """Whether nothing was begun since: a run that is resumed for more epochs has its old environment.json meanwhile."""
    return trained >= epochs and (trained >= planned or may_stop)


def _accuracy(run: Run) -> tuple[float, str]:
    try:
        with run.open(run.metrics) as file:
            head = file.read(_HEAD).decode("utf-8", "replace")
        figures = {name: json.loads(value) for name, value in _FIGURE.findall(head)}
        if len(figures) < 2:
            figures = run.read_json(run.metrics)  # somebody wrote it anew, in another layout
        accuracy = float(figures["accuracy"])
        if not 0 <= accuracy <= 1:
            raise ValueError(accuracy)
        return accuracy, str(figures["split"])
    except FileNotFoundError:
        raise _DamageError("no metrics.json") from None
    except UnfitFileError:
        raise
    except (CnnctlError, OSError, ValueError, LookupError, TypeError, OverflowError, RecursionError):
        raise _DamageError("metrics.json cannot be read") from None


def _last_change(run: Run) -> datetime:
    """When an epoch was last done, else when the run was begun."""
    for path in (run.history, run.config, run.path):
        with suppress(OSError):
            state = path.stat() if path == run.path else path.lstat()
            return datetime.fromtimestamp(state.st_mtime, UTC).replace(microsecond=0)
    return datetime.fromtimestamp(0, UTC)  # it was taken away just now
