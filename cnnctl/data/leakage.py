"""Warnings about the data: the same image in two splits, in two classes or twice, images of one colour, splits that
lack a class.
"""

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from cnnctl.data.cache.decoded import Decoded
from cnnctl.data.split import TRAIN
from cnnctl.errors import Notice

if TYPE_CHECKING:
    import pandas as pd

    from cnnctl.data.catalog import Catalog

Numbers = NDArray[np.int64]
_Rows = tuple[Numbers, Numbers]

FLAT = 2
"""The most by which the values of an image of one colour differ, of 255: JPEG is not exact."""
_NAMED = 10
_PAIRS = 100
"""Pairs of files that programs are told of."""


def suspicions(catalog: "Catalog", decoded: Decoded) -> list[Notice]:
    """All that is suspicious in the images of a catalog: a sentence with the files, and the mend.

    The index of the catalog's frame counts the rows of `decoded`, which has all images.
    """
    frame = catalog.frame
    rows, paths = frame.index.to_numpy(), frame.path.to_numpy()
    flat = decoded.value_ranges[rows] <= FLAT
    found = list(_same_images(catalog, decoded.digests[rows], decoded.pixel_digests[rows], flat))
    if flat.any():
        count = int(flat.sum())
        message = f"{_are(count)} of a single colour:\n  {_listing(iter(paths[flat]), count)}"
        found.append(Notice(message, "remove them: a network cannot learn from them"))
    found += _missing_classes(catalog)
    return found


def _same_images(
    catalog: "Catalog", digests: NDArray[np.uint8], pixel_digests: NDArray[np.uint8], flat: NDArray[np.bool_]
) -> Iterator[Notice]:
    """The same image in two classes, in two splits, and twice in a class of one split: by its bytes or its pixels."""
    frame = catalog.frame
    labels, splits = frame.label.factorize()[0], frame.split.factorize()[0]
    numbers = {"byte for byte": _numbers(digests), "pixel for pixel": _numbers(pixel_digests)}
    kinds: tuple[tuple[str, str, Callable[[Numbers], _Rows], str | None], ...] = (
        (
            "under different labels" if catalog.several else "in two classes",
            "give each all of its labels, once" if catalog.several else "keep each in the class that it shows",
            lambda keys: _first_others(keys, labels),
            "label",
        ),
        (
            "in two splits",
            "keep each image in one split: a memorized image does not measure generalization",
            lambda keys: _first_others(keys, splits),
            "split",
        ),
        (
            "twice" if catalog.several else "twice in one class",
            "keep one of each",
            lambda keys: _repeated(keys, labels, splits),
            None,
        ),
    )
    for what, hint, find, column in kinds:
        told: set[tuple[int, int]] = set()
        for how, keys in numbers.items():
            found = list(zip(*(rows.tolist() for rows in find(keys)), strict=True))
            pairs = [pair for pair in found if how == "byte for byte" or (pair not in told and not flat[pair[0]])]
            told.update(pairs)
            if pairs:
                message = f"{_are(len(pairs))} {what}, {how}:"
                yield _notice(frame, pairs, message, hint, column)


def _notice(frame: "pd.DataFrame", pairs: list[tuple[int, int]], message: str, hint: str, column: str | None) -> Notice:
    """Some pairs of rows as a warning; each file with what the two differ in, which is in the column."""
    paths = frame.path.to_numpy()
    about = None if column is None else frame[column].to_numpy()

    def named(row: int) -> str:
        return str(paths[row]) if about is None else f"{paths[row]} ({about[row]})"

    listing = _listing((f"{named(one)} and {named(two)}" for one, two in pairs), len(pairs))
    files = tuple((str(paths[one]), str(paths[two])) for one, two in pairs[:_PAIRS])
    return Notice(f"{message}\n  {listing}", hint, pairs=files)


def _numbers(digests: NDArray[np.uint8]) -> Numbers:
    """A number for each of the digests, uint8 (rows, bytes): the same for equal ones."""
    if not len(digests):
        return np.zeros(0, np.int64)
    texts = np.ascontiguousarray(digests).view(f"S{digests.shape[1]}").ravel()
    return np.unique(texts, return_inverse=True)[1]


def _first_rows(keys: Numbers) -> Numbers:
    """For each row, the first one that has its key."""
    _, first, inverse = np.unique(keys, return_index=True, return_inverse=True)
    return first[inverse]


def _first_others(keys: Numbers, values: Numbers) -> _Rows:
    """For each key that rows of different values have: the first row, and the first of another value."""
    first = _first_rows(keys)
    others = np.flatnonzero(values != values[first])
    heads, at = np.unique(first[others], return_index=True)
    return heads, others[at]


def _repeated(keys: Numbers, labels: Numbers, splits: Numbers) -> _Rows:
    """Each row that has the key, the label and the split of one before it, after the first of these."""
    both = labels * (splits.max(initial=0) + 1) + splits
    first = _first_rows(keys * (both.max(initial=0) + 1) + both)
    again = np.flatnonzero(first != np.arange(len(first)))
    return first[again], again


def _missing_classes(catalog: "Catalog") -> Iterator[Notice]:
    for split, counts in catalog.counts().items():
        lacking = [name for name, count in counts.items() if not count]
        if lacking and split != TRAIN:
            names = ", ".join(lacking[:_NAMED]) + (", ..." if len(lacking) > _NAMED else "")
            message = f"the {split} images have none of {len(lacking)} of the {len(counts)} classes: {names}"
            yield Notice(message, "its metrics do not cover them: add images of these classes")


def _are(count: int) -> str:
    return "1 image is" if count == 1 else f"{count:,} images are"


def _listing(named: Iterator[str], count: int) -> str:
    lines = [next(named) for _ in range(min(count, _NAMED))]
    return "\n  ".join(lines) + (f"\n  and {count - _NAMED:,} more" if count > _NAMED else "")
