"""Which image is in which split: stratified by class, by group where asked, a pure function of names and seed."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from cnnctl.data.labels import encode
from cnnctl.data.several import joined, names_of
from cnnctl.data.stratify import iterative
from cnnctl.errors import DataError

TRAIN, VALIDATION, TEST = "train", "validation", "test"
SPLITS = (TRAIN, VALIDATION, TEST)


def quota(count: int, share: float) -> int:
    """How many of a class's `count` images a share takes: rounded, at least one when the share is above 0."""
    return max(1, round(count * share)) if share > 0 else 0


def least_images(validation: float, test: float) -> int:
    """Images that a class needs, so that each split gets one."""
    return 1 + (validation > 0) + (test > 0)


def stratified(labels: Sequence[str], validation: float, test: float, seed: int) -> NDArray[np.str_]:
    """Split every class by the same shares of the whole; test is drawn first.

    The shares are 0 to below 1; `labels` has the class of each image.

    Returns:
        The split of each image.

    Raises:
        DataError: a class has fewer images than there are splits.
    """
    generator = np.random.default_rng(seed)
    names = np.asarray(labels)
    splits = np.full(len(names), TRAIN, dtype="U10")
    for name in sorted(set(labels)):
        rows = np.flatnonzero(names == name)
        needed = least_images(validation, test)
        if len(rows) < needed:
            raise DataError(f"the class {name} has {len(rows)} image(s), too few to split; each needs {needed}")
        rows = generator.permutation(rows)
        tests = min(quota(len(rows), test), len(rows) - least_images(validation, 0))
        validations = min(quota(len(rows), validation), len(rows) - tests - 1)
        splits[rows[:tests]] = TEST
        splits[rows[tests : tests + validations]] = VALIDATION
    return splits


def stratified_several(labels: Sequence[str], validation: float, test: float, seed: int) -> NDArray[np.str_]:
    """Split images with several labels, so that each split has its share of every label.

    Raises:
        DataError: a class has fewer images than there are splits.
    """
    classes = names_of(joined(name for label in set(labels) for name in names_of(label)))
    rows = encode(labels, classes, "the data", several=True)
    counts, needed = rows.sum(axis=0, dtype=np.int64), least_images(validation, test)
    for name, count in zip(classes, counts.tolist(), strict=True):
        if count < needed:
            raise DataError(f"the class {name} has {count} image(s), too few to split; each needs {needed}")
    shares = {TEST: test, VALIDATION: validation}
    drawn = {name: [quota(count, share) for count in counts.tolist()] for name, share in shares.items() if share > 0}
    sizes = [round(len(rows) * shares[name]) for name in drawn]
    rest = counts - np.sum(list(drawn.values()), axis=0, dtype=np.int64) if drawn else counts
    wanted = np.array([*drawn.values(), rest], np.float64)
    chosen = iterative(rows.astype(np.uint8), wanted, np.array([*sizes, len(rows) - sum(sizes)], np.float64), seed)
    return np.array([*drawn, TRAIN], dtype="U10")[chosen]


def grouped(
    labels: Sequence[str], groups: Sequence[str], validation: float, test: float, seed: int, several: bool = False
) -> NDArray[np.str_]:
    """Split so that no group is in two splits, and the shares of each class are as near as whole groups allow.

    Groups in random order, the largest first, each go to the split that lacks most images of their classes (the greedy
    method of scikit-learn's StratifiedGroupKFold, for shares instead of folds).

    `labels` and `groups` have the class and the group of each image, the shares are of all images, and `seed` decides
    ties. Images that may have `several` labels count for each of them; those without one are a class of their own.

    Raises:
        DataError: there are fewer groups than splits.
    """
    shares = {TEST: test, VALIDATION: validation, TRAIN: 1 - validation - test}
    shares = {name: share for name, share in shares.items() if share > 0}
    group_names, group_of = np.unique(np.asarray(groups), return_inverse=True)
    if len(group_names) < len(shares):
        raise DataError(f"there are {len(group_names)} group(s) for {len(shares)} splits", "use fewer splits")
    parts = [names_of(label) or ("",) if several else (label,) for label in labels]
    class_names, class_of = np.unique([name for names in parts for name in names], return_inverse=True)
    counts = np.zeros((len(group_names), len(class_names)))
    np.add.at(counts, (np.repeat(group_of, [len(names) for names in parts]), class_of), 1)
    lacking = {name: share * counts.sum(axis=0) for name, share in shares.items()}
    generator = np.random.default_rng(seed)
    order = generator.permutation(len(group_names))
    order = order[np.argsort(-counts[order].sum(axis=1), kind="stable")]
    chosen = np.empty(len(group_names), dtype="U10")
    for place, group in enumerate(order):
        empty = [name for name in shares if name not in chosen[order[:place]]]
        candidates = empty if len(empty) == len(order) - place else list(shares)
        best = max(candidates, key=lambda name: float(counts[group] @ lacking[name]))
        chosen[group] = best
        lacking[best] = lacking[best] - counts[group]
    return chosen[group_of]
