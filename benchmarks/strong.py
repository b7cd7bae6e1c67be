"""configs/cifar10-strong.yaml: three seeds with their learning curves, and its pace beside a bare Keras fit."""

import json
import subprocess
import sys
import tempfile
from pathlib import Path
from statistics import mean, median

from benchmarks.command import ROOT, Training, of, train

SEEDS = (0, 1, 2)
ROUNDS = 3
CURVES = ROOT / "benchmarks" / "cifar10-strong.png"
BARE = ROOT / "benchmarks" / "plain_strong.py"


def section(folder: Path) -> str:
    """The section of BENCHMARKS.md."""
    with tempfile.TemporaryDirectory() as cache:
        paces = pace(folder, Path(cache))
        runs = []
        for seed in SEEDS:
            run = train("cifar10-strong", {**of(folder), "seed": seed}, Path(cache))
            print(f"seed {seed}: accuracy {run.accuracy:.4f}, {run.seconds:.0f} s", flush=True)
            runs.append(run)
    draw(runs)
    return report(runs, *paces)


def pace(folder: Path, cache: Path) -> tuple[list[float], list[float]]:
    """Images a second in the second epoch: of cnnctl, and of a bare fit of the same network on arrays in memory."""
    ours, theirs = [], []
    for _ in range(ROUNDS):
        run = train("cifar10-strong", {**of(folder), "train.epochs": 2}, cache)
        ours.append(run.images_per_second[1])
        command = [sys.executable, str(BARE), str(folder), run.environment["precision"]["policy"]]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        theirs.append(json.loads(done.stdout.splitlines()[-1])["images_per_second"])
        print(f"cnnctl {ours[-1]:.0f} images/s, bare fit {theirs[-1]:.0f}", flush=True)
    return ours, theirs


def draw(runs: list[Training]) -> None:
    """The learning curves of the seeds."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7, 4), dpi=110, layout="constrained")
    axes = figure.add_subplot()
    for seed, run in zip(SEEDS, runs, strict=True):
        epochs = range(1, len(run.validation) + 1)
        axes.plot(epochs, run.validation, marker="o", markersize=3, label=f"seed {seed}: test {run.accuracy:.4f}")
    axes.set_title("configs/cifar10-strong.yaml on CIFAR-10")
    axes.set_xlabel("epoch")
    axes.set_ylabel("validation accuracy of the averaged weights")
    axes.grid(alpha=0.3)
    axes.legend()
    figure.savefig(CURVES, metadata={"Software": None})


def report(runs: list[Training], ours: list[float], theirs: list[float]) -> str:
    """The section of BENCHMARKS.md."""
    lines = [
        "## CIFAR-10 done well: configs/cifar10-strong.yaml",
        "",
        f"From process start to a finished run; {len(runs[0].validation)} epochs; images decoded once before.",
        "",
        "| seed | test accuracy | minutes | images/s (median epoch) |",
        "| --- | --- | --- | --- |",
    ]
    for seed, run in zip(SEEDS, runs, strict=True):
        speed = median(run.images_per_second)
        lines.append(f"| {seed} | {run.accuracy:.4f} | {run.seconds / 60:.1f} | {speed:,.0f} |")
    accuracy, minutes = mean(run.accuracy for run in runs), mean(run.seconds for run in runs) / 60
    lines += [
        f"| mean | {accuracy:.4f} | {minutes:.1f} | |",
        "",
        f"![validation accuracy by epoch]({CURVES.name})",
        "",
        "Pace of training steps in the second epoch beside `benchmarks/plain_strong.py`, a bare Keras fit of the same",
        "network in the same precision on arrays in memory, with neither augmentation nor averages; taking turns:",
        "",
        "| what | images/s by round | median |",
        "| --- | --- | --- |",
        *(
            f"| {name} | {', '.join(f'{pace:,.0f}' for pace in paces)} | {median(paces):,.0f} |"
            for name, paces in (("cnnctl", ours), ("bare Keras fit", theirs))
        ),
        "",
        f"Ratio of the medians: {median(ours) / median(theirs):.2f}.",
    ]
    return "\n".join(lines)
