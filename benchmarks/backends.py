"""configs/digits.yaml on TensorFlow and on JAX, with the same seeds."""

from pathlib import Path
from statistics import mean, median

from benchmarks.command import ROUNDS, Training, train

BACKENDS = ("tensorflow", "jax")


def section(_: Path) -> str:
    """The section of BENCHMARKS.md."""
    seen: dict[str, list[Training]] = {backend: [] for backend in BACKENDS}
    for seed in range(ROUNDS):
        for backend in BACKENDS:
            run = train("digits", {"seed": seed, "train.backend": backend})
            print(f"{backend}, seed {seed}: accuracy {run.accuracy:.4f}, {run.seconds:.1f} s", flush=True)
            seen[backend].append(run)
    lines = [
        "## The digits on both backends",
        "",
        f"configs/digits.yaml on this processor, {ROUNDS} seeds, taking turns. Seconds are of the whole command;",
        "images/s of the median epoch. On a processor precision auto is float32 on JAX.",
        "",
        "| backend | precision | test accuracy by seed | mean | images/s | seconds |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    for backend, runs in seen.items():
        accuracies = ", ".join(f"{run.accuracy:.4f}" for run in runs)
        speed = median(median(run.images_per_second) for run in runs)
        seconds = median(run.seconds for run in runs)
        precision = runs[0].environment["precision"]["policy"]
        average = mean(run.accuracy for run in runs)
        lines.append(f"| {backend} | {precision} | {accuracies} | {average:.4f} | {speed:,.0f} | {seconds:.1f} |")
    return "\n".join(lines)
