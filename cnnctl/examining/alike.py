"""What is said of near-duplicates: which of them to keep, and why."""

import os
from collections.abc import Container, Sequence

from cnnctl.data.cache.decoded import Decoded
from cnnctl.data.split import TEST, TRAIN, VALIDATION
from cnnctl.examining.duplicates import Group
from cnnctl.examining.findings import CONFLICT, DROP, DUPLICATE, KEEP, LEAK, LOOK, Finding
from cnnctl.examining.subject import Subject

_HELD_OUT = (TEST, VALIDATION, TRAIN)
"""The splits whose images are kept, the first of them first: what is measured on stays comparable."""


def findings_of_groups(
    groups: Sequence[Group], subject: Subject, decoded: Decoded, poor: Container[int]
) -> list[Finding]:
    """A finding for each image of each group; those of a group have its number, from 1.

    Images in the rows `poor`, such as blurred ones, are rather dropped than others of their split.
    """
    found: list[Finding] = []
    for number, group in enumerate(groups, 1):
        rows = sorted(group.rows, key=lambda row: (_HELD_OUT.index(subject.splits[row]), row in poor, row))
        splits, labels = {subject.splits[row] for row in rows}, {int(subject.labels[row]) for row in rows}
        kind = LEAK if len(splits) > 1 else CONFLICT if len(labels) > 1 else DUPLICATE
        how = _how(rows, group.likeness, decoded)
        for place, row in enumerate(rows):
            other = rows[1] if place == 0 else rows[0]
            more = f" and {len(rows) - 2:,} more" if len(rows) > 2 else ""
            about = f"{how} {_named(subject.paths[other])} ({_where(other, subject)}){more}"
            suggestion = LOOK if kind == CONFLICT else KEEP if place == 0 else DROP
            found.append(Finding(kind, row, about, suggestion, group=number, score=group.likeness))
    return found


def _named(path: str) -> str:
    """The name of a file, without the bytes in it that are no UTF-8: a person reads it in a CSV."""
    return os.fsencode(os.path.basename(path)).decode("utf-8", "replace")  # noqa: PTH119


def _how(rows: Sequence[int], likeness: float, decoded: Decoded) -> str:
    for what, digests in (("the same file as", decoded.digests), ("the same pixels as", decoded.pixel_digests)):
        if all((digests[row] == digests[rows[0]]).all() for row in rows[1:]):
            return what
    return f"{likeness:.1%} like" if likeness < 0.9995 else "nearly the same as"


def _where(row: int, subject: Subject) -> str:
    return f"{subject.splits[row]}, {subject.classes[subject.labels[row]]}"
