"""Steps that move pixels: their matrices, and the one warp that carries out a product of them.

Matrices are 3x3 and map output to input coordinates, (x, y) with pixel centres on whole numbers, as Keras' and
OpenCV's do: that of two steps, one after the other, is first @ second.
"""

import math
from typing import NamedTuple, assert_never

import numpy as np
from numpy.typing import NDArray

from cnnctl.config.augmentations import (
    AugmentationStep,
    RandomCrop,
    RandomFlip,
    RandomRotation,
    RandomTranslation,
    RandomZoom,
)
from cnnctl.data.decoder.images import Image, opencv

Matrix = NDArray[np.float64]
MatrixStep = RandomFlip | RandomRotation | RandomTranslation | RandomZoom


class Border(NamedTuple):
    """How a warp fills what lies outside the image, and how it interpolates.

    `fill_mode` is one of Keras' names (reflect, constant, wrap, nearest), SciPy's `mirror`, or `window`; `fill_value`
    is the pixel value with `constant`; `interpolation` is bilinear or nearest.
    """

    fill_mode: str
    fill_value: float
    interpolation: str


WINDOW = Border("window", 0.0, "bilinear")
"""A crop's: the pixels at the edge of the window go on outside, as in cv2.resize. Reflection does the same for the
first half pixel, and a crop looks no further, so this border gives way to those two."""


class Window(NamedTuple):
    """A part of an image, in whole pixels."""

    top: int
    left: int
    height: int
    width: int


def random_matrix(
    step: MatrixStep, generator: np.random.Generator, height: int, width: int, epoch: int = 0
) -> Matrix | None:
    """The step's matrix for one image; None for no change. For a flip that alternates, `generator` is that of epoch 0.

    The ranges are those of Keras' layers. Keras 3 draws one number for both directions of horizontal_and_vertical,
    so that it only ever turns by 180 degrees; here each has its own, as it had in Keras 2.
    """
    match step:
        case RandomFlip():
            across, down = mirrored(step, generator.random(2), epoch).tolist()
            return flip_matrix(across, down, height, width)
        case RandomRotation():
            return rotation_matrix(generator.uniform(*step.factor) * 2 * math.pi, height, width)
        case RandomTranslation():
            down = generator.uniform(*step.height_factor) * height
            right = generator.uniform(*step.width_factor) * width
            return translation_matrix(down, right)
        case RandomZoom():
            height_factor = 1 + generator.uniform(*step.height_factor)
            width_factor = height_factor if step.width_factor is None else 1 + generator.uniform(*step.width_factor)
            return zoom_matrix(height_factor, width_factor, height, width)
        case _:
            assert_never(step)


def mirrored(step: RandomFlip, draws: NDArray[np.float64], epoch: int) -> NDArray[np.bool_]:
    """Whether an image is mirrored left to right, and top to bottom, by two numbers from 0 to 1: bool (2,).

    The numbers of more images stand beside each other, (2, images), and so do the answers. Where the flip alternates,
    the one direction changes with each epoch; the other, if there are two, with every second.
    """
    across, down = "horizontal" in step.mode, "vertical" in step.mode
    turns = (epoch % 2, (epoch // 2 if across else epoch) % 2) if step.alternate else (0, 0)
    return np.stack(
        [
            ((draw <= 0.5) ^ bool(turn)) & allowed
            for draw, turn, allowed in zip(draws, turns, (across, down), strict=True)
        ]
    )


def epoch_of_draws(step: AugmentationStep, epoch: int) -> int:
    """The epoch whose random numbers a step takes: the first for a flip that alternates."""
    return 0 if isinstance(step, RandomFlip) and step.alternate else epoch


def random_window(step: RandomCrop, generator: np.random.Generator, height: int, width: int) -> Window:
    """What RandomCrop cuts out of an image: any position is as likely as any other.

    Of an image that is not larger than the window along both sides, Keras cuts the window that starts where the
    largest centred one of the same proportions would start, as far as the image goes.
    """
    if height > step.height and width > step.width:
        top = int(generator.integers(height - step.height + 1))
        left = int(generator.integers(width - step.width + 1))
    else:
        top = (height - max(min(height, width * step.height // step.width), 1)) // 2
        left = (width - max(min(width, height * step.width // step.height), 1)) // 2
    return Window(top, left, min(step.height, height - top), min(step.width, width - left))


def flip_matrix(horizontal: bool, vertical: bool, height: int, width: int) -> Matrix | None:
    """Mirrors left to right, top to bottom, or both."""
    if not horizontal and not vertical:
        return None
    across = (-1.0, width - 1.0) if horizontal else (1.0, 0.0)
    down = (-1.0, height - 1.0) if vertical else (1.0, 0.0)
    return _scaling_matrix(*across, *down)


def rotation_matrix(angle: float, height: int, width: int) -> Matrix:
    """A turn by `angle` radians about the centre, against the clock for a positive angle as it is seen."""
    cosine, sine = math.cos(angle), math.sin(angle)
    x, y = (width - 1) / 2, (height - 1) / 2
    return np.array([[cosine, -sine, x - x * cosine + y * sine], [sine, cosine, y - x * sine - y * cosine], [0, 0, 1]])


def translation_matrix(down: float, right: float) -> Matrix:
    """A shift in pixels."""
    return np.array([[1, 0, -right], [0, 1, -down], [0, 0, 1.0]])


def zoom_matrix(height_factor: float, width_factor: float, height: int, width: int) -> Matrix:
    """A zoom about the centre; a factor above 1 shows more of the image, smaller."""
    left, top = (width - 1) / 2 * (1 - width_factor), (height - 1) / 2 * (1 - height_factor)
    return _scaling_matrix(width_factor, left, height_factor, top)


def shear_matrix(across: float, down: float) -> Matrix:
    """Keras' RandomShear: x grows by `across` times y and y by `down` times x, from the top left corner."""
    return np.array([[1, across, 0], [down, 1, 0], [0, 0, 1.0]])


def window_matrix(window: Window, height: int, width: int) -> Matrix:
    """A window enlarged to `height` x `width`, pixel area to pixel area as in cv2.resize."""
    width_factor, height_factor = window.width / width, window.height / height
    left, top = window.left + (width_factor - 1) / 2, window.top + (height_factor - 1) / 2
    return _scaling_matrix(width_factor, left, height_factor, top)


def _scaling_matrix(width_factor: float, left: float, height_factor: float, top: float) -> Matrix:
    return np.array([[width_factor, 0, left], [0, height_factor, top], [0, 0, 1]])


def warp(image: Image, matrix: Matrix, border: Border | None, height: int, width: int) -> Image:
    """An image of `height` x `width`. Without a border the matrix must be of flips alone, which are exact; if they
    cancel, it is the image itself.
    """
    cv2 = opencv()
    if border is None:
        across, down = matrix[0, 0] < 0, matrix[1, 1] < 0
        if not (across or down):
            return image
        return np.asarray(cv2.flip(image, -1 if across and down else int(across))).reshape(image.shape)
    modes = {
        "reflect": cv2.BORDER_REFLECT,
        "mirror": cv2.BORDER_REFLECT_101,
        "constant": cv2.BORDER_CONSTANT,
        "wrap": cv2.BORDER_WRAP,
    }
    flags = (cv2.INTER_LINEAR if border.interpolation == "bilinear" else cv2.INTER_NEAREST) | cv2.WARP_INVERSE_MAP
    mode, value = modes.get(border.fill_mode, cv2.BORDER_REPLICATE), [border.fill_value] * 4
    warped = cv2.warpAffine(image, matrix[:2], (width, height), flags=flags, borderMode=mode, borderValue=value)
    return np.asarray(warped).reshape(height, width, image.shape[2])
