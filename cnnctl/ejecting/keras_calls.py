"""The network, the augmentation and the optimizer of a config as calls of Keras' classes."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from functools import partial
from typing import Any

from cnnctl.config import Config
from cnnctl.config.augmentations import (
    AugmentationStep,
    CutMix,
    MixUp,
    RandAugment,
    RandomContrast,
    RandomCrop,
    RandomErasing,
    RandomFlip,
    RandomZoom,
)
from cnnctl.config.layers import ActivationLayer, AnyLayer, RealLayer, Regularizer, Repeat, ZeroPadding2D
from cnnctl.config.training import TrainSettings
from cnnctl.config.types import Settings
from cnnctl.data.augment.pixels import GREY
from cnnctl.ejecting.source import Code, call

MOST_ZOOM = 1.0
"""Keras' RandomZoom takes factors up to this."""

_FROM_ZERO = (RandomContrast, RandomErasing, RandAugment, CutMix)
"""Augmentations of which one number f means [0, f]; of the others it means [-f, f]."""

_FIRST = ("filters", "kernel_size")
"""Keras' order of the settings of a layer that have no default."""


def build_lines(config: Config, standardizes: bool, float32: bool) -> list[tuple[int, Code]]:
    """What `build_model()` is made of: (how many loops it is in, source).

    The source is a layer; where layers repeat, it is a call of `model.add` or the head of a loop.

    Args:
        config: A config whose network is possible.
        standardizes: Whether the pixels are scaled by MEAN and DEVIATION.
        float32: Whether a dtype policy may come in that scaling and output must not follow.
    """
    exact = {"dtype": "float32"} if float32 else {}
    match config.data.image.scaling:
        case "unit":
            scaling = call("layers.Rescaling", Code("1 / 255"), **exact)
        case "symmetric":
            scaling = call("layers.Rescaling", Code("1 / 127.5"), offset=-1, **exact)
        case "standardize":
            scaling = call("layers.Rescaling", Code("scale"), Code("offset"), **exact)
    units = 1 if config.output == "sigmoid" else Code("len(CLASSES)")

    lines = [(0, call("keras.Input", Code("(HEIGHT, WIDTH, CHANNELS)"), dtype="uint8")), (0, scaling)]
    lines += _hidden(config.model, 0)
    lines.append((0, call("layers.Dense", units, activation=config.output, **exact)))
    if not has_repeat(config.model):
        return lines
    return [(depth, line if line.startswith("for ") else call("model.add", line)) for depth, line in lines]


def has_repeat(layers: Sequence[AnyLayer]) -> bool:
    """Whether layers repeat."""
    return any(isinstance(layer, Repeat) for layer in layers)


def _hidden(layers: Sequence[AnyLayer], depth: int) -> Iterator[tuple[int, Code]]:
    for layer in layers:
        if isinstance(layer, Repeat):
            yield depth, Code(f"for _ in range({layer.times}):")
            yield from _hidden(layer.layers, depth + 1)
        else:
            for one in layer_calls(layer):
                yield depth, one


def layer_calls(layer: RealLayer) -> Iterator[Code]:
    """The Keras layers of one of ours, defaults left out; explicit zeros are a layer of their own."""
    name = "Activation" if isinstance(layer, ActivationLayer) else type(layer).__name__
    given: dict[str, Any] = {key: getattr(layer, key) for key in type(layer).model_fields}
    unnamed = ("padding",) if isinstance(layer, ZeroPadding2D) else ()
    if isinstance(given.get("padding"), tuple) and not unnamed:
        if given["padding"] != ((0, 0), (0, 0)):
            yield call("layers.ZeroPadding2D", _short_sides(given["padding"]))
        given["padding"] = "valid"
    given = {key: given[key] for key in (*_FIRST, *given) if key in given}
    given = {key: None if _is_idle(value) else value for key, value in given.items()}
    positional, named = _without_defaults(layer, given, unnamed)
    own = "" if name == "L2Pooling2D" else "layers."
    yield call(f"{own}{name}", *map(_short_sides, positional), **{key: _short_sides(one) for key, one in named.items()})


def _is_idle(value: object) -> bool:
    return isinstance(value, Regularizer) and not value.l1 and not value.l2


def _short_sides(value: Any) -> Any:
    """(3, 3) as 3, and ((1, 1), (1, 1)) as 1; a penalty as Keras' class."""
    if isinstance(value, Regularizer):
        return call("keras.regularizers.L1L2", **{k: f for k, f in value if f})
    if not isinstance(value, tuple):
        return value
    flat = {number for side in value for number in (side if isinstance(side, tuple) else (side,))}
    return flat.pop() if len(flat) == 1 else value


def optimizer_call(settings: TrainSettings) -> Code:
    """The Keras optimizer, its settings at their defaults left out."""
    chosen = settings.optimizer
    rate = "LEARNING_RATE" if settings.schedule.kind in ("constant", "reduce_on_plateau") else "learning_rate"
    _, given = _without_defaults(chosen, chosen.keras_arguments())
    if settings.ema is not None:
        given |= {"use_ema": True, "ema_momentum": settings.ema}
    return call(f"keras.optimizers.{chosen.keras_class}", Code(rate), **given)


def augmentation_calls(step: AugmentationStep, channels: int) -> list[Code]:
    """The Keras layers of one step, which have its name and its settings."""
    given: dict[str, Any] = {name: getattr(step, name) for name in type(step).model_fields}
    unnamed: tuple[str, ...] = ()
    match step:
        case RandomFlip(mode="horizontal_and_vertical"):  # one Keras layer would draw one number for both
            return [call("layers.RandomFlip", mode) for mode in ("horizontal", "vertical")]
        case RandomFlip():
            unnamed = ("mode",)
        case RandomCrop():
            return [
                call("layers.RandomCrop", step.height, step.width),
                call("layers.Resizing", Code("HEIGHT"), Code("WIDTH")),
            ]
        case RandomZoom():
            given |= {name: (min(one[0], MOST_ZOOM), min(one[1], MOST_ZOOM)) for name, one in zooms(step).items()}
            unnamed = tuple(zooms(step))
        case RandomErasing(fill_value=tuple()) if channels == 1:
            given["fill_value"] = round(float(GREY @ step.fill_value), 4)
        case MixUp():
            return [call("layers.MixUp", **given)]
    positional, named = _without_defaults(step, given, unnamed)
    short = partial(_short_range, from_zero=isinstance(step, _FROM_ZERO))
    shown = {name: short(value) if name.endswith("factor") else value for name, value in named.items()}
    return [call(f"layers.{type(step).__name__}", *map(short, positional), **shown)]


def zooms(step: RandomZoom) -> dict[str, tuple[float, float]]:
    """The factors that are set."""
    given = {"height_factor": step.height_factor, "width_factor": step.width_factor}
    return {name: factor for name, factor in given.items() if factor is not None}


def _short_range(value: Any, from_zero: bool) -> Any:
    """(-0.1, 0.1) as 0.1, or (0, 0.1) as 0.1, which is what Keras makes of it."""
    match value:
        case (float(low), float(high)) if low == (0 if from_zero else -high):
            return high
    return value


def _without_defaults(
    settings: Settings, given: Mapping[str, Any], unnamed: Collection[str] = ()
) -> tuple[list[Any], dict[str, Any]]:
    """Arguments that come without their names, and those that come with them because they are not at their defaults.

    Args:
        settings: Where the defaults are; what has none comes without its name.
        given: The arguments, in Keras' order.
        unnamed: More that come without their names.
    """
    fields = type(settings).model_fields
    first = [name for name in given if name in unnamed or (name in fields and fields[name].is_required())]
    shown = {name: one for name, one in given.items() if name not in fields or one != fields[name].default}
    return [given[name] for name in first], {name: one for name, one in shown.items() if name not in first}
