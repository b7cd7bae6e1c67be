"""How soon each command answers in a cold process, beside a Keras script that loads a model and predicts."""

import sys
import tempfile
from pathlib import Path
from statistics import median

from benchmarks.command import ROOT
from benchmarks.processes import Watched, cnnctl, watch

TIMES = 10
SCRIPT = ROOT / "benchmarks" / "plain_predict.py"


def section(folder: Path) -> str:
    """The section of BENCHMARKS.md; the model is the digits', trained for one epoch."""
    with tempfile.TemporaryDirectory() as name:
        work = Path(name)
        cnnctl("train", ROOT / "configs" / "digits.yaml", "--set", "train.epochs=1", cwd=work)
        image = next((folder / "test").rglob("*.jpg"))
        model = next(work.rglob("model.keras"))
        commands = {
            "cnnctl --help": [sys.executable, "-m", "cnnctl", "--help"],
            "cnnctl summary configs/cifar10.yaml": [sys.executable, "-m", "cnnctl", "summary", _config("cifar10")],
            "cnnctl check configs/digits.yaml": [sys.executable, "-m", "cnnctl", "check", _config("digits")],
            "cnnctl schedule configs/cifar10-airbench.yaml": [
                *(sys.executable, "-m", "cnnctl", "schedule", _config("cifar10-airbench"), "--images", "50000")
            ],
            "cnnctl predict image.jpg": [sys.executable, "-m", "cnnctl", "predict", str(image)],
            "Keras load and predict": [sys.executable, str(SCRIPT), str(model), str(image)],
        }
        seen: dict[str, list[Watched]] = {name: [] for name in commands}
        for _ in range(TIMES):
            for what, command in commands.items():
                seen[what].append(watch(command, cwd=work))
    return report(seen)


def _config(name: str) -> str:
    return str(ROOT / "configs" / f"{name}.yaml")


def report(seen: dict[str, list[Watched]]) -> str:
    """The section of BENCHMARKS.md."""
    slow = median(run.seconds for run in seen["Keras load and predict"])
    lines = [
        "## Cold start",
        "",
        f"From process start to process end, disk warm, {TIMES} times each in turn; peak is physical memory, mapped",
        "libraries included. `benchmarks/plain_predict.py` is the script.",
        "",
        "| command | median s | fastest to slowest | peak | times the script's speed |",
        "| --- | --- | --- | --- | --- |",
    ]
    for what, runs in seen.items():
        seconds = sorted(run.seconds for run in runs)
        peak = median(run.peak for run in runs) / 1e6
        middle = median(seconds)
        spread = f"{seconds[0]:.2f} to {seconds[-1]:.2f}"
        lines.append(f"| {what} | {middle:.2f} | {spread} | {peak:.0f} MB | {slow / middle:.1f} x |")
    return "\n".join(lines)
