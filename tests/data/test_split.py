"""Splits: shares, disjoint and complete by construction of one array, repeatable, and whole groups."""

from collections import Counter

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from cnnctl.data.split import SPLITS, TEST, TRAIN, VALIDATION, grouped, least_images, quota, stratified
from cnnctl.errors import DataError

shares = st.one_of(st.just(0.0), st.floats(0.01, 0.9))
class_sizes = st.lists(st.integers(3, 120), min_size=1, max_size=5)


def labels_of(sizes: list[int], seed: int = 0) -> list[str]:
    """So many images of each class, mixed."""
    labels = [f"class {number}" for number, size in enumerate(sizes) for _ in range(size)]
    return np.random.default_rng(seed).permutation(labels).tolist()


@settings(deadline=None, derandomize=True)
@given(sizes=class_sizes, validation=shares, test=shares, seed=st.integers(0, 2**31 - 1))
def test_every_class_has_its_share_of_every_split(sizes: list[int], validation: float, test: float, seed: int) -> None:
    assume(validation + test < 0.99)
    labels = labels_of(sizes)
    splits = stratified(labels, validation, test, seed)
    assert splits.shape == (len(labels),)
    assert set(splits) <= set(SPLITS)
    for name, size in Counter(labels).items():
        found = Counter(splits[np.array(labels) == name].tolist())
        for split, share in ((TEST, test), (VALIDATION, validation), (TRAIN, 1 - validation - test)):
            assert bool(found[split]) == (share > 0), (name, split)
            least = 1 if share > 0 else 0
            # one image of rounding for each split, and what others had to give up to have one at all
            assert abs(found[split] - max(least, size * share)) <= 2, (name, split, found)
            if split != TRAIN and size * (1 - validation - test) >= 2:
                assert abs(found[split] - max(least, size * share)) <= 1


@settings(deadline=None, derandomize=True)
@given(count=st.integers(1, 10_000), share=st.floats(0.001, 0.99))
def test_quota(count: int, share: float) -> None:
    assert quota(count, share) >= 1
    assert quota(count, 0) == 0
    assert count * share < 1 or abs(quota(count, share) - count * share) <= 0.5


@pytest.mark.parametrize(
    ("size", "validation", "test", "expected"),
    [
        (10, 0.2, 0.0, (8, 2, 0)),
        (10, 0.2, 0.2, (6, 2, 2)),
        (3, 0.1, 0.1, (1, 1, 1)),
        (3, 0.05, 0.9, (1, 1, 1)),
        (10, 0.05, 0.9, (1, 1, 8)),
        (3, 0.9, 0.05, (1, 1, 1)),
        (2, 0.0, 0.9, (1, 0, 1)),
        (1, 0.0, 0.0, (1, 0, 0)),
        (1000, 0.3, 0.1, (600, 300, 100)),
    ],
)
def test_counts(size: int, validation: float, test: float, expected: tuple[int, int, int]) -> None:
    found = Counter(stratified(["x"] * size, validation, test, 0).tolist())
    assert (found[TRAIN], found[VALIDATION], found[TEST]) == expected


def test_the_seed_decides() -> None:
    labels = labels_of([50, 60])
    first = stratified(labels, 0.2, 0.2, 1)
    assert np.array_equal(first, stratified(labels, 0.2, 0.2, 1))
    assert not np.array_equal(first, stratified(labels, 0.2, 0.2, 2))


@settings(deadline=None, derandomize=True)
@given(
    sizes=st.lists(st.integers(10, 90), min_size=1, max_size=4), validation=st.floats(0, 0.5), seed=st.integers(0, 99)
)
def test_the_validation_share_leaves_the_test_images_alone(sizes: list[int], validation: float, seed: int) -> None:
    labels = labels_of(sizes)
    plain = stratified(labels, 0.0, 0.2, seed)
    assert np.array_equal(plain == TEST, stratified(labels, validation, 0.2, seed) == TEST)


def test_adding_a_class_at_the_end_leaves_the_others_alone() -> None:
    labels = labels_of([40, 30])
    more = [*labels, *["class 9"] * 20]
    assert np.array_equal(stratified(labels, 0.2, 0.1, 3), stratified(more, 0.2, 0.1, 3)[: len(labels)])


@pytest.mark.parametrize(("validation", "test", "needed"), [(0, 0, 1), (0.2, 0, 2), (0, 0.2, 2), (0.2, 0.2, 3)])
def test_a_class_that_is_too_small(validation: float, test: float, needed: int) -> None:
    assert least_images(validation, test) == needed
    stratified(["big"] * 9 + ["small"] * needed, validation, test, 0)
    if needed > 1:
        with pytest.raises(DataError, match=f"the class small has {needed - 1} image.* each needs {needed}"):
            stratified(["big"] * 9 + ["small"] * (needed - 1), validation, test, 0)


@settings(max_examples=200, deadline=None, derandomize=True)
@given(
    sizes=st.lists(st.integers(1, 60), min_size=3, max_size=40),
    validation=st.floats(0.05, 0.4),
    test=shares.filter(lambda share: share <= 0.4),
    seed=st.integers(0, 2**31 - 1),
)
def test_no_group_is_in_two_splits(sizes: list[int], validation: float, test: float, seed: int) -> None:
    """And none is empty, and no split misses its share by more than a group for each of the other two."""
    generator = np.random.default_rng(seed)
    groups = np.repeat([f"patient {number}" for number in range(len(sizes))], sizes)
    labels = generator.choice(["x", "y"], len(groups))
    splits = grouped(labels.tolist(), groups.tolist(), validation, test, seed)
    assert np.array_equal(splits, grouped(labels.tolist(), groups.tolist(), validation, test, seed))
    for group in set(groups):
        assert len(set(splits[groups == group])) == 1
    wanted = {TEST: test, VALIDATION: validation, TRAIN: 1 - validation - test}
    for split, share in wanted.items():
        count = int((splits == split).sum())
        assert (count > 0) == (share > 0)
        assert abs(count - share * len(groups)) <= 2 * max(sizes)


def test_shares_of_many_groups_come_out() -> None:
    """200 random tables of 40 groups: on average within 3 hundredths of the share, in each class."""
    errors = []
    for seed in range(200):
        generator = np.random.default_rng(seed)
        groups = np.repeat(np.arange(40), generator.integers(1, 20, 40)).astype(str)
        labels = generator.choice(["x", "y", "z"], len(groups), p=[0.5, 0.3, 0.2])
        splits = grouped(labels.tolist(), groups.tolist(), 0.2, 0.15, seed)
        for name in "xyz":
            here = splits[labels == name]
            errors += [abs((here == VALIDATION).mean() - 0.2), abs((here == TEST).mean() - 0.15)]
    assert np.mean(errors) < 0.03
    assert np.max(errors) < 0.2


def test_the_largest_group_is_for_training() -> None:
    """One patient with half of the images does not become the test set of a tenth."""
    groups = ["big"] * 500 + [f"small {number // 10}" for number in range(500)]
    labels = ["x", "y"] * 500
    splits = grouped(labels, groups, 0.2, 0.1, 0)
    assert set(splits[:500]) == {TRAIN}
    assert abs((splits == TEST).mean() - 0.1) <= 0.02
    assert abs((splits == VALIDATION).mean() - 0.2) <= 0.02


def test_the_seed_decides_between_equal_groups() -> None:
    groups = [str(number // 4) for number in range(80)]
    labels = ["x", "y"] * 40
    assert len({grouped(labels, groups, 0.25, 0.25, seed).tobytes() for seed in range(10)}) > 5


def test_fewer_groups_than_splits() -> None:
    with pytest.raises(DataError, match=r"there are 2 group\(s\) for 3 splits"):
        grouped(["x", "y"] * 5, ["a"] * 5 + ["b"] * 5, 0.2, 0.2, 0)
    assert len(set(grouped(["x", "y", "x"], ["a", "b", "c"], 0.2, 0.2, 0))) == 3
