"""What one warp does and what takes two: fused steps, borders, crops, and pixel steps in between."""

import numpy as np
import pytest

from cnnctl.config.augmentations import (
    AugmentationStep,
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
from cnnctl.data.augment import canvas as canvas_module
from cnnctl.data.augment.affine import Border, Window, flip_matrix, rotation_matrix, translation_matrix, warp
from cnnctl.data.augment.canvas import Canvas
from cnnctl.data.augment.pixels import brighten
from tests.data.augment.compare import distance, vary
from tests.data.augment.test_affine import SIZES, STEPS
from tests.images import photo

REFLECT, CONSTANT = Border("reflect", 0.0, "bilinear"), Border("constant", 9.0, "bilinear")
TURN, SHIFT = STEPS["rotation"], STEPS["a shift up and left"]
TURN_CONSTANT = TURN.model_copy(update={"fill_mode": "constant", "fill_value": 9.0})
FLIP = RandomFlip(mode="horizontal")


@pytest.fixture
def warps(monkeypatch: pytest.MonkeyPatch) -> list[Border | None]:
    """The borders of all warps that are done; None for one that only flips."""
    done: list[Border | None] = []

    def counted(image: np.ndarray, matrix: np.ndarray, border: Border | None, *size: int) -> np.ndarray:
        done.append(border)
        return warp(image, matrix, border, *size)

    monkeypatch.setattr(canvas_module, "warp", counted)
    return done


def flipped() -> int:
    """The number of an image that FLIP mirrors where it is the first step and where it is the second."""
    image = photo(8, 8)
    nothing = RandomBrightness(factor=(0.0, 0.0))
    chains = ([FLIP], [nothing, FLIP])
    return next(n for n in range(50) if all(np.array_equal(vary(image, *c, number=n), image[:, ::-1]) for c in chains))


def test_one_warp_is_the_product_of_the_matrices() -> None:
    image = photo(40, 64)
    matrices = [rotation_matrix(0.4, 40, 64), flip_matrix(True, False, 40, 64), translation_matrix(3.0, -5.5)]
    canvas = Canvas(image)
    for matrix, border in zip(matrices, (REFLECT, None, REFLECT), strict=True):
        canvas.move(matrix, border)
    product = matrices[0] @ matrices[1] @ matrices[2]
    assert np.array_equal(canvas.result(), warp(image, product, REFLECT, 40, 64))


def test_two_flips_are_none() -> None:
    image = photo(9, 12)
    assert np.array_equal(vary(image, FLIP, FLIP, number=flipped()), image)


@pytest.mark.parametrize("size", SIZES, ids=str)
def test_fused_is_one_after_another(size: tuple[int, int]) -> None:
    """One warp of the product equals the steps by turns, but for what interpolating three times blurs."""
    image = photo(*size)
    steps = [TURN, SHIFT, STEPS["zoom in"]]
    expected = image
    for step in steps:
        expected = vary(expected, step)
    assert distance(vary(image, *steps), expected, margin=0.25) < 1.5
    assert distance(vary(image, *steps[::-1]), expected, margin=0.25) > 3


@pytest.mark.parametrize(
    ("steps", "borders"),
    [
        ([FLIP, TURN, STEPS["zoom in"]], ["reflect"]),
        ([TURN, FLIP, RandomCrop(height=20, width=20), SHIFT], ["reflect"]),
        ([FLIP, FLIP], [None]),
        ([RandomCrop(height=20, width=20)], ["window"]),
        ([RandomCrop(height=20, width=20), RandomCrop(height=9, width=9)], ["window"]),
        ([RandomCrop(height=20, width=20), TURN], ["reflect"]),
        ([RandomCrop(height=20, width=20), TURN_CONSTANT], ["window", "constant"]),
        ([TURN_CONSTANT, RandomCrop(height=20, width=20)], ["constant", "window"]),
        ([FLIP, RandomCrop(height=20, width=20)], [None, "window"]),
        ([RandomCrop(height=32, width=32)], []),
        ([TURN, TURN_CONSTANT, SHIFT], ["reflect", "constant", "reflect"]),
        ([TURN, TURN.model_copy(update={"interpolation": "nearest"})], ["reflect", "reflect"]),
        ([TURN.model_copy(update={"interpolation": "nearest"}), RandomCrop(height=9, width=9)], ["reflect", "window"]),
        ([TURN, RandomBrightness(factor=(0.1, 0.1)), SHIFT], ["reflect"]),
        ([TURN_CONSTANT, RandomBrightness(factor=(0.1, 0.1)), TURN_CONSTANT], ["constant", "constant"]),
        ([TURN, RandomContrast(factor=(0.0, 0.5)), SHIFT], ["reflect", "reflect"]),
        ([TURN, RandomErasing(factor=(1.0, 1.0)), SHIFT], ["reflect", "reflect"]),
        ([TURN, RandomErasing(factor=(0.0, 0.0)), SHIFT], ["reflect"]),
    ],
    ids=str,
)
def test_how_many_warps(steps: list[AugmentationStep], borders: list[str | None], warps: list[Border | None]) -> None:
    image = photo(32, 32)
    number = flipped()
    warps.clear()
    vary(image, *steps, number=number)
    assert [border and border.fill_mode for border in warps] == borders


def test_other_settings_of_the_border_are_another_warp() -> None:
    """A step that fills otherwise than the one before it cannot be fused with it: to the bit, one after another."""
    image = photo(40, 64)
    steps = [TURN_CONSTANT, STEPS["zoom out"]]
    assert np.array_equal(vary(image, *steps), vary(vary(image, steps[0]), steps[1]))


def test_a_flip_joins_any_warp() -> None:
    image = photo(40, 64)
    plain, mirrored = vary(image, TURN), vary(np.array(image[:, ::-1]), TURN)
    found = [vary(image, FLIP, TURN, number=number) for number in range(20)]
    assert {distance(one, plain) < 0.5 for one in found} == {True, False}
    assert all(min(distance(one, plain), distance(one, mirrored)) < 0.5 for one in found)


def test_a_crop_joins_a_warp_that_waits() -> None:
    """The window of the turned image, but for one interpolation less."""
    image = photo(64, 64)
    fused, turned = Canvas(image), Canvas(image)
    for canvas in (fused, turned):
        canvas.move(rotation_matrix(0.3, 64, 64), REFLECT)
    by_turns = Canvas(turned.result())
    for canvas in (fused, by_turns):
        canvas.crop(Window(10, 20, 40, 30))
    assert distance(fused.result(), by_turns.result()) < 1
    assert distance(fused.result(), turned.result()) > 5


def test_the_same_step_before_or_after_brightness() -> None:
    """A warp of a brightened picture is the brightened warp, to a rounding; with a constant border it is not."""
    image = photo(40, 64)
    bright = RandomBrightness(factor=(0.1, 0.1))
    assert np.abs(vary(image, TURN, bright).astype(int) - brighten(vary(image, TURN), 0.1)).max() <= 1
    assert np.array_equal(vary(image, TURN_CONSTANT, bright), brighten(vary(image, TURN_CONSTANT), 0.1))


@pytest.mark.parametrize("middle", [RandomContrast(factor=(0.0, 0.9)), RandAugment(num_ops=1)], ids=str)
def test_pixel_steps_keep_their_place(middle: AugmentationStep) -> None:
    """To the bit: contrast sees what the steps before it have made, and those after it see what it has made."""
    image = photo(40, 64)
    nothing = RandomFlip(mode="horizontal")  # as many steps before the middle one, so that it draws the same
    number = next(n for n in range(20) if np.array_equal(vary(image, nothing, number=n), image))
    turned = vary(image, TURN_CONSTANT)
    halfway = vary(turned, nothing, middle, number=number)
    assert np.array_equal(vary(image, TURN_CONSTANT, middle, number=number), halfway)
    assert np.array_equal(vary(image, TURN_CONSTANT, middle, SHIFT, number=number), vary(halfway, SHIFT))


EVERY_STEP: list[AugmentationStep] = [
    RandomFlip(),
    RandomCrop(height=5, width=6),
    RandomRotation(factor=(-0.1, 0.1)),
    RandomTranslation(height_factor=(-0.1, 0.1), width_factor=(-0.1, 0.1), fill_mode="constant"),
    RandomZoom(height_factor=(-0.1, 0.1)),
    RandomBrightness(factor=(-0.2, 0.2)),
    RandomContrast(factor=(0.2, 0.2)),
    RandomErasing(),
    RandAugment(num_ops=6),
]


@pytest.mark.parametrize("shape", [(1, 1, 1), (1, 1, 3), (1, 9, 3), (9, 1, 1), (7, 12, 3), (12, 7, 1)], ids=str)
@pytest.mark.parametrize("step", EVERY_STEP, ids=lambda step: step.kind)
def test_any_shape_stays_what_it_is(step: AugmentationStep, shape: tuple[int, int, int]) -> None:
    """Of each step, for 30 images: uint8 of the same shape, an array of its own, and the input as it was."""
    image = np.ascontiguousarray(photo(*shape[:2])[:, :, : shape[2]])
    image.flags.writeable = False
    before = image.copy()
    for number in range(30):
        found = vary(image, step, number=number)
        assert found.shape == shape
        assert found.dtype == np.uint8
        assert found.flags.writeable
        assert not np.shares_memory(found, image)
    assert np.array_equal(image, before)
