"""MixUp and CutMix against Keras' layers, given the same weights, boxes and partners; then what is drawn."""

import math
from typing import Any

import numpy as np
import pytest

from cnnctl.config.augmentations import CutMix, MixUp, RandomBrightness, RandomCrop, RandomFlip, RandomRotation
from cnnctl.data.augment import augmenter, mixes
from cnnctl.data.augment.chain import random_generator
from cnnctl.data.augment.mixing import cut_mix, mix, mix_up, random_cut
from cnnctl.data.augment.pixels import Box
from tests.data.augment.compare import (
    DRAWS,
    check_range,
    check_rounded,
    check_same_boxes,
    check_same_distribution,
    keras_layer,
    vary,
    vary_all,
)
from tests.images import photo

COUNT, HEIGHT, WIDTH = 12, 20, 32


def images(channels: int = 3) -> np.ndarray:
    """uint8 (COUNT, HEIGHT, WIDTH, channels)."""
    return np.stack([photo(HEIGHT, WIDTH, seed)[:, :, :channels] for seed in range(COUNT)])


def labels(shares: tuple[tuple[int, float], ...]) -> np.ndarray:
    """The label of a mixture where every image is a class of its own."""
    label = np.zeros(COUNT)
    for number, share in shares:
        label[number] += share
    return label


@pytest.mark.parametrize("channels", [1, 3])
def test_mix_up_against_keras(channels: int) -> None:
    """Every image of a set at once, its pixels and its label, by the partners and shares that we drew."""
    pictures = images(channels)
    found = vary_all(pictures, MixUp(alpha=1.0))
    own = np.array([one.shares[0][1] for one in found])
    partners = np.array([one.shares[1][0] for one in found])
    transformation = {"mix_weight": own.astype(np.float32), "permutation_order": partners}
    layer = keras_layer("MixUp")
    expected = np.asarray(layer.transform_images(pictures.astype(np.float32), transformation))
    expected_labels = np.asarray(layer.transform_labels(np.eye(COUNT, dtype=np.float32), transformation))
    for number, one in enumerate(found):
        check_rounded(one.image, expected[number])
        assert one.shares[0][0] == number
        np.testing.assert_allclose(labels(one.shares), expected_labels[number], atol=1e-6)
    assert len(set(partners.tolist())) > 3
    assert own.std() > 0.2


@pytest.mark.parametrize("channels", [1, 3])
def test_cut_mix_against_keras(channels: int) -> None:
    """The box is drawn again by the same numbers; its pixels are Keras', and the label's share is that of these pixels.

    Keras' label has the share of the box before it is rounded to pixels.
    """
    pictures, step = images(channels), CutMix(factor=(1.0, 1.0))
    layer = keras_layer("CutMix")
    for number, one in enumerate(vary_all(pictures, step)):
        generator = random_generator(0, 0, number, 0)
        partner = int(generator.integers(COUNT))
        top, left, height, width = (np.array([side], np.float32) for side in random_cut(step, generator, HEIGHT, WIDTH))
        corners = (left, left + width, top, top + height)
        masks, weight = layer._generate_batch_mask((1, HEIGHT, WIDTH, channels), corners)
        pair = pictures[[number, partner]].astype(np.float32)
        transformation = {
            "batch_masks": np.concatenate([masks, masks]),
            "mix_weight": np.concatenate([weight, weight]),
            "permutation_order": np.array([1, 0]),
        }
        assert np.array_equal(one.image, np.asarray(layer.transform_images(pair, transformation))[0])
        onehot = np.eye(COUNT, dtype=np.float32)[[number, partner]]
        theirs = np.asarray(layer.transform_labels(onehot, transformation))[0]
        pasted = float(np.asarray(masks[0], float).mean())
        np.testing.assert_allclose(labels(one.shares), (1 - pasted) * onehot[0] + pasted * onehot[1], atol=1e-6)
        np.testing.assert_allclose(labels(one.shares), theirs, atol=(HEIGHT + WIDTH) / (HEIGHT * WIDTH))


def test_mix_up_is_the_blend() -> None:
    black, white = np.zeros((3, 4, 3), np.uint8), np.full((3, 4, 3), 255, np.uint8)
    assert np.array_equal(mix_up(white, black, 0.2), np.full((3, 4, 3), 51))
    assert np.array_equal(mix_up(white, black, 1.0), white)
    assert np.array_equal(mix_up(white, black, 0.0), black)


def test_cut_mix_pastes_whole_pixels() -> None:
    """Those whose numbers lie in the box: rows 2 and 3, columns 1 to 4."""
    black, white = np.zeros((6, 8, 3), np.uint8), np.full((6, 8, 3), 255, np.uint8)
    mixed = cut_mix(black, white, Box(1.2, 0.5, 2.3, 4.0))
    expected = black.copy()
    expected[2:4, 1:5] = 255
    assert np.array_equal(mixed, expected)
    assert not black.any()


class TestLabels:
    @pytest.mark.parametrize("step", [MixUp(alpha=0.4), CutMix()], ids=lambda step: step.kind)
    def test_shares_sum_to_one(self, step: MixUp | CutMix) -> None:
        for epoch in range(5):
            for one in vary_all(images(), step, step, epoch=epoch):
                assert len(one.shares) == 4
                assert sum(share for _, share in one.shares) == pytest.approx(1, abs=1e-12)
                assert all(0 <= share <= 1 and 0 <= number < COUNT for number, share in one.shares)

    def test_the_share_of_a_cut_is_that_of_its_pixels(self) -> None:
        """Black images and one white one, so small that a box cuts through many pixels."""
        pictures = np.zeros((2, 16, 20, 3), np.uint8)
        pictures[1] = 255
        seen = set()
        for epoch in range(60):
            one = vary_all(pictures, CutMix(), epoch=epoch)[0]
            seen.add(labels(one.shares)[1])
            assert one.image.mean() / 255 == pytest.approx(labels(one.shares)[1], abs=1e-9)
        assert len(seen) > 10

    def test_without_mixing_the_label_is_the_images(self) -> None:
        assert [one.shares for one in vary_all(images(), RandomFlip())] == [((n, 1.0),) for n in range(COUNT)]

    def test_mixes(self) -> None:
        assert mixes([RandomFlip(), MixUp()])
        assert mixes([CutMix()])
        assert not mixes([RandomFlip(), RandomBrightness(factor=(0.0, 0.1))])
        assert not mixes([])


class TestPartners:
    BEFORE = (RandomFlip(), RandomRotation(factor=(-0.2, 0.2)))

    def test_a_partner_is_what_it_is_itself_by_then(self) -> None:
        """It has undergone the steps before, with its own random numbers of the same epoch."""
        before = vary_all(images(), *self.BEFORE, epoch=3)
        for number, one in enumerate(vary_all(images(), *self.BEFORE, MixUp(alpha=1.0), epoch=3)):
            (_, own), (partner, _) = one.shares
            assert np.array_equal(one.image, mix_up(before[number].image, before[partner].image, own))

    def test_a_partner_that_is_a_mixture_itself(self) -> None:
        """A second mixing step mixes mixtures, and the label has a share of all four."""
        steps = (MixUp(alpha=1.0), RandomFlip())
        before = vary_all(images(), *steps)
        for number, one in enumerate(vary_all(images(), *steps, MixUp(alpha=0.7))):
            generator = random_generator(0, 0, number, 2)
            partner = int(generator.integers(COUNT))
            mixed, own = mix(MixUp(alpha=0.7), before[number].image, before[partner].image, generator)
            assert np.array_equal(one.image, mixed)
            expected = own * labels(before[number].shares) + (1 - own) * labels(before[partner].shares)
            np.testing.assert_allclose(labels(one.shares), expected, atol=1e-12)

    def test_steps_after_it_apply_to_the_mixture(self) -> None:
        crop = RandomCrop(height=HEIGHT, width=WIDTH - 4)  # always the same window
        for mixed, after in zip(vary_all(images(), CutMix()), vary_all(images(), CutMix(), crop), strict=True):
            assert np.array_equal(after.image, vary(mixed.image, crop))
            assert after.shares == mixed.shares

    def test_every_image_is_as_likely(self) -> None:
        vary_one = augmenter([MixUp()], 0, lambda number: np.full((1, 1, 1), number, np.uint8), 5)
        assert vary_one is not None
        partners = [vary_one(number % 5, number // 5).shares[1][0] for number in range(DRAWS)]
        assert all(partners.count(number) / DRAWS == pytest.approx(0.2, abs=0.03) for number in range(5))

    def test_a_single_image_mixes_with_itself(self) -> None:
        picture = images()[:1]
        for step in (MixUp(), CutMix()):
            assert np.array_equal(vary_all(picture, step)[0].image, picture[0])


class TestRanges:
    @pytest.mark.parametrize("alpha", [0.2, 1.0, 8.0])
    def test_mix_up(self, alpha: float) -> None:
        blank = np.zeros((1, 1, 1), np.uint8)
        found = [mix(MixUp(alpha=alpha), blank, blank, random_generator(2, 0, n, 0))[1] for n in range(DRAWS)]
        layer = keras_layer("MixUp", alpha=alpha)
        expected = layer.get_random_transformation(np.zeros((DRAWS, 1, 1, 1), np.float32))["mix_weight"]
        check_same_distribution(found, expected)

    @pytest.mark.parametrize("alpha", [0.1, 0.5, 1.0])
    def test_cut_mix(self, alpha: float) -> None:
        """The share, and where the box lies in what is left."""
        step = CutMix(factor=(alpha, alpha))
        boxes = [random_cut(step, random_generator(2, 0, n, 0), HEIGHT, WIDTH) for n in range(DRAWS)]
        layer = keras_layer("CutMix", factor=(alpha, alpha))
        expected = layer.get_random_transformation(np.zeros((DRAWS, HEIGHT, WIDTH, 1), np.float32))
        shares = [1 - box.height * box.width / (HEIGHT * WIDTH) for box in boxes]
        check_same_distribution(np.round(shares, 5), np.round(expected["mix_weight"], 5))  # float32 ends at 6e-8
        masks = np.zeros((DRAWS, HEIGHT, WIDTH), bool)
        for mask, box in zip(masks, boxes, strict=True):
            mask[box.pixels()] = True
        check_same_boxes(masks, np.asarray(expected["batch_masks"])[:, :, :, 0])
        assert all(box.height / HEIGHT == pytest.approx(box.width / WIDTH) for box in boxes)

    def test_the_alpha_of_cut_mix_is_drawn_too(self) -> None:
        """Keras draws it once for a batch: 500 batches of one against 2,000 of our images."""
        step = CutMix(factor=(0.0, 1.0))
        boxes = [random_cut(step, random_generator(2, 0, n, 0), HEIGHT, WIDTH) for n in range(DRAWS)]
        layer = keras_layer("CutMix", factor=(0.0, 1.0))
        expected = [float(np.asarray(layer._generate_mix_weight(1, layer.generator))[0]) for _ in range(500)]
        check_same_distribution([1 - box.height * box.width / (HEIGHT * WIDTH) for box in boxes], expected)

    @pytest.mark.parametrize("step", [MixUp(alpha=1e-6), CutMix(factor=(0.0, 0.0))], ids=lambda step: step.kind)
    def test_an_alpha_of_almost_nothing(self, step: MixUp | CutMix) -> None:
        """Either image, whole, and each about as often."""
        blank = np.zeros((4, 4, 1), np.uint8)
        shares: list[Any] = [mix(step, blank, blank, random_generator(0, 0, n, 0))[1] for n in range(200)]
        assert all(min(share, 1 - share) < 1e-3 for share in shares)
        assert np.mean(shares) == pytest.approx(0.5, abs=0.12)
        assert not any(map(math.isnan, shares))

    def test_mix_up_covers_everything(self) -> None:
        blank = np.zeros((1, 1, 1), np.uint8)
        found = [mix(MixUp(alpha=1.0), blank, blank, random_generator(2, 0, n, 0))[1] for n in range(DRAWS)]
        check_range(found, 0, 1)
