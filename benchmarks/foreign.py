"""How well a run knows images of another kind: its score beside the highest probability, on real trainings.

The runs are kept in the folder that RUNS names, if it names one, and not made again.
"""

import os
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.command import train
from benchmarks.processes import cnnctl
from cnnctl.data.decoder.images import ImageSpec, read_image
from cnnctl.data.sources import digits_folder
from cnnctl.inference.model import Classifier, load_classifier
from cnnctl.runs import Run

Images = NDArray[np.uint8]

TRAINED, TESTED, EPOCHS = 1200, 200, 6
"""Images of each class of CIFAR-10, and epochs: enough for two thirds of right answers within minutes."""

UNSEEN = ("8", "9")
_BATCH = 32


@dataclass(frozen=True)
class Judged:
    """What a run says of images: how foreign each is, how unsure its answer is, and the share called unknown."""

    scores: NDArray[np.float64]
    unsure: NDArray[np.float64]
    unknown: float


def section(folder: Path) -> str:
    """The section of BENCHMARKS.md; photos are those of the environment variable CATS_DOGS."""
    photos = Path(os.environ.get("CATS_DOGS") or "cats-dogs").absolute()
    rows = []
    with tempfile.TemporaryDirectory() as name:
        work = Path(name)
        keep = Path(os.environ.get("RUNS") or work / "runs").absolute()
        for title, run, foreign in (
            (f"CIFAR-10, {10 * TRAINED:,} images, {EPOCHS} epochs", cifar(folder, work, keep), from_cifar),
            ("digits 0 to 7", eight_digits(work, keep), from_digits),
            ("cats and dogs, a frozen backbone", cats_dogs(photos, work, keep), from_photos),
        ):
            classifier = load_classifier(run, tells_unknown=True)
            own = judge(classifier, files(run.read_split("test")[0], classifier.spec))
            print(title, flush=True)
            for what, images in foreign(classifier.spec, folder):
                found = judge(classifier, images)
                rows.append((title, what, area(own, found, "scores"), area(own, found, "unsure"), found.unknown, own))
                print(f"  {what}: {rows[-1][2]:.4f}, {rows[-1][3]:.4f}", flush=True)
    return report(rows)


def cifar(folder: Path, work: Path, keep: Path) -> Run:
    """What `init` writes for a part of CIFAR-10, trained for few epochs."""
    some = work / "cifar10"
    for split, count in (("train", TRAINED), ("test", TESTED)):
        for label in sorted((folder / split).iterdir()):
            (some / split / label.name).mkdir(parents=True)
            for file in sorted(label.iterdir())[:count]:
                shutil.copy(file, some / split / label.name)
    return _trained(some, work, keep / "foreign-cifar10", {"train.epochs": EPOCHS, "data.validation": 0.1})


def eight_digits(work: Path, keep: Path) -> Run:
    """What `init` writes for eight of the ten digits."""
    some = work / "digits"
    shutil.copytree(digits_folder(), some, ignore=lambda _, names: [name for name in names if name in UNSEEN])
    return _trained(some, work, keep / "foreign-digits", {})


def cats_dogs(photos: Path, work: Path, keep: Path) -> Run:
    """What `init` writes for photos of cats and dogs."""
    return _trained(photos, work, keep / "foreign-photos", {})


def _trained(images: Path, work: Path, run: Path, settings: dict[str, object]) -> Run:
    config = work / f"{run.name}.yaml"
    cnnctl("init", str(images), "--output", str(config), cwd=work)
    train(config, settings, work / "cache", run)
    return Run(run)


def from_cifar(spec: ImageSpec, folder: Path) -> Iterator[tuple[str, Images]]:
    """What a network of CIFAR-10 has never seen."""
    names = [str(file) for label in sorted(digits_folder().iterdir()) for file in sorted(label.iterdir())[:30]]
    yield "digits", files(names, spec)
    yield "noise", noise(spec)
    yield "one color", flat(spec)
    yield "textures", textures(spec)


def from_digits(spec: ImageSpec, folder: Path) -> Iterator[tuple[str, Images]]:
    """What a network of the digits 0 to 7 has never seen."""
    names = [str(file) for label in UNSEEN for file in sorted((digits_folder() / label).iterdir())]
    yield "digits 8 and 9", files(names, spec)
    yield "noise", noise(spec)
    yield "textures", textures(spec)


def from_photos(spec: ImageSpec, folder: Path) -> Iterator[tuple[str, Images]]:
    """What a network of cats and dogs has never seen."""
    for label in ("frog", "ship"):
        yield (
            f"{label}s of CIFAR-10",
            files([str(one) for one in sorted((folder / "test" / label).iterdir())[:80]], spec),
        )
    yield "noise", noise(spec, 60)
    yield "textures", textures(spec, 60)


def files(paths: list[str], spec: ImageSpec) -> Images:
    """Image files as a network gets them."""
    return np.stack([read_image(path, spec) for path in paths])


def noise(spec: ImageSpec, count: int = 300) -> Images:
    """Pixels that know nothing of each other."""
    return np.random.default_rng(0).integers(0, 256, (count, *spec.shape)).astype(np.uint8)


def flat(spec: ImageSpec, count: int = 300) -> Images:
    """Images of one color each."""
    colors = np.random.default_rng(1).integers(0, 256, (count, 1, 1, spec.channels))
    return np.broadcast_to(colors, (count, *spec.shape)).astype(np.uint8)


def textures(spec: ImageSpec, count: int = 300) -> Images:
    """Gratings, checks and clouds of two colors each, a third of the images each."""
    draws = np.random.default_rng(2)
    rows, columns = np.mgrid[: spec.height, : spec.width] / max(spec.height, spec.width)
    made = []
    for number in range(count):
        angle, waves = draws.uniform(0, np.pi), draws.uniform(2, 10)
        along = columns * np.cos(angle) + rows * np.sin(angle)
        across = rows * np.cos(angle) - columns * np.sin(angle)
        if number % 3 == 0:
            values = np.sin(2 * np.pi * waves * along)
        elif number % 3 == 1:
            values = np.sign(np.sin(np.pi * waves * along) * np.sin(np.pi * waves * across))
        else:
            values = sum(_cloud(draws, rows, columns, scale) / np.sqrt(scale) for scale in (2, 4, 8, 16))
            values = values / np.abs(values).max()
        first, second = draws.uniform(0, 255, (2, spec.channels))
        share = (values[..., None] + 1) / 2
        made.append((first * (1 - share) + second * share).astype(np.uint8))
    return np.stack(made)


def _cloud(draws: np.random.Generator, rows: Any, columns: Any, scale: int) -> Any:
    """Random values on a grid of so many cells a side, and what lies between them."""
    grid = draws.standard_normal((scale + 1, scale + 1))
    top, left = (np.minimum((one * scale).astype(int), scale - 1) for one in (rows, columns))
    down, right = rows * scale - top, columns * scale - left
    upper = (1 - right) * grid[top, left] + right * grid[top, left + 1]
    lower = (1 - right) * grid[top + 1, left] + right * grid[top + 1, left + 1]
    return (1 - down) * upper + down * lower


def judge(classifier: Classifier, images: Images) -> Judged:
    """What a run says of images."""
    starts = range(0, len(images), _BATCH)
    answers = [one for start in starts for one in classifier.answers(images[start : start + _BATCH])]
    foreign = [one for _, one in answers if one is not None]
    assert len(foreign) == len(answers)
    unsure = 1 - np.array([row.max() for row, _ in answers], float)
    return Judged(np.array([one.score for one in foreign]), unsure, float(np.mean([one.is_unknown for one in foreign])))


def area(own: Judged, foreign: Judged, by: str) -> float:
    """Under the ROC curve: how often a foreign image is above an own one."""
    from sklearn.metrics import roc_auc_score

    values = [getattr(one, by) for one in (own, foreign)]
    truth = np.repeat([0, 1], [len(one) for one in values])
    return float(roc_auc_score(truth, np.concatenate(values)))


def report(rows: list[tuple[str, str, float, float, float, Judged]]) -> str:
    """The section of BENCHMARKS.md."""
    lines = [
        "## Unknown images",
        "",
        "A network as `init` writes it, its own test images, and images of another kind: the area under the ROC curve",
        "by the score of `predict` (1: every foreign image has a higher one than every own one) beside that of the",
        "highest probability, and the shares of foreign and of own images that are called unknown. One training each.",
        "Tried were the distance to the nearest training image and to the next ones, up to the 50th, Mahalanobis",
        "distances, what lies outside the main axes, and products of these with the highest probability. The nearest",
        "image but one in a hundred was taken because it is better than the highest probability in each row: the rows",
        "are what it was chosen on.",
        "",
        "| network | foreign images | area by the score | by the highest probability | called unknown | of its own |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    for title, what, ours, plain, unknown, own in rows:
        lines.append(f"| {title} | {what} | {ours:.4f} | {plain:.4f} | {unknown:.0%} | {own.unknown:.1%} |")
    return "\n".join(lines)
