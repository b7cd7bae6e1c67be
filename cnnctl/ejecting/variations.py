"""The augment section -> the source of `build_augmentation()`, by Keras' layers of the same names."""

from collections.abc import Iterator, Sequence
from typing import assert_never

from cnnctl.config import Config
from cnnctl.config.augmentations import (
    AugmentationStep,
    CutMix,
    MixUp,
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
from cnnctl.data.augment.pixels import GREY
from cnnctl.ejecting.source import STEP, Group, Node, array, call, lines, literal, opened

_MOST_ZOOM = 1.0
"""Keras' RandomZoom takes factors up to this."""


def augmentation_lines(config: Config) -> list[str]:
    """The source of `build_augmentation()`."""
    steps = [one for step in config.augment for one in _step(step, config.data.image.channels)]
    return [
        "def build_augmentation():",
        '    """Random variations of training images, one after the other, in pixel values."""',
        *lines(call("layers.Pipeline", opened(array(steps))), STEP, "return "),
    ]


def variation_warnings(steps: Sequence[AugmentationStep]) -> Iterator[str]:
    """What Keras' layers do otherwise than cnnctl."""
    kinds = {type(step) for step in steps}
    if RandomCrop in kinds:
        yield "random_crop: Keras cuts the same window out of all images of a batch, cnnctl one of its own out of each"
    if RandAugment in kinds:
        yield "rand_augment: Keras draws the operations once for a batch, cnnctl for each image"
    if MixUp in kinds:
        yield "mix_up: Keras takes an image's partner from its batch, cnnctl from all training images"
    if CutMix in kinds:
        yield "cut_mix: Keras takes an image's partner from its batch, cnnctl from all training images"
    zooms = [factor for step in steps if isinstance(step, RandomZoom) for factor in _zooms(step)]
    if any(max(factor) > _MOST_ZOOM for factor in zooms):
        largest = max(max(factor) for factor in zooms)
        yield f"random_zoom: Keras zooms out by a factor of {_MOST_ZOOM:g} at most, not by {largest:g}"


def _zooms(step: RandomZoom) -> list[tuple[float, float]]:
    return [factor for factor in (step.height_factor, step.width_factor) if factor is not None]


def _step(step: AugmentationStep, channels: int) -> Iterator[Group]:
    """The Keras layers of one step; settings at their defaults are left out."""
    match step:
        case RandomFlip(mode="horizontal_and_vertical"):  # one Keras layer would draw one number for both
            yield call("layers.RandomFlip", '"horizontal"')
            yield call("layers.RandomFlip", '"vertical"')
        case RandomFlip():
            yield call("layers.RandomFlip", literal(step.mode))
        case RandomRotation():
            yield call("layers.RandomRotation", _both(step.factor), **_border(step))
        case RandomTranslation():
            factors = (_both(step.height_factor), _both(step.width_factor))
            yield call("layers.RandomTranslation", *factors, **_border(step))
        case RandomZoom():
            yield call("layers.RandomZoom", *(_both(_within(one)) for one in _zooms(step)), **_border(step))
        case RandomCrop():
            yield call("layers.RandomCrop", literal(step.height), literal(step.width))
            yield call("layers.Resizing", "HEIGHT", "WIDTH")
        case RandomBrightness():
            yield call("layers.RandomBrightness", _both(step.factor))
        case RandomContrast():
            yield call("layers.RandomContrast", _upward(step.factor))
        case RandomErasing():
            yield call("layers.RandomErasing", **_erasing(step, channels))
        case RandAugment():
            given = {"num_ops": literal(step.num_ops), "factor": _upward(step.factor)}
            given["interpolation"] = literal(step.interpolation)
            yield call("layers.RandAugment", **_without_defaults(step, given))
        case MixUp():
            yield call("layers.MixUp", alpha=literal(step.alpha))
        case CutMix():
            yield call("layers.CutMix", **_without_defaults(step, {"factor": _upward(step.factor)}))
        case _:
            assert_never(step)


def _both(factor: tuple[float, float]) -> str:
    """(-0.1, 0.1) as 0.1, which is what Keras makes of it."""
    return literal(factor[1] if factor[0] == -factor[1] else factor)


def _upward(factor: tuple[float, float]) -> str:
    """(0, 0.1) as 0.1, which is what Keras makes of it."""
    return literal(factor[1] if factor[0] == 0 else factor)


def _within(factor: tuple[float, float]) -> tuple[float, float]:
    return (min(factor[0], _MOST_ZOOM), min(factor[1], _MOST_ZOOM))


def _border(step: RandomRotation | RandomTranslation | RandomZoom) -> dict[str, Node]:
    names = ("fill_mode", "fill_value", "interpolation")
    return _without_defaults(step, {name: literal(getattr(step, name)) for name in names})


def _erasing(step: RandomErasing, channels: int) -> dict[str, Node]:
    fill = step.fill_value
    if isinstance(fill, tuple) and channels == 1:
        fill = round(float(GREY @ fill), 4)
    given = {"factor": _upward(step.factor), "scale": literal(step.scale), "fill_value": literal(fill)}
    return _without_defaults(step, given)


def _without_defaults(step: AugmentationStep, given: dict[str, str]) -> dict[str, Node]:
    fields = type(step).model_fields
    return {name: text for name, text in given.items() if getattr(step, name) != fields[name].default}
