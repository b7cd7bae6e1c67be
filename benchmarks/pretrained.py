"""Cats and dogs on a frozen backbone, as `init` writes it, beside the script that a Keras user would write."""

import json
import os
import random
import shutil
import sys
import tempfile
from pathlib import Path
from statistics import mean, median

from benchmarks.command import ROOT, ROUNDS, Training, train
from benchmarks.processes import cnnctl, watch

SCRIPT = ROOT / "benchmarks" / "plain_backbone.py"
TUNED = {"train.fine_tune": "{epochs: 4}", "augment": "[random_flip: {mode: horizontal}]"}
FEW = 10
_WRITE = """\
import sys
from pathlib import Path
from cnnctl.architecture.graph.applications import graph_of
from cnnctl.models.build import node_layers
from cnnctl.models.graph import assign, build
from cnnctl.weights.find import find_weights
graph, shape = graph_of("EfficientNetLite0"), (224, 224, 3)
model = build(graph, "EfficientNetLite0", shape, node_layers(0))
assign(model, find_weights("EfficientNetLite0", None, graph.weight_shapes(shape)).arrays)
model.save(sys.argv[1])
"""


def section(folder: Path) -> str:
    """The section of BENCHMARKS.md; the images are those of the environment variable CATS_DOGS."""
    photos = Path(os.environ.get("CATS_DOGS") or "cats-dogs").absolute()
    with tempfile.TemporaryDirectory() as name:
        work = Path(name)
        cnnctl("init", str(photos), "--output", "photos.yaml", cwd=work)
        backbone = work / "backbone.keras"
        watch([sys.executable, "-c", _WRITE, str(backbone)], cwd=work)
        config, ours, plain, scripted = work / "photos.yaml", [], [], []
        for seed in range(1, ROUNDS + 1):
            ours.append(train(config, {"seed": seed}, work / f"cache-{seed}"))
            done = watch([sys.executable, str(SCRIPT), str(backbone), str(photos), "20", str(seed)], cwd=work)
            plain.append(done.seconds)
            scripted.append(float(json.loads(done.stdout.splitlines()[-1])["accuracy"]))
            print(f"seed {seed}: {ours[-1].seconds:.1f} s, {plain[-1]:.1f} s", flush=True)
        few = _draw(photos, work / "few")
        cnnctl("init", str(few), "--output", "few.yaml", cwd=work)
        shots = [train(work / "few.yaml", {"seed": seed}, work / "cache-few") for seed in range(1, ROUNDS + 1)]
        tuned = [train(config, {"seed": seed, **TUNED}, work / f"cache-{seed}") for seed in range(1, ROUNDS + 1)]
    return report(ours, plain, scripted, shots, tuned)


def _draw(photos: Path, to: Path) -> Path:
    """A folder with ten training photos of each class and 200 for the test."""
    chance = random.Random(1)
    for label in ("cat", "dog"):
        files = sorted((photos / label).iterdir())
        chance.shuffle(files)
        for part, chosen in (("train", files[:FEW]), ("test", files[FEW : FEW + 200])):
            (to / part / label).mkdir(parents=True)
            for file in chosen:
                shutil.copy(file, to / part / label)
    return to


def report(
    ours: list[Training], plain: list[float], scripted: list[float], shots: list[Training], tuned: list[Training]
) -> str:
    """The section of BENCHMARKS.md."""
    slow = median(plain)
    lines = [
        "## A pretrained backbone: 1,120 photos of cats and dogs",
        "",
        "The config that `cnnctl init` writes, nothing edited: EfficientNet-Lite0 from the package of the extra",
        "`pretrained`, frozen, 224 pixels, 15% of the photos for validation and 15% for the test, an empty cache. From",
        f"process start to a finished run; medians of {len(ours)} seeds. The script is `benchmarks/plain_backbone.py`,",
        "with the same weights, batch size and epochs.",
        "",
        "| what | seconds | fastest to slowest | test accuracy, mean | speed |",
        "| --- | --- | --- | --- | --- |",
    ]
    lines += _rows("cnnctl", [one.seconds for one in ours], [one.accuracy for one in ours], slow)
    lines += _rows("Keras script", plain, scripted, slow)
    lines += _rows(f"cnnctl, {FEW} photos a class", [one.seconds for one in shots], [one.accuracy for one in shots])
    lines += _rows(
        "cnnctl, then 4 epochs of fine_tune", [one.seconds for one in tuned], [one.accuracy for one in tuned]
    )
    return "\n".join(lines)


def _rows(what: str, seconds: list[float], accuracy: list[float], slow: float | None = None) -> list[str]:
    middle = median(seconds)
    speed = f"{slow / middle:.1f} x" if slow is not None else ""
    spread = f"{min(seconds):.0f} to {max(seconds):.0f}"
    return [f"| {what} | {middle:.0f} | {spread} | {mean(accuracy):.1%} | {speed} |"]
