"""The network of a training, as Keras builds it, and what it was made from."""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cnnctl.architecture import Plan
from cnnctl.architecture.scaling import NONE, SYMMETRIC, UNIT, Scaling
from cnnctl.config import Config
from cnnctl.data.cache.features import Features as KeptFeatures
from cnnctl.data.prepare import Prepared
from cnnctl.data.statistics import channel_statistics
from cnnctl.errors import RunError
from cnnctl.inference.unknown import Features, reduced
from cnnctl.layers.compute import Values
from cnnctl.layers.initializers import MOST_IMAGES, MOST_PIXELS
from cnnctl.layers.notation import Shape
from cnnctl.models.backbone import backbone_weights
from cnnctl.models.build import build_network
from cnnctl.models.devices import Device
from cnnctl.models.graph import assign
from cnnctl.runs import Run
from cnnctl.runs.checkpoints import Checkpoint
from cnnctl.system.watcher import Watcher


@dataclass(frozen=True)
class WeightsFile:
    """The file that the weights of a backbone came from."""

    path: Path
    sha256: str

    def to_json(self) -> dict[str, str]:
        """The `backbone` part of environment.json."""
        return {"path": str(self.path), "sha256": self.sha256}


@dataclass(frozen=True)
class Stem:
    """The first layers of a network, which training does not change, and the head, which are the others.

    `model` is float32 features of uint8 pixels, `head` is probabilities of features; they share their layers with the
    whole network. `weights` are the arrays of the stem. `kept` has the features that no cache keeps, by their key.
    """

    model: Any
    head: Any
    weights: Sequence[Any]
    kept: dict[str, KeptFeatures] = field(default_factory=dict)

    @cached_property
    def digest(self) -> str:
        """A hash over its weights."""
        state = hashlib.blake2b(digest_size=16)
        for array in self.weights:
            state.update(array.tobytes())
        return state.hexdigest()


@dataclass(frozen=True)
class Network:
    """A network that trains: Keras' model, what it was made from, and on which device it is.

    `stem` is None where training changes the first layer; `weights_file` where there is no backbone with published or
    stored weights.
    """

    model: Any
    plan: Plan
    scaling: Scaling
    device: Device
    weights_file: WeightsFile | None = None
    stem: Stem | None = None

    def all_weights(self, weights: Sequence[Any]) -> list[Any]:
        """Those of the whole network; `weights` are its own, or those of its head, whose stem has never changed."""
        if self.stem is not None and len(weights) == len(self.stem.head.weights):
            return [*self.stem.weights, *weights]
        return list(weights)

    def facts(self) -> dict[str, str]:
        """What a resume must agree with, which no checkpoint holds."""
        file, stem = self.weights_file, self.stem
        return {
            **({"weights_file": file.sha256} if file is not None else {}),
            **({"stem": stem.digest} if stem is not None else {}),
        }


def build(
    config: Config, plan: Plan, prepared: Prepared, device: Device, watcher: Watcher, is_new: bool = True
) -> Network:
    """The network of a config with its first weights, by the config's seed; those of a backbone may be downloaded.

    Unless it `is_new`, and so will be given all of its weights, no layer begins with images.

    Raises:
        CnnctlError: the weights of the backbone cannot be found or read, or do not fit.
    """
    scaling = _scaling(config, plan, prepared)
    model = build_network(plan, scaling, device.precision, config.seed, trains=True)
    if is_new and config.train.initial_weights is None:
        _begin_with_images(model, plan, scaling, prepared, config.seed, watcher)
    return Network(model, plan, scaling, device, _load_backbone(model, plan, watcher))


def _begin_with_images(
    model: Any, plan: Plan, scaling: Scaling, prepared: Prepared, seed: int, watcher: Watcher
) -> None:
    """Give the first layer with weights those that training images make, where it asks for it.

    In numpy and float64, so that they are the same under any backend and precision.
    """
    place = next((place for place, row in enumerate(plan.layers) if row.layer.begins_with_images), None)
    learned = prepared.sampled()
    if place is None:
        return
    before, row = plan.layers[:place], plan.layers[place]
    rows = learned.rows[sample(len(learned.rows), row.input_shape, seed)]
    layer = model.get_layer(row.name)

    def inputs() -> Iterator[Values]:
        for number in rows:
            values = prepared.pixels[number] * np.array(scaling.scale) + np.array(scaling.offset)
            for one in before:
                values = one.layer.compute(values, ())
            yield values

    layer.set_weights(row.layer.fitted_weights(layer.get_weights(), inputs()))
    watcher.note(f"{row.name}: its first weights are from {len(rows):,} training images")


def sample(images: int, shape: Shape, seed: int) -> NDArray[np.int64]:
    """Which of some training images first weights are made of: not all, and fewer of large ones.

    `shape` is (height, width, channels) of what flows into the layer.
    """
    count = min(images, MOST_IMAGES, max(1, MOST_PIXELS // (shape[0] * shape[1])))
    return np.sort(np.random.default_rng(seed).choice(images, count, replace=False))


def _load_backbone(model: Any, plan: Plan, watcher: Watcher) -> WeightsFile | None:
    """Give the backbone of a network its weights."""
    found = backbone_weights(plan, watcher, fetch=True)
    if found is None:
        return None
    assign(model.get_layer(plan.layers[0].name), found.arrays)
    return WeightsFile(found.path, found.sha256)


def with_stem(network: Network) -> Network:
    """A network with its stem, if it has one; once it has the weights that it trains from."""
    if not network.plan.frozen:
        return network
    import keras

    image = keras.layers.Input(network.plan.input_shape, dtype="uint8")
    stem = keras.Sequential([image, *network.model.layers[: _end(network.plan, network.model)]], name="stem")
    head = head_of(network.plan, network.model)
    return replace(network, stem=Stem(stem, head, [array.copy() for array in stem.get_weights()]))


def head_of(plan: Plan, model: Any) -> Any:
    """What comes after the frozen layers of a built network, as a model of features that shares its layers."""
    import keras

    features = keras.layers.Input(plan.frozen[-1].output_shape, dtype="float32", name="features")
    return keras.Sequential([features, *model.layers[_end(plan, model) :]], name="head")


def output_inputs(head: Any, inputs: NDArray[np.float32]) -> Features:
    """What the output layer of a keras.Sequential gets, as `reduced` makes it, where the first layer gets `inputs`."""
    values: Any = inputs
    for layer in head.layers[:-1]:
        values = layer(values, training=False)
    return reduced(np.asarray(values, np.float32).reshape(len(inputs), -1))


def _end(plan: Plan, model: Any) -> int:
    """Where the frozen layers of a built network end."""
    names = {row.name for row in plan.frozen}
    return max(place for place, layer in enumerate(model.layers) if layer.name in names) + 1


def insist_on_weights(run: Run, checkpoint: Checkpoint, network: Network) -> None:
    """Raises:
    RunError: the weights that never change are not those that the run was trained with.
    """
    facts = network.facts()
    if any(checkpoint.state.get(name) != value for name, value in facts.items()):
        file = network.weights_file
        place = network.plan.layers[0].name if file is None else str(file.path)
        raise RunError(
            f"the weights in {place} are not those that {run.path} was trained with",
            "put the file back that environment.json or the checkpoint knows, or train again with another --output DIR",
        )


def _scaling(config: Config, plan: Plan, prepared: Prepared) -> Scaling:
    """What is done to the pixels first; standardize takes the statistics of the training images."""
    match config.data.image.scaling:
        case "auto":
            if plan.backbone is None:
                return UNIT
            return plan.backbone.graph.scaling or NONE
        case "unit":
            return UNIT
        case "symmetric":
            return SYMMETRIC
        case "standardize":
            mean, deviation = channel_statistics(prepared.pixels, prepared.sampled().rows)
            scale = tuple(1 / value for value in deviation)
            return Scaling(scale, tuple(-m * s for m, s in zip(mean, scale, strict=True)))
