"""`cnnctl train` in a process of its own, and what it says of itself."""

import json
import os
import re
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent


@dataclass(frozen=True)
class Training:
    """One finished training.

    Attributes:
        accuracy: On the test images.
        seconds: From process start to process end.
        images_per_second: Of each epoch.
        validation: Validation accuracy of each epoch.
        environment: What environment.json says.
    """

    accuracy: float
    seconds: float
    images_per_second: tuple[float, ...]
    validation: tuple[float, ...]
    environment: dict[str, Any]


def train(config: str, settings: dict[str, object], cache: Path | None = None) -> Training:
    """Train a config of configs/ in a folder that is thrown away; `cache` keeps decoded images between trainings."""
    arguments = [part for key, value in settings.items() for part in ("--set", f"{key}={value}")]
    with tempfile.TemporaryDirectory() as work:
        run = Path(work) / "run"
        path = str(ROOT / "configs" / f"{config}.yaml")
        command = [sys.executable, "-m", "cnnctl", "train", path, "--json", "--output", str(run), *arguments]
        begun = time.perf_counter()
        environment = {**os.environ, "XDG_CACHE_HOME": str(cache or work)}
        done = subprocess.run(command, cwd=work, capture_output=True, text=True, env=environment, check=False)
        seconds = time.perf_counter() - begun
        if done.returncode:
            sys.exit(done.stderr)
        rows = re.findall(r"^ *\d+/\d+ +[\d.]+ +[\d.]+ +[\d.]+ +([\d.]+) +([\d,]+) ", done.stderr, re.MULTILINE)
        return Training(
            json.loads(done.stdout)["metrics"]["accuracy"],
            seconds,
            tuple(float(speed.replace(",", "")) for _, speed in rows),
            tuple(float(accuracy) for accuracy, _ in rows),
            json.loads((run / "environment.json").read_text()),
        )


def of(folder: Path) -> dict[str, object]:
    """The settings that name the CIFAR-10 images."""
    return {"data.train": folder / "train", "data.test": folder / "test"}
