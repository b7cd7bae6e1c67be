"""Random variations of uint8 images by OpenCV, each a pure function of (seed, epoch, image).

Keras' layers of the same names define what each setting means. Flips, rotations, shifts and zooms are affine: they
are multiplied into one matrix and an image is warped once, from pixel to uint8 pixel. Matrices map output to input
coordinates, (x, y) with pixel centres on whole numbers, as Keras' and OpenCV's do.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import assert_never

import numpy as np
from numpy.typing import NDArray

from cnnctl.config.schema import AugmentationStep, RandomFlip, RandomRotation, RandomTranslation, RandomZoom
from cnnctl.data.images import Image, opencv

Matrix = NDArray[np.float64]


@dataclass(frozen=True)
class _Border:
    """How a warp fills what lies outside, and how it interpolates."""

    fill_mode: str
    fill_value: float
    interpolation: str


def random_generator(seed: int, epoch: int, image: int) -> np.random.Generator:
    """The random numbers of one image in one epoch (Philox, counter-based: no state is carried from image to image)."""
    counter = np.array([0, 0, image, epoch], np.uint64)
    return np.random.Generator(np.random.Philox(key=np.array([seed, 0xA06], np.uint64), counter=counter))


def augment(image: Image, steps: Sequence[AugmentationStep], generator: np.random.Generator) -> Image:
    """One random variation of an image.

    Args:
        image: uint8 (height, width, channels).
        steps: The augment section, applied in its order.
        generator: Drawn from once per step whatever the step decides.

    Returns:
        uint8 of the same shape.
    """
    matrix: Matrix | None = None
    border: _Border | None = None
    for step in steps:
        height, width = image.shape[:2]
        drawn = _matrix(step, generator, height, width)
        needed = None if isinstance(step, RandomFlip) else _Border(step.fill_mode, step.fill_value, step.interpolation)
        if border is not None and needed is not None and needed != border and matrix is not None:
            image, matrix, border = _warp(image, matrix, border), None, None
        if drawn is not None:
            matrix = drawn if matrix is None else matrix @ drawn
        border = border or needed
    if matrix is None:
        return image
    return _warp(image, matrix, border or _Border("reflect", 0.0, "nearest"))


def augmenter(steps: Sequence[AugmentationStep], seed: int) -> Callable[[Image, int, int], Image] | None:
    """A function of (image, epoch, image's number); None where there is nothing to do."""
    if not steps:
        return None

    def vary(image: Image, epoch: int, number: int) -> Image:
        return augment(image, steps, random_generator(seed, epoch, number))

    return vary


def _matrix(step: AugmentationStep, generator: np.random.Generator, height: int, width: int) -> Matrix | None:
    """The step's random 3x3 matrix for this image; None for no change."""
    match step:
        case RandomFlip():
            horizontal, vertical = generator.random(2) <= 0.5
            return flip_matrix(
                bool(horizontal) and "horizontal" in step.mode,
                bool(vertical) and "vertical" in step.mode,
                height,
                width,
            )
        case RandomRotation():
            return rotation_matrix(generator.uniform(*step.factor) * 2 * math.pi, height, width)
        case RandomTranslation():
            down = generator.uniform(*step.height_factor) * height
            right = generator.uniform(*step.width_factor) * width
            return translation_matrix(down, right)
        case RandomZoom():
            tall = 1 + generator.uniform(*step.height_factor)
            wide = tall if step.width_factor is None else 1 + generator.uniform(*step.width_factor)
            return zoom_matrix(tall, wide, height, width)
        case _:
            assert_never(step)


def flip_matrix(horizontal: bool, vertical: bool, height: int, width: int) -> Matrix | None:
    """Mirrors left to right, top to bottom, or both."""
    if not horizontal and not vertical:
        return None
    across = (-1.0, width - 1.0) if horizontal else (1.0, 0.0)
    down = (-1.0, height - 1.0) if vertical else (1.0, 0.0)
    return np.array([[across[0], 0, across[1]], [0, down[0], down[1]], [0, 0, 1]])


def rotation_matrix(angle: float, height: int, width: int) -> Matrix:
    """A turn by `angle` radians about the centre, against the clock for a positive angle as it is seen."""
    cosine, sine = math.cos(angle), math.sin(angle)
    x, y = (width - 1) / 2, (height - 1) / 2
    return np.array([[cosine, -sine, x - x * cosine + y * sine], [sine, cosine, y - x * sine - y * cosine], [0, 0, 1]])


def translation_matrix(down: float, right: float) -> Matrix:
    """A shift in pixels."""
    return np.array([[1, 0, -right], [0, 1, -down], [0, 0, 1.0]])


def zoom_matrix(tall: float, wide: float, height: int, width: int) -> Matrix:
    """A zoom about the centre; a factor above 1 shows more of the image, smaller."""
    return np.array([[wide, 0, (width - 1) / 2 * (1 - wide)], [0, tall, (height - 1) / 2 * (1 - tall)], [0, 0, 1]])


def _warp(image: Image, matrix: Matrix, border: _Border) -> Image:
    cv2 = opencv()
    modes = {
        "reflect": cv2.BORDER_REFLECT,
        "constant": cv2.BORDER_CONSTANT,
        "wrap": cv2.BORDER_WRAP,
        "nearest": cv2.BORDER_REPLICATE,
    }
    interpolation = cv2.INTER_LINEAR if border.interpolation == "bilinear" else cv2.INTER_NEAREST
    size = (image.shape[1], image.shape[0])
    flags = interpolation | cv2.WARP_INVERSE_MAP
    warped = cv2.warpAffine(
        image, matrix[:2], size, flags=flags, borderMode=modes[border.fill_mode], borderValue=[border.fill_value] * 4
    )
    result: Image = warped.reshape(image.shape)
    return result
