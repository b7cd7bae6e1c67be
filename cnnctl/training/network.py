"""The network of a training, as Keras builds it, and what it was made from."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cnnctl.architecture import Plan
from cnnctl.architecture.keras_weights import read_arrays
from cnnctl.architecture.scaling import SYMMETRIC, UNIT, Scaling
from cnnctl.config import Config
from cnnctl.data.prepare import Prepared
from cnnctl.data.split import TRAIN
from cnnctl.data.statistics import channel_statistics
from cnnctl.errors import MachineError
from cnnctl.models.build import build_network
from cnnctl.models.devices import Device
from cnnctl.models.graph import assign


@dataclass(frozen=True)
class Network:
    """A network that trains: Keras' model, what it was made from, and on which device it is."""

    model: Any
    plan: Plan
    scaling: Scaling
    device: Device


def build(config: Config, plan: Plan, prepared: Prepared, device: Device) -> Network:
    """The network of a config with its first weights, by the config's seed."""
    scaling = _scaling(config, plan, prepared)
    model = build_network(plan, scaling, device.precision, config.seed, trains=True)
    _load_backbone(model, plan)
    return Network(model, plan, scaling, device)


def _load_backbone(model: Any, plan: Plan) -> None:
    """Give the backbone of a network its weights.

    Raises:
        CnnctlError: they cannot be found or read, or do not fit.
    """
    backbone = plan.backbone
    if backbone is None or (backbone.file is None and backbone.weights is None):
        return
    row = plan.layers[0]
    if backbone.file is None:
        raise MachineError(f"there are no weights of {row.name}", "set weights to none, or use a backbone with a file")
    shapes = backbone.graph.weight_shapes(row.input_shape)
    assign(model.get_layer(row.name), read_arrays(Path(backbone.file), backbone.graph.places, shapes))


def _scaling(config: Config, plan: Plan, prepared: Prepared) -> Scaling:
    """What is done to the pixels first: a backbone's own; standardize takes the statistics of the training images."""
    if plan.backbone is not None and plan.backbone.graph.scaling is not None:
        return plan.backbone.graph.scaling
    match config.data.image.scaling:
        case "unit":
            return UNIT
        case "symmetric":
            return SYMMETRIC
        case "standardize":
            learned = prepared.split(TRAIN)
            assert learned is not None
            mean, deviation = channel_statistics(prepared.pixels, learned.rows)
            scale = tuple(1 / value for value in deviation)
            return Scaling(scale, tuple(-m * s for m, s in zip(mean, scale, strict=True)))
