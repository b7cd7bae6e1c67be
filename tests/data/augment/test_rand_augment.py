"""RandAugment: which operations, how strong, and each as Keras' RandAugment does it."""

from typing import Any

import numpy as np
import pytest

from cnnctl.config.augmentations import RandAugment
from cnnctl.data.augment import rand_augment as module
from cnnctl.data.augment.canvas import Canvas
from cnnctl.data.augment.chain import random_generator
from cnnctl.data.augment.rand_augment import OPERATIONS, Strengths, operate, random_strengths
from tests.data.augment.compare import DRAWS, check_range, check_same_distribution, distance, keras_layer, vary
from tests.images import photo


def keras_transformation(strengths: Strengths, operations: list[str]) -> dict[str, Any]:
    """What Keras' RandAugment would have drawn, for one image."""
    height, width = 40, 64

    def number(value: float) -> np.ndarray:
        return np.full((1, 1, 1, 1), value, np.float32)

    down, right = strengths.translation
    rotation = keras_layer("RandomRotation", factor=(strengths.rotation, strengths.rotation))
    transforms = {
        "random_shear": {"shear_factor": np.array([strengths.shear], np.float32)},
        "random_translation": {"translations": np.array([[right * width, down * height]], np.float32)},
        "random_rotation": rotation.get_random_transformation(np.zeros((1, height, width, 3), np.float32)),
        "random_brightness": {"rgb_delta": number(255 * strengths.brightness)},
        "random_color_degeneration": {"factor": number(strengths.color_degeneration)},
        "random_contrast": {"contrast_factor": number(strengths.contrast)},
        "random_sharpness": {"factor": np.array([strengths.sharpness], np.float32)},
        "random_posterization": {"shift_factor": np.array([8 - strengths.bits], np.uint8)},
        "solarization": {"additions": number(strengths.addition), "thresholds": number(strengths.threshold)},
        "auto_contrast": None,
        "equalization": None,
    }
    return {"transforms": transforms, "layer_idxes": np.array([OPERATIONS.index(name) for name in operations])}


def both(operations: list[str], strengths: Strengths, interpolation: str, channels: int) -> tuple[Any, Any]:
    """(ours, Keras') after the same operations with the same strengths."""
    image = photo(40, 64)[:, :, :channels]
    canvas = Canvas(image)
    for operation in operations:
        operate(canvas, operation, strengths, interpolation)
    layer = keras_layer("RandAugment", num_ops=len(operations), interpolation=interpolation)
    expected = layer.transform_images(image[None].astype(np.float32), keras_transformation(strengths, operations))
    return canvas.result(), np.asarray(expected)[0]


STRENGTHS = Strengths((0.3, 0.1), (0.2, 0.1), 0.15, 0.2, 0.6, 1.4, 0.9, 3, 30.0, 120.0)


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("operation", OPERATIONS)
def test_each_operation(operation: str, channels: int) -> None:
    """Bilinear warps to one pixel value on average, as in test_affine.py; the rest more closely, see test_pixels.py."""
    found, expected = both([operation], STRENGTHS, "bilinear", channels)
    assert distance(found, expected) < (1 if operation in ("shear", "translation", "rotation") else 0.5)
    unchanged = operation == "color_degeneration" and channels == 1
    assert (distance(found, photo(40, 64)[:, :, :channels]) > 3) != unchanged


@pytest.mark.parametrize(
    "operations",
    [
        ["rotation", "sharpness", "brightness"],
        ["posterization", "shear", "color_degeneration"],
        ["brightness", "solarization", "brightness"],
        ["translation", "auto_contrast", "contrast"],
    ],
    ids=str,
)
def test_one_operation_after_another(operations: list[str]) -> None:
    """In the order drawn; a second warp or stretch enlarges what the first one rounds."""
    found, expected = both(operations, STRENGTHS, "bilinear", 3)
    assert distance(found, expected) < 2
    assert distance(both(operations[1:] + operations[:1], STRENGTHS, "bilinear", 3)[0], expected) > 2.5


def test_nearest() -> None:
    found, expected = both(["rotation"], STRENGTHS, "nearest", 3)
    assert distance(found, expected) < 2.5
    values = set(map(tuple, photo(40, 64).reshape(-1, 3)))
    assert set(map(tuple, found.reshape(-1, 3))) <= values


@pytest.mark.parametrize("factor", [(0.0, 0.5), (0.1, 0.6), (0.4, 1.0)], ids=str)
def test_strengths(factor: tuple[float, float]) -> None:
    """2,000 draws of each against what Keras' eleven layers draw."""
    found = [random_strengths(factor, random_generator(1, 0, number, 0)) for number in range(DRAWS)]
    layer = keras_layer("RandAugment", factor=factor)
    height, width = 6, 10
    expected = layer.get_random_transformation(np.zeros((DRAWS, height, width, 3), np.float32))["transforms"]
    shears, translations = np.array([s.shear for s in found]), np.array([s.translation for s in found])
    lower, upper = factor
    for column in (0, 1):
        check_range(np.abs(shears[:, column]), lower, upper)
        check_same_distribution(shears[:, column], np.asarray(expected["random_shear"]["shear_factor"])[:, column])
        check_range(translations[:, column], lower, upper)
    assert (shears[:, 0] * shears[:, 1] >= 0).all()  # Keras has one sign for both
    moved = np.asarray(expected["random_translation"]["translations"]) / (width, height)
    check_same_distribution(translations[:, 0], moved[:, 1])
    check_same_distribution(translations[:, 1], moved[:, 0])
    check_same_distribution([360 * s.rotation for s in found], expected["random_rotation"]["angle"])
    check_same_distribution([255 * s.brightness for s in found], expected["random_brightness"]["rgb_delta"])
    check_same_distribution([s.color_degeneration for s in found], expected["random_color_degeneration"]["factor"])
    check_same_distribution([s.contrast for s in found], expected["random_contrast"]["contrast_factor"])
    check_same_distribution([s.sharpness for s in found], expected["random_sharpness"]["factor"])
    check_same_distribution([s.addition for s in found], expected["solarization"]["additions"])
    check_same_distribution([s.threshold for s in found], expected["solarization"]["thresholds"])
    bits = 8 - np.asarray(expected["random_posterization"]["shift_factor"]).astype(int)
    assert {s.bits for s in found} == set(bits.tolist())
    for kept in set(bits.tolist()):
        assert np.mean([s.bits == kept for s in found]) == pytest.approx((bits == kept).mean(), abs=0.06)
    moves = [
        (abs(s.shear[0]), abs(s.shear[1]), *s.translation, s.rotation, s.brightness, s.color_degeneration)
        for s in found
    ]
    colors = [(s.contrast, s.sharpness, s.bits, s.addition, s.threshold) for s in found]
    numbers = np.hstack([moves, colors])
    varied = numbers[:, np.ptp(numbers, axis=0) > 0]
    assert np.abs(np.corrcoef(varied, rowvar=False) - np.eye(varied.shape[1])).max() < 0.1  # each drawn on its own


def test_a_range_of_one_value_leaves_nothing_to_chance() -> None:
    found = {random_strengths((0.25, 0.25), random_generator(0, 0, number, 0)).rotation for number in range(9)}
    assert found == {0.25}


def test_every_operation_is_as_likely(monkeypatch: pytest.MonkeyPatch) -> None:
    """An eleventh each, first and last, repeats included; the names are Keras' in Keras' order."""
    drawn: list[str] = []
    interpolations: set[str] = set()

    def record(canvas: Canvas, operation: str, strengths: Strengths, interpolation: str) -> None:
        drawn.append(operation)
        interpolations.add(interpolation)

    monkeypatch.setattr(module, "operate", record)
    for number in range(DRAWS):
        vary(photo(4, 4), RandAugment(num_ops=3, interpolation="nearest"), number=number % 1000, epoch=number // 1000)
    assert interpolations == {"nearest"}
    assert len(drawn) == 3 * DRAWS
    for place in range(3):
        for operation in OPERATIONS:
            assert drawn[place::3].count(operation) / DRAWS == pytest.approx(1 / 11, abs=0.025)
    assert any(drawn[at] == drawn[at + 1] for at in range(0, len(drawn), 3))
    layer = keras_layer("RandAugment")
    assert [name.removeprefix("random_") for name in layer._AUGMENT_LAYERS] == list(OPERATIONS)


def test_the_config_decides_how_strong() -> None:
    image = photo(32, 32)
    weak = RandAugment(num_ops=2, factor=(0.0, 0.05))
    strong = RandAugment(num_ops=2, factor=(0.5, 0.9))
    assert np.array_equal(vary(image, weak), vary(image, weak))
    near, far = (
        np.mean([distance(vary(image, step, number=number), image) for number in range(40)]) for step in (weak, strong)
    )
    assert far > near
