"""The numbers of an image, against Keras and against each other: softmax and sigmoid, grey and colour."""

import math

import numpy as np
import pytest

from cnnctl.architecture.scaling import UNIT, Scaling
from cnnctl.errors import UsageError
from cnnctl.explaining.descent import cross_entropy
from cnnctl.explaining.explain import Place, parse_place, parse_unit
from cnnctl.explaining.numbers import Weighted, computed_by_keras, numbers
from cnnctl.models.of_run import keras_name
from cnnctl.terminal.numbers import print_numbers
from cnnctl.terminal.numbers_json import numbers_json
from tests.explaining.build import image, network
from tests.models.test_graph import SHAPE as BACKBONE_SHAPE
from tests.models.test_graph import functional

DEEP = (
    "conv2d: {filters: 4, kernel_size: 3, padding: same, activation: leaky_relu}",
    "batch_normalization",
    "separable_conv2d: {filters: 6, kernel_size: 3, padding: [[1, 0], [2, 1]], activation: relu}",
    "average_pooling2d: {pool_size: 2, padding: same}",
    "conv2d: {filters: 4, kernel_size: 2, groups: 2, dilation_rate: 2}",
    *("activation: {activation: elu}", "flatten", "dropout: {rate: 0.5}", "dense: {units: 5, activation: tanh}"),
)
BARE = ("flatten",)
SHAPE = (9, 11, 3)


def weighted(made, scaling=UNIT):
    """A network of ours as numpy computes it."""
    arrays = {layer.name: layer.get_weights() for layer in made.model.layers}
    return Weighted(made.plan, scaling, {row.name: arrays[keras_name(made.plan, row)] for row in made.plan.layers}, {})


def found(made, pixels, unit=None, label=0):
    return numbers(weighted(made), pixels, "a.png", made.classes, (label, "--label"), unit, 0.01)


@pytest.mark.parametrize(("classes", "output"), [(2, "softmax"), (2, "sigmoid"), (7, "softmax")])
@pytest.mark.parametrize("items", [DEEP, BARE])
@pytest.mark.parametrize("channels", [1, 3])
def test_the_layers_and_the_output_are_those_of_keras(items, channels, classes, output):
    shape = (*SHAPE[:2], channels)
    made, pixels = network(*items, shape=shape, classes=classes, output=output), image(shape)
    ours = found(made, pixels)
    theirs = {row.name: values for row, values in made.walk(pixels, made.plan.layers)}
    for one in ours.layers:
        values = theirs[one.row.name]
        assert (one.smallest, one.largest) == pytest.approx((values.min(), values.max()), rel=1e-4, abs=1e-6)
    probabilities = np.asarray(made.model(pixels[np.newaxis]))[0]
    assert ours.output.probabilities[-1] == pytest.approx(probabilities[-1], abs=1e-5)
    assert ours.output.probabilities.sum() == pytest.approx(1)
    assert len(ours.output.logits) == (1 if output == "sigmoid" else classes)


@pytest.mark.parametrize(
    ("text", "seen"),
    [
        ("conv2d:0,4,1", ((-1, 0, 1), (3, 4, 5), (0, 1, 2))),
        ("conv2d:3,0", ((2, 3, 4), (-1, 0, 1), (0, 1, 2))),
        ("separable_conv2d:0,0,2", ((-1, 0, 1), (-2, -1, 0), (0, 1, 2, 3))),
        ("average_pooling2d:3,5,1", ((6, 7), (10, 11), (1,))),
        ("conv2d_1:1,3,3", ((1, 3), (3, 5), (3, 4, 5))),
        ("conv2d_1:1,3,0", ((1, 3), (3, 5), (0, 1, 2))),
        ("activation:1,2,0", ((1,), (2,), (0,))),
        ("dense:2", ((), (), tuple(range(32)))),
        ("dense_1:1", ((), (), tuple(range(5)))),
    ],
)
def test_the_window_of_a_unit(text, seen, capsys):
    made, pixels = network(*DEEP, shape=SHAPE), image(SHAPE)
    place = parse_place(text, made.plan)
    ours = found(made, pixels, place)
    unit = ours.unit
    assert (unit.rows, unit.columns, unit.channels) == seen
    theirs = {row.name: values for row, values in made.walk(pixels, made.plan.layers)}[place.layer.name]
    assert unit.value == pytest.approx(float(theirs[unit.place]), rel=1e-4)
    assert unit.place[: len(place.numbers)] == place.numbers
    if len(place.numbers) == 2:
        assert unit.value == pytest.approx(float(theirs[place.numbers].max()), rel=1e-4)
    if unit.weights is not None:
        assert unit.total == pytest.approx(float((unit.patch * unit.weights).sum()) + unit.bias)
    if unit.inside is not None:
        rows, columns = np.array(unit.rows), np.array(unit.columns)
        height, width, _ = unit.layer.input_shape
        within = ((rows >= 0) & (rows < height))[:, np.newaxis] & (columns >= 0) & (columns < width)
        assert np.array_equal(unit.inside, within)
        assert not unit.patch[~within].any()
    if unit.pixels is not None:
        assert unit.patch == pytest.approx(unit.pixels / 255)
    print_numbers(ours)
    printed = capsys.readouterr().out
    title = f"{place.layer.name}, {'unit' if len(unit.place) == 1 else 'row'} {unit.place[0]}"
    is_shown_anyway = unit.layer.name == ours.output.layer.name and unit.place == (
        int(ours.output.probabilities.argmax()),
    )
    assert (title in printed) is not is_shown_anyway
    assert numbers_json(ours)["numbers"]["unit"]["value"] == unit.value


@pytest.mark.parametrize(("classes", "output"), [(2, "sigmoid"), (2, "softmax"), (5, "softmax")])
@pytest.mark.parametrize("label", [0, 1])
def test_the_gradient_by_hand_by_differences_and_by_keras(classes, output, label):
    import tensorflow as tf

    made, pixels = network(*DEEP, shape=SHAPE, classes=classes, output=output), image(SHAPE)
    step = found(made, pixels, label=label).descent
    assert step.disagreement < 1e-6
    assert step.gradient == pytest.approx((step.probability - step.target) * step.x, rel=1e-9)
    assert step.new_weight == step.weight - 0.01 * step.gradient
    assert step.new_loss < step.loss or step.gradient == 0
    with tf.GradientTape() as tape:
        probabilities = made.model(pixels[np.newaxis])
        share = probabilities[0, label] if output == "softmax" else abs(1 - label - probabilities[0, 0])
        loss = -tf.math.log(share)
    kernel = made.model.layers[-1].weights[0]
    slopes = np.asarray(tape.gradient(loss, kernel.value))
    assert float(loss) == pytest.approx(step.loss, rel=1e-3)
    assert slopes[step.input, step.unit] == pytest.approx(step.gradient, rel=1e-3)


@pytest.mark.parametrize("scale", [1e-3, 1.0, 30.0, 1e3])
@pytest.mark.parametrize("units", [1, 2, 6])
def test_both_gradients_agree_where_the_network_is_very_sure_or_very_wrong(units, scale):
    made = network(*BARE, shape=(2, 2, 1), classes=max(2, units), output="sigmoid" if units == 1 else "softmax")
    generator = np.random.default_rng(int(scale))
    made.model.layers[-1].set_weights([generator.normal(size=(4, units)) * scale, generator.normal(size=units)])
    for label in range(max(2, units)):
        step = found(made, image((2, 2, 1)), label=label).descent
        assert step.disagreement < 1e-4
        assert math.isfinite(step.loss)
        assert step.loss >= 0


def test_cross_entropy_by_hand():
    assert cross_entropy(np.array([1.0, 2, 3]), 0) == pytest.approx(2.4076059644443806)
    assert cross_entropy(np.array([0.0]), 1) == pytest.approx(math.log(2))
    assert cross_entropy(np.array([800.0, 0]), 1) == 800
    assert cross_entropy(np.array([50.0]), 1) == pytest.approx(math.exp(-50), rel=1e-6)


def test_a_network_that_scales_each_channel(capsys):
    made, pixels = network(*DEEP, shape=SHAPE), image(SHAPE)
    scaling = Scaling((0.1, 0.2, 0.3), (1.0, 0.0, -1.0))
    ours = numbers(weighted(made, scaling), pixels, "a.png", made.classes, (0, "folder"), None, 0.01)
    assert ours.unit.patch[1, 1] == pytest.approx(ours.unit.pixels[1, 1] * scaling.scale + np.array(scaling.offset))
    print_numbers(ours)
    assert "red * 0.1 + 1, green * 0.2 + 0, blue * 0.3 - 1" in capsys.readouterr().out


def test_very_many_classes_are_summed_up(capsys):
    made = network(*BARE, shape=(2, 2, 1), classes=30)
    ours = found(made, image((2, 2, 1)), label=3)
    print_numbers(ours)
    printed = capsys.readouterr().out
    assert printed.count("20 others") == 2
    assert "class 3" in printed
    assert len(numbers_json(ours)["numbers"]["output"]["logits"]) == 30


def test_a_backbone_is_computed_by_keras(tmp_path, capsys):
    path = tmp_path / "small.keras"
    functional().save(path)
    made = network(f"backbone: {{file: {path}}}", "global_average_pooling2d", shape=BACKBONE_SHAPE)
    pixels = image(BACKBONE_SHAPE)
    arrays = {layer.name: layer.get_weights() for layer in made.model.layers}
    weights = {"dense": arrays["probabilities"]}
    shown = Weighted(made.plan, UNIT, weights, computed_by_keras(made, pixels))
    ours = numbers(shown, pixels, "a.png", made.classes, (0, "prediction"), None, 0.01)
    assert ours.output.probabilities == pytest.approx(np.asarray(made.model(pixels[np.newaxis]))[0], abs=1e-5)
    assert (ours.unit.layer.name, ours.unit.source.name) == ("dense", "global_average_pooling2d")
    assert ours.descent.disagreement < 1e-6
    print_numbers(ours)
    assert "backbone  " in capsys.readouterr().out
    with pytest.raises(UsageError, match="no layer backbone weighs"):
        parse_place("backbone:0,0", made.plan)


def test_units_that_are_none():
    plan = network(*DEEP, shape=SHAPE).plan
    for text, said in (
        ("conv2d", "a unit is written LAYER:ROW,COLUMN"),
        ("conv2d:1,2,3,4", "a unit is written LAYER:ROW,COLUMN"),
        ("conv2d:1", "a unit of conv2d is written conv2d:ROW,COLUMN or ROW,COLUMN,CHANNEL"),
        ("conv2d:9,0", "conv2d has rows 0 to 8 and columns 0 to 10"),
        ("conv2d:8,10,4", "conv2d has rows 0 to 8, columns 0 to 10 and channels 0 to 3"),
        ("dense:5", "dense has units 0 to 4"),
        ("dense:1,1", "a unit of dense is written dense:UNIT"),
        ("flatten:3", "no layer flatten weighs, pools or activates values"),
    ):
        with pytest.raises(UsageError, match=said):
            parse_place(text, plan)
    assert parse_place("dense:4", plan).numbers == (4,)
    assert str(parse_unit("conv2d:1,2,3", plan)) == str(parse_unit("conv2d:1,2", plan)) == "conv2d, row 1, column 2"
    assert isinstance(parse_place("conv2d:1,2,3", plan), Place)
