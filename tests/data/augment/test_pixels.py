"""Changes of pixels in their places, each against the Keras layer of its name: fixed settings, then what is drawn.

Where Keras ends with a fraction the pixel is that fraction rounded: half a pixel value, and a thousandth for float32.
"""

from typing import Any

import numpy as np
import pytest

from cnnctl.config.augmentations import RandomBrightness, RandomContrast, RandomErasing
from cnnctl.data.augment import pixels
from cnnctl.data.augment.chain import random_erasure, random_generator
from cnnctl.data.augment.pixels import Box, random_box
from tests.data.augment.compare import (
    DRAWS,
    check_range,
    check_rounded,
    check_same_boxes,
    check_same_distribution,
    keras_layer,
    transformed,
    vary,
)
from tests.images import photo


def pictures() -> dict[str, np.ndarray]:
    """Colour and grey, dull and harsh, of one colour, tiny."""
    image = photo(30, 41)
    harsh = np.random.default_rng(0).integers(0, 256, (16, 16, 3)).astype(np.uint8)
    flat = image.copy()
    flat[:, :, 1] = 140
    return {
        "colour": image,
        "grey": image[:, :, :1],
        "dull": (image // 4 + 90).astype(np.uint8),
        "harsh": harsh,
        "a channel of one value": flat,
        "one pixel": np.array([[[200, 3, 90]]], np.uint8),
        "one grey pixel": np.array([[[77]]], np.uint8),
        "a column of grey": image[:, :1, :1],
    }


PICTURES = pictures()
every_picture = pytest.mark.parametrize("image", PICTURES.values(), ids=PICTURES)


@every_picture
@pytest.mark.parametrize("share", [0.6, -0.3, 0.01, 0.0, 1.0, -1.0])
def test_brightness(image: np.ndarray, share: float) -> None:
    layer = keras_layer("RandomBrightness", factor=0.5)
    expected = transformed(layer, image, {"rgb_delta": np.full((1, 1, 1, 1), 255 * share, np.float32)})
    check_rounded(pixels.brighten(image, share), expected)


@every_picture
@pytest.mark.parametrize("factor", [0.0, 0.4, 1.0, 1.7, 2.0])
def test_contrast(image: np.ndarray, factor: float) -> None:
    layer = keras_layer("RandomContrast", factor=0.5)
    expected = transformed(layer, image, {"contrast_factor": np.full((1, 1, 1, 1), factor, np.float32)})
    check_rounded(pixels.change_contrast(image, factor), expected)


@every_picture
@pytest.mark.parametrize("factor", [0.0, 0.3, 1.0])
def test_color_degeneration(image: np.ndarray, factor: float) -> None:
    """OpenCV's matrix has ten bits behind the point: a pixel value of tolerance."""
    layer = keras_layer("RandomColorDegeneration", factor=0.5)
    expected = transformed(layer, image, {"factor": np.full((1, 1, 1, 1), factor, np.float32)})
    check_rounded(pixels.degenerate_color(image, factor), expected, most=1.0)


@every_picture
@pytest.mark.parametrize("factor", [0.0, 0.2, 0.5, 0.8, 1.0])
def test_sharpness(image: np.ndarray, factor: float) -> None:
    layer = keras_layer("RandomSharpness", factor=0.5)
    expected = transformed(layer, image, {"factor": np.array([factor], np.float32)})
    check_rounded(pixels.sharpen(image, factor), expected)


@every_picture
@pytest.mark.parametrize("bits", range(1, 9))
def test_posterization(image: np.ndarray, bits: int) -> None:
    layer = keras_layer("RandomPosterization", factor=4)
    expected = transformed(layer, image, {"shift_factor": np.array([8 - bits], np.uint8)})
    assert np.array_equal(pixels.posterize(image, bits), expected)


@every_picture
@pytest.mark.parametrize(
    ("addition", "threshold"), [(0.0, 0.0), (0.0, 128.0), (40.3, 128.0), (90.0, 255.0), (3.5, 99.5)]
)
def test_solarization(image: np.ndarray, addition: float, threshold: float) -> None:
    layer = keras_layer("Solarization")
    drawn = {"additions": addition, "thresholds": threshold}
    transformation = {name: np.full((1, 1, 1, 1), value, np.float32) for name, value in drawn.items()}
    check_rounded(pixels.solarize(image, addition, threshold), transformed(layer, image, transformation))


@every_picture
def test_auto_contrast(image: np.ndarray) -> None:
    check_rounded(pixels.auto_contrast(image), transformed(keras_layer("AutoContrast"), image, None))


@every_picture
def test_equalization(image: np.ndarray) -> None:
    """Both round, so that a half may go up or down: one pixel value.

    Keras looks levels up as int(level / 255 * 255), which in float32 is the level below for some: these are left out.
    """
    levels = np.arange(256, dtype=np.float32)
    true = (levels / np.float32(255) * np.float32(255)).astype(int) == levels
    assert true.mean() > 0.8
    kept = true[image]
    expected = transformed(keras_layer("Equalization"), image, None)
    check_rounded(np.where(kept, pixels.equalize(image), 0).astype(np.uint8), np.where(kept, expected, 0), most=1.0)


@pytest.mark.parametrize("fill_value", [None, 0.0, 99.6, 255.0, (10, 200, 30)], ids=str)
@pytest.mark.parametrize(
    "box", [(3.2, 5.0, 9.9, 20.3), (0.0, 0.0, 30.0, 41.0), (4.1, 4.1, 0.8, 30.0), (28.5, 39.5, 1.5, 1.5)], ids=str
)
def test_erasing(box: tuple[float, float, float, float], fill_value: Any) -> None:
    """Inside the box Keras' fill, outside the image; of the noise, which is another draw, see below."""
    image = PICTURES["colour"]
    layer = keras_layer("RandomErasing", fill_value=fill_value)
    top, left, height, width = (np.array([number], np.float32) for number in box)
    masks = layer._generate_batch_mask((1, *image.shape), (left, left + width, top, top + height))
    fill = layer._get_fill_value(image[None], (1, *image.shape), 3)
    transformation = {"apply_erasing": np.array([True]), "batch_masks": masks, "fill_value": fill}
    expected = transformed(layer, image, transformation)
    found = pixels.erase(image, Box(*box), fill_value, random_generator(0, 0, 0, 0))
    if fill_value is None:
        outside = ~np.asarray(masks)[0]
        assert np.array_equal(found[outside], image[outside])
    else:
        check_rounded(found, expected)


def test_erasing_with_noise() -> None:
    """Keras': normal, of deviation 255, cut off at 0 and 255, another number in every channel."""
    image = np.full((80, 90, 3), 100, np.uint8)
    found = pixels.erase(image, Box(0, 0, 80, 90), None, random_generator(0, 0, 0, 0))
    expected = keras_layer("RandomErasing")._get_fill_value(image[None], (1, *image.shape), 3)
    check_same_distribution(found, np.rint(expected))
    assert 0.45 < (found == 0).mean() < 0.55
    assert abs(np.corrcoef(found.reshape(-1, 3).T)[0, 1]) < 0.05


def test_erasing_grey_with_a_colour() -> None:
    """Keras has no answer here: the grey of the colour."""
    found = pixels.erase(PICTURES["grey"], Box(0, 0, 30, 41), (255, 0, 100), random_generator(0, 0, 0, 0))
    assert np.array_equal(found, np.full((30, 41, 1), round(0.2989 * 255 + 0.114 * 100), np.uint8))


class TestRanges:
    def test_brightness(self) -> None:
        step = RandomBrightness(factor=(-0.3, 0.1))
        grey = np.full((1, 1, 1), 128, np.uint8)
        found = [int(vary(grey, step, number=number)[0, 0, 0]) - 128 for number in range(DRAWS)]
        layer = keras_layer("RandomBrightness", factor=step.factor)
        expected = layer.get_random_transformation(np.zeros((DRAWS, 1, 1, 1), np.float32))["rgb_delta"]
        check_range(found, -77, 26)
        check_same_distribution(found, np.rint(expected))

    def test_contrast(self) -> None:
        """Two pixels at 64 below and above their mean show the factor to a 64th."""
        step = RandomContrast(factor=(0.4, 0.8))
        two = np.array([[[64], [192]]], np.uint8)
        found = [int(vary(two, step, number=number)[0, 1, 0]) - 128 for number in range(DRAWS)]
        layer = keras_layer("RandomContrast", factor=step.factor)
        expected = layer.get_random_transformation(np.zeros((DRAWS, 1, 1, 1), np.float32))["contrast_factor"]
        check_range(found, 38, 115)
        check_same_distribution(found, np.rint(64 * np.asarray(expected)))

    def test_erasing(self) -> None:
        """How often, how wide, how high, from which row and column, by our boxes and Keras' masks."""
        settings: dict[str, Any] = {"factor": (0.2, 0.9), "scale": (0.05, 0.6)}
        height, width = 40, 60
        drawn = [
            random_erasure(RandomErasing(**settings), random_generator(4, 0, n, 0), height, width) for n in range(DRAWS)
        ]
        layer = keras_layer("RandomErasing", **settings)
        blank = np.zeros((DRAWS, height, width, 1), np.float32)
        transformation = layer.get_random_transformation(blank)
        applied = np.asarray(transformation["apply_erasing"])
        masks = np.asarray(transformation["batch_masks"])[applied, :, :, 0]
        assert sum(box is not None for box in drawn) / DRAWS == pytest.approx(0.55, abs=0.03)
        assert applied.mean() == pytest.approx(0.55, abs=0.03)
        boxes = [box for box in drawn if box is not None]
        found = np.zeros((len(boxes), height, width), bool)
        for mask, box in zip(found, boxes, strict=True):
            mask[box.pixels()] = True
        check_same_boxes(found, masks)
        heights = [(box.height / height) ** 2 for box in boxes]
        check_range(heights, 0.05, 0.6)
        assert abs(np.corrcoef(heights, [box.width for box in boxes])[0, 1]) < 0.1

    @pytest.mark.parametrize(("chance", "expected"), [(0.0, 0), (1.0, 100)])
    def test_erasing_never_and_always(self, chance: float, expected: int) -> None:
        step = RandomErasing(factor=(chance, chance))
        drawn = [random_erasure(step, random_generator(0, 0, number, 0), 8, 8) for number in range(100)]
        assert sum(box is not None for box in drawn) == expected

    def test_boxes_lie_inside(self) -> None:
        """Anywhere, and up to each side."""
        boxes = [random_box(0.5, 0.25, random_generator(0, 0, number, 0), 8, 16) for number in range(DRAWS)]
        check_range([box.top for box in boxes], 0, 4)
        check_range([box.left for box in boxes], 0, 12)
        assert {box[2:] for box in boxes} == {(4, 4)}
        assert random_box(1, 1, random_generator(0, 0, 0, 0), 8, 16) == (0, 0, 8, 16)
