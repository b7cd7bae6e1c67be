"""The network of a training, as Keras builds it, and what it was made from."""

from dataclasses import dataclass
from typing import Any

from cnnctl.architecture import Plan
from cnnctl.config import Config
from cnnctl.data.prepare import Prepared
from cnnctl.data.split import TRAIN
from cnnctl.data.statistics import channel_statistics
from cnnctl.models.build import SYMMETRIC, UNIT, Scaling, build_network
from cnnctl.models.devices import Device


@dataclass(frozen=True)
class Network:
    """A network that trains: Keras' model, what it was made from, and on which device it is."""

    model: Any
    plan: Plan
    scaling: Scaling
    device: Device


def build(config: Config, plan: Plan, prepared: Prepared, device: Device) -> Network:
    """The network of a config with its first weights, by the config's seed."""
    scaling = _scaling(config, prepared)
    model = build_network(plan, scaling, device.precision, config.seed, trains=True)
    return Network(model, plan, scaling, device)


def _scaling(config: Config, prepared: Prepared) -> Scaling:
    """What is done to the pixels first; standardize takes the statistics of the training images."""
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
