"""Processes that keep a part of the images each: together they make the batches of one that has them all."""

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from cnnctl.config import Config
from cnnctl.config.schema import PARTS
from cnnctl.data import sharing
from cnnctl.data.augment import augmenter
from cnnctl.data.batches import dealt_order, parts_of
from cnnctl.data.catalog import make_catalog
from cnnctl.data.decoder.images import opencv
from cnnctl.data.prepare import Prepared, prepare
from cnnctl.data.sharing import Sharer, deal_out
from cnnctl.data.split import TEST, TRAIN, VALIDATION
from cnnctl.evaluation.foreign import learn_familiar
from cnnctl.models.devices import Device
from cnnctl.training.feeding import make_feeds
from tests.config.build import config

IMAGES, DAMAGED = 1300, 7
SIZES = (960, 448, 704, 832, 576)
"""Batch sizes that one or another of 1 to 16 processes can share."""


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Class folders of images that tell their number; a few cannot be decoded."""
    folder = tmp_path_factory.mktemp("photos")
    for number in range(IMAGES):
        pixels = np.full((2, 2, 3), (number % 256, number // 256, 7), np.uint8)
        pixels[0, 0] = 255
        path = folder / f"class-{number % 2}" / f"{number:04}.png"
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(b"damaged" if number < DAMAGED else opencv().imencode(".png", pixels)[1].tobytes())
    return folder


@pytest.fixture(scope="module")
def chosen(photos: Path) -> Config:
    data = f"{{train: {photos}, validation: 0.1, test: 0.05, image: {{size: 2}}, cache: off, on_bad_image: skip, "
    return config(
        f"data: {data}keep: parts}}\naugment: [random_flip, mix_up]\nmodel: [flatten]\ntrain: {{batch_size: 960}}\n"
    )


@pytest.fixture(autouse=True)
def few_in_common(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sharing, "COMMON", 40)


def prepared_by(processes: int, chosen: Config) -> list[Prepared]:
    """What each of some processes prepares, at the same time."""
    barrier, told = threading.Barrier(processes), [b""] * processes

    def work(process: int) -> Prepared:
        def gather(own: bytes) -> list[bytes]:
            told[process] = own
            barrier.wait(60)
            return list(told)

        catalog = make_catalog(chosen.data, chosen.seed)
        sharer = Sharer(chosen.seed, process, processes, gather)
        return prepare(chosen.data, catalog, lambda done, total: None, sharer=sharer)

    with ThreadPoolExecutor(processes) as pool:
        return list(pool.map(work, range(processes)))


@pytest.fixture(scope="module")
def alone(chosen: Config) -> Prepared:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sharing, "COMMON", 40)
        return prepared_by(1, chosen)[0]


def batches(prepared: Prepared, chosen: Config, size: int, process: int, processes: int) -> Iterator[tuple]:
    """What a process makes of two epochs of batches."""
    device = Device("cpu", "a processor", "float32", "", True, 1, 0, process, processes)
    sized = chosen.model_copy(update={"train": chosen.train.model_copy(update={"batch_size": size})})
    feeds = make_feeds(sized, prepared, device)
    try:
        for epoch in (0, 3):
            feeds.training.begin_epoch(epoch)
            yield from (feeds.training.make(epoch, index) for index in range(len(feeds.training)))
    finally:
        feeds.close()


def share_of(alone: Prepared, chosen: Config, process: int, processes: int) -> Prepared:
    """What a process has of what one alone has."""
    splits = make_catalog(chosen.data, chosen.seed).frame.split.to_numpy(object)
    kept = deal_out(splits, chosen.seed).kept_by(process, processes)
    places = np.full(len(splits), -1)
    places[kept] = np.arange(len(kept))
    return replace(alone, rows=places[alone.rows], pixels=alone.pixels[kept])


@pytest.mark.parametrize("processes", range(1, 17))
def test_any_number_of_processes_makes_the_same_batches(processes: int, chosen: Config, alone: Prepared) -> None:
    size = next(size for size in SIZES if size % processes == 0)
    shared = [share_of(alone, chosen, process, processes) for process in range(processes)]
    made = [batches(one, chosen, size, process, processes) for process, one in enumerate(shared)]
    for whole, *parts in zip(batches(alone, chosen, size, 0, 1), *made, strict=True):
        for place, array in enumerate(whole):
            np.testing.assert_array_equal(np.concatenate([part[place] for part in parts]), array)
    for process, one in enumerate(shared):
        here = one.split(TRAIN).rows >= 0
        assert here.sum() <= (-(-PARTS // processes) + 1) * -(-len(here) // PARTS) + 40
        assert (one.split(VALIDATION).rows >= 0).all()
        assert (one.split(TEST).rows >= 0).all() == (process == 0)
        assert (one.sampled().rows >= 0).all()


def test_processes_tell_each_other_what_they_decoded(chosen: Config, alone: Prepared) -> None:
    for process, one in enumerate(prepared_by(3, chosen)):
        expected = share_of(alone, chosen, process, 3)
        np.testing.assert_array_equal(one.rows, expected.rows)
        np.testing.assert_array_equal(one.pixels, expected.pixels)
        np.testing.assert_array_equal(one.digests, alone.digests)
        assert list(one.listing()) == list(alone.listing())
        assert [notice.message for notice in one.warnings] == [notice.message for notice in alone.warnings]


def test_what_cannot_be_decoded_is_told_to_all(chosen: Config, alone: Prepared) -> None:
    assert alone.undecodable == DAMAGED
    (told,) = (notice.message for notice in alone.warnings if "decoded" in notice.message)
    assert told.startswith("7 images cannot be decoded and are skipped")


def test_a_batch_has_as_many_images_of_each_part(chosen: Config) -> None:
    parts = deal_out(np.array([TRAIN] * 1000, object), seed=3).parts
    assert sorted(set(np.bincount(parts))) == [15, 16]
    seen = set()
    for epoch in range(20):
        order = dealt_order(parts, 128, 3, epoch)
        assert len(order) == len(set(order)) == 7 * 128
        for batch in order.reshape(7, 128):
            np.testing.assert_array_equal(parts[batch], np.repeat(np.arange(PARTS), 2))
        seen |= set(order.tolist())
    assert len(seen) == 1000
    assert not np.array_equal(deal_out(np.array([TRAIN] * 1000, object), seed=4).parts, parts)


def test_the_parts_of_all_processes_are_all_parts() -> None:
    for processes in range(1, 100):
        held = [list(parts_of(process, processes)) for process in range(processes)]
        assert {part for one in held for part in one} == set(range(PARTS))
        assert max(map(len, held)) <= -(-PARTS // processes) + 1
        assert PARTS % processes or sum(map(len, held)) == PARTS


def test_a_partner_is_of_the_same_part(chosen: Config, alone: Prepared) -> None:
    split = alone.split(TRAIN)
    members = {part: np.flatnonzero(split.parts == part) for part in range(PARTS)}
    vary = augmenter(
        chosen.augment,
        0,
        lambda number: alone.pixels[split.rows[number]],
        len(split.rows),
        lambda number: members[int(split.parts[number])],
    )
    shares = [vary(number, 0).shares for number in range(200)]
    assert all(len({int(split.parts[number]) for number, _ in one}) == 1 for one in shares)
    assert len({number for one in shares for number, _ in one}) > 250


def test_what_is_foreign_is_learned_of_images_that_all_have(chosen: Config, alone: Prepared) -> None:
    seen: list[int] = []

    def features(images: np.ndarray) -> np.ndarray:
        seen.append(len(images))
        return images.reshape(len(images), -1).astype(np.float32)

    one = learn_familiar(alone, alone.pixels, features, 0)
    assert sum(seen) == alone.common.sum() == 40
    first = share_of(alone, chosen, 0, 3)
    np.testing.assert_array_equal(learn_familiar(first, first.pixels, features, 0).points, one.points)


def test_all_images_are_learned_where_none_are_shared(alone: Prepared) -> None:
    plain = replace(alone, parts=None, common=None)
    np.testing.assert_array_equal(plain.sampled().rows, plain.split(TRAIN).rows)
    assert plain.sampled().parts is None
