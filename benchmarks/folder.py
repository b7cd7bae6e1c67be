"""The 10,000 test images of CIFAR-10 to a CSV, beside a Keras script that loads the model and predicts the folder."""

import sys
import tempfile
from pathlib import Path
from statistics import median

from benchmarks.command import ROOT
from benchmarks.processes import Watched, cnnctl, watch

TIMES = 5
SCRIPT = ROOT / "benchmarks" / "plain_predict_folder.py"


def section(folder: Path) -> str:
    """The section of BENCHMARKS.md; the model is that of configs/cifar10.yaml, trained for one epoch."""
    with tempfile.TemporaryDirectory() as name:
        work = Path(name)
        chosen = [f"data.train={folder / 'train'}", f"data.test={folder / 'test'}", "train.epochs=1"]
        sets = [part for one in chosen for part in ("--set", one)]
        cnnctl("train", ROOT / "configs" / "cifar10.yaml", *sets, cwd=work, cache=work / "cache")
        model = next(work.rglob("model.keras"))
        test = folder / "test"
        few, many = work / "few.txt", work / "many.txt"
        paths = [str(path) for path in sorted(test.rglob("*.jpg"))]
        few.write_text("path\n" + "\n".join(paths))
        many.write_text("path\n" + "\n".join(paths * 5))
        few, many = few.rename(work / "few.csv"), many.rename(work / "many.csv")
        commands = {
            "cnnctl, 10,000 images": _predict(test),
            "cnnctl, 50,000 images": _predict(many),
            "Keras script, 10,000 images": [sys.executable, str(SCRIPT), str(model), str(test), "answers.csv"],
        }
        seen: dict[str, list[Watched]] = {what: [] for what in commands}
        for _ in range(TIMES):
            for what, command in commands.items():
                seen[what].append(watch(command, cwd=work))
                print(f"{what}: {seen[what][-1].seconds:.2f} s", flush=True)
    return report(seen)


def _predict(what: Path) -> list[str]:
    return [sys.executable, "-m", "cnnctl", "predict", str(what), "--format", "csv", "--output", "answers.csv"]


def report(seen: dict[str, list[Watched]]) -> str:
    """The section of BENCHMARKS.md."""
    slow = median(run.seconds for run in seen["Keras script, 10,000 images"]) / 10_000
    lines = [
        "## Folder prediction",
        "",
        "CIFAR-10's test images, 32x32 JPEG files, to a CSV with the network of configs/cifar10.yaml: from process",
        f"start to process end, files in the page cache, {TIMES} times each in turn; the script is",
        "`benchmarks/plain_predict_folder.py`. The 50,000 are the 10,000 five times.",
        "",
        "| what | median s | fastest to slowest | own memory (RssAnon), peak | speed an image |",
        "| --- | --- | --- | --- | --- |",
    ]
    for what, runs in seen.items():
        seconds = sorted(run.seconds for run in runs)
        own = median(run.anonymous for run in runs) / 1e6
        each = median(seconds) / (50_000 if "50,000" in what else 10_000)
        spread = f"{seconds[0]:.2f} to {seconds[-1]:.2f}"
        lines.append(f"| {what} | {median(seconds):.2f} | {spread} | {own:.0f} MB | {slow / each:.1f} x |")
    return "\n".join(lines)
