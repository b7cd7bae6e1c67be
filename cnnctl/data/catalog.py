"""Class folders, a CSV or a built-in set -> one table of (path, label, split) and the classes in label order."""

from collections import Counter
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cnnctl.config.load import BUILT_IN_DATA
from cnnctl.config.schema import DataSettings, ImageSettings
from cnnctl.data import table
from cnnctl.data.archives import is_folder, unwrapped
from cnnctl.data.decoder.images import MEGAPIXEL, ImageSpec
from cnnctl.data.decoder.reading import MEGABYTE
from cnnctl.data.labels import describe_unknown, look_alikes
from cnnctl.data.listing import Listing, describe_left_out, describe_parent, list_class_folders
from cnnctl.data.several import names_of
from cnnctl.data.shards import list_shards, shards_of
from cnnctl.data.sheets import metadata_left_out, table_at, there_is
from cnnctl.data.sources import digits_folder, is_table, table_columns
from cnnctl.data.split import SPLITS, TRAIN, grouped, least_images, stratified, stratified_several
from cnnctl.data.split_folders import look_inside
from cnnctl.errors import DataError, Notice
from cnnctl.system.loudness import detail
from cnnctl.system.packages import insist_on

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from numpy.typing import NDArray


@dataclass(frozen=True)
class Catalog:
    """The images of a training.

    `frame` has the columns path (absolute), label and split, one row an image, in a fixed order. `classes` are in label
    order (sorted). `left_out` counts the files that were not taken, by sort. `notices` say what was changed or assumed.
    Where images may have `several` labels, a label is the text of them all.
    """

    frame: "pd.DataFrame"
    classes: tuple[str, ...]
    left_out: Counter[str] = field(default_factory=Counter)
    notices: tuple[Notice, ...] = ()
    several: bool = False

    def counts(self) -> dict[str, dict[str, int]]:
        """Images of each class in each split that has any: `{"train": {"cat": 800, "dog": 800}}`."""
        found: dict[str, Counter[str]] = {}
        pairs = Counter(zip(self.frame.split.tolist(), self.frame.label.tolist(), strict=True))
        for (split, label), count in pairs.items():
            each = found.setdefault(split, Counter())
            for name in names_of(label) if self.several else (label,):
                each[name] += count
        return {split: {name: found[split][name] for name in self.classes} for split in SPLITS if split in found}

    def totals(self) -> dict[str, int]:
        """Images of each split that has any: with several labels not the sum of the counts."""
        found = self.frame.groupby("split").size()
        return {split: int(found[split]) for split in SPLITS if split in found.index}

    def lost_classes(self) -> list[str]:
        """The classes that no training image has."""
        trained = set(self.frame.label[self.frame.split == TRAIN])
        return sorted(
            set(self.classes) - ({name for label in trained for name in names_of(label)} if self.several else trained)
        )


@dataclass(frozen=True)
class Fault:
    """What is wrong with a key of the data section, such as `("test",)` or `("csv", "group")`."""

    key: tuple[str, ...]
    error: DataError


class CatalogError(DataError):
    """One or more faults of the data of a config, each with its key; the message is that of the first."""

    def __init__(self, faults: Sequence[Fault]) -> None:
        super().__init__(faults[0].error.message, faults[0].error.hint)
        self.faults = tuple(faults)


def find_images(
    source: str, columns: table.Columns, known: Collection[str] | None = (), cache: str = "auto"
) -> Listing:
    """The labelled images of one source: class folders, a CSV, or a built-in name.

    Args:
        columns: Those of a CSV; they say too whether an image may have several labels.
        known: Names of folders that are classes even where they look like splits; None: all are.
        cache: As in the config, for a built-in name.

    Raises:
        DataError: nothing can be found there.
    """
    path = digits_folder(cache) if source in BUILT_IN_DATA else Path(source)
    if source in BUILT_IN_DATA:
        form, listing = "class folders", list_class_folders(path, several=columns.several)
    elif (found := table_at(path, known is None)) is not None:
        form, listing = "a table of files and labels", table.read_table(found, columns)
    elif shards := shards_of(path):
        form, listing = f"{len(shards):,} shards", list_shards(shards, columns.several)
    else:
        form, listing = "class folders", list_class_folders(unwrapped(path), known, columns.several)
        notice = metadata_left_out(path) if known is not None else None
        if notice is not None:
            listing.notices.append(notice)
    detail(f"images: {len(listing.paths):,} listed in {path}, taken for {form}")
    return listing


def image_spec(settings: ImageSettings) -> ImageSpec:
    """The config's image settings in the form of data/images.py."""
    limits = settings.max_megapixels * MEGAPIXEL, settings.max_megabytes * MEGABYTE
    return ImageSpec(settings.height, settings.width, settings.channels, settings.fit, settings.background, *limits)


def make_catalog(data: DataSettings, seed: int, several: bool = False) -> Catalog:
    """Find, label and split all images of a config, whose paths are absolute; the seed draws the shares.

    `several` says whether an image may have several labels.

    Raises:
        CatalogError: whatever makes a training impossible: nothing found, one class only, a class that is empty or
            too small to split, a class that only a validation or test set knows.
        MachineError: pandas is not installed.
    """
    insist_on("pandas")
    import pandas as pd

    several = several or not isinstance(data.csv.label, str)
    listings, faults = _find_all(data, several)
    listing = listings.get(TRAIN)
    classes = listing.classes() if listing is not None else ()
    if listing is not None:
        faults += _faults(TRAIN, _check_classes, listing, data)
    for split, other in listings.items():
        if split != TRAIN:
            faults += _faults(split, _check_other, other, classes, data.sources[split])
    if listing is None or faults:
        raise CatalogError(faults)

    parts = [_frame(listing, _shared(_split(listing, data, seed)))]
    parts += [_frame(other, split) for split, other in listings.items() if split != TRAIN]
    left_out: Counter[str] = Counter()
    notices: list[Notice] = []
    for other in listings.values():
        left_out.update(other.left_out)
        notices += other.notices
    notices += look_alikes(classes, data.train)
    catalog = Catalog(pd.concat(parts, ignore_index=True), classes, left_out, tuple(notices), several)
    lost = catalog.lost_classes()
    if lost:
        error = DataError(
            f"no training image is left for the class {lost[0]}: its groups all went to other splits",
            "use smaller shares for validation and test, or finer groups",
        )
        raise CatalogError([Fault(("csv", "group"), error)])
    return catalog


def list_sources(data: DataSettings) -> dict[str, Listing]:
    """The images of each source of the data by its key, `train` among them: not split, and with their groups.

    Raises:
        CatalogError: one of them cannot be listed.
    """
    listings, faults = _find_all(data, several=False)
    if faults:
        raise CatalogError(faults)
    return listings


def _find_all(data: DataSettings, several: bool) -> tuple[dict[str, Listing], list[Fault]]:
    """The images of each source by its split, and what is wrong with the others."""
    listings: dict[str, Listing] = {}
    faults: list[Fault] = []
    folder = data.csv.folder
    if folder is not None and not is_folder(folder) and any(is_table(Path(one)) for one in data.sources.values()):
        error = DataError(f"there is no folder {folder}", describe_parent(Path(folder)))
        faults.append(Fault(("csv", "folder"), error))
    for split, source in data.sources.items():
        if source not in BUILT_IN_DATA and not there_is(source):
            error = DataError(f"there is no folder or file {source}", describe_parent(Path(source)))
            faults.append(Fault((split,), error))
            continue
        if is_table(Path(source)) and faults and faults[0].key == ("csv", "folder"):
            continue  # each of its images would be missing
        try:
            known = listings[TRAIN].classes() if TRAIN in listings else ()
            columns = table_columns(data.csv, split == TRAIN, several)
            classes = None if data.folders_are_classes else set(known)
            listings[split] = find_images(source, columns, classes, data.cache)
        except table.ColumnError as error:
            is_set = split == TRAIN and error.role in data.csv.model_fields_set
            faults.append(Fault(("csv", error.role) if is_set else (split,), error))
        except DataError as error:
            faults.append(Fault((split,), error))
    return listings, faults


def _faults(split: str, check: Callable[..., None], *values: Any) -> list[Fault]:
    """What a check has to say against a split."""
    try:
        check(*values)
    except DataError as error:
        return [Fault((split,), error)]
    return []


def _split(listing: Listing, data: DataSettings, seed: int) -> "NDArray[np.str_]":
    """The split of each training image.

    Raises:
        CatalogError: there are fewer groups than splits.
    """
    if not listing.groups:
        deal = stratified_several if listing.several else stratified
        return deal(listing.labels, *data.shares, seed)
    try:
        return grouped(listing.labels, listing.groups, *data.shares, seed, listing.several)
    except DataError as error:
        raise CatalogError([Fault(("csv", "group"), error)]) from None


def _frame(listing: Listing, splits: "NDArray[np.object_] | str") -> "pd.DataFrame":
    """The rows of a catalog. Of Python's own texts: those of pyarrow, which pandas takes where it is installed, must be
    UTF-8, and file names need not be.
    """
    import pandas as pd

    return pd.DataFrame({"path": listing.paths, "label": listing.labels, "split": splits}, dtype=object)


def _shared(splits: "NDArray[np.str_]") -> "NDArray[np.object_]":
    """The same names as references to three texts, not a text for each image."""
    import numpy as np

    names = np.array(SPLITS, object)
    chosen: NDArray[np.object_] = names[np.select([splits == name for name in SPLITS], range(len(SPLITS)))]
    return chosen


def refuse_useless(listing: Listing, source: str) -> None:
    """Refuse images of which no classifier can be made.

    Raises:
        DataError: there is none, a class has none, a class has no name, or there is one class only.
    """
    left_out = describe_left_out(listing.left_out)
    more = f"; {left_out}" if left_out else ""
    if not listing.paths:
        raise DataError(f"no image was found in {source}", f"images end in .jpg, .png, .webp, .bmp, .gif or .tif{more}")
    if listing.empty_classes:
        names = ", ".join(listing.empty_classes[:5])
        raise DataError(
            f"no image was found for the class {names} in {source}",
            f"{'give it one, or remove it' if listing.several else 'fill the folder or remove it'}{more}",
        )
    classes = listing.classes()
    for name in classes:
        if any("\ud800" <= letter <= "\udfff" for letter in name):  # how Python keeps bytes that are no UTF-8
            raise DataError(f"the class name {name!r} in {source} is not UTF-8 text", "rename the folder")
    if len(classes) < 2 and listing.several:
        found = f"only {classes[0]}" if classes else "none"
        raise DataError(
            f"expected at least two classes, but the labels of {len(listing.paths):,} images have {found}",
            "add a label; for one that an image has or has not: two classes, and output: sigmoid",
        )
    if len(classes) < 2:
        raise DataError(
            f"expected at least two classes, but all {len(listing.paths):,} images are of the class {classes[0]}",
            _hint_of_one_class(Path(source) / classes[0]),
        )


def _hint_of_one_class(folder: Path) -> str:
    within = look_inside(folder)
    if within.is_of_classes and len(within.folders) > 1:
        return f"if {', '.join(within.folders[:5])} are the classes, name their folder: {folder}"
    return "a classifier needs two classes: add a second folder (or label), for example `other`"


def _check_classes(listing: Listing, data: DataSettings) -> None:
    refuse_useless(listing, data.train)
    if listing.groups:
        return
    needed = least_images(*data.shares)
    small = {name: count for name, count in listing.counts().items() if count < needed}
    if small:
        found = ", ".join(f"{name}: {count}" for name, count in list(small.items())[:5])
        raise DataError(
            f"{len(small)} class(es) have too few images to split ({found}); each needs {needed}",
            "add images, remove the class, or give validation and test sets of their own",
        )


def _check_other(listing: Listing, classes: tuple[str, ...], source: str) -> None:
    """Check the images of a validation or test set; without `classes`, which could not be found, only their number."""
    unknown = sorted(set(listing.classes()) - set(classes)) if classes else []
    if unknown:
        raise DataError(
            f"{source} has the class {unknown[0]}, which the training images do not have",
            describe_unknown(unknown[0], classes, "the classes are"),
        )
    if not listing.paths:
        raise DataError(f"no image was found in {source}", describe_left_out(listing.left_out))
