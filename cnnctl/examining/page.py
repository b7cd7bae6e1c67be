"""The page of the doctor: pictures of what was found, as plain data for the template."""

import itertools
import os
import shlex
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cnnctl.data.catalog import image_spec
from cnnctl.data.decoder.images import ImageError, opencv, read_image
from cnnctl.data.decoder.parallel import in_threads
from cnnctl.evaluation.report.trust import belongs_to_another, data_folders
from cnnctl.examining.findings import KINDS, LABEL, UNREADABLE, Confused, Diagnosis, Finding
from cnnctl.examining.fixes import FILE, is_writable
from cnnctl.pictures.page import render

SHOWN = 60
"""Images, or groups of near-duplicates, that the page shows of a kind; fixes.csv has all."""

_OF_A_GROUP = 4
_PIXELS = 160
_QUALITY = 80
_WITHHELD = "not shown"


@dataclass(frozen=True)
class Shown:
    """A picture as WebP, or None where it is not shown, and then why."""

    title: str
    content: bytes | None


@dataclass(frozen=True)
class Card:
    """One image, or a few that belong together, with what is said of it."""

    pictures: tuple[Shown, ...]
    head: str
    lines: tuple[str, ...]


@dataclass(frozen=True)
class Section:
    """The findings of a kind."""

    key: str
    title: str
    count: str
    words: str
    cards: tuple[Card, ...]


@dataclass(frozen=True)
class Page:
    """All that the page says."""

    title: str
    subtitle: str
    lead: str
    sections: tuple[Section, ...]
    confused: tuple[Confused, ...]
    next: str
    commands: str
    notes: tuple[str, ...]


def write_page(diagnosis: Diagnosis, path: Path, source: str, with_images: bool) -> tuple[str, str]:
    """The page as HTML, and why images of a run are not shown on it; the latter is empty where all are.

    `source` is the config or the run as it was named, `path` where fixes.csv is written. Images of a run that is not
    our own, or that it was not trained on, are shown only `with_images`.
    """
    allowed, withheld = _allowed(diagnosis, with_images)
    sections = tuple(_section(diagnosis, kind, allowed) for kind in KINDS if diagnosis.of_kind(kind))
    subject = diagnosis.subject
    splits, counts = np.unique(subject.splits.astype(str), return_counts=True)
    parts = ", ".join(f"{count:,} {split}" for split, count in zip(splits, counts, strict=True))
    subtitle = f"{len(subject.paths):,} images of {len(subject.classes):,} classes in {_root(subject.paths)}: {parts}"
    images = len({one.row for one in diagnosis.findings})
    lead = f"{images:,} of {len(subject.paths):,} images are worth a look."
    if not images:
        lead = "Nothing was found that a person should look at."
    steps = (
        f"Open {FILE} in a spreadsheet, and write into the column action what is to become of an image: keep, drop, or "
        "relabel, which gives it the class in the column new_label. The column suggestion says what is likely; a row "
        "without an action changes nothing. Then give it back: a new CSV is written, and no image is moved or deleted."
    )
    lines = f"cnnctl doctor {shlex.quote(source)} --apply {shlex.quote(str(path / FILE))}"
    odd = sum(not is_writable(subject.paths[one.row]) for one in diagnosis.findings)
    notes = [
        *(f"Judged: {one}." for one in diagnosis.judged),
        *(f"Left out: {one}." for one in diagnosis.left_out),
        *([f"{withheld}."] if withheld else []),
        *([f"{odd:,} findings are not in {FILE}: the names of their images are not UTF-8 text."] if odd else []),
    ]
    page = Page(
        subject.name,
        subtitle,
        lead,
        sections,
        diagnosis.confused,
        steps if images else "",
        lines if images else "",
        tuple(notes),
    )
    return render("doctor.html", page=page), withheld


def _root(paths: Sequence[str]) -> str:
    """The folder that all images lie in, with its slash."""
    try:
        return os.path.join(os.path.commonpath([os.path.dirname(path) for path in paths]), "")  # noqa: PTH120, PTH118
    except ValueError:  # on several drives, or some are addresses
        return ""


def _allowed(diagnosis: Diagnosis, with_images: bool) -> tuple[NDArray[np.bool_], str]:
    """Which images may be shown: a stranger's run can name any file of this machine."""
    subject = diagnosis.subject
    everything = np.ones(len(subject.paths), bool)
    if subject.run is None or with_images:
        return everything, ""
    if belongs_to_another(subject.run):
        return ~everything, "The images are not shown: the run belongs to another user"
    known = frozenset(subject.run.read_digests())
    roots = [folder.resolve() for folder in data_folders(subject.config)]
    rows = {one.row for one in diagnosis.findings if one.kind != UNREADABLE}
    allowed = ~everything
    for row in rows:
        is_known = diagnosis.digests[row].tobytes() in known
        allowed[row] = is_known and any(Path(subject.paths[row]).resolve().is_relative_to(root) for root in roots)
    hidden = sum(not allowed[row] for row in rows)
    why = "the run was not trained on these files, or they lie outside the data folders of its config"
    return allowed, f"{hidden:,} images are not shown: {why}" if hidden else ""


def _section(diagnosis: Diagnosis, kind: str, allowed: NDArray[np.bool_]) -> Section:
    found = diagnosis.of_kind(kind)
    heaps = [list(heap) for _, heap in itertools.groupby(found, key=lambda one: one.group or -one.row - 1)]
    shown, root = heaps[:SHOWN], _root(diagnosis.subject.paths)
    cards = in_threads(lambda heap: _card(diagnosis, heap, allowed, root), shown)
    images = len({one.row for one in found})
    grouped = bool(found[0].group)
    words = KINDS[kind].meaning
    if grouped:
        words += f" {images:,} images in {len(heaps):,} group{'s' if len(heaps) > 1 else ''}."
    if len(heaps) > SHOWN:
        words += f" The first {SHOWN} of {len(heaps):,} are shown; {FILE} has all."
    return Section(kind, KINDS[kind].title, f"{len(heaps) if grouped else images:,}", words, tuple(cards))


def _card(diagnosis: Diagnosis, heap: Sequence[Finding], allowed: NDArray[np.bool_], root: str) -> Card:
    subject, first = diagnosis.subject, heap[0]
    names = [subject.paths[one.row].removeprefix(root) for one in heap[:_OF_A_GROUP]]
    labels = [subject.classes[subject.labels[one.row]] for one in heap]
    pictures = tuple(_shown(diagnosis, one, bool(allowed[one.row])) for one in heap[:_OF_A_GROUP])
    if not first.group:
        head = f"{labels[0]} → {first.new_label}?" if first.kind == LABEL else labels[0]
        return Card(pictures, head, (first.about, f"{subject.splits[first.row]}: {names[0]}"))
    lines = [
        f"{subject.splits[one.row]}, {label}: {name}"
        for one, label, name in zip(heap[:_OF_A_GROUP], labels, names, strict=False)
    ]
    if len(heap) > _OF_A_GROUP:
        lines.append(f"and {len(heap) - _OF_A_GROUP:,} more")
    return Card(pictures, " and ".join(dict.fromkeys(labels)), tuple(lines))


def _shown(diagnosis: Diagnosis, finding: Finding, is_allowed: bool) -> Shown:
    path = diagnosis.subject.paths[finding.row]
    if finding.kind == UNREADABLE:
        return Shown("cannot be decoded", None)
    if not is_allowed:
        return Shown(_WITHHELD, None)
    cv2 = opencv()
    done, content = cv2.imencode(".webp", _picture(diagnosis, finding.row), (cv2.IMWRITE_WEBP_QUALITY, _QUALITY))
    return Shown(Path(path).name, content.tobytes() if done else None)


def _picture(diagnosis: Diagnosis, row: int) -> NDArray[np.uint8]:
    """The image in blue, green and red: as the network gets it, but larger; as it was decoded if it cannot be read."""
    cv2 = opencv()
    spec = image_spec(diagnosis.subject.config.data.image)
    scale = _PIXELS / max(spec.height, spec.width)
    height, width = max(1, round(spec.height * scale)), max(1, round(spec.width * scale))
    try:
        image = read_image(diagnosis.subject.paths[row], replace(spec, height=height, width=width))
    except ImageError:
        image = diagnosis.pixels[row]
    code = cv2.COLOR_GRAY2BGR if image.shape[-1] == 1 else cv2.COLOR_RGB2BGR
    return np.asarray(cv2.cvtColor(np.ascontiguousarray(image), code), np.uint8)
