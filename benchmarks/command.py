"""`cnnctl train` in a process of its own, and what it says of itself."""

import csv
import json
import os
import re
import sys
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from benchmarks.processes import watch

ROOT = Path(__file__).parent.parent
ROUNDS = int(os.environ.get("ROUNDS") or 3)
"""How often everything is measured, by the environment variable of that name."""


@dataclass(frozen=True)
class Training:
    """One finished training.

    Attributes:
        accuracy: On the test images.
        seconds: From process start to process end.
        images_per_second: Of each epoch, as it was printed; empty for a run that was made before.
        validation: Validation accuracy of each epoch; empty without validation images.
        environment: What environment.json says.
        peak: Bytes of physical memory, mapped files included.
    """

    accuracy: float
    seconds: float
    images_per_second: tuple[float, ...]
    validation: tuple[float, ...]
    environment: dict[str, Any]
    peak: int = 0


def train(
    config: str | Path, settings: dict[str, object], cache: Path | None = None, run: Path | None = None
) -> Training:
    """Train a config of configs/ in a folder that is thrown away.

    Args:
        config: Its name, or its file.
        settings: What `--set` changes.
        cache: Keeps decoded images between trainings.
        run: Keeps the run; where it is complete already, it is reported instead of trained again.
    """
    arguments = [part for key, value in settings.items() for part in ("--set", f"{key}={value}")]
    if run is not None and (run / "environment.json").is_file():
        return _read(run)
    with tempfile.TemporaryDirectory() as work:
        run = run or Path(work) / "run"
        path = str(config if isinstance(config, Path) else ROOT / "configs" / f"{config}.yaml")
        command = [sys.executable, "-m", "cnnctl", "train", path, "--json", "--output", str(run), *arguments]
        done = watch(command, Path(work), cache or Path(work) / "cache")
        rows = re.findall(r"^ *\d+/\d+(?: +\d+\.\d+){2,4} +([\d,]+) ", done.stderr, re.MULTILINE)
        speeds = tuple(float(speed.replace(",", "")) for speed in rows)
        return replace(_read(run), seconds=done.seconds, images_per_second=speeds, peak=done.peak)


def _read(run: Path) -> Training:
    """A complete run, its seconds by its own account."""
    environment = json.loads((run / "environment.json").read_text())
    with (run / "history.csv").open() as file:
        validation = tuple(float(row["val_accuracy"]) for row in csv.DictReader(file) if "val_accuracy" in row)
    accuracy = json.loads((run / "metrics.json").read_text())["accuracy"]
    return Training(accuracy, environment["seconds"]["total"], (), validation, environment)


def of(folder: Path) -> dict[str, object]:
    """The settings that name the CIFAR-10 images."""
    return {"data.train": folder / "train", "data.test": folder / "test"}
