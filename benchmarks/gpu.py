"""configs/cifar10.yaml on a GPU by JAX: images a second, the share of time spent waiting for data, accuracy."""

from pathlib import Path
from statistics import median

from benchmarks.command import of, train


def section(folder: Path) -> str:
    """The section of BENCHMARKS.md."""
    run = train("cifar10", {**of(folder), "train.backend": "jax", "train.device": "gpu"})
    environment = run.environment
    training = sum(45_000 / speed for speed in run.images_per_second)
    share = environment["seconds"]["waiting_for_data"] / training
    lines = [
        "## CIFAR-10 on a GPU",
        "",
        f"configs/cifar10.yaml by JAX on {environment['device']['name']}, {environment['precision']['policy']} "
        f"({environment['precision']['reason']}).",
        "",
        "| images/s (median epoch) | waiting for data | test accuracy after 5 epochs | seconds, all |",
        "| --- | --- | --- | --- |",
        f"| {median(run.images_per_second):,.0f} | {share:.1%} | {run.accuracy:.4f} | {run.seconds:.1f} |",
    ]
    return "\n".join(lines)
