"""The random variations of training images: Keras' layers in snake case, with their arguments and meaning.

This is the vocabulary alone; the pixels are in data/augment/.
"""

from typing import Annotated, Literal

from pydantic import BeforeValidator, WithJsonSchema

from cnnctl.settings import (
    COLOUR_SCHEMA,
    ByName,
    Count,
    Named,
    OrNone,
    Positive,
    Range,
    Signed,
    Unsigned,
    colour,
    described,
    expected,
)

Interpolation = Annotated[Literal["bilinear", "nearest"], described("Interpolation between pixels.")]
FillMode = Literal["reflect", "constant", "wrap", "nearest", "mirror"]
Zoom = Annotated[tuple[float, float], Range(-0.99, 10)]


class Warp(Named):
    """Steps that need pixels from outside the image."""

    fill_mode: Annotated[
        FillMode,
        described(
            "How to fill pixels outside the image; mirror: as reflect, but without the pixel at the edge once more."
        ),
    ] = "reflect"
    fill_value: Annotated[float, described("Pixel value outside the image if fill_mode is constant.", ge=0, le=255)] = (
        0.0
    )
    interpolation: Interpolation = "bilinear"


class RandomFlip(Named):
    """Flips each image with probability 0.5."""

    mode: Annotated[
        Literal["horizontal", "vertical", "horizontal_and_vertical"],
        described("Direction: left to right, top to bottom, or each of them independently."),
    ] = "horizontal_and_vertical"
    alternate: Annotated[
        bool,
        described(
            "Whether chance decides in the first epoch only: then each image is flipped the other way in every second "
            "epoch (with horizontal_and_vertical, four epochs show all four ways)."
        ),
    ] = False


class RandomRotation(Warp):
    """Rotates each image about its centre."""

    factor: Annotated[Signed, described("Fraction of a full turn; 0.1 is -36 to 36 degrees.", 0.1)]


class RandomTranslation(Warp):
    """Shifts each image; positive is down and to the right."""

    height_factor: Annotated[Signed, described("Fraction of the height.", 0.1)]
    width_factor: Annotated[Signed, described("Fraction of the width.", 0.1)]


class RandomZoom(Warp):
    """Zooms each image about its centre; positive zooms out, negative zooms in."""

    height_factor: Annotated[Zoom, described("Fraction of the height.", 0.1)]
    width_factor: Annotated[
        Zoom | None, OrNone, described("Fraction of the width; default: keep the aspect ratio.", 0.1)
    ] = None


class RandomCrop(Named):
    """Crops a random window of this size from each image and resizes it to the size of the image."""

    height: Annotated[Count, described("Height of the window, in pixels.", 28)]
    width: Annotated[Count, described("Width of the window, in pixels.", 28)]


class RandomBrightness(Named):
    """Adds the same number to every pixel of an image."""

    factor: Annotated[Signed, described("Fraction of 255; 0.2 is -51 to 51 in pixel values.", 0.2)]


class RandomContrast(Named):
    """Scales the difference between each pixel and the mean of its channel."""

    factor: Annotated[
        Unsigned,
        described("[lower, upper]: the difference is multiplied by 1 - lower to 1 + upper; f means [0, f].", 0.2),
    ]


def _fill_value(value: object) -> object:
    if value is None or value == "none":
        return None
    if type(value) in (int, float) and 0 <= value <= 255:  # type: ignore[operator]
        return float(value)  # type: ignore[arg-type]
    if isinstance(value, list | tuple):
        return colour(value)
    raise expected("none (noise), a pixel value from 0 to 255, or [red, green, blue]")


class RandomErasing(Named):
    """Covers a rectangle of each image with noise or a colour."""

    factor: Annotated[Unsigned, described("Probability of erasing, drawn from this range; f means [0, f].")] = (
        0.0,
        1.0,
    )
    scale: Annotated[
        Unsigned,
        described("Square of each side of the rectangle, as a fraction of the side of the image; f means [0, f]."),
    ] = (0.02, 0.33)
    fill_value: Annotated[
        float | tuple[int, int, int] | None,
        BeforeValidator(_fill_value),
        WithJsonSchema(
            {"anyOf": [{"enum": ["none", None]}, {"type": "number", "minimum": 0, "maximum": 255}, COLOUR_SCHEMA]}
        ),
        described("Pixel value or [red, green, blue] of the rectangle; none: noise.", 128),
    ] = None


class RandAugment(Named):
    """Applies random operations out of eleven: shear, shift, rotate, brightness, colour, contrast, sharpness,
    posterize, solarize, autocontrast and equalize (Cubuk et al. 2019, https://arxiv.org/abs/1909.13719).
    """

    num_ops: Annotated[Count, described("Number of operations on each image.", le=100)] = 2
    factor: Annotated[Unsigned, described("Strength of the operations; f means [0, f].")] = (0.0, 0.5)
    interpolation: Interpolation = "bilinear"


class MixUp(Named):
    """Blends each image and its label with another training image (Zhang et al. 2017,
    https://arxiv.org/abs/1710.09412).
    """

    alpha: Annotated[
        Positive, described("Mixing weights are drawn from Beta(alpha, alpha); small values mix little.", le=1000)
    ] = 0.2


class CutMix(Named):
    """Pastes a rectangle of another training image into each, and mixes the labels by area (Yun et al. 2019,
    https://arxiv.org/abs/1905.04899).
    """

    factor: Annotated[
        Unsigned,
        described("Alpha of Beta(alpha, alpha), drawn from this range; f means [0, f]. Small values mix little."),
    ] = (0.0, 1.0)


AffineStep = RandomFlip | RandomRotation | RandomTranslation | RandomZoom | RandomCrop
"""Steps that move pixels: an affine map from the new image to the old."""
PixelStep = RandomBrightness | RandomContrast | RandomErasing | RandAugment
"""Steps that change one image's pixels."""
MixingStep = MixUp | CutMix
"""Steps that mix two images and their labels."""
AugmentationStep = AffineStep | PixelStep | MixingStep
Augmentation = Annotated[AugmentationStep, ByName("augmentation")]
AUGMENTATIONS: dict[str, type[Named]] = {step.kind: step for step in AugmentationStep.__args__}
