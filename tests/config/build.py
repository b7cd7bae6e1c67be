"""Configs from text, for the tests of config/ and architecture/."""

from pathlib import Path

from cnnctl.config import Config, source
from cnnctl.config.load import bind
from cnnctl.errors import ConfigError, Problem
from cnnctl.layers import AnyLayer

EVERY_LAYER = {
    "conv2d": "filters: 4, kernel_size: 3",
    "depthwise_conv2d": "kernel_size: 3",
    "separable_conv2d": "filters: 4, kernel_size: 3",
    "max_pooling2d": "pool_size: 2",
    "average_pooling2d": "pool_size: 2",
    "l2_pooling2d": "pool_size: 2",
    "global_average_pooling2d": "",
    "global_max_pooling2d": "",
    "zero_padding2d": "",
    "batch_normalization": "",
    "layer_normalization": "",
    "rescaling": "scale: 0.5",
    "activation": "activation: relu",
    "leaky_relu": "",
    "dropout": "rate: 0.5",
    "spatial_dropout2d": "rate: 0.5",
    "flatten": "",
    "dense": "units: 8",
    "backbone": "application: MobileNetV2",
    "repeat": "times: 2, layers: [dropout: {rate: 0.1}, batch_normalization]",
}
"""Each kind of layer with the settings that it needs."""

SMALLEST = "data: {train: photos}\nmodel:\n  - conv2d: {filters: 32, kernel_size: 3}\n  - flatten\n"

FULL = """\
name: cats-vs-dogs
seed: 7
data:
  train: photos/train
  test: photos/test
  validation: 0.25
  image: {height: 48, width: 64, channels: 1, fit: pad, scaling: standardize, background: [255, 0, 10]}
  csv: {path: file, label: class, group: patient, folder: images}
  cache: off
  on_bad_image: skip
  max_bad_images: 0.1
augment:
  - random_flip: {mode: horizontal}
  - random_rotation: {factor: 0.1, fill_mode: constant, fill_value: 9}
  - random_translation: {height_factor: 0.1, width_factor: [-0.1, 0.2]}
  - random_zoom: {height_factor: [-0.5, 3], width_factor: 0.2, interpolation: nearest}
model:
  - repeat:
      times: 2
      layers:
        - conv2d: {filters: 32, kernel_size: 3, padding: same, activation: relu, kernel_regularizer: {l2: 0.001}}
        - batch_normalization
  - max_pooling2d: {pool_size: 2}
  - flatten
  - dense: {units: 128, activation: relu}
  - dropout: {rate: 0.5}
train:
  epochs: 3
  batch_size: 16
  optimizer: {sgd: {learning_rate: 0.1, momentum: 0.9, nesterov: true}}
  class_weight: {no: 1, 1e3: 2.5}
  early_stopping: {monitor: val_accuracy, patience: 0, min_delta: 0.001}
  best: val_accuracy
  precision: mixed_bfloat16
  device: cpu
"""


def problems(text: str) -> tuple[Problem, ...]:
    """Every mistake of a config's text, in YAML or in vocabulary."""
    try:
        return bind(source.parse(text, "c.yaml"), Path("/configs/c.yaml")).problems
    except ConfigError as error:
        return error.problems


def problem(text: str) -> Problem:
    """The only mistake of a config's text."""
    (only,) = problems(text)
    return only


def config(text: str) -> Config:
    """The config of a text without mistakes."""
    loaded = bind(source.parse(text, "c.yaml"), Path("/configs/c.yaml"))
    assert loaded.problems == ()
    assert loaded.config is not None
    return loaded.config


def with_model(*items: str, rest: str = "") -> str:
    """The text of a config with these items of its model."""
    return f"data: {{train: photos}}\n{rest}model:\n" + "".join(f"  - {item}\n" for item in items)


def layers(*items: str) -> tuple[AnyLayer, ...]:
    """The typed layers of these items."""
    return config(with_model(*items)).model


def layer_item(kind: str, settings: str) -> str:
    """`conv2d: {filters: 4}`, or the bare name where there are no settings."""
    return f"{kind}: {{{settings}}}" if settings else kind
