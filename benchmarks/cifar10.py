"""configs/cifar10.yaml in auto and in float32 precision, and the plain Keras script, each with the same seeds."""

import json
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from statistics import mean, median

from benchmarks.command import ROOT, of, train

SEEDS = (0, 1, 2)
AUTO, FLOAT32, PLAIN = "cnnctl, precision auto", "cnnctl, precision float32", "plain Keras script"


@dataclass(frozen=True)
class Seen:
    """One training: its test accuracy and its seconds from process start to process end."""

    accuracy: float
    seconds: float


def by_cnnctl(folder: Path, precision: str, seed: int) -> Seen:
    """`cnnctl train configs/cifar10.yaml`, the images decoded afresh."""
    trained = train("cifar10", {**of(folder), "seed": seed, "train.precision": precision})
    return Seen(trained.accuracy, trained.seconds)


def by_plain_keras(folder: Path, seed: int) -> Seen:
    """The plain Keras script in a process of its own."""
    command = [sys.executable, str(ROOT / "benchmarks" / "plain_keras.py"), str(folder), str(seed)]
    begun = time.perf_counter()
    with tempfile.TemporaryDirectory() as work:
        done = subprocess.run(command, cwd=work, capture_output=True, text=True, check=True)
    return Seen(json.loads(done.stdout.splitlines()[-1])["accuracy"], time.perf_counter() - begun)


def section(folder: Path) -> str:
    """Every alternative with every seed, taking turns, so that a slow minute of the machine hits them alike."""
    seen: dict[str, list[Seen]] = {AUTO: [], FLOAT32: [], PLAIN: []}
    for seed in SEEDS:
        for name in seen:
            if name == PLAIN:
                one = by_plain_keras(folder, seed)
            else:
                one = by_cnnctl(folder, "auto" if name == AUTO else "float32", seed)
            print(f"{name}, seed {seed}: accuracy {one.accuracy:.4f}, {one.seconds:.1f} s", flush=True)
            seen[name].append(one)
    return report(seen)


def report(seen: dict[str, list[Seen]]) -> str:
    """The section of BENCHMARKS.md."""
    plain_seconds = median(one.seconds for one in seen[PLAIN])
    lines = [
        "## CIFAR-10, 5 epochs, from process start to a finished run",
        "",
        f"Three seeds each, taking turns; the ratio is of median times to the {PLAIN}'s (`benchmarks/plain_keras.py`).",
        "cnnctl trains on 45,000 images, keeps 5,000 to validate on, and its time includes decoding, validation,",
        "evaluation, plots and export; the script trains on all 50,000, validates on none, and saves the model.",
        "",
        "| what | test accuracy by seed | mean | seconds by seed | median | speed |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    for name, runs in seen.items():
        accuracies = ", ".join(f"{one.accuracy:.4f}" for one in runs)
        seconds = ", ".join(f"{one.seconds:.1f}" for one in runs)
        middle = median(one.seconds for one in runs)
        lines.append(
            f"| {name} | {accuracies} | {mean(one.accuracy for one in runs):.4f} | {seconds} | {middle:.1f} "
            f"| {plain_seconds / middle:.2f} x |"
        )
    difference = mean(one.accuracy for one in seen[AUTO]) - mean(one.accuracy for one in seen[FLOAT32])
    lines += ["", f"Mean accuracy of auto less that of float32: {100 * difference:+.2f} points."]
    return "\n".join(lines)
