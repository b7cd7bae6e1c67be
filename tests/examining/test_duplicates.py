"""Near-duplicates: found by their hashes without comparing all pairs, and confirmed by their pixels."""

import numpy as np
import pytest

from cnnctl.data.decoder.images import Image, opencv
from cnnctl.examining.duplicates import find_groups
from cnnctl.examining.hashes import RADIUS, _sharing, greys, hashes_of, similar_pairs
from tests.images import photo


def found(hashes: np.ndarray) -> set[tuple[int, int]]:
    return {(int(one), int(other)) for pairs in similar_pairs(hashes) for one, other in pairs}


def groups(images: Image) -> list[tuple[int, ...]]:
    rows = np.arange(len(images))
    return [group.rows for group in find_groups(images, rows, hashes_of(greys(images)))]


def photos(count: int, side: int = 64) -> Image:
    """Pictures of broad shapes, each of other ones."""
    cv2 = opencv()
    draws = np.random.default_rng(3)
    made = []
    for _ in range(count):
        coarse = draws.integers(0, 256, (6, 6, 3)).astype(np.uint8)
        made.append(cv2.resize(coarse, (side, side), interpolation=cv2.INTER_CUBIC))
    return np.stack(made)


def test_every_pair_within_the_radius_is_found_and_no_other() -> None:
    draws = np.random.default_rng(0)
    hashes = draws.integers(0, 2**64 - 1, 300, dtype=np.uint64)
    for row in range(100):  # others of one to nine bits more
        bits = draws.choice(64, 1 + row % 9, replace=False)
        hashes[200 + row] = hashes[row] ^ np.bitwise_or.reduce(np.uint64(1) << bits.astype(np.uint64))
    differ = np.bitwise_count(hashes[:, None] ^ hashes[None, :])
    wanted = {(int(a), int(b)) for a, b in np.argwhere(np.triu(differ <= RADIUS, 1))}
    assert len(wanted) > 50
    assert found(hashes) == wanted


def test_equal_hashes_are_a_chain() -> None:
    assert found(np.full(1000, 7, np.uint64)) == {(row, row + 1) for row in range(999)}
    assert found(np.zeros(0, np.uint64)) == set()
    assert found(np.zeros(1, np.uint64)) == set()


def test_not_all_pairs_are_compared() -> None:
    hashes = np.random.default_rng(1).integers(0, 2**64 - 1, 20_000, dtype=np.uint64)
    compared = sum(len(lower) for lower, _ in _sharing(hashes, 9))
    assert 0 < compared < 20_000**2 / 2 / 300  # one of 512 shares the first 9 bits
    crowded = hashes >> np.uint64(20)  # all begin with 20 zeros
    assert sum(len(lower) for lower, _ in _sharing(crowded, 9)) <= 20_000 * 400


def test_changed_copies_are_found_and_other_photos_are_not() -> None:
    cv2 = opencv()
    images = photos(40)
    first = images[0]
    noisy = np.clip(first + np.random.default_rng(0).normal(0, 8, first.shape), 0, 255).astype(np.uint8)
    compressed = cv2.imdecode(cv2.imencode(".jpg", first, (cv2.IMWRITE_JPEG_QUALITY, 25))[1], cv2.IMREAD_COLOR)
    brighter = np.clip(first * 0.8 + 40, 0, 255).astype(np.uint8)
    smaller = cv2.resize(cv2.resize(first, (24, 24), interpolation=cv2.INTER_AREA), (64, 64))
    grey = np.repeat(cv2.cvtColor(first, cv2.COLOR_RGB2GRAY)[..., None], 3, axis=2)
    copies = np.stack([noisy, compressed, brighter, smaller, grey])
    assert groups(np.concatenate([images, copies])) == [(0, 40, 41, 42, 43, 44)]


def test_a_thousand_copies_are_one_group() -> None:
    images = np.concatenate([photos(3), np.repeat(photos(4)[3:], 1000, axis=0)])
    assert groups(images) == [tuple(range(3, 1003))]


@pytest.mark.parametrize("images", [np.zeros((5, 40, 40, 3), np.uint8), np.zeros((1, 40, 40, 1), np.uint8)])
def test_images_of_one_colour_are_no_duplicates_of_each_other(images: Image) -> None:
    assert groups(images) == []


def test_handwriting_of_eight_pixels_is_no_duplicate() -> None:
    from sklearn.datasets import load_digits

    digits = np.rint(load_digits().images * 15.9375).astype(np.uint8)[..., None]
    assert groups(digits) == []
    assert groups(np.concatenate([digits, digits[5:6]])) == [(5, len(digits))]


def test_what_is_usual_in_a_data_set_is_no_sign() -> None:
    scene = photo(64, 64).astype(np.int64)
    draws = np.random.default_rng(5)
    coarse = draws.integers(-40, 41, (60, 6, 6, 1)).repeat(11, axis=1).repeat(11, axis=2)[:, :64, :64]
    scans = np.clip(scene[None] + coarse, 0, 255).astype(np.uint8)  # as of one camera that does not move
    assert len(groups(scans)) == 0
