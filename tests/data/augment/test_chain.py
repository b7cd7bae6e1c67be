"""The random numbers: a variation depends on (seed, epoch, image) and on nothing else."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from cnnctl.config.augmentations import (
    AUGMENTATIONS,
    AugmentationStep,
    CutMix,
    MixUp,
    RandAugment,
    RandomBrightness,
    RandomContrast,
    RandomCrop,
    RandomErasing,
    RandomFlip,
    RandomRotation,
    RandomTranslation,
    RandomZoom,
)
from cnnctl.data.augment import augmenter
from cnnctl.data.augment.chain import random_generator
from tests.data.augment.compare import vary, vary_all
from tests.images import photo

EVERY_STEP: Sequence[AugmentationStep] = (
    RandomCrop(height=12, width=20),
    RandomFlip(),
    RandomRotation(factor=(-0.1, 0.1)),
    RandomBrightness(factor=(-0.1, 0.1)),
    RandomTranslation(height_factor=(-0.1, 0.1), width_factor=(-0.1, 0.1), fill_mode="constant"),
    RandomZoom(height_factor=(-0.1, 0.1)),
    MixUp(alpha=0.6),
    RandAugment(),
    RandomContrast(factor=(0.2, 0.2)),
    CutMix(),
    RandomErasing(),
)
COUNT = 40


def images() -> np.ndarray:
    return np.stack([photo(16, 24, seed) for seed in range(COUNT)])


def test_every_step_takes_part() -> None:
    assert {step.kind for step in EVERY_STEP} == set(AUGMENTATIONS)


def test_no_step_is_no_augmentation() -> None:
    assert augmenter([], 0, images().__getitem__, COUNT) is None


def test_any_order_and_any_thread() -> None:
    """4 threads over three epochs in a shuffled order see what one thread sees in order, pixels and labels."""
    vary_one = augmenter(EVERY_STEP, 5, images().__getitem__, COUNT)
    assert vary_one is not None
    asked = [(number, epoch) for epoch in range(3) for number in range(COUNT)]
    in_order = {which: vary_one(*which) for which in asked}
    shuffled = [asked[place] for place in np.random.default_rng(0).permutation(len(asked))]
    with ThreadPoolExecutor(4) as pool:
        for which, found in zip(shuffled, pool.map(lambda one: vary_one(*one), shuffled), strict=True):
            assert np.array_equal(found.image, in_order[which].image)
            assert found.shares == in_order[which].shares
    different = {found.image.tobytes() for found in in_order.values()}
    assert len(different) == len(asked)


@pytest.mark.parametrize("step", EVERY_STEP, ids=lambda step: step.kind)
def test_seed_epoch_and_image_decide(step: AugmentationStep) -> None:
    """In 30 images of one picture each of the three makes a difference somewhere."""
    same = np.stack([photo(16, 24)] * 30) if step.kind not in ("mix_up", "cut_mix") else images()[:30]

    def results(seed: int, epoch: int) -> list[bytes]:
        return [one.image.tobytes() for one in vary_all(same, step, seed=seed, epoch=epoch)]

    first = results(5, 3)
    assert results(5, 3) == first
    assert results(6, 3) != first
    assert results(5, 4) != first
    assert len(set(first)) > 1


@pytest.mark.parametrize(
    "before",
    [
        RandomBrightness(factor=(0.0, 0.0)),
        RandomErasing(factor=(0.0, 0.0)),
        RandomCrop(height=16, width=24),
        RandomTranslation(height_factor=(0.0, 0.0), width_factor=(0.0, 0.0)),
        CutMix(factor=(1.0, 1.0)),
    ],
    ids=lambda step: step.kind,
)
@pytest.mark.parametrize(
    "step", [RandomRotation(factor=(-0.2, 0.2)), RandAugment(), RandomErasing()], ids=lambda s: s.kind
)
def test_a_step_draws_the_same_whatever_went_before(before: AugmentationStep, step: AugmentationStep) -> None:
    """Each step has a stream of its own: what another step draws, and how much, does not shift it.

    The image is one of a set of equal ones, so that cut_mix changes nothing.
    """
    image = photo(16, 24)
    nothing = RandomContrast(factor=(0.0, 0.0))
    for number in range(10):
        expected = vary(image, nothing, step, number=number)
        assert np.array_equal(vary(image, before, step, number=number), expected)


@pytest.mark.parametrize(
    ("mode", "ways"),
    [
        ("horizontal", ("", "h", "", "h")),
        ("vertical", ("", "v", "", "v")),
        ("horizontal_and_vertical", ("", "h", "v", "hv")),
    ],
)
def test_a_flip_that_alternates_is_drawn_once(mode: str, ways: Sequence[str]) -> None:
    """In the first epoch as without it; then always the other way, whatever steps are around it."""
    pictures = images()
    plain, other = RandomFlip(mode=mode), RandomFlip(mode=mode, alternate=True)
    first = vary_all(pictures, plain, seed=3)
    drawn = {one.image.tobytes() == picture.tobytes() for one, picture in zip(first, pictures, strict=True)}
    assert drawn == {True, False}
    for epoch in range(8):
        way = ways[epoch % 4]
        found = vary_all(pictures, other, seed=3, epoch=epoch)
        for one, begun in zip(found, first, strict=True):
            expected = begun.image[:, ::-1] if "h" in way else begun.image
            assert np.array_equal(one.image, expected[::-1] if "v" in way else expected)
    shifted = [RandomTranslation(height_factor=(0.25, 0.25), width_factor=(0.0, 0.0), fill_mode="wrap"), other]
    if mode == "horizontal":
        for one, begun in zip(vary_all(pictures, *shifted, seed=3, epoch=5), pictures, strict=True):
            rolled = np.roll(begun, 4, axis=0)
            assert np.array_equal(one.image, rolled) or np.array_equal(one.image, rolled[:, ::-1])
        again = vary_all(pictures, *shifted, seed=3, epoch=7)
        assert all(
            np.array_equal(a.image, b.image)
            for a, b in zip(again, vary_all(pictures, *shifted, seed=3, epoch=5), strict=True)
        )


def test_the_input_is_never_written_to() -> None:
    """Nor is it what comes out, even where no step changes anything."""
    pictures = images()
    before = pictures.copy()
    pictures.flags.writeable = False
    for one in vary_all(pictures, *EVERY_STEP):
        assert not np.shares_memory(one.image, pictures)
    flips = vary_all(pictures, RandomFlip(mode="horizontal"))
    unchanged = [np.array_equal(one.image, picture) for one, picture in zip(flips, pictures, strict=True)]
    assert set(unchanged) == {True, False}
    for one in flips:
        assert not np.shares_memory(one.image, pictures)
        one.image[:] = 0
    assert np.array_equal(pictures, before)


@pytest.mark.parametrize("step", EVERY_STEP, ids=lambda step: step.kind)
def test_pixels_of_a_mapped_file(step: AugmentationStep, tmp_path_factory: pytest.TempPathFactory) -> None:
    """The cache is an np.memmap; what comes out is an array like any other."""
    path = tmp_path_factory.mktemp("mapped") / "pixels"
    path.write_bytes(images().tobytes())
    mapped = np.memmap(path, np.uint8, "r", shape=images().shape)
    for found, expected in zip(vary_all(mapped, step), vary_all(images(), step), strict=True):
        assert type(found.image) is np.ndarray
        assert np.array_equal(found.image, expected.image)


def test_streams_do_not_overlap() -> None:
    """The first four numbers of 6,000 (seed, epoch, image, step) are all different."""
    drawn = [
        tuple(random_generator(seed, epoch, image, step).random(4))
        for seed in (0, 2**31 - 1)
        for epoch in range(20)
        for image in range(50)
        for step in range(3)
    ]
    assert len({number for numbers in drawn for number in numbers}) == 4 * len(drawn)


def test_streams_stay_what_they_are() -> None:
    """Those of Philox with this key and counter, so that a run can be repeated by another version of cnnctl."""
    expected = np.random.Philox(key=np.array([7, 0xA06], np.uint64), counter=np.array([0, 3, 2, 1], np.uint64))
    found = random_generator(seed=7, epoch=1, image=2, step=3)
    assert np.array_equal(found.random(50), np.random.Generator(expected).random(50))
