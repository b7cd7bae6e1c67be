"""configs/cifar10.yaml in auto and in float32 precision, beside the plain Keras script and plain PyTorch."""

import json
import os
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from statistics import mean, median

from benchmarks.command import ROOT, ROUNDS, of, train
from benchmarks.processes import watch

AUTO, FLOAT32, PLAIN = "cnnctl, precision auto", "cnnctl, precision float32", "plain Keras script"
ALL = "cnnctl, precision auto, all 50,000 images"
TORCH = "plain PyTorch, bfloat16"
MB = 1e6


@dataclass(frozen=True)
class Seen:
    """One training: its test accuracy, its seconds from process start to process end, its physical memory in bytes."""

    accuracy: float
    seconds: float
    peak: int


def by_cnnctl(folder: Path, seed: int, **settings: object) -> Seen:
    """`cnnctl train configs/cifar10.yaml`, the images decoded afresh."""
    sets = {key.replace("__", "."): value for key, value in settings.items()}
    trained = train("cifar10", {**of(folder), "seed": seed, **sets})
    return Seen(trained.accuracy, trained.seconds, trained.peak)


def by_script(command: list[str]) -> Seen:
    """A script in a process of its own, in a folder that is thrown away."""
    with tempfile.TemporaryDirectory() as work:
        done = watch(command, Path(work))
    return Seen(json.loads(done.stdout.splitlines()[-1])["accuracy"], done.seconds, done.peak)


def alternatives(folder: Path) -> dict[str, Callable[[int], Seen]]:
    """What is measured, by name: a function of the seed. TORCH names a Python that has PyTorch."""
    scripts = ROOT / "benchmarks"
    keras = [sys.executable, str(scripts / "plain_keras.py"), str(folder)]
    found: dict[str, Callable[[int], Seen]] = {
        AUTO: lambda seed: by_cnnctl(folder, seed),
        FLOAT32: lambda seed: by_cnnctl(folder, seed, train__precision="float32"),
        ALL: lambda seed: by_cnnctl(folder, seed, data__validation=0),
        PLAIN: lambda seed: by_script([*keras, str(seed)]),
    }
    python = os.environ.get("TORCH")
    if python:
        torch = [python, str(scripts / "plain_torch.py"), "plain", "bfloat16", str(folder), "5"]
        found[TORCH] = lambda seed: by_script([*torch, str(seed)])
    return found


def section(folder: Path) -> str:
    """Every alternative with every seed, taking turns, so that a slow minute of the machine hits them alike."""
    trainings = alternatives(folder)
    seen: dict[str, list[Seen]] = {name: [] for name in trainings}
    for seed in range(ROUNDS):
        for name, training in trainings.items():
            one = training(seed)
            print(f"{name}, seed {seed}: accuracy {one.accuracy:.4f}, {one.seconds:.1f} s", flush=True)
            seen[name].append(one)
    return report(seen)


def report(seen: dict[str, list[Seen]]) -> str:
    """The section of BENCHMARKS.md."""
    plain_seconds = median(one.seconds for one in seen[PLAIN])
    lines = [
        "## CIFAR-10, 5 epochs, from process start to a finished run",
        "",
        f"{ROUNDS} seeds each, taking turns; the ratio is of median times to the {PLAIN}'s",
        "(`benchmarks/plain_keras.py`; `benchmarks/plain_torch.py` is the other).",
        "cnnctl trains on 45,000 images unless said, keeps 5,000 to validate on, and its time includes decoding,",
        "validation, evaluation, plots and export; the scripts train on all 50,000, validate on none, and save the",
        "model. Peak memory is physical (VmHWM), libraries and mapped images included, median of the",
        "seeds; the small processes that decode at first, long before the peak, are not in it.",
        "",
        "| what | test accuracy by seed | mean | seconds by seed | median | speed | peak memory |",
        "| --- | --- | --- | --- | --- | --- | --- |",
    ]
    for name, runs in seen.items():
        accuracies = ", ".join(f"{one.accuracy:.4f}" for one in runs)
        seconds = ", ".join(f"{one.seconds:.1f}" for one in runs)
        middle = median(one.seconds for one in runs)
        lines.append(
            f"| {name} | {accuracies} | {mean(one.accuracy for one in runs):.4f} | {seconds} | {middle:.1f} "
            f"| {plain_seconds / middle:.2f} x | {median(one.peak for one in runs) / MB:,.0f} MB |"
        )
    difference = mean(one.accuracy for one in seen[AUTO]) - mean(one.accuracy for one in seen[FLOAT32])
    lines += ["", f"Mean accuracy of auto less that of float32: {100 * difference:+.2f} points."]
    return "\n".join(lines)
