"""Flipped labels of CIFAR-10: what `cnnctl doctor` finds, beside cleanlab on the same probabilities.

The run is kept in the folder that RUNS names, if it names one, and not made again. CLEANLAB is a Python that has
cleanlab; without it, its rows are left out.
"""

import csv
import json
import os
import random
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.command import train
from benchmarks.processes import watch
from cnnctl.data.cache.decoded import decode_images
from cnnctl.data.catalog import image_spec
from cnnctl.examining.findings import LABEL, RELABEL
from cnnctl.examining.labels import Opinion, contradicted
from cnnctl.examining.network import ask_the_network
from cnnctl.examining.pixels import look_at_pixels
from cnnctl.examining.subject import Subject, find_subject

FLIPPED = 50
"""One label of so many is another one."""

Rows = NDArray[np.int64]


@dataclass(frozen=True)
class Told:
    """One row of the table: images that are called mislabelled, and the order in which they are, the surest first."""

    who: str
    found: Rows
    ranked: Rows


def section(folder: Path) -> str:
    """The section of BENCHMARKS.md."""
    with tempfile.TemporaryDirectory() as name:
        work = Path(name)
        keep = Path(os.environ.get("RUNS") or work / "runs").absolute()
        keep.mkdir(parents=True, exist_ok=True)
        sources = flip(folder, keep)
        run = keep / "doctor-cifar10"
        settings: dict[str, object] = {"data.train": sources["train"], "data.test": sources["test"]}
        accuracy = train("cifar10", settings, work / "cache", run).accuracy
        subject = find_subject(run)
        truth = np.array([Path(path).parent.name for path in subject.paths])
        wrong = truth != np.array(subject.classes)[subject.labels]
        rows = []
        for title, opinion in opinions(subject, work / "cache"):
            told = [*ours(opinion, subject), *cleanlabs(opinion, subject, work)]
            rows += [(title, one, *figures(one, opinion, wrong)) for one in told]
        print(*(row[2:] for row in rows), sep="\n", flush=True)
        done = watch(
            [sys.executable, "-m", "cnnctl", "doctor", str(run), "--json", "--output", str(work / "out")],
            work,
            work / "cache",
        )
        value = json.loads(done.stdout)
    return report(rows, accuracy, int(wrong.sum()), len(wrong), done.seconds, done.peak, value)


def flip(folder: Path, keep: Path) -> dict[str, Path]:
    """A CSV of the class folders of each split, with some labels that are wrong, each by chance."""
    draws, made = random.Random(0), {}
    for split in ("train", "test"):
        labels = sorted((folder / split).iterdir())
        files = [(str(file), label.name) for label in labels for file in sorted(label.iterdir())]
        wrong = set(draws.sample(range(len(files)), len(files) // FLIPPED))
        made[split] = keep / f"doctor-{split}.csv"
        with made[split].open("w", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(("path", "label"))
            for row, (name, label) in enumerate(files):
                others = [one.name for one in labels if one.name != label]
                writer.writerow((name, draws.choice(others) if row in wrong else label))
    return made


def opinions(subject: Subject, cache: Path) -> list[tuple[str, Opinion]]:
    """What the network of a run says, and what the neighbours say, with the images that each is about."""
    os.environ["XDG_CACHE_HOME"] = str(cache)

    def ignore(*_: object) -> None:
        """Nobody watches."""

    decoded = decode_images(subject.paths, image_spec(subject.config.data.image), "auto", ignore)
    _, usable = look_at_pixels(subject, decoded, ignore)
    asked = ask_the_network(subject, decoded, usable, (), ignore)
    titles = ("validation and test images", "training images")
    return list(zip(titles, asked.opinions, strict=True))


def ours(opinion: Opinion, subject: Subject) -> list[Told]:
    """What the doctor finds."""
    found = [one for one in contradicted(opinion, subject.labels, subject.classes) if one.kind == LABEL]
    found.sort(key=lambda one: -one.score)
    rows = partial(np.array, dtype=np.int64)
    sure = [one.row for one in found if one.suggestion == RELABEL]
    every = [one.row for one in found]
    return [Told("cnnctl, all", rows(every), rows(every)), Told("cnnctl, `relabel`", rows(sure), rows(every))]


def cleanlabs(opinion: Opinion, subject: Subject, work: Path) -> list[Told]:
    """What cleanlab finds in the same probabilities and labels."""
    python = os.environ.get("CLEANLAB")
    if not python:
        return []
    rows = np.flatnonzero(opinion.chosen)
    np.savez(work / "given.npz", probabilities=opinion.probabilities[rows], labels=subject.labels[rows])
    script = Path(__file__).with_name("plain_cleanlab.py")
    done = subprocess.run([python, script, work / "given.npz"], capture_output=True, text=True, check=True)
    said = json.loads(done.stdout)
    ranked = rows[said["ranked"]]
    return [Told(f"cleanlab {said['version']}, {way}", rows[found], ranked) for way, found in said["found"].items()]


def figures(told: Told, opinion: Opinion, wrong: NDArray[np.bool_]) -> tuple[int, float, float, float]:
    """Images found, precision, recall, and the precision of as many of the first ones as are wrong."""
    among = int((wrong & opinion.chosen).sum())
    right = int(wrong[told.found].sum())
    return len(told.found), right / max(1, len(told.found)), right / among, float(wrong[told.ranked[:among]].mean())


def report(
    rows: list[tuple[str, Told, int, float, float, float]],
    accuracy: float,
    wrong: int,
    images: int,
    seconds: float,
    peak: int,
    value: dict[str, object],
) -> str:
    """The section of BENCHMARKS.md."""
    found = value["found"]
    assert isinstance(found, dict)
    lines = [
        "## Flipped labels",
        "",
        f"CIFAR-10 with {wrong:,} of its {images:,} labels flipped to another class by chance, configs/cifar10.yaml",
        f"trained on them for 5 epochs (test accuracy {accuracy:.1%} by the labels as given), and `cnnctl doctor` of",
        "that run. cleanlab gets the same probabilities and labels: those of the network for validation and test",
        "images, and for training images those of their nearest training images, each image itself left out. The",
        "doctor orders by both, cleanlab by what it gets. The last column is the precision of as many of the first",
        "images as are wrong.",
        "",
        "| images | by | found | precision | recall | precision of the first |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    lines += [
        f"| {title} | {told.who} | {count:,} | {precision:.1%} | {recall:.1%} | {first:.1%} |"
        for title, told, count, precision, recall, first in rows
    ]
    lines += [
        "",
        f"The whole command took {seconds:,.0f} s with decoded images, at a peak of {peak / 1e6:,.0f} MB, mapped files",
        f"included. It also found {found['leak']:,} images that have a near-duplicate in another split, or are one.",
    ]
    return "\n".join(lines)
