"""RandAugment (Cubuk et al. 2019, https://arxiv.org/abs/1909.13719) as Keras' layer does it.

Keras draws the operations once for a batch, and here, as for a batch of one, they are drawn for each image. Each
operation's strength is drawn once, so that one that is drawn twice does the same twice.
"""

from dataclasses import dataclass
from functools import partial
from math import pi
from typing import Literal, assert_never, get_args

import numpy as np

from cnnctl.config.augmentations import RandAugment
from cnnctl.data.augment import affine, pixels
from cnnctl.data.augment.canvas import Canvas

Operation = Literal[
    "shear",
    "translation",
    "rotation",
    "brightness",
    "color_degeneration",
    "contrast",
    "sharpness",
    "posterization",
    "solarization",
    "auto_contrast",
    "equalization",
]
OPERATIONS: tuple[Operation, ...] = get_args(Operation)


@dataclass(frozen=True)
class Strengths:
    """What each operation does to one image.

    Attributes:
        shear: (across, down), rows or columns for each row or column.
        translation: (down, right), shares of the height and the width.
        rotation: Share of a full turn.
        brightness: Share of 255.
        color_degeneration: 0 (nothing) to 1 (grey).
        contrast: Factor of the distance to the mean.
        sharpness: 0 (blurred) over 0.5 (nothing) to 1 (sharpened).
        bits: Kept by posterization.
        addition: Of solarization, in pixel values.
        threshold: Of solarization, in pixel values.
    """

    shear: tuple[float, float]
    translation: tuple[float, float]
    rotation: float
    brightness: float
    color_degeneration: float
    contrast: float
    sharpness: float
    bits: int
    addition: float
    threshold: float


def rand_augment(canvas: Canvas, step: RandAugment, generator: np.random.Generator) -> None:
    """`num_ops` operations, each any of the eleven."""
    strengths = random_strengths(step.factor, generator)
    for number in generator.integers(len(OPERATIONS), size=step.num_ops):
        operate(canvas, OPERATIONS[number], strengths, step.interpolation)


def random_strengths(factor: tuple[float, float], generator: np.random.Generator) -> Strengths:
    """What Keras' eleven layers draw when RandAugment hands them its (lower, upper) factor.

    Only the shear goes both ways. Posterization keeps 1 to 8 * upper - 1 bits: Keras leaves the upper end out.
    """
    lower, upper = factor
    numbers = generator.random(13).tolist()
    sign = -1 if numbers[0] > 0.5 else 1
    between = [lower + (upper - lower) * number for number in numbers[1:9]]
    most_bits = max(1, int(8 * upper))
    addition, threshold = (lower + (255 * upper - lower) * number for number in numbers[9:11])
    return Strengths(
        shear=(sign * between[0], sign * between[1]),
        translation=(between[2], between[3]),
        rotation=between[4],
        brightness=between[5],
        color_degeneration=between[6],
        contrast=1 - lower + (lower + upper) * numbers[11],
        sharpness=between[7],
        bits=1 + int(numbers[12] * (most_bits - 1)),
        addition=addition,
        threshold=threshold,
    )


def operate(canvas: Canvas, operation: Operation, strengths: Strengths, interpolation: str) -> None:
    """One of the eleven operations."""
    border = affine.Border("reflect", 0.0, interpolation)
    height, width = canvas.height, canvas.width
    match operation:
        case "shear":
            canvas.move(affine.shear_matrix(*strengths.shear), border)
        case "translation":
            down, right = strengths.translation
            canvas.move(affine.translation_matrix(down * height, right * width), border)
        case "rotation":
            canvas.move(affine.rotation_matrix(strengths.rotation * 2 * pi, height, width), border)
        case "brightness":
            canvas.paint(partial(pixels.brighten, share=strengths.brightness), pointwise=True)
        case "color_degeneration":
            canvas.paint(partial(pixels.degenerate_color, factor=strengths.color_degeneration))
        case "contrast":
            canvas.paint(partial(pixels.change_contrast, factor=strengths.contrast))
        case "sharpness":
            canvas.paint(partial(pixels.sharpen, factor=strengths.sharpness))
        case "posterization":
            canvas.paint(partial(pixels.posterize, bits=strengths.bits))
        case "solarization":
            canvas.paint(partial(pixels.solarize, addition=strengths.addition, threshold=strengths.threshold))
        case "auto_contrast":
            canvas.paint(pixels.auto_contrast)
        case "equalization":
            canvas.paint(pixels.equalize)
        case _:
            assert_never(operation)
