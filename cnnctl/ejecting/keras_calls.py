"""The network, the augmentation and the optimizer of a config as calls of Keras' classes."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from functools import partial
from typing import Any

from cnnctl.architecture.scaling import NONE, SYMMETRIC, UNIT, Scaling
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
from cnnctl.config.optimizers import Sgd
from cnnctl.config.schedules import Schedule
from cnnctl.config.training import TrainSettings
from cnnctl.data.augment.pixels import GREY
from cnnctl.ejecting.source import Code, call
from cnnctl.layers import AnyLayer, RealLayer, Repeat
from cnnctl.layers.backbone import Backbone
from cnnctl.layers.notation import NO_SIDES
from cnnctl.settings import Settings

MOST_ZOOM = 1.0
"""Keras' RandomZoom takes factors up to this."""

_FROM_ZERO = (RandomContrast, RandomErasing, RandAugment, CutMix)
"""Augmentations of which one number f means [0, f]; of the others it means [-f, f]."""

OWN = "cnnctl>"
"""How the names of the classes begin that Keras lacks."""

_FIRST = ("filters", "kernel_size")
"""Keras' order of the settings of a layer that have no default."""


def scaling_call(scaling: Scaling | None, **more: Any) -> Code:
    """The layer that scales pixels; without a scaling by the script's `scale` and `offset`, of each channel."""
    match scaling:
        case None:
            return call("layers.Rescaling", Code("scale"), Code("offset"), **more)
        case Scaling() if scaling == UNIT:
            return call("layers.Rescaling", Code("1 / 255"), **more)
        case Scaling() if scaling == SYMMETRIC:
            return call("layers.Rescaling", Code("1 / 127.5"), offset=-1, **more)
        case Scaling() if scaling == NONE:
            return call("layers.Rescaling", 1, **more)
    (scale,), (offset,) = scaling.scale, scaling.offset
    whole = round(1 / scale)
    return call("layers.Rescaling", Code(f"1 / {whole}") if scale == 1 / whole else scale, offset=offset, **more)


def output_call(config: Config, **more: Any) -> Code:
    """The layer that is appended to the config's."""
    chosen = config.output
    units = 1 if chosen.kind == "sigmoid" else Code("len(CLASSES)")
    bias = {} if chosen.use_bias else {"use_bias": False}
    return call("layers.Dense", units, activation=chosen.activation, **bias, **more)


def adding_lines(layers: Sequence[AnyLayer], depth: int = 0) -> Iterator[tuple[int, Code]]:
    """`model.add(...)` for each layer, a loop for each `repeat`: (loops around the line, the line)."""
    for layer in layers:
        if isinstance(layer, Repeat):
            yield depth, Code(f"for _ in range({layer.times}):")
            yield from adding_lines(layer.layers, depth + 1)
        else:
            yield from ((depth, call("model.add", one)) for one in layer_calls(layer))


def layer_calls(layer: RealLayer) -> Iterator[Code]:
    """The Keras layers of one of ours, defaults left out; explicit zeros are a layer of their own.

    A backbone is a variable of that name.
    """
    if isinstance(layer, Backbone):
        yield Code("backbone")
        return
    if layer.window is not None and layer.window.zeros != NO_SIDES:
        yield call("layers.ZeroPadding2D", _short_sides(layer.window.zeros))

    given = {name: _penalty(value) for name, value in layer.keras_arguments().items()}
    if given.get("strides") == given.get("pool_size"):
        given.pop("strides", None)
    given = {name: given[name] for name in (*_FIRST, *given) if name in given}
    sides = [name for name in given if name == "padding" and isinstance(given[name], tuple)]
    positional, named = _without_defaults(layer, given, sides)
    name = layer.keras_class.removeprefix(OWN) if needs_class(layer) else f"layers.{layer.keras_class}"
    yield call(name, *map(_short_sides, positional), **{key: _short_sides(value) for key, value in named.items()})


def needs_class(layer: RealLayer) -> bool:
    """Whether Keras lacks the layer, so that the script has its class."""
    return layer.keras_class.startswith(OWN)


def _penalty(value: Any) -> Any:
    """Keras' regularizer of its factors; None where all are 0."""
    if not isinstance(value, dict):
        return value
    factors = {name: factor for name, factor in value.items() if factor}
    return call("keras.regularizers.L1L2", **factors) if factors else None


def _short_sides(value: Any) -> Any:
    """(3, 3) as 3, and ((1, 1), (1, 1)) as 1."""
    if not isinstance(value, tuple):
        return value
    flat = {number for side in value for number in (side if isinstance(side, tuple) else (side,))}
    return flat.pop() if len(flat) == 1 else value


def bias_factor(settings: TrainSettings) -> float:
    """That of the optimizer; 1 for one that has none."""
    return settings.optimizer.bias_factor if isinstance(settings.optimizer, Sgd) else 1.0


def needs_optimizer(settings: TrainSettings) -> bool:
    """Whether the script has a class of its own, by Keras' name of the optimizer."""
    return settings.lookahead is not None or bias_factor(settings) != 1


def optimizer_call(settings: TrainSettings, schedule: Schedule, fixed: str, steps: Code) -> Code:
    """The optimizer, its settings at their defaults left out; `fixed` is its rate where no schedule plans it.

    It takes `steps` in all.
    """
    chosen = settings.optimizer
    rate = fixed if schedule.kind in ("constant", "reduce_on_plateau") else "learning_rate"
    _, given = _without_defaults(chosen, chosen.keras_arguments())
    if settings.ema is not None:
        given |= {"use_ema": True, "ema_momentum": settings.ema}
    if settings.lookahead is not None:
        given["steps"] = steps
    name = chosen.keras_class if needs_optimizer(settings) else f"keras.optimizers.{chosen.keras_class}"
    return call(name, Code(rate), **given)


def augmentation_calls(step: AugmentationStep, channels: int) -> list[Code]:
    """The Keras layers of one step, which have its name and its settings."""
    given: dict[str, Any] = {name: getattr(step, name) for name in type(step).model_fields}
    unnamed: tuple[str, ...] = ()
    match step:
        case RandomFlip(alternate=True):  # Keras' layer draws anew in each epoch: see alternating_views
            return []
        case RandomFlip(mode="horizontal_and_vertical"):  # one Keras layer would draw one number for both
            return [call("layers.RandomFlip", mode) for mode in ("horizontal", "vertical")]
        case RandomFlip():
            given, unnamed = {"mode": step.mode}, ("mode",)
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
    if given.get("fill_mode") == "mirror":  # which Keras' layers lack
        given["fill_mode"] = "reflect"
    positional, named = _without_defaults(step, given, unnamed)
    short = partial(_short_range, from_zero=isinstance(step, _FROM_ZERO))
    shown = {name: short(value) if name.endswith("factor") else value for name, value in named.items()}
    return [call(f"layers.{type(step).__name__}", *map(short, positional), **shown)]


def alternating_views(steps: Sequence[AugmentationStep]) -> Iterator[tuple[Code, int]]:
    """What flips that alternate make of images: an index into a batch, and after how many epochs it changes."""
    for step in steps:
        if isinstance(step, RandomFlip) and step.alternate:
            across, down = "horizontal" in step.mode, "vertical" in step.mode
            if across:
                yield Code(":, :, ::-1"), 1
            if down:
                yield Code(":, ::-1"), 2 if across else 1


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

    Those that have no default come without their names, and the `unnamed` ones; `given` is in Keras' order.
    """
    fields = type(settings).model_fields
    first = [name for name in given if name in unnamed or (name in fields and fields[name].is_required())]
    shown = {name: one for name, one in given.items() if name not in fields or one != fields[name].default}
    return [given[name] for name in first], {name: one for name, one in shown.items() if name not in first}
