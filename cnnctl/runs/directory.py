"""Run directories: making, finding, naming the latest, and what lies where in them."""

import itertools
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from cnnctl.errors import BusyError, MachineError, RunError, UsageError
from cnnctl.runs.contents import OWN, Contents
from cnnctl.system import files
from cnnctl.system.digests import DIGEST_BYTES
from cnnctl.system.locks import Lock, is_held, try_lock
from cnnctl.system.loudness import detail

RUNS = "runs"
LATEST = "latest"

_MADE_BY = {"model.onnx": "train", "metrics.json": "evaluate", "predictions.csv": "evaluate"}
_WAIT = "wait for its end: `cnnctl runs` shows how far it is"
_ELSEWHERE = "choose another folder with --output"


class Run(Contents):
    """One run directory."""

    @property
    def title(self) -> str:
        """The run in a few words: `digits 3` for runs/digits/3, else the folder's name."""
        path = files.absolute(self.path)
        return f"{path.parent.name} {path.name}" if path.name.isdecimal() else path.name

    def need(self, path: Path) -> Path:
        """The same path, if the run has a file there.

        Raises:
            RunError: it lacks it, and the hint says which command makes it; or it is a link, or no file.
        """
        if not self.has(path):
            self.refuse_in_training(path.name)
            raise RunError(f"the run {self.path} has no {path.name}", self._how_to_make(path.name))
        return path

    def refuse_in_training(self, name: str) -> None:
        """Raises:
        RunError: another process works on the run, which has no file `name` yet.
        """
        if is_held(self.lock) and _owner(self) != os.getpid():
            raise RunError(f"the run {self.path} is still in training: it has no {name} yet", _WAIT)

    def _how_to_make(self, name: str) -> str:
        if self.is_unfinished():
            import shlex

            return f"the training did not end; resume it with: cnnctl train --resume {shlex.quote(str(self.path))}"
        command = _MADE_BY.get(name)
        return f"cnnctl {command} makes it" if command else "the run is not complete: train it again"

    def is_unfinished(self) -> bool:
        """Whether a training began it, and did not come to its end."""
        begun = self.has(self.config) and self.has(self.split)
        return begun and not self.has(self.metrics) and not self.has(self.environment)

    def read_classes(self) -> tuple[str, ...]:
        """The class names in label order."""
        names = self.read_json(self.need(self.classes))
        if not isinstance(names, list) or len(names) < 2 or not all(isinstance(name, str) for name in names):
            raise RunError(f"{self.classes} is not a list of class names")
        return tuple(names)

    def read_metrics(self) -> dict[str, Any]:
        """The content of metrics.json; an empty dict where there is none yet."""
        return self._read_object(self.metrics, "metrics")

    def read_evaluation(self) -> dict[str, Any]:
        """The content of metrics.json.

        Raises:
            RunError: it is missing, or holds no evaluation.
        """
        self.need(self.metrics)
        metrics = self.read_metrics()
        if not isinstance(metrics.get("accuracy"), int | float) or "split" not in metrics:
            raise RunError(f"{self.metrics} holds no evaluation", "cnnctl evaluate makes it")
        return metrics

    def read_environment(self) -> dict[str, Any]:
        """The content of environment.json; an empty dict where there is none yet."""
        return self._read_object(self.environment, "an environment")

    def read_split(self, split: str) -> tuple[list[str], list[str]]:
        """Paths and labels of the images of one split."""
        paths, labels = [], []
        for row in self.read_rows(self.need(self.split), ("path", "label", "split")):
            if row["split"] == split:
                paths.append(row["path"])
                labels.append(row["label"])
        return paths, labels

    @property
    def digests(self) -> Path:
        """What each image of split.csv held."""
        return self.checkpoints / "digests.bin"

    def read_digests(self) -> list[bytes]:
        """BLAKE2b of the file of each image of split.csv, in its order; none where the checkpoints were removed."""
        content = self.read_bytes(self.digests) if self.has(self.digests) else b""
        return [content[start : start + DIGEST_BYTES] for start in range(0, len(content), DIGEST_BYTES)]

    def plot_files(self) -> list[Path]:
        """The pictures under plots/."""
        return [self.need(self.plots / name) for name in self.names_in(self.plots) if name.endswith(".png")]

    def next_evaluation(self) -> Path:
        """A new numbered folder under evaluations/."""
        return self.make_numbered(self.evaluations)

    def _read_object(self, path: Path, what: str) -> dict[str, Any]:
        value = self.read_json(path) if self.has(path) else {}
        if not isinstance(value, dict):
            raise RunError(f"{path} does not hold {what}")
        return value


def create_run(name: str, output: Path | None) -> Run:
    """A new, empty run directory: `runs/<name>/<next number>`, or exactly `output`.

    Raises:
        UsageError: `output` exists and is not an empty folder.
        BusyError: another process works on it.
        MachineError: it cannot be made.
    """
    try:
        if output is None:
            run = Run(_next_number(Path(RUNS) / name))
            detail(f"run: {run.path.absolute()}, the next number of {name}")
            return run
        refuse_occupied(output)
        output.mkdir(parents=True, exist_ok=True)
        return Run(output)
    except OSError as error:
        where = output or Path(RUNS) / name
        raise MachineError(f"{where} cannot be made: {error.strerror}", f"{_ELSEWHERE} DIR") from None


def own(run: Run) -> Lock:
    """The right to write into a run, until it is released or the process ends.

    Raises:
        RunError: there is a link in it.
        BusyError: another process has it.
        MachineError: the run cannot be written.
    """
    run.refuse_links(deep=True)
    try:
        lock = try_lock(run.lock)
    except OSError as error:
        raise MachineError(f"{run.path} cannot be written: {error.strerror}", f"{_ELSEWHERE} DIR") from None
    if lock is None:
        raise _busy(run)
    lock.say(f"{os.getpid()}\n")
    return lock


def _busy(run: Run) -> BusyError:
    number = _owner(run)
    owner = f" (process {number})" if number is not None else ""
    busy = f"{run.path} is in use by another cnnctl{owner}"
    if run.is_unfinished():
        return BusyError(f"{busy}: it is still in training", _WAIT)
    return BusyError(busy, "wait for it, or choose another folder")


def _owner(run: Run) -> int | None:
    """The process that said that it owns a run."""
    try:
        return int(run.read_bytes(run.lock))
    except (OSError, ValueError, RunError):
        return None


def refuse_occupied(output: Path) -> None:
    """Raises:
    UsageError: `output` is a file or a folder that is not empty.
    BusyError: it is a run that another process works on.
    """
    run = Run(output)
    with _reaching(output) as is_there:
        if not is_there:
            return
        if os.path.lexists(run.lock):
            own(run).release(remove=True)
        if any(output.iterdir()):
            mend = _ELSEWHERE  # never to remove it: it may be somebody's photos
            if run.has(run.classes):
                mend = f"--resume resumes it; or {_ELSEWHERE}"
            raise UsageError(f"{output} is not empty", mend)


def is_begun(run: Run) -> bool:
    """Whether a folder is a run, however early it was killed.

    Raises:
        UsageError: it is something else that is not empty.
    """
    with _reaching(run.path) as is_there:
        if not is_there:
            return False
        found = {child.name for child in run.path.iterdir() if not files.is_aside(child)}
        has_asides = len(found) < len(list(run.path.iterdir()))
    is_run = run.classes.name in found and (run.has_folder(run.checkpoints) or found <= OWN)
    if not is_run and found - {run.lock.name}:
        raise UsageError(f"{run.path} is not empty and is not a run", _ELSEWHERE)
    return bool(found) or has_asides


@contextmanager
def _reaching(path: Path) -> Iterator[bool]:
    """A block that looks at a folder of the user's, which may be one that cannot be looked at; whether it is there."""
    try:
        if path.exists() and not path.is_dir():
            raise UsageError(f"{path} is a file, not a folder", _ELSEWHERE)
        yield path.is_dir()
    except OSError as error:
        raise MachineError(f"{path} cannot be used: {error.strerror}", _ELSEWHERE) from None


def sweep(run: Run) -> None:
    """Take away what killed processes left behind while they wrote into a run."""
    files.sweep(run.path, run.path)
    for folder in (run.checkpoints, run.plots, run.evaluations):
        files.sweep(run.path, folder, depth=2)


def _next_number(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    numbers = [int(child.name) for child in folder.iterdir() if child.name.isdecimal()]
    for number in itertools.count(max(numbers, default=0) + 1):
        try:
            (folder / str(number)).mkdir()
        except FileExistsError:
            continue
        return folder / str(number)
    raise AssertionError("unreachable")


def mark_latest(run: Run) -> None:
    """Let `runs/latest` in the current folder point at a run: a link, or a text file where links are not to be had."""
    runs = Path(RUNS)
    latest = runs / LATEST
    aside = runs / f".{LATEST}.{os.getpid()}"
    try:
        target = os.path.relpath(run.path, runs)
        runs.mkdir(exist_ok=True)
        aside.unlink(missing_ok=True)
        try:
            aside.symlink_to(target, target_is_directory=True)
        except (OSError, NotImplementedError):
            aside.write_text(target + "\n", encoding="utf-8")
        aside.replace(latest)
    except OSError as error:
        with suppress(OSError):
            aside.unlink()
        raise MachineError(f"{latest} cannot be written: {error.strerror}") from None


def is_complete(run: Run) -> bool:
    """Whether a run was trained and evaluated to its end."""
    return run.has(run.metrics) and run.has(run.keras_model)
