"""The layers of a .keras file, read from the JSON inside it: Keras is not imported and no code of the file is run."""

import json
import math
import zipfile
import zlib
from dataclasses import replace
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from cnnctl.architecture.plan import Plan, make_plan
from cnnctl.errors import RunError
from cnnctl.layers import LAYERS, RealLayer
from cnnctl.system.zip import read_member

_MOST_BYTES = 10_000_000
_BY_CLASS: dict[str, type[RealLayer]] = {
    member.keras_class.rpartition(">")[2]: member for kind, member in LAYERS.items() if kind != "repeat"
}
_WITHOUT_ROW = ("InputLayer", "Rescaling")


def read_keras_file(path: Path) -> Plan:
    """The plan of a Sequential model that Keras saved, its layers named as there; scaling of pixels has no row.

    Raises:
        RunError: it is no .keras file, no Sequential model, or has layers that a config cannot have.
    """
    try:
        return _plan(path, _model_config(path))
    except (AttributeError, TypeError, LookupError, ValueError, RecursionError) as error:
        raise RunError(f"{path} is not a valid .keras file: {error!r}") from None


def read_scaling(path: Path) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Scale and offset of the Rescaling layer that a .keras file begins with, a number or one for each channel.

    Raises:
        RunError: it is no .keras file, or begins with another layer.
    """
    try:
        entries = _model_config(path).get("config", {}).get("layers", [])
        (settings,) = [one["config"] for one in entries if one.get("class_name") == "Rescaling"]
        scale, offset = (_numbers(settings[key]) for key in ("scale", "offset"))
    except (AttributeError, TypeError, LookupError, ValueError, OverflowError, RecursionError) as error:
        raise RunError(f"{path} does not say how its pixels are scaled: {error!r}", "cnnctl train writes it") from None
    return scale, offset


def _numbers(value: Any) -> tuple[float, ...]:
    numbers = tuple(float(one) for one in (value if isinstance(value, list) else [value]))
    if len(numbers) > 3 or not all(abs(one) < math.inf for one in numbers):
        raise ValueError("invalid normalization constants")
    return numbers


def _plan(path: Path, model: dict[str, Any]) -> Plan:
    if model.get("class_name") != "Sequential":
        raise RunError(f"{path} holds a {model.get('class_name')} model", "summary reads Sequential models")
    shape: tuple[int, int, int] | None = None
    layers: list[RealLayer] = []
    names: list[str] = []
    for entry in model.get("config", {}).get("layers", []):
        kind, settings = str(entry.get("class_name")), entry.get("config", {})
        if shape is None:
            shape = _image_shape(path, settings.get("batch_shape"), entry)
        if kind in _WITHOUT_ROW:
            continue
        layers.append(_layer(path, kind, settings))
        names.append(str(settings.get("name", kind)))
    if shape is None or not layers:
        raise RunError(f"{path} holds a model without layers")
    plan = make_plan(layers, shape, classes=None)
    if plan.problems:
        raise RunError(f"{path}: {plan.problems[0].message} ({plan.problems[0].received})")
    return Plan(plan.input_shape, tuple(replace(row, name=name) for row, name in zip(plan.layers, names, strict=True)))


def _model_config(path: Path) -> dict[str, Any]:
    try:
        with zipfile.ZipFile(path) as archive:
            model = json.loads(read_member(archive, "config.json", _MOST_BYTES))
    except FileNotFoundError:
        raise RunError(f"there is no file {path}") from None
    except (OSError, EOFError, zipfile.BadZipFile, zlib.error, KeyError, ValueError, RuntimeError) as error:
        raise RunError(f"{path} is not a .keras file: {error}") from None
    if not isinstance(model, dict):
        raise RunError(f"{path} is not a .keras file: its config.json holds no model")
    return model


def _image_shape(path: Path, batch_shape: Any, entry: dict[str, Any]) -> tuple[int, int, int]:
    shape = batch_shape or entry.get("build_config", {}).get("input_shape")
    if not isinstance(shape, list) or len(shape) != 4 or not all(isinstance(side, int) for side in shape[1:]):
        raise RunError(f"{path} does not take images of one size", f"its input is {shape}")
    return (shape[1], shape[2], shape[3])


def _layer(path: Path, class_name: str, settings: dict[str, Any]) -> RealLayer:
    member = _BY_CLASS.get(class_name)
    if member is None:
        raise RunError(f"{path} has a layer {class_name}, which a config cannot have")
    if settings.get("data_format") not in (None, "channels_last"):
        raise RunError(f"{path}: the layer {settings.get('name')} is {settings['data_format']}, not channels_last")
    try:
        return member.from_keras(settings)
    except ValidationError as error:
        raise RunError(
            f"{path}: the layer {settings.get('name')} has a setting that a config cannot have: "
            f"{error.errors()[0]['loc']}"
        ) from None
