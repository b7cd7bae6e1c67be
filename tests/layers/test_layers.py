"""Every kind says everything about itself: nothing outside its module needs to know it."""

from pathlib import Path

import pytest
from pydantic import ValidationError

from cnnctl import layers as kinds
from cnnctl.layers import LAYERS, RealLayer
from cnnctl.layers.base import BaseLayer
from cnnctl.layers.window import State
from tests.config.build import EVERY_LAYER, layer_item, layers

KINDS = [kind for kind in LAYERS if kind not in ("repeat", "backbone")]  # a backbone is a whole network
FAMILIES = ("convolution", "pooling", "normalization", "activation", "regularization", "reshaping", "dense")
ROOT = Path(kinds.__file__).parents[1]


def made(kind: str, more: str = "") -> RealLayer:
    (layer,) = layers(layer_item(kind, EVERY_LAYER[kind] + more))
    return layer


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_says_what_it_is(kind):
    layer = made(kind)
    assert isinstance(layer, BaseLayer)
    assert layer.kind == kind
    assert layer.family in FAMILIES
    assert type(layer).__doc__.strip().endswith(".")
    assert layer.keras_class.rpartition(">")[2].lower() == kind.replace("_", "")
    assert list(layer.keras_arguments()) == list(type(layer).model_fields)


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_says_what_it_makes_of_a_shape(kind):
    layer, shape = made(kind), (60,) if kind == "dense" else (9, 8, 3)
    step = layer.apply(State(shape))
    assert all(type(side) is int for side in step.state.shape)
    for line in layer.formulas(shape):
        assert line.partition(":")[0] in ("height", "width", "features", "parameters")
    assert bool(step.trainable + step.fixed) == any(line.startswith("parameters") for line in layer.formulas(shape))
    assert layer.has_kernels <= layer.slides_windows
    assert layer.has_kernels <= layer.learns
    assert bool(step.multiply_adds) == layer.learns


@pytest.mark.parametrize("kind", KINDS)
def test_what_keras_writes_reads_back_as_the_layer(kind):
    layer = made(kind)
    written = {**layer.keras_arguments(), "name": "x", "dtype": {"class_name": "DTypePolicy"}, "trainable": True}
    assert type(layer).from_keras(written) == layer


def test_what_keras_writes_about_an_activation_with_settings_is_its_name():
    for written in ({"class_name": "relu"}, {"class_name": "function", "config": {"name": "relu"}}):
        assert kinds.Dense.from_keras({"units": 3, "activation": written}).activation == "relu"
    with pytest.raises(ValidationError):
        kinds.Dense.from_keras({"units": 3, "activation": "swish7"})


@pytest.mark.parametrize("kind", [kind for kind in KINDS if LAYERS[kind].family == "convolution"])
def test_explicit_zeros_are_no_argument_of_a_convolution(kind):
    assert made(kind, ", padding: 2").keras_arguments()["padding"] == "valid"
    assert made(kind, ", padding: same").keras_arguments()["padding"] == "same"
    assert made("zero_padding2d").keras_arguments() == {"padding": ((1, 1), (1, 1))}


def test_a_regularizer_is_a_dict_of_its_factors():
    dense = kinds.Dense(units=3, kernel_regularizer={"l2": 0.5})
    assert dense.keras_arguments()["kernel_regularizer"] == {"l1": 0.0, "l2": 0.5}
    assert kinds.Dense(units=3).keras_arguments()["kernel_regularizer"] is None


def kinds_with(trait: str) -> set[str]:
    return {kind for kind in KINDS if getattr(made(kind), trait)}


CONVOLUTIONS = {"conv2d", "depthwise_conv2d", "separable_conv2d"}
WINDOWS = CONVOLUTIONS | {"max_pooling2d", "average_pooling2d", "l2_pooling2d"}


@pytest.mark.parametrize(
    ("trait", "expected"),
    [
        ("has_kernels", CONVOLUTIONS),
        ("is_depthwise", CONVOLUTIONS - {"conv2d"}),
        ("learns", CONVOLUTIONS | {"dense"}),
        ("slides_windows", WINDOWS),
        ("takes_maximum", {"max_pooling2d", "global_max_pooling2d"}),
        ("flattens", {"flatten"}),
        ("is_activation", {"activation", "leaky_relu"}),
        ("never_falls", {"activation", "leaky_relu"}),
        ("acts_in_training_only", {"dropout", "spatial_dropout2d"}),
    ],
)
def test_traits(trait, expected):
    assert kinds_with(trait) == expected


def test_no_other_module_knows_every_kind():
    """A new kind is a class in one module, and its name in the list of layers/__init__.py."""
    found = {str(path.relative_to(ROOT)) for path in ROOT.rglob("*.py") if "SeparableConv2D" in path.read_text()}
    assert found == {"layers/__init__.py", "layers/convolution.py"}
