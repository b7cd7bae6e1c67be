"""Labels as numbers, and what is said of names that are not among the classes or look alike.

An image has one label, or with `output: multi_label` any number of them. Its label is a text in files and tables, which
data/several.py writes; here it becomes a number, or a row of 0 and 1.
"""

import difflib
import unicodedata
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cnnctl.data.several import joined, names_of
from cnnctl.errors import DataError, Notice
from cnnctl.formatting import differences, name_form

Labels = NDArray[np.integer[Any]]
"""Class numbers, int64 (images,); or of images with several labels uint8 (images, classes), 1 for those of an image."""


def encode(labels: Sequence[str], classes: Sequence[str], source: str, several: bool = False) -> Labels:
    """Labels in arrays; of images that may have `several` a row for each.

    Raises:
        DataError: a name that is not among the classes.
    """
    if not several:
        return label_numbers(labels, classes, source)
    parts = [names_of(label) for label in labels]
    counts = [len(names) for names in parts]
    numbers = label_numbers([name for names in parts for name in names], classes, source)
    rows = np.zeros((len(labels), len(classes)), np.uint8)
    rows[np.repeat(np.arange(len(labels)), counts), numbers] = 1
    return rows


def are_several(labels: Labels) -> bool:
    """Whether images may have several labels."""
    return labels.ndim == 2


def texts_of(labels: Labels, classes: Sequence[str]) -> list[str]:
    """The text of each image's label."""
    if not are_several(labels):
        return [classes[label] for label in labels.tolist()]
    return [joined(classes[at] for at in np.flatnonzero(row).tolist()) for row in labels]


def counts_of(labels: Labels, classes: int) -> NDArray[np.int64]:
    """How many images have each class."""
    found: NDArray[np.int64] = (
        labels.sum(axis=0, dtype=np.int64) if are_several(labels) else np.bincount(labels, minlength=classes)
    )
    return found


def kinds_of(labels: Labels) -> NDArray[np.int64]:
    """A number for each image, the same for equal labels: its class, or of several labels that of their combination."""
    if not are_several(labels):
        return labels.astype(np.int64)
    return np.unique(labels, axis=0, return_inverse=True)[1].reshape(-1).astype(np.int64)


def label_numbers(labels: Sequence[str], classes: Sequence[str], source: str) -> NDArray[np.int64]:
    """Labels as class numbers, matched by name.

    Raises:
        DataError: a name that the run does not know.
    """
    number = {
        name_form(name): index for index, name in enumerate(classes)
    }  # those of older runs are as they were found
    number |= {name: index for index, name in enumerate(classes)}
    known = {label: number.get(label, number.get(name_form(label))) for label in set(labels)}
    unknown = sorted(label for label, index in known.items() if index is None)
    if unknown:
        message = f"{source} has the class {unknown[0]}, which the run was not trained on"
        raise DataError(message, describe_unknown(unknown[0], classes, "it knows"))
    return np.array([known[label] for label in labels], np.int64)


def describe_unknown(name: str, classes: Sequence[str], introduction: str) -> str:
    """The classes that there are, for a hint; where one looks like `name`, what they differ in."""
    hint = f"{introduction} {', '.join(classes[:10])}{', ...' if len(classes) > 10 else ''}"
    alike = [one for one in classes if _looks(one) == _looks(name)]
    near = alike or difflib.get_close_matches(name, classes, n=1)
    if not near or not (alike or _is_hard_to_see(name, near[0])):
        return hint
    return f"{name} and {near[0]} are not the same: {differences(name, near[0])}; {hint}"


def look_alikes(classes: Sequence[str], source: str) -> Iterator[Notice]:
    """Classes that a person cannot tell apart, such as one with a letter that has no width."""
    seen: dict[str, str] = {}
    for name in classes:
        other = seen.setdefault(_looks(name), name)
        if other != name:
            differ = differences(other, name)
            message = f"two classes in {source} look alike, {other} and {name}; they differ: {differ}"
            yield Notice(message, "write both in the same way, if they are one class")


def _looks(name: str) -> str:
    """A name without what cannot be seen: letters of no width, and forms of the same letters and blanks."""
    compatible = unicodedata.normalize("NFKC", name)
    return " ".join("".join(letter for letter in compatible if unicodedata.category(letter) != "Cf").split())


def _is_hard_to_see(one: str, other: str) -> bool:
    """Whether the letters that only one of two names has are of another alphabet, or blanks."""
    changed = set(one) - set(other) or set(other) - set(one)
    return bool(changed) and all(not letter.isascii() or letter.isspace() for letter in changed)
