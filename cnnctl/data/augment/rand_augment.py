"""RandAugment (Cubuk et al. 2019, https://arxiv.org/abs/1909.13719) as Keras' layer does it.

Keras draws the operations once for a batch, and here, as for a batch of one, they are drawn for each image. Each
operation's strength is drawn once, so that one that is drawn twice does the same twice.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from math import pi

import numpy as np

from cnnctl.config.augmentations import RandAugment
from cnnctl.data.augment import affine, pixels
from cnnctl.data.augment.canvas import Canvas
from cnnctl.data.decoder.images import Image


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


def operate(canvas: Canvas, operation: str, strengths: Strengths, interpolation: str) -> None:
    """One of the eleven operations."""
    if operation in _MATRICES:
        matrix = _MATRICES[operation](strengths, canvas.height, canvas.width)
        canvas.move(matrix, affine.Border("reflect", 0.0, interpolation))
    else:
        canvas.paint(partial(_CHANGES[operation], strengths), pointwise=operation == "brightness")


_MATRICES: dict[str, Callable[[Strengths, int, int], affine.Matrix]] = {
    "shear": lambda by, height, width: affine.shear_matrix(*by.shear),
    "translation": lambda by, height, width: affine.translation_matrix(
        by.translation[0] * height, by.translation[1] * width
    ),
    "rotation": lambda by, height, width: affine.rotation_matrix(by.rotation * 2 * pi, height, width),
}
_CHANGES: dict[str, Callable[[Strengths, Image], Image]] = {
    "brightness": lambda by, image: pixels.brighten(image, by.brightness),
    "color_degeneration": lambda by, image: pixels.degenerate_color(image, by.color_degeneration),
    "contrast": lambda by, image: pixels.change_contrast(image, by.contrast),
    "sharpness": lambda by, image: pixels.sharpen(image, by.sharpness),
    "posterization": lambda by, image: pixels.posterize(image, by.bits),
    "solarization": lambda by, image: pixels.solarize(image, by.addition, by.threshold),
    "auto_contrast": lambda by, image: pixels.auto_contrast(image),
    "equalization": lambda by, image: pixels.equalize(image),
}
OPERATIONS = (*_MATRICES, *_CHANGES)
