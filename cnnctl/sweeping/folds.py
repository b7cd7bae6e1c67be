"""The folds of a cross-validation: which images are held out in which training, as CSV files that are read like any."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from cnnctl.config import Config
from cnnctl.config.schema import Source
from cnnctl.data.catalog import Catalog, find_images
from cnnctl.data.several import names_of
from cnnctl.data.sources import table_columns
from cnnctl.data.split import TEST, TRAIN, VALIDATION
from cnnctl.errors import DataError
from cnnctl.formatting import name_form
from cnnctl.runs import Run
from cnnctl.system import files

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


@dataclass(frozen=True)
class Pool:
    """The images that take turns, in the order of the data: those that the config trains on or draws validation from.

    `groups` is empty where the config has none. With `several` labels an image, a label is the text of them all.
    """

    paths: Sequence[str]
    labels: Sequence[str]
    groups: Sequence[str]
    several: bool = False

    def classes_of(self, row: int) -> tuple[str, ...]:
        """The classes of an image."""
        return names_of(self.labels[row]) if self.several else (self.labels[row],)

    def classes(self, rows: "NDArray[np.int64]") -> Counter[str]:
        """How many of some images have each class."""
        return Counter(name for row in rows.tolist() for name in self.classes_of(row))


@dataclass(frozen=True)
class Fold:
    """One training: its number in all, its repetition, and its fold in that, all from 1; its config and its run."""

    number: int
    repetition: int
    fold: int
    config: Config
    run: Run


def pool_of(config: Config, catalog: Catalog) -> Pool:
    """The images of a config without its test split, and without a validation set of its own."""
    data = config.data
    known = None if data.folders_are_classes else set[str]()
    several = config.output.multi_label is not None
    listing = find_images(data.train, table_columns(data.csv, True, several), known, data.cache)
    split_of = dict(zip(catalog.frame.path, catalog.frame.split, strict=True))
    taken = [row for row, path in enumerate(listing.paths) if split_of.get(path) in (TRAIN, VALIDATION)]
    groups = [listing.groups[row] for row in taken] if listing.groups else []
    return Pool([listing.paths[row] for row in taken], [listing.labels[row] for row in taken], groups, several)


def deal(pool: Pool, folds: int, seed: int) -> "NDArray[np.int64]":
    """The fold of each image, from 0: every class spread evenly, and no group in two of them.

    Raises:
        DataError: a class, or the groups, are too few for so many folds.
    """
    import warnings

    import numpy as np
    from sklearn.model_selection import StratifiedGroupKFold, StratifiedKFold

    _refuse_few(pool, folds)
    if pool.several and not pool.groups:
        return _checked(pool, _deal_several(pool, folds, seed), folds)
    kind = StratifiedGroupKFold if pool.groups else StratifiedKFold
    dealer = kind(n_splits=folds, shuffle=True, random_state=seed)
    dealt = np.zeros(len(pool.paths), np.int64)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that a class has fewer images than folds, which may be so with groups
        parts = dealer.split(pool.paths, pool.labels, pool.groups or None)
        for number, (_, held_out) in enumerate(parts):
            dealt[held_out] = number
    return _checked(pool, dealt, folds)


def _deal_several(pool: Pool, folds: int, seed: int) -> "NDArray[np.int64]":
    """Images with several labels, every label spread evenly."""
    import numpy as np

    from cnnctl.data.labels import encode
    from cnnctl.data.stratify import iterative

    classes = sorted(pool.classes(np.arange(len(pool.paths))))
    labels = encode(pool.labels, classes, "the data", several=True).astype(np.uint8)
    wanted = np.tile(labels.sum(axis=0, dtype=np.int64) / folds, (folds, 1))
    return iterative(labels, wanted, np.full(folds, len(labels) / folds), seed)


def _checked(pool: Pool, dealt: "NDArray[np.int64]", folds: int) -> "NDArray[np.int64]":
    """The folds, each of which leaves some images of every class.

    Raises:
        DataError: one does not.
    """
    import numpy as np

    everywhere = set(pool.classes(np.arange(len(dealt))))
    for number in range(folds):
        lost = sorted(everywhere - set(pool.classes(np.flatnonzero(dealt != number))))
        if lost or not (dealt == number).any():
            what = f"the class {lost[0]} has all its images in one fold" if lost else "a fold has no image"
            raise DataError(f"{what}: its groups are too few for {folds} folds", "use fewer folds, or finer groups")
    return dealt


def _refuse_few(pool: Pool, folds: int) -> None:
    if pool.groups:
        count = len(set(pool.groups))
        if count < folds:
            raise DataError(f"there are {count} groups for {folds} folds", "use fewer folds")
        return
    import numpy as np

    few = {name: count for name, count in pool.classes(np.arange(len(pool.paths))).items() if count < folds}
    if few:
        name, count = min(few.items(), key=lambda one: one[1])
        raise DataError(f"the class {name} has {count} image(s) for {folds} folds", "use fewer folds, or add images")


def make_folds(config: Config, pool: Pool, folds: int, repeat: int, folder: Path) -> list[Fold]:
    """Write the images of each training, and its config: the fold is what it is tested on.

    Each repetition has other folds and another seed. Validation images are drawn from the others as the config says.
    """
    made = []
    for repetition in range(repeat):
        seed = config.seed + repetition
        dealt = deal(pool, folds, seed)
        for fold in range(folds):
            number = repetition * folds + fold + 1
            train, test = (folder / "splits" / f"{number}-{part}.csv" for part in (TRAIN, TEST))
            for path, chosen in ((train, dealt != fold), (test, dealt == fold)):
                _write(path, pool, chosen, config)
            update = {"train": str(train), "test": Source(str(test))}
            own = config.model_copy(update={"seed": seed, "data": config.data.model_copy(update=update)})
            made.append(Fold(number, repetition + 1, fold + 1, own, Run(folder / "folds" / str(number))))
    return made


def _write(path: Path, pool: Pool, chosen: "NDArray[np.bool_]", config: Config) -> None:
    """The columns are called as the config calls them, since a validation set of its own may have them too."""
    columns = config.data.csv
    header: list[str]
    parts: list[Sequence[object]]
    if isinstance(columns.label, str):
        header, parts = [columns.path, columns.label], [pool.paths, pool.labels]
    else:
        own = [set(pool.classes_of(row)) for row in range(len(pool.paths))]
        each = [[int(name_form(name) in names) for names in own] for name in columns.label]
        header, parts = [columns.path, *columns.label], [pool.paths, *each]
    if pool.groups and columns.group is not None:
        header, parts = [*header, columns.group], [*parts, pool.groups]
    rows = [row for row, is_chosen in zip(zip(*parts, strict=True), chosen, strict=True) if is_chosen]
    files.write_csv(path, header, rows)
