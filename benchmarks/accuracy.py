"""How right cifar10-airbench is on CIFAR-10, and what `init` writes for four sets of images, and in what time.

The images should be CIFAR-10's and MNIST's own, without loss: benchmarks/datasets.py unpacks them. The runs are kept in
the folder that RUNS names, if it names one, and not made again.
"""

import json
import os
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import mean

from benchmarks.command import ROOT, ROUNDS, Training, of, train
from benchmarks.processes import cnnctl
from cnnctl.data.sources import digits_folder

READY = "cifar10-airbench"
COLUMNS = ("network", "seed", "test accuracy", "calibration error", "s until trained", "s in all")


def section(folder: Path) -> str:
    """The section of BENCHMARKS.md; the other images are those of the environment variables MNIST and CATS_DOGS."""
    photos = _named("CATS_DOGS")
    given = {"CIFAR-10": folder, "MNIST": _named("MNIST"), "cats and dogs": photos, "digits": digits_folder()}
    with tempfile.TemporaryDirectory() as place:
        work = Path(place)
        keep = Path(os.environ.get("RUNS") or work / "runs").absolute()
        runs = {
            READY: [_run(ROOT / "configs" / f"{READY}.yaml", of(folder), keep, READY, seed) for seed in range(ROUNDS)]
        }
        for name, images in given.items():
            if images is not None and images.is_dir():
                written = work / f"{name}.yaml"
                cnnctl("init", str(images), "--output", str(written), cwd=work)
                runs[f"init for {name}"] = [_run(written, {}, keep, name.lower(), seed) for seed in range(ROUNDS)]
    return report(runs)


def _named(variable: str) -> Path | None:
    named = os.environ.get(variable)
    return Path(named).absolute() if named else None


def _run(config: Path, settings: Mapping[str, object], keep: Path, name: str, seed: int) -> tuple[Training, float]:
    """A training, and the expected calibration error on its test images."""
    run = keep / f"{name.replace(' ', '-')}-{seed}"
    trained = train(config, {**settings, "seed": seed}, keep / "cache", run)
    print(f"{run.name}: {trained.accuracy:.4f}, {trained.environment['seconds']['total']:.0f} s", flush=True)
    return trained, float(json.loads((run / "metrics.json").read_text())["expected_calibration_error"])


def report(runs: Mapping[str, Sequence[tuple[Training, float]]]) -> str:
    """The section of BENCHMARKS.md."""
    device = next(iter(runs.values()))[0][0].environment["device"]["name"]
    lines = [
        "## How right they are",
        "",
        f"On {device}. CIFAR-10 and MNIST without loss (benchmarks/datasets.py unpacks them), 10,000 test images each.",
        "Nothing is edited in what `init` writes. Seconds are from the start of the process, by the run's own account:",
        "until the last epoch, and until the run is complete, with its exported model, its metrics and pictures.",
        "",
        f"| {' | '.join(COLUMNS)} |",
        f"|{' --- |' * len(COLUMNS)}",
    ]
    for name, of_seeds in runs.items():
        for seed, (run, error) in enumerate(of_seeds):
            seconds = run.environment["seconds"]
            times = f"{seconds['until_trained']:.0f} | {seconds['total']:.0f}"
            lines.append(f"| {name} | {seed} | {run.accuracy:.4f} | {error:.4f} | {times} |")
        if len(of_seeds) > 1:
            accuracy, error = mean(run.accuracy for run, _ in of_seeds), mean(error for _, error in of_seeds)
            lines.append(f"| **{name}** | mean | **{accuracy:.4f}** | {error:.4f} | | |")
    return "\n".join(lines)
