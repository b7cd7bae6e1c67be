"""What a set of images is like."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from cnnctl.config.load import BUILT_IN_DATA
from cnnctl.config.schema import CsvColumns
from cnnctl.data.catalog import find_images, refuse_useless
from cnnctl.data.decoder.images import ImageError, ImageSpec, decode_whole
from cnnctl.data.decoder.parallel import in_threads
from cnnctl.data.decoder.reading import read_bytes
from cnnctl.data.listing import Listing, split_folders
from cnnctl.data.sheets import table_at
from cnnctl.data.sources import is_table, table_columns
from cnnctl.data.split import TRAIN
from cnnctl.data.split_folders import SplitsError
from cnnctl.errors import DataError, Notice, UsageError
from cnnctl.init.coco import coco_files
from cnnctl.init.several import folders_have_several
from cnnctl.init.tables import find_columns

_LOOKED_AT = 240
"""Images that are opened: enough to see what they are like, few enough not to wait for."""


@dataclass(frozen=True)
class DatasetSummary:
    """What a set of images is like.

    `sources` are the keys of the data section that name images, as the user wrote them: `train`, and `validation` or
    `test` where the folder has such parts. `columns` are those of a CSV, and the folder of its images. `sizes` are
    (height, width) of the images that were opened, `unreadable` are (path, reason), and `left_out` counts files that
    are no images, by sort. `unused` are parts of the folder that cannot be used, by their keys, and the other folders
    beside the parts, by their names, with the reason. `folders_are_classes` as in the config. Where images
    have `several` labels, `counts` has each of them, and `images` is how many images there are.
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
    unused: dict[str, str] = field(default_factory=dict)
    folders_are_classes: bool = False
    several: bool = False
    images: int = 0

    @property
    def total(self) -> int:
        """Training images of all classes."""
        return self.images or sum(self.counts.values())


def look(
    data: str,
    columns: tuple[str, str] | None = None,
    folder: Path | None = None,
    folders_are_classes: bool = False,
) -> DatasetSummary:
    """Look at class folders, a folder with train/ and test/ in it, a table such as a CSV, or a built-in name.

    `columns` (file names, labels) and `folder` (of the images) say of a table what is else found by looking. With
    `folders_are_classes` train/ and test/ are classes.

    Raises:
        UsageError: they are given, and there is no table.
        DataError: there is nothing to learn from; the hint says what is expected.
    """
    sources = {"train": data}
    found, several = None, False
    unused: dict[str, str] = {}
    if data not in BUILT_IN_DATA and not is_table(Path(data)) and not folders_are_classes:
        sources, unused = _parts(Path(data))
    place = None if data in BUILT_IN_DATA else table_at(Path(sources[TRAIN]), folders_are_classes)
    if place is not None:
        found, several = find_columns(place, columns, folder)
    elif columns is not None or folder is not None:
        raise UsageError(f"--columns and --folder are for tables such as a CSV, and {data} is none", "leave them out")
    several = several or (found is None and folders_have_several(sources[TRAIN]))
    listing = _find(sources[TRAIN], found, folders_are_classes, several)
    refuse_useless(listing, sources[TRAIN])
    counts = listing.counts()
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
        unused,
        folders_are_classes,
        several,
        len(listing.paths),
    )


def _parts(folder: Path) -> tuple[dict[str, str], dict[str, str]]:
    """The keys of the data section with the folders that they name, and what is not used, with the reasons."""
    splits = split_folders(folder)
    if splits is None or TRAIN not in splits.labelled:
        return {key: str(file) for key, file in coco_files(folder).items()} or {TRAIN: str(folder)}, {}
    rest = {name: f"{splits.root / name} is not the name of a split" for name in splits.rest}
    return {key: str(place) for key, place in splits.labelled.items()}, {**splits.reasons(), **rest}


def _find(source: str, columns: CsvColumns | None, folders_are_classes: bool, several: bool) -> Listing:
    names = table_columns(columns or CsvColumns(), several=several)
    try:
        return find_images(source, replace(names, are_in_config=False), None if folders_are_classes else ())
    except SplitsError as error:
        raise DataError(error.message, f"{error.mend}; if they are classes: --folders-are-classes") from None


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
