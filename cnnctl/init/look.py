"""What a set of images is like."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from cnnctl.config.load import BUILT_IN_DATA
from cnnctl.config.schema import CsvColumns
from cnnctl.data.catalog import find_images
from cnnctl.data.decoder.images import ImageError, ImageSpec, decode_whole, read_bytes
from cnnctl.data.decoder.parallel import in_threads
from cnnctl.data.listing import split_folders
from cnnctl.data.sources import is_table
from cnnctl.data.table import MissingImagesError
from cnnctl.errors import DataError, Notice, UsageError
from cnnctl.init.tables import find_columns

_LOOKED_AT = 240
"""Images that are opened: enough to see what they are like, few enough not to wait for."""


@dataclass(frozen=True)
class DatasetSummary:
    """What a set of images is like.

    `sources` are the keys of the data section that name images, as the user wrote them: `train`, and `validation` or
    `test` where the folder has such parts. `columns` are those of a CSV, and the folder of its images. `sizes` are
    (height, width) of the images that were opened, `unreadable` are (path, reason), and `left_out` counts files that
    are no images, by sort.
    """

    sources: dict[str, str]
    columns: CsvColumns | None
    counts: dict[str, int]
    sizes: tuple[tuple[int, int], ...]
    is_grey: bool
    unreadable: tuple[tuple[str, str], ...]
    opened: int
    left_out: Counter[str]
    notices: tuple[Notice, ...] = ()

    @property
    def total(self) -> int:
        """Training images of all classes."""
        return sum(self.counts.values())


def look(data: str, columns: tuple[str, str] | None = None, folder: Path | None = None) -> DatasetSummary:
    """Look at class folders, a folder with train/ and test/ in it, a CSV, or a built-in name.

    `columns` (file names, labels) and `folder` (of the images) say of a CSV what is else found by looking.

    Raises:
        UsageError: they are given, and there is no CSV.
        DataError: there is nothing to learn from; the hint says what is expected.
    """
    sources = {"train": data}
    found = None
    if is_table(Path(data)):
        found = find_columns(Path(data), columns, folder)
    elif columns is not None or folder is not None:
        raise UsageError(f"--columns and --folder are for CSV files, and {data} is none", "leave them out")
    elif data not in BUILT_IN_DATA:
        parts = split_folders(Path(data))
        if parts:
            sources = {key: str(Path(data) / name) for key, name in parts.items()}
    try:
        listing = find_images(sources["train"], found or CsvColumns())
    except MissingImagesError as error:
        hint = f"file names are looked up in {(found and found.folder) or Path(data).parent}; --folder names another"
        raise DataError(error.message, hint) from None
    if not listing.paths:
        raise DataError(f"no image was found in {data}", "images end in .jpg, .png, .webp, .bmp, .gif or .tif")
    counts = Counter(listing.labels)
    if len(counts) < 2:
        only = listing.labels[0]
        raise DataError(
            f"expected at least two classes, but all {len(listing.paths):,} images are of the class {only}",
            "a classifier needs two classes: add a second folder (or label), for example `other`",
        )
    chosen = _spread(listing.paths, _LOOKED_AT)
    looks = in_threads(_open, chosen)
    opened = [one for one in looks if not isinstance(one, str)]
    if not opened:
        raise DataError(f"none of {len(chosen)} images of {data} can be opened: {chosen[0]}: {looks[0]}")
    return DatasetSummary(
        sources,
        found,
        dict(sorted(counts.items())),
        tuple((height, width) for height, width, _ in opened),
        all(grey for _, _, grey in opened),
        tuple((path, one) for path, one in zip(chosen, looks, strict=True) if isinstance(one, str)),
        len(chosen),
        listing.left_out,
        tuple(listing.notices),
    )


def _spread(paths: Sequence[str], count: int) -> list[str]:
    """So many paths, evenly spread over all."""
    step = max(1.0, len(paths) / count)
    return [paths[int(place * step)] for place in range(min(count, len(paths)))]


def _open(path: str) -> tuple[int, int, bool] | str:
    """Height, width and whether there is no colour; the reason where it cannot be opened."""
    try:
        pixels = decode_whole(read_bytes(path), ImageSpec(1, 1))
    except ImageError as error:
        return error.message
    height, width = pixels.shape[:2]
    small = pixels[:: max(1, height // 64), :: max(1, width // 64)].astype(np.int16)
    return height, width, bool((small.max(axis=2) - small.min(axis=2)).mean() < 1.0)
