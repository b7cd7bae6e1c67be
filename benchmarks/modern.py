"""benchmarks/modern.yaml on cats and dogs, beside the Keras script in float32 and bfloat16, and plain PyTorch."""

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from statistics import mean, median

from benchmarks.command import ROOT, ROUNDS, train

OURS, OURS_32 = "cnnctl, precision auto", "cnnctl, precision float32"
KERAS_32, KERAS_16 = "Keras script, float32", "Keras script, bfloat16"
TORCH_32, TORCH_16 = "plain PyTorch, float32, no augmentation", "plain PyTorch, bfloat16, no augmentation"


def section(_: Path) -> str:
    """The section of BENCHMARKS.md; CATS_DOGS names the folder, TORCH a Python that has torch."""
    folder = Path(os.environ.get("CATS_DOGS") or "cats-dogs").absolute()
    if not folder.is_dir():
        sys.exit(f"CATS_DOGS must name the folder of cats and dogs; there is no {folder}")
    epochs = int(os.environ.get("EPOCHS") or 12)
    torch = os.environ.get("TORCH")
    speeds: dict[str, list[float]] = {}
    scores: dict[str, list[float]] = {}
    with tempfile.TemporaryDirectory() as cache:
        for seed in range(ROUNDS):
            for name, precision in ((OURS, "auto"), (OURS_32, "float32")):
                sets = {"data.train": folder, "seed": seed, "train.precision": precision, "train.epochs": epochs}
                run = train(ROOT / "benchmarks" / "modern.yaml", sets, Path(cache))
                speeds.setdefault(name, []).append(median(run.images_per_second[1:]))
                scores.setdefault(name, []).append(max(run.validation))
            for name, policy in ((KERAS_32, "float32"), (KERAS_16, "mixed_bfloat16")):
                answer = _script(sys.executable, "plain_modern.py", str(folder), policy, str(epochs), str(seed))
                speeds.setdefault(name, []).append(median(answer["images_per_second"][1:]))
                scores.setdefault(name, []).append(answer["accuracy"])
            for name, precision in ((TORCH_32, "float32"), (TORCH_16, "bfloat16")) if torch else ():
                answer = _script(str(torch), "plain_torch.py", "modern", precision)
                speeds.setdefault(name, []).append(median(answer["images_per_second"][1:]))
            print({name: f"{paces[-1]:.0f}" for name, paces in speeds.items()}, flush=True)
    return report(speeds, scores, epochs)


def _script(python: str, name: str, *arguments: str) -> dict[str, list[float]]:
    command = [python, str(ROOT / "benchmarks" / name), *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    answer: dict[str, list[float]] = json.loads(done.stdout.splitlines()[-1])
    return answer


def report(speeds: dict[str, list[float]], scores: dict[str, list[float]], epochs: int) -> str:
    """The section of BENCHMARKS.md."""
    slow = median(speeds[KERAS_32])
    lines = [
        "## A modern network with augmentation, at 96 pixels",
        "",
        "benchmarks/modern.yaml on cats and dogs: four times convolution, batch normalization, ReLU, max pooling;",
        "flip, rotation, translation, zoom and contrast. The script, `benchmarks/plain_modern.py`, says the same by",
        f"Keras' layers. Images/s of the training steps, median of the epochs after the first; seeds: {ROUNDS};",
        f"{epochs} epochs; accuracy is the best on the validation images (224, another split in the script).",
        "",
        "| what | images/s by seed | median | ratio | validation accuracy, mean |",
        "| --- | --- | --- | --- | --- |",
    ]
    for name, paces in speeds.items():
        each = ", ".join(f"{pace:,.0f}" for pace in paces)
        score = f"{mean(scores[name]):.3f}" if name in scores else "-"
        lines.append(f"| {name} | {each} | {median(paces):,.0f} | {median(paces) / slow:.2f} x | {score} |")
    if TORCH_32 not in speeds:
        lines += ["", "PyTorch was not at hand: TORCH=PYTHON names a Python that has it."]
    return "\n".join(lines)
