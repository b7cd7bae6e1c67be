"""What the doctor finds, as plain data."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cnnctl.data.decoder.images import Image
from cnnctl.examining.subject import Subject

LEAK, CONFLICT, LABEL, DUPLICATE = "leak", "conflict", "label", "duplicate"
UNREADABLE, EMPTY, FOREIGN, BLURRED, DARK, BRIGHT = "unreadable", "empty", "foreign", "blurred", "dark", "bright"

KEEP, DROP, RELABEL, LOOK = "keep", "drop", "relabel", "look"


@dataclass(frozen=True)
class Kind:
    """A sort of finding: what it is called over a table, and what it means and asks for."""

    title: str
    meaning: str


KINDS: Mapping[str, Kind] = {
    LEAK: Kind(
        "near-duplicates in two splits",
        "A network is tested on what it has learned by heart. Keep each picture in one split: dropping the training "
        "copy keeps the test images as they are.",
    ),
    CONFLICT: Kind(
        "near-duplicates in two classes",
        "One of the labels is wrong, or the picture shows both classes.",
    ),
    LABEL: Kind(
        "labels that are contradicted",
        "The label may be wrong, or the image is hard. The most certain come first.",
    ),
    DUPLICATE: Kind(
        "near-duplicates in one class",
        "Each counts once more in the loss and in the metrics. Keep one of each.",
    ),
    UNREADABLE: Kind("images that cannot be decoded", "A training refuses or skips them."),
    EMPTY: Kind("images of one colour", "A network learns nothing from them."),
    FOREIGN: Kind(
        "images unlike all others",
        "They lie far from every training image in what the network makes of them: other things, other cameras, or "
        "rare kinds of a class.",
    ),
    BLURRED: Kind("blurred images", "They are far less sharp than the others at the size that the network gets."),
    DARK: Kind("dark images", "Nearly all pixels are nearly black."),
    BRIGHT: Kind("bright images", "Nearly all pixels are nearly white."),
}
"""In the order in which they are shown: what makes figures lie comes first."""


@dataclass(frozen=True)
class Finding:
    """One thing about one image.

    Attributes:
        kind: A key of KINDS.
        row: The image, as the subject numbers it.
        about: The evidence in words.
        suggestion: KEEP, DROP, RELABEL, or LOOK where only a person can tell.
        new_label: The class that it may be of; empty where none is suggested.
        group: A number that near-duplicates share; 0 of others.
        score: How sure it is; findings of a kind are sorted by it, the highest first.
    """

    kind: str
    row: int
    about: str
    suggestion: str
    new_label: str = ""
    group: int = 0
    score: float = 0.0


@dataclass(frozen=True)
class Confused:
    """Two classes that are taken for each other: the images of each, and how many of them were taken for the other."""

    one: str
    other: str
    images: tuple[int, int]
    taken: tuple[int, int]

    def words(self) -> str:
        """`cat for dog 12.0%, dog for cat 9.5%`."""
        shares = [100 * taken / images for taken, images in zip(self.taken, self.images, strict=True)]
        return f"{self.one} for {self.other} {shares[0]:.1f}%, {self.other} for {self.one} {shares[1]:.1f}%"


@dataclass(frozen=True)
class Diagnosis:
    """What came out.

    Attributes:
        subject: The images.
        findings: Those of a kind one after the other, in the order of KINDS.
        confused: The pairs of classes that are confused most, in both directions.
        judged: How the labels of how many images were judged, in sentences.
        left_out: What was not looked at, and why.
        pixels: The decoded images.
        digests: uint8 (images, 16), of their files.
    """

    subject: Subject
    findings: tuple[Finding, ...]
    confused: tuple[Confused, ...]
    judged: tuple[str, ...]
    left_out: tuple[str, ...]
    pixels: Image
    digests: NDArray[np.uint8]

    def of_kind(self, kind: str) -> list[Finding]:
        """The findings of a kind."""
        return [one for one in self.findings if one.kind == kind]

    def to_json(self) -> dict[str, Any]:
        """The form of `doctor --json`, without where it was written."""
        subject = self.subject
        splits, counts = np.unique(subject.splits.astype(str), return_counts=True)
        return {
            "name": subject.name,
            "images": dict(zip(splits.tolist(), counts.tolist(), strict=True)),
            "classes": list(subject.classes),
            "found": {kind: len({one.row for one in self.of_kind(kind)}) for kind in KINDS},
            "findings": [self._finding_json(one) for one in self.findings],
            "confused": [
                {"classes": [one.one, one.other], "images": list(one.images), "taken_for_the_other": list(one.taken)}
                for one in self.confused
            ],
            "judged": list(self.judged),
            "left_out": list(self.left_out),
        }

    def _finding_json(self, finding: Finding) -> dict[str, Any]:
        subject = self.subject
        return {
            "finding": finding.kind,
            "path": subject.paths[finding.row],
            "label": subject.classes[subject.labels[finding.row]],
            "split": str(subject.splits[finding.row]),
            "about": finding.about,
            "group": finding.group or None,
            "suggestion": finding.suggestion,
            "new_label": finding.new_label or None,
            "score": round(finding.score, 4),
        }


def in_order(findings: Sequence[Finding]) -> tuple[Finding, ...]:
    """By kind, then by score; near-duplicates of a group stay together, in their order."""
    places = {kind: place for place, kind in enumerate(KINDS)}
    return tuple(sorted(findings, key=lambda one: (places[one.kind], -one.score, one.group)))
