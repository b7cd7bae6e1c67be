"""Variations: each step against the Keras layer of its name, composition, repeatability, and what is drawn.

Keras' own functions are given fixed settings: the same geometry, by another program.
"""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from cnnctl.config.augmentations import AugmentationStep, RandomFlip, RandomRotation, RandomTranslation, RandomZoom
from cnnctl.data import augment as augmentation
from cnnctl.data.augment import augment, augmenter, random_generator
from tests.images import photo

SIZES = [(48, 48), (40, 64), (63, 41)]
STEPS: dict[str, AugmentationStep] = {
    "rotation": RandomRotation(factor=(0.07, 0.07)),
    "rotation backwards": RandomRotation(factor=(-0.3, -0.3)),
    "a shift down and right": RandomTranslation(height_factor=(0.13, 0.13), width_factor=(0.21, 0.21)),
    "a shift up and left": RandomTranslation(height_factor=(-0.2, -0.2), width_factor=(-0.1, -0.1)),
    "zoom out": RandomZoom(height_factor=(0.3, 0.3), width_factor=None),
    "zoom in": RandomZoom(height_factor=(-0.3, -0.3), width_factor=None),
    "zoom along one side": RandomZoom(height_factor=(0.0, 0.0), width_factor=(-0.4, -0.4)),
}
"""Steps whose range is a single value, so that nothing is left to chance."""


def once(step: AugmentationStep, image: np.ndarray, **changes: Any) -> np.ndarray:
    return augment(image, [step.model_copy(update=changes)], random_generator(0, 0, 0))


def keras_layer(step: AugmentationStep, **changes: Any) -> Any:
    """The layer that the step is named after, with the step's settings."""
    import keras

    settings = step.model_dump() | changes
    if isinstance(step, RandomTranslation | RandomZoom | RandomRotation):
        settings["interpolation"] = changes.get("interpolation", step.interpolation)
    name = type(step).__name__
    return getattr(keras.layers, name)(**settings, data_format="channels_last", dtype="float32")


def by_keras(step: AugmentationStep, image: np.ndarray, **changes: Any) -> np.ndarray:
    layer = keras_layer(step, **changes)
    return np.asarray(layer(image[None].astype(np.float32), training=True))[0]


def distance(found: np.ndarray, expected: np.ndarray, margin: float = 0.0) -> float:
    """The mean difference, without a share of the picture along its sides."""
    height, width = found.shape[:2]
    down, across = round(margin * height), round(margin * width)
    inner = (slice(down, height - down), slice(across, width - across))
    return float(np.abs(found[inner].astype(float) - expected[inner]).mean())


class TestAgainstKeras:
    @pytest.mark.parametrize("size", SIZES, ids=str)
    @pytest.mark.parametrize("name", STEPS)
    def test_bilinear_with_reflection(self, name: str, size: tuple[int, int]) -> None:
        image = photo(*size)
        found, expected = once(STEPS[name], image), by_keras(STEPS[name], image)
        assert distance(found, expected) < 1
        assert distance(found, expected, margin=0.3) < 0.6
        assert distance(found, image) > 3  # it did something

    @pytest.mark.parametrize("fill_mode", ["reflect", "constant", "nearest", "wrap"])
    @pytest.mark.parametrize("interpolation", ["bilinear", "nearest"])
    @pytest.mark.parametrize("name", STEPS)
    def test_what_lies_outside(self, name: str, interpolation: str, fill_mode: str) -> None:
        """With wrap Keras and OpenCV repeat the image by different periods: inside, they agree there too.

        Where the nearest of two pixels is as near as the other, each rounds as it likes.
        """
        image = photo(40, 64)
        changes = {"fill_mode": fill_mode, "fill_value": 77.0, "interpolation": interpolation}
        found, expected = once(STEPS[name], image, **changes), by_keras(STEPS[name], image, **changes)
        most = 1.0 if interpolation == "bilinear" else 2.5
        if fill_mode == "wrap":
            assert distance(found, expected, margin=0.35) < most
        else:
            assert distance(found, expected) < most
        if fill_mode == "constant" and name != "zoom in" and name != "zoom along one side":
            assert (found == 77).all(axis=2).any()

    @pytest.mark.parametrize("mode", ["horizontal", "vertical"])
    @pytest.mark.parametrize("size", SIZES, ids=str)
    def test_flips_are_mirrors_to_the_pixel(self, mode: str, size: tuple[int, int]) -> None:
        image = photo(*size)
        mirrored = image[:, ::-1] if mode == "horizontal" else image[::-1]
        found = [augment(image, [RandomFlip(mode=mode)], random_generator(0, 0, number)) for number in range(30)]
        assert {np.array_equal(one, mirrored) for one in found} == {True, False}
        assert all(np.array_equal(one, mirrored) or np.array_equal(one, image) for one in found)
        layer = keras_layer(RandomFlip(mode=mode))
        by_layer = {np.asarray(layer(image[None], training=True)).astype(np.uint8).tobytes() for _ in range(30)}
        assert by_layer == {image.tobytes(), mirrored.tobytes()}

    @pytest.mark.parametrize("name", STEPS)
    def test_grey(self, name: str) -> None:
        """Each channel on its own: a grey image varies as the channels of a colour image do, and keeps its shape."""
        grey = photo(40, 64)[:, :, :1]
        found = once(STEPS[name], grey)
        assert found.shape == grey.shape
        assert found.dtype == np.uint8
        assert np.array_equal(np.repeat(found, 3, axis=2), once(STEPS[name], np.repeat(grey, 3, axis=2)))


class TestComposition:
    @pytest.mark.parametrize("size", SIZES, ids=str)
    def test_fused_is_one_after_another(self, size: tuple[int, int]) -> None:
        """One warp of the product equals the steps by turns, but for what interpolating three times blurs."""
        image = photo(*size)
        steps = [STEPS["rotation"], STEPS["a shift up and left"], STEPS["zoom in"]]
        expected = image
        for step in steps:
            expected = once(step, expected)
        fused = augment(image, steps, random_generator(0, 0, 0))
        assert distance(fused, expected, margin=0.25) < 1.5
        other_order = augment(image, steps[::-1], random_generator(0, 0, 0))
        assert distance(other_order, expected, margin=0.25) > 3

    def test_other_settings_of_the_border_are_another_warp(self) -> None:
        """A step that fills otherwise than the one before it cannot be fused with it: to the bit, one after another."""
        image = photo(40, 64)
        turned = STEPS["rotation"].model_copy(update={"fill_mode": "constant", "fill_value": 9.0})
        steps = [turned, STEPS["zoom out"]]
        assert np.array_equal(augment(image, steps, random_generator(0, 0, 0)), once(steps[1], once(turned, image)))

    def test_a_flip_joins_any_warp(self) -> None:
        image = photo(40, 64)
        for number in range(20):
            steps = [RandomFlip(mode="horizontal"), STEPS["rotation"]]
            found = augment(image, steps, random_generator(0, 0, number))
            plain, mirrored = once(STEPS["rotation"], image), once(STEPS["rotation"], image[:, ::-1].copy())
            assert min(distance(found, plain), distance(found, mirrored)) < 0.5

    def test_no_step_is_no_change(self) -> None:
        image = photo(8, 8)
        assert np.array_equal(augment(image, [], random_generator(0, 0, 0)), image)
        assert augmenter([], seed=0) is None

    def test_an_input_is_never_written_to(self) -> None:
        image = photo(40, 64)
        image.flags.writeable = False
        augment(image, [RandomFlip(), *STEPS.values()], random_generator(0, 0, 0))


class TestRepeatability:
    STEPS: Sequence[AugmentationStep] = (RandomFlip(), RandomRotation(factor=(-0.1, 0.1)))

    def test_seed_epoch_and_image_decide_and_nothing_else(self) -> None:
        image = photo(32, 32)
        vary = augmenter(self.STEPS, seed=5)
        assert vary is not None
        first = vary(image, 3, 17)
        vary(image, 0, 0)
        assert np.array_equal(first, vary(image, 3, 17))
        assert np.array_equal(first, augment(image, self.STEPS, random_generator(5, 3, 17)))
        assert not np.array_equal(first, vary(image, 4, 17))
        assert not np.array_equal(first, vary(image, 3, 18))
        other = augmenter(self.STEPS, seed=6)
        assert other is not None
        assert not np.array_equal(first, other(image, 3, 17))

    def test_streams_do_not_overlap(self) -> None:
        """The first four numbers of 2,000 (seed, epoch, image) are all different."""
        drawn = [
            tuple(random_generator(seed, epoch, image).random(4))
            for seed in (0, 2**31 - 1)
            for epoch in range(20)
            for image in range(50)
        ]
        assert len({number for numbers in drawn for number in numbers}) == 4 * len(drawn)

    def test_a_step_draws_as_much_whatever_it_decides(self) -> None:
        """So that the rotation of an image is the same whether it was flipped or not."""
        used = set()
        for mode in ("horizontal", "vertical", "horizontal_and_vertical"):
            generator = random_generator(0, 0, 0)
            augmentation._matrix(RandomFlip(mode=mode), generator, 8, 8)
            used.add(generator.random())
        assert len(used) == 1


class TestRanges:
    """2,000 draws lie in the range and fill it evenly, by the distance of Kolmogorov and Smirnov."""

    DRAWS = 2000

    def matrices(self, step: AugmentationStep, height: int = 30, width: int = 50) -> list[np.ndarray | None]:
        return [augmentation._matrix(step, random_generator(1, 0, n), height, width) for n in range(self.DRAWS)]

    def check_even(self, values: Sequence[float], low: float, high: float) -> None:
        shares = (np.sort(values) - low) / (high - low)
        assert shares[0] > -1e-9
        assert shares[-1] < 1 + 1e-9
        steps = np.arange(1, self.DRAWS + 1) / self.DRAWS
        assert np.abs(steps - shares).max() < 1.95 / math.sqrt(self.DRAWS)  # by chance once in a thousand seeds

    def test_rotation(self) -> None:
        found = self.matrices(RandomRotation(factor=(-0.1, 0.25)))
        angles = [math.atan2(matrix[1, 0], matrix[0, 0]) for matrix in found if matrix is not None]
        self.check_even(angles, -0.1 * 2 * math.pi, 0.25 * 2 * math.pi)

    def test_translation(self) -> None:
        found = self.matrices(RandomTranslation(height_factor=(-0.2, 0.1), width_factor=(0.0, 0.3)))
        self.check_even([-matrix[1, 2] for matrix in found if matrix is not None], -0.2 * 30, 0.1 * 30)
        self.check_even([-matrix[0, 2] for matrix in found if matrix is not None], 0.0, 0.3 * 50)

    def test_zoom(self) -> None:
        found = [matrix for matrix in self.matrices(RandomZoom(height_factor=(-0.2, 0.5))) if matrix is not None]
        self.check_even([matrix[1, 1] for matrix in found], 0.8, 1.5)
        assert all(matrix[0, 0] == matrix[1, 1] for matrix in found)
        apart = RandomZoom(height_factor=(-0.2, 0.5), width_factor=(0.1, 0.3))
        found = [matrix for matrix in self.matrices(apart) if matrix is not None]
        self.check_even([matrix[0, 0] for matrix in found], 1.1, 1.3)
        heights, widths = ([matrix[place, place] for matrix in found] for place in (1, 0))
        assert abs(np.corrcoef(heights, widths)[0, 1]) < 0.1

    @pytest.mark.parametrize(
        ("mode", "expected"),
        [
            ("horizontal", {(False, False): 0.5, (True, False): 0.5}),
            ("vertical", {(False, False): 0.5, (False, True): 0.5}),
            ("horizontal_and_vertical", {(a, b): 0.25 for a in (False, True) for b in (False, True)}),
        ],
    )
    def test_flips_are_halves(self, mode: str, expected: dict[tuple[bool, bool], float]) -> None:
        found = [
            (False, False) if matrix is None else (matrix[0, 0] < 0, matrix[1, 1] < 0)
            for matrix in self.matrices(RandomFlip(mode=mode))
        ]
        shares = {which: found.count(which) / self.DRAWS for which in set(found)}
        assert shares.keys() == expected.keys()
        for which, share in shares.items():
            assert share == pytest.approx(expected[which], abs=0.04)
