"""The random variations of training images: Keras' layers in snake case, with their arguments and meaning.

This is the vocabulary alone; the pixels are in data/augment/.
"""

from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, WithJsonSchema

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
    expected,
)

Interpolation = Annotated[Literal["bilinear", "nearest"], Field(description="How pixels between pixels are found.")]
FillMode = Literal["reflect", "constant", "wrap", "nearest"]
Zoom = Annotated[tuple[float, float], Range(-0.99, 10)]


class _Warp(Named):
    fill_mode: Annotated[FillMode, Field(description="What lies outside the image.")] = "reflect"
    fill_value: Annotated[float, Field(ge=0, le=255, description="Pixel value outside, with fill_mode constant.")] = 0.0
    interpolation: Interpolation = "bilinear"


class RandomFlip(Named):
    """Mirrors each image with a chance of one half."""

    mode: Annotated[
        Literal["horizontal", "vertical", "horizontal_and_vertical"],
        Field(description="Left to right, top to bottom, or both, each with its own chance."),
    ] = "horizontal_and_vertical"


class RandomRotation(_Warp):
    """Turns each image about its centre."""

    factor: Annotated[Signed, Field(description="Share of a full turn; 0.1 is from -36 to 36 degrees.", examples=[0.1])]


class RandomTranslation(_Warp):
    """Shifts each image; positive is down and to the right."""

    height_factor: Annotated[Signed, Field(description="Share of the height.", examples=[0.1])]
    width_factor: Annotated[Signed, Field(description="Share of the width.", examples=[0.1])]


class RandomZoom(_Warp):
    """Zooms each image about its centre; positive zooms out, negative zooms in."""

    height_factor: Annotated[Zoom, Field(description="Share of the height.", examples=[0.1])]
    width_factor: Annotated[
        Zoom | None,
        OrNone,
        Field(description="Share of the width; keeps the proportions when left out.", examples=[0.1]),
    ] = None


class RandomCrop(Named):
    """Cuts a window of this size out of each image, anywhere, and enlarges it to the size of the image again."""

    height: Annotated[Count, Field(description="Rows of the window, in pixels.", examples=[28])]
    width: Annotated[Count, Field(description="Columns of the window, in pixels.", examples=[28])]


class RandomBrightness(Named):
    """Adds the same number to every pixel of an image."""

    factor: Annotated[Signed, Field(description="Share of 255; 0.2 is from -51 to 51 pixel values.", examples=[0.2])]


class RandomContrast(Named):
    """Moves the pixels of each channel away from their mean, or towards it."""

    factor: Annotated[
        Unsigned,
        Field(
            description="[lower, upper]: distances to the mean times 1 - lower to 1 + upper; f is [0, f].",
            examples=[0.2],
        ),
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

    factor: Annotated[
        Unsigned, Field(description="Chance of an image to be covered, drawn from this range; f is [0, f].")
    ] = (0.0, 1.0)
    scale: Annotated[
        Unsigned, Field(description="Each side of the rectangle, squared, as a share of the image's side; f is [0, f].")
    ] = (0.02, 0.33)
    fill_value: Annotated[
        float | tuple[int, int, int] | None,
        BeforeValidator(_fill_value),
        WithJsonSchema(
            {"anyOf": [{"enum": ["none", None]}, {"type": "number", "minimum": 0, "maximum": 255}, COLOUR_SCHEMA]}
        ),
        Field(description="Pixel value or [red, green, blue] of the rectangle; none: noise.", examples=[128]),
    ] = None


class RandAugment(Named):
    """A few operations drawn from eleven: shear, shift, turn, brightness, colour, contrast, sharpness, posterize,
    solarize, automatic contrast and equalize (Cubuk et al. 2019, https://arxiv.org/abs/1909.13719).
    """

    num_ops: Annotated[Count, Field(le=100, description="Operations on each image, one after the other.")] = 2
    factor: Annotated[Unsigned, Field(description="Strength of the operations; f is [0, f].")] = (0.0, 0.5)
    interpolation: Interpolation = "bilinear"


class MixUp(Named):
    """Blends each image and its label with another training image (Zhang et al. 2017,
    https://arxiv.org/abs/1710.09412).
    """

    alpha: Annotated[
        Positive, Field(le=1000, description="Shares are drawn from Beta(alpha, alpha); small values mix little.")
    ] = 0.2


class CutMix(Named):
    """Pastes a rectangle of another training image into each, and mixes the labels by area (Yun et al. 2019,
    https://arxiv.org/abs/1905.04899).
    """

    factor: Annotated[
        Unsigned,
        Field(description="Alpha of Beta(alpha, alpha), drawn from this range; f is [0, f]. Small values mix little."),
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
