"""Warnings about the data: the same image in two splits, images of one colour, classes that a split lacks."""

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from cnnctl.data.cache.decoded import Decoded
from cnnctl.data.split import SPLITS, TRAIN
from cnnctl.errors import Notice

if TYPE_CHECKING:
    from cnnctl.data.catalog import Catalog

FLAT = 2
"""The most by which the values of an image of one colour differ, of 255: JPEG is not exact."""
_NAMED = 10


def suspicions(catalog: "Catalog", decoded: Decoded) -> list[Notice]:
    """All that is suspicious in the images of a catalog: a sentence with the files, and the mend.

    The index of the catalog's frame counts the rows of `decoded`, which has all images.
    """
    rows = catalog.frame.index.to_numpy()
    paths, splits = catalog.frame.path.to_numpy(), catalog.frame.split.to_numpy()
    flat = decoded.value_ranges[rows] <= FLAT
    found: list[Notice] = []
    same_bytes = _shared(decoded.digests[rows], splits)
    told = {tuple(pair) for pair in same_bytes}
    same_pixels = [
        pair for pair in _shared(decoded.pixel_digests[rows], splits) if pair not in told and not flat[pair[0]]
    ]
    for pairs, how in ((same_bytes, "byte for byte"), (same_pixels, "pixel for pixel")):
        if pairs:
            named = (f"{paths[one]} ({splits[one]}) and {paths[two]} ({splits[two]})" for one, two in pairs)
            message = f"{_are(len(pairs))} in two splits, {how}:\n  {_listing(named, len(pairs))}"
            found.append(
                Notice(message, "keep each image in one split: a memorized image does not measure generalization")
            )
    if flat.any():
        count = int(flat.sum())
        message = f"{_are(count)} of a single colour:\n  {_listing(iter(paths[flat]), count)}"
        found.append(Notice(message, "remove them: a network cannot learn from them"))
    found += _missing_classes(catalog)
    return found


def _missing_classes(catalog: "Catalog") -> Iterator[Notice]:
    for split, counts in catalog.counts().items():
        lacking = [name for name, count in counts.items() if not count]
        if lacking and split != TRAIN:
            names = ", ".join(lacking[:_NAMED]) + (", ..." if len(lacking) > _NAMED else "")
            message = f"the {split} images have none of {len(lacking)} of the {len(counts)} classes: {names}"
            yield Notice(message, "its metrics do not cover them: add images of these classes")


def _shared(keys: NDArray[np.uint8], splits: Iterable[str]) -> list[tuple[int, int]]:
    """For each key, uint8 (bytes,), that rows of different splits have: the first row, and the first of another one."""
    if not len(keys):
        return []
    numbers = np.array([SPLITS.index(split) for split in splits], np.int8)
    texts = np.ascontiguousarray(keys).view(f"S{keys.shape[1]}").ravel()
    order = np.argsort(texts, kind="stable")
    starts = np.flatnonzero(np.concatenate([[True], texts[order][1:] != texts[order][:-1]]))
    sorted_numbers = numbers[order]
    mixed = np.minimum.reduceat(sorted_numbers, starts) != np.maximum.reduceat(sorted_numbers, starts)
    ends = np.append(starts[1:], len(order))
    pairs = []
    for start, end in zip(starts[mixed], ends[mixed], strict=True):
        group = order[start:end]
        other = group[numbers[group] != numbers[group[0]]][0]
        pairs.append((int(group[0]), int(other)))
    return sorted(pairs)


def _are(count: int) -> str:
    return "1 image is" if count == 1 else f"{count:,} images are"


def _listing(named: Iterator[str], count: int) -> str:
    lines = [next(named) for _ in range(min(count, _NAMED))]
    return "\n  ".join(lines) + (f"\n  and {count - _NAMED:,} more" if count > _NAMED else "")
