"""The ready configs of CIFAR-10 on a GPU by JAX: images/s, the share of time spent waiting for data, accuracy."""

import os
import tempfile
from pathlib import Path
from statistics import mean, median

from benchmarks.command import Training, of, train

SEEDS = {"cifar10": (0,), "cifar10-airbench": (0, 1, 2)}
COLUMNS = ("config", "seed", "test accuracy", "images/s", "waiting for data", "seconds until trained", "in all")


def section(folder: Path) -> str:
    """The section of BENCHMARKS.md."""
    with tempfile.TemporaryDirectory() as caches:
        os.environ["JAX_COMPILATION_CACHE_DIR"] = f"{caches}/compiled"
        settings = {**of(folder), "train.backend": "jax", "train.device": "gpu"}
        runs = {
            name: [train(name, {**settings, "seed": seed}, Path(caches) / "images") for seed in seeds]
            for name, seeds in SEEDS.items()
        }
    return report(runs)


def report(runs: dict[str, list[Training]]) -> str:
    """The section of BENCHMARKS.md."""
    first = next(iter(runs.values()))[0].environment
    strong = runs["cifar10-airbench"]
    rows = [_row(name, seed, run) for name, seeds in SEEDS.items() for seed, run in zip(seeds, runs[name], strict=True)]
    lines = [
        "## CIFAR-10 on a GPU",
        "",
        f"By JAX on {first['device']['name']}, {first['precision']['policy']} ({first['precision']['reason']}).",
        "Images/s are of the median epoch after the first, in which XLA compiles. What it compiled and the images",
        "are there for the later trainings. Seconds are from the start of the process.",
        "",
        f"| {' | '.join(COLUMNS)} |",
        f"|{' --- |' * len(COLUMNS)}",
        *rows,
        "",
        f"cifar10-airbench on average: {mean(run.accuracy for run in strong):.4f}.",
    ]
    return "\n".join(lines)


def _row(name: str, seed: int, run: Training) -> str:
    seconds = run.environment["seconds"]
    pace, waiting = median(run.images_per_second[1:]), seconds["waiting_for_data"] / seconds["until_trained"]
    cells = (name, seed, f"{run.accuracy:.4f}", f"{pace:,.0f}", f"{waiting:.1%}", f"{seconds['until_trained']:.1f}")
    return f"| {' | '.join(map(str, cells))} | {run.seconds:.1f} |"
