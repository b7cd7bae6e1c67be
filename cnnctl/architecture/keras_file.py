"""The layers of a .keras file, read from the JSON inside it: Keras is not imported and no code of the file is run."""

import math
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from cnnctl.architecture.backbone import ResolvedBackbone
from cnnctl.architecture.graph.file import STRANGE, graph_of_model, model_config
from cnnctl.architecture.graph.read import MODELS, Places
from cnnctl.architecture.keras_weights import read_arrays
from cnnctl.architecture.plan import Plan
from cnnctl.architecture.planner import graph_rows, make_plan
from cnnctl.errors import RunError
from cnnctl.layers import LAYERS, RealLayer
from cnnctl.layers.backbone import Backbone
from cnnctl.layers.window import ImpossibleLayerError

_BY_CLASS: dict[str, type[RealLayer]] = {
    member.keras_class.rpartition(">")[2]: member
    for kind, member in LAYERS.items()
    if kind not in ("repeat", "backbone")
}
_INPUT, _SCALING = "InputLayer", "Rescaling"
_USUAL_SIDE = 224
"""Of images, where a file takes any."""


def read_keras_file(path: Path) -> Plan:
    """The plan of a model that Keras saved.

    Args:
        path: A .keras file.

    Returns:
        Its layers under the names that they have in the file. Of a Sequential model such as cnnctl saves, the scaling
        of the pixels has no row, and a model within it at its beginning is a backbone. Any other model, with those
        within it, is laid out flat.

    Raises:
        RunError: it is no .keras file, or has layers that neither a config nor a backbone can have.
    """
    try:
        model = model_config(path)
        if model.get("class_name") == "Sequential" and _is_of_config(model["config"]["layers"]):
            return _plan(path, model)
        return _flat_plan(path, model)
    except STRANGE as error:
        raise RunError(f"{path} is not a valid .keras file: {error!r}") from None


def read_weights(path: Path) -> tuple[tuple[str, list[Any]], ...]:
    """(name, arrays) of every layer that has weights, those of a model within the model among them.

    Raises:
        RunError: the file cannot be read, or holds other weights than its layers have.
    """
    plan, model = read_keras_file(path), model_config(path)
    rows, places = [row for outer in plan.layers for row in outer.inner or (outer,)], _weight_places(path, model, plan)
    found = [
        (row.name, place, row.layer.weight_shapes(row.input_shape))
        for row, place in zip(rows, places, strict=True)
        if row.params
    ]
    arrays = read_arrays(path, {place: place for _, place, _ in found}, {place: shapes for _, place, shapes in found})
    return tuple((name, list(arrays[place])) for name, place, _ in found)


def _weight_places(path: Path, model: dict[str, Any], plan: Plan) -> Iterator[str]:
    """Where the weights of each layer of a plan lie, those of a backbone in its place."""
    if not any(row.inputs for row in plan.layers):
        places = Places("")
        kinds = [entry["class_name"] for entry in _with_row(model["config"]["layers"])]
        for kind, row in zip(kinds, plan.layers, strict=True):
            own = places.next(kind)
            if isinstance(row.layer, ResolvedBackbone):
                yield from (row.layer.graph.places.get(node.name, own) for node in row.layer.graph.nodes)
            else:
                yield own
        return
    graph = graph_of_model(path, model)
    yield from (graph.places.get(row.name, "") for row in plan.layers)


def read_scaling(path: Path) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Scale and offset of the Rescaling layer that a .keras file begins with, a number or one for each channel.

    Raises:
        RunError: it is no .keras file, or begins with another layer.
    """
    try:
        first, *_ = _after_input(model_config(path).get("config", {}).get("layers", []))
        if first["class_name"] != _SCALING:
            raise ValueError("its first layer is no Rescaling")
        settings = first["config"]
        scale, offset = (_numbers(settings[key]) for key in ("scale", "offset"))
    except STRANGE as error:
        raise RunError(f"{path} does not say how its pixels are scaled: {error!r}", "cnnctl train writes it") from None
    return scale, offset


def _numbers(value: Any) -> tuple[float, ...]:
    numbers = tuple(float(one) for one in (value if isinstance(value, list) else [value]))
    if len(numbers) > 3 or not all(abs(one) < math.inf for one in numbers):
        raise ValueError("invalid normalization constants")
    return numbers


def _is_of_config(entries: list[Any]) -> bool:
    """Whether the layers of a Sequential model can be those of a config: at most one model, before all others."""
    models = [entry.get("class_name") in MODELS for entry in _with_row(entries)]
    return not any(models[1:])


def _after_input(entries: list[Any]) -> list[Any]:
    return [entry for entry in entries if entry.get("class_name") != _INPUT]


def _with_row(entries: list[Any]) -> list[Any]:
    """The layers of a Sequential model but for its input and the scaling of the pixels, which is the first of them."""
    layers = _after_input(entries)
    return layers[1:] if layers and layers[0].get("class_name") == _SCALING else layers


def _flat_plan(path: Path, model: dict[str, Any]) -> Plan:
    """The plan of any model, of images of the usual size where it takes any."""
    graph = graph_of_model(path, model)
    height, width, channels = graph.size
    shape = (height or _USUAL_SIDE, width or _USUAL_SIDE, channels)
    try:
        return Plan(shape, graph_rows(graph, shape))
    except ImpossibleLayerError as error:
        raise RunError(f"{path}: {error.message} ({error.received})") from None


def _plan(path: Path, model: dict[str, Any]) -> Plan:
    shape: tuple[int, int, int] | None = None
    layers: list[RealLayer] = []
    names: list[str] = []
    entries = model.get("config", {}).get("layers", [])
    for entry in entries[:1]:
        shape = _image_shape(path, entry.get("config", {}).get("batch_shape"), entry)
    for entry in _with_row(entries):
        kind, settings = str(entry.get("class_name")), entry.get("config", {})
        layers.append(_backbone(path, entry) if kind in MODELS else _layer(path, kind, settings))
        names.append(str(settings.get("name", kind)))
    if shape is None or not layers:
        raise RunError(f"{path} holds a model without layers")
    plan = make_plan(layers, shape, classes=None)
    if plan.problems:
        raise RunError(f"{path}: {plan.problems[0].message} ({plan.problems[0].received})")
    return Plan(plan.input_shape, tuple(replace(row, name=name) for row, name in zip(plan.layers, names, strict=True)))


def _backbone(path: Path, entry: dict[str, Any]) -> ResolvedBackbone:
    place = f"layers/{'sequential' if entry['class_name'] == 'Sequential' else 'functional'}/"
    layer = Backbone(file=str(path), trainable=entry["config"].get("trainable") is True)
    return ResolvedBackbone.of(layer, graph_of_model(path, entry, place))


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
