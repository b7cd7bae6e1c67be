"""What makes figures lie: the same image in two splits, images of one colour, classes that a split lacks."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from cnnctl.data.cache.decoded import Decoded
from cnnctl.data.split import SPLITS, TRAIN

if TYPE_CHECKING:
    from cnnctl.data.catalog import Catalog

FLAT = 2
"""The most by which the values of an image of one colour differ, of 255: JPEG is not exact."""
_NAMED = 10


@dataclass(frozen=True)
class Suspicion:
    """Something about the data that makes figures lie: a sentence with the files, and the mend."""

    message: str
    hint: str


def suspicions(catalog: "Catalog", decoded: Decoded) -> list[Suspicion]:
    """All that is suspicious in the images of a catalog.

    Args:
        catalog: The images that are used; its frame's index counts the rows of `decoded`.
        decoded: All images.
    """
    rows = catalog.frame.index.to_numpy()
    paths, splits = catalog.frame.path.to_numpy(), catalog.frame.split.to_numpy()
    flat = decoded.value_ranges[rows] <= FLAT
    found: list[Suspicion] = []
    same_bytes = _shared(decoded.digests[rows], splits)
    told = {tuple(pair) for pair in same_bytes}
    same_pixels = [
        pair for pair in _shared(decoded.pixel_digests[rows], splits) if pair not in told and not flat[pair[0]]
    ]
    for pairs, how in ((same_bytes, "byte for byte"), (same_pixels, "pixel for pixel")):
        if pairs:
            named = (f"{paths[one]} ({splits[one]}) and {paths[two]} ({splits[two]})" for one, two in pairs)
            noun = "image is" if len(pairs) == 1 else "images are"
            message = f"{len(pairs):,} {noun} in two splits, {how}:\n  {_listing(named, len(pairs))}"
            found.append(Suspicion(message, "keep each image in one split: what was learned by heart is no test"))
    if flat.any():
        count = int(flat.sum())
        noun = "image is" if count == 1 else "images are"
        message = f"{count:,} {noun} of one colour:\n  {_listing(iter(paths[flat]), count)}"
        found.append(Suspicion(message, "nothing can be learned from them: remove them"))
    found += _missing_classes(catalog)
    return found


def _missing_classes(catalog: "Catalog") -> Iterator[Suspicion]:
    for split, counts in catalog.counts().items():
        lacking = [name for name, count in counts.items() if not count]
        if lacking and split != TRAIN:
            names = ", ".join(lacking[:_NAMED]) + (", ..." if len(lacking) > _NAMED else "")
            message = f"the {split} images have none of {len(lacking)} of the {len(counts)} classes: {names}"
            yield Suspicion(message, "its figures say nothing about them: add images of them")


def _shared(keys: NDArray[np.uint8], splits: Iterable[str]) -> list[tuple[int, int]]:
    """For each key that rows of different splits have: the first row, and the first of another split.

    Args:
        keys: uint8 (rows, bytes).
        splits: The split of each row.
    """
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


def _listing(named: Iterator[str], count: int) -> str:
    lines = [next(named) for _ in range(min(count, _NAMED))]
    return "\n  ".join(lines) + (f"\n  and {count - _NAMED:,} more" if count > _NAMED else "")
