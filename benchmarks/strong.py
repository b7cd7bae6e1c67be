"""configs/cifar10-strong.yaml: three seeds with their learning curves.

The runs are kept in the folder that RUNS names, if it names one, and not made again.
"""

import os
import tempfile
from pathlib import Path
from statistics import mean

from benchmarks.command import ROOT, Training, of, train

SEEDS = (0, 1, 2)
CURVES = ROOT / "benchmarks" / "cifar10-strong.png"


def section(folder: Path) -> str:
    """The section of BENCHMARKS.md."""
    with tempfile.TemporaryDirectory() as cache:
        runs = []
        for seed in SEEDS:
            keep = Path(os.environ["RUNS"]) / f"strong-{seed}" if os.environ.get("RUNS") else None
            run = train("cifar10-strong", {**of(folder), "seed": seed}, Path(cache), keep)
            print(f"seed {seed}: accuracy {run.accuracy:.4f}, {run.seconds:.0f} s", flush=True)
            runs.append(run)
    draw(runs)
    return report(runs)


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


def report(runs: list[Training]) -> str:
    """The section of BENCHMARKS.md."""
    lines = [
        "## CIFAR-10 done well: configs/cifar10-strong.yaml",
        "",
        f"From process start to a finished run; {len(runs[0].validation)} epochs; images decoded once before. Its pace",
        "beside a bare Keras loop stands in the section on training steps.",
        "",
        "| seed | test accuracy | minutes |",
        "| --- | --- | --- |",
    ]
    for seed, run in zip(SEEDS, runs, strict=True):
        lines.append(f"| {seed} | {run.accuracy:.4f} | {run.seconds / 60:.1f} |")
    accuracy, minutes = mean(run.accuracy for run in runs), mean(run.seconds for run in runs) / 60
    lines += [f"| mean | {accuracy:.4f} | {minutes:.1f} |", "", f"![validation accuracy by epoch]({CURVES.name})"]
    return "\n".join(lines)
