"""The images of a catalog, decoded and looked at: what a training is fed with, and what is wrong with it."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cnnctl.config.schema import DataSettings
from cnnctl.data.cache.decoded import Decoded, decode_images
from cnnctl.data.catalog import Catalog, image_spec
from cnnctl.data.decoder.images import Image
from cnnctl.data.labels import Labels, counts_of, encode, texts_of
from cnnctl.data.leakage import suspicions
from cnnctl.data.sharing import Sharer, deal_out, decode_share
from cnnctl.data.split import SPLITS, TRAIN
from cnnctl.errors import EXIT_DATA, Notice, Problem

_NAMED = 20
"""Images that are named of those that cannot be decoded."""


@dataclass(frozen=True)
class Split:
    """The images of one split: their rows in the pixels, int64 (images,), and their labels.

    `parts` are those that the images were dealt into, int64 (images,); None where every process keeps all.
    """

    rows: NDArray[np.int64]
    labels: Labels
    parts: NDArray[np.int64] | None = None


@dataclass(frozen=True)
class Prepared:
    """Decoded images, without those that were left out; they are in the catalog's order.

    Attributes:
        classes: The class names in label order.
        paths: Their files, absolute; empty once they are forgotten.
        labels: Class numbers, or rows of 0 and 1: see data/labels.py.
        splits: (images,), the names of their splits.
        rows: int64 (images,), where they are in `pixels`; -1 for one that another process keeps.
        pixels: uint8 (images kept, height, width, channels), mapped from disk or in memory.
        digests: uint8 (images, 16), of each file's contents.
        entry: The folder of the pixels in the cache; None in memory.
        undecodable: How many images that were found cannot be decoded.
        problems: What makes a training on them impossible.
        warnings: What makes its figures lie.
        parts: int64 (images,), the parts that the training images were dealt into; None where they were not.
        common: bool (images,), whether it is a training image that all processes keep; None where they keep all.
    """

    classes: tuple[str, ...]
    paths: Sequence[str]
    labels: Labels
    splits: NDArray[np.object_]
    rows: NDArray[np.int64]
    pixels: Image
    digests: NDArray[np.uint8]
    entry: Path | None = None
    undecodable: int = 0
    problems: tuple[Problem, ...] = ()
    warnings: tuple[Notice, ...] = ()
    parts: NDArray[np.int64] | None = None
    common: NDArray[np.bool_] | None = None

    def split(self, name: str) -> Split | None:
        """The images of a split; None where it has none."""
        chosen = self.splits == name
        return self._chosen(chosen) if chosen.any() else None

    def sampled(self) -> Split:
        """The training images that all processes keep, of which what takes some images is computed."""
        return self._chosen(self.splits == TRAIN if self.common is None else self.common)

    def _chosen(self, chosen: NDArray[np.bool_]) -> Split:
        parts = None if self.parts is None else self.parts[chosen]
        return Split(self.rows[chosen], self.labels[chosen], parts)

    def label_names(self) -> list[str]:
        """The class name of each image; of several labels their text."""
        return texts_of(self.labels, self.classes)

    def listing(self) -> Iterator[tuple[str, str, str]]:
        """(path, class name, split) of each image."""
        return zip(self.paths, self.label_names(), self.splits, strict=True)

    def counts(self) -> dict[str, dict[str, int]]:
        """As Catalog.counts."""
        found = {name: self.split(name) for name in SPLITS}
        return {
            name: dict(zip(self.classes, counts_of(one.labels, len(self.classes)).tolist(), strict=True))
            for name, one in found.items()
            if one is not None
        }

    def totals(self) -> dict[str, int]:
        """As Catalog.totals."""
        found = {name: self.split(name) for name in SPLITS}
        return {name: len(one.rows) for name, one in found.items() if one is not None}


def prepare(
    data: DataSettings,
    catalog: Catalog,
    progress: Callable[[int, int], None],
    waiting: Callable[[], None] = lambda: None,
    strict: bool = False,
    seeks_leaks: bool = True,
    sharer: Sharer | None = None,
) -> Prepared:
    """Decode every image of a catalog and look at what they are.

    With a `sharer`, the training images are dealt into parts, and each process decodes those that it keeps.

    With `strict` the same image twice, images of one colour, classes without test images, and what was changed or
    assumed in the listing are problems, else warnings; without `seeks_leaks`, or in images with problems, nobody looks
    for the first three. `waiting` is called before waiting for another process that decodes the same images.

    Raises:
        MachineError: the decoded images cannot be kept.
    """
    paths, spec = catalog.frame.path.tolist(), image_spec(data.image)
    dealt = None if sharer is None else deal_out(catalog.frame.split.to_numpy(object), sharer.seed)
    if dealt is None or sharer is None or sharer.processes == 1:
        decoded = decode_images(paths, spec, data.cache, progress, waiting)
    else:
        decoded = decode_share(paths, spec, data.cache, progress, waiting, dealt, sharer)
    del paths
    problems: list[Problem] = []
    warnings: list[Notice] = []

    if decoded.failures:
        message, hint, is_problem = _undecodable(data, catalog, decoded)
        if is_problem:
            problems.append(Problem(message, hint=hint, exit_code=EXIT_DATA))
        else:
            warnings.append(Notice(message, hint))
            catalog = replace(catalog, frame=catalog.frame.drop(index=list(decoded.failures)))
            for name in catalog.lost_classes()[:1]:
                problems.append(Problem(f"no training image is left for the class {name}", exit_code=EXIT_DATA))

    suspicious = suspicions(catalog, decoded) if seeks_leaks and not problems else []
    for one in (*catalog.notices, *suspicious):
        if strict:
            problems.append(Problem(one.message, hint=one.hint, exit_code=EXIT_DATA, pairs=one.pairs))
        else:
            warnings.append(one)

    frame = catalog.frame
    rows = frame.index.to_numpy()
    return Prepared(
        catalog.classes,
        frame.path.tolist(),
        encode(frame.label.tolist(), catalog.classes, "the data", catalog.several),
        frame.split.to_numpy(object),
        np.asarray(rows if decoded.places is None else decoded.places[rows], np.int64),
        decoded.pixels,
        decoded.digests[rows],
        decoded.entry,
        len(decoded.failures),
        tuple(problems),
        tuple(warnings),
        None if dealt is None else dealt.parts[rows],
        None if dealt is None else dealt.common[rows],
    )


def _undecodable(data: DataSettings, catalog: Catalog, decoded: Decoded) -> tuple[str, str, bool]:
    """What is said of images that cannot be decoded: message, hint, and whether it is a problem, as the config says."""
    total, failed = len(catalog.frame), len(decoded.failures)
    named = [f"{catalog.frame.path[row]}: {reason}" for row, reason in list(decoded.failures.items())[:_NAMED]]
    more = failed - len(named)
    listing = "\n  ".join(named) + (f"\n  and {more:,} more" if more else "")
    skips = data.on_bad_image == "skip"

    if skips and failed / total <= data.max_bad_images:
        message = f"{failed:,} images cannot be decoded and are skipped:\n  {listing}"
        return message, "remove or convert them", False

    limit = f", more than data.max_bad_images = {data.max_bad_images:g}" if skips else ""
    mend = "raise data.max_bad_images" if skips else "skip them with data.on_bad_image: skip"
    message = f"{failed:,} of {total:,} images cannot be decoded{limit}:\n  {listing}"
    return message, f"remove or convert them, or {mend}", True
