"""What a set of images is like."""

import csv
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
from cnnctl.errors import DataError

_LOOKED_AT = 240
"""Images that are opened: enough to see what they are like, few enough not to wait for."""

_PATH_NAMES = ("path", "file", "filename", "file_name", "image", "image_path", "img", "id")
_LABEL_NAMES = ("label", "class", "category", "target", "label_name", "class_name", "species", "digit")


@dataclass(frozen=True)
class DatasetSummary:
    """What a set of images is like.

    `sources` are the keys of the data section that name images, as the user wrote them: `train`, and `validation` or
    `test` where the folder has such parts. `columns` are those of a CSV: file names and labels. `sizes` are (height,
    width) of the images that were opened, `unreadable` are (path, reason), and `left_out` counts files that are no
    images, by sort.
    """

    sources: dict[str, str]
    columns: tuple[str, str] | None
    counts: dict[str, int]
    sizes: tuple[tuple[int, int], ...]
    is_grey: bool
    unreadable: tuple[tuple[str, str], ...]
    opened: int
    left_out: Counter[str]

    @property
    def total(self) -> int:
        """Training images of all classes."""
        return sum(self.counts.values())


def look(data: str) -> DatasetSummary:
    """Look at class folders, a folder with train/ and test/ in it, a CSV, or a built-in name.

    Raises:
        DataError: there is nothing to learn from; the hint says what is expected.
    """
    sources = {"train": data}
    columns = None
    if data not in BUILT_IN_DATA:
        path = Path(data)
        parts = split_folders(path)
        if parts:
            sources = {key: str(path / name) for key, name in parts.items()}
        elif is_table(path):
            columns = _columns(path)
    names = CsvColumns() if columns is None else CsvColumns(path=columns[0], label=columns[1])
    listing = find_images(sources["train"], names)
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
        columns,
        dict(sorted(counts.items())),
        tuple((height, width) for height, width, _ in opened),
        all(grey for _, _, grey in opened),
        tuple((path, one) for path, one in zip(chosen, looks, strict=True) if isinstance(one, str)),
        len(chosen),
        listing.left_out,
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


def _columns(file: Path) -> tuple[str, str]:
    """The columns of file names and labels of a CSV, by their names.

    Raises:
        DataError: it cannot be told.
    """
    try:
        with file.open(encoding="utf-8-sig", newline="") as stream:
            header = next(csv.reader(stream), [])
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is no CSV in UTF-8"
        raise DataError(f"{file} cannot be read: {reason}") from None
    path = next((name for name in header if name.strip().lower() in _PATH_NAMES), None)
    label = next((name for name in header if name.strip().lower() in _LABEL_NAMES and name != path), None)
    if path is None or label is None:
        raise DataError(
            f"{file} has no columns that are clearly file names and labels: {', '.join(header) or 'none'}",
            "name the columns path and label in the first line",
        )
    return path, label
