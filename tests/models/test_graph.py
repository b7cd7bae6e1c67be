"""Backbones as Keras builds them, and the files that Keras writes of such networks."""

from pathlib import Path

import numpy as np
import pytest

from cnnctl.architecture import make_plan
from cnnctl.architecture.backbone import graph_of_file
from cnnctl.architecture.cost import activation_values, training_bytes
from cnnctl.architecture.keras_file import read_keras_file, read_weights
from cnnctl.architecture.keras_weights import read_arrays
from cnnctl.architecture.scaling import UNIT
from cnnctl.config.optimizers import Adam
from cnnctl.errors import RunError
from cnnctl.models.backend import import_keras
from cnnctl.models.build import build_network, node_layers
from cnnctl.models.graph import assign, build, leaf_layers
from tests.config.build import layers

import_keras()
import keras  # noqa: E402

SHAPE = (24, 20, 3)


def functional(name: str = "small") -> keras.Model:
    """A network with a skip connection, squeeze and excitation, and a nested model."""
    kinds = keras.layers
    image = kinds.Input(SHAPE)
    scaled = kinds.Normalization(axis=-1, name="normalization")(kinds.Rescaling(1 / 255)(image))
    stem = kinds.Conv2D(8, 3, strides=2, padding="same", activation="relu6")(scaled)
    inner = keras.Sequential([kinds.Input((12, 10, 8)), kinds.SeparableConv2D(8, 3, padding="same")], name="inner")
    normal = kinds.BatchNormalization()(inner(stem))
    pooled = kinds.GlobalAveragePooling2D(keepdims=True)(normal)
    gate = kinds.Conv2D(8, 1)(pooled) * 2.0 + 1.5
    joined = kinds.Add()([stem, kinds.Multiply()([normal, kinds.Activation("sigmoid")(gate)])])
    output = kinds.Dropout(0.5)(kinds.ReLU(max_value=6.0)(joined))
    model = keras.Model(image, output, name=name)
    generator = np.random.default_rng(1)
    for layer in leaf_layers(model):
        if layer.weights:
            layer.set_weights([generator.uniform(0.2, 1, one.shape).astype("f4") for one in layer.weights])
    model.get_layer("normalization").finalize_state()
    return model


@pytest.fixture
def saved(tmp_path: Path) -> tuple[keras.Model, Path]:
    model = functional()
    model.save(tmp_path / "small.keras")
    return model, tmp_path / "small.keras"


def images(count: int = 2) -> np.ndarray:
    return np.random.default_rng(2).integers(0, 256, (count, *SHAPE)).astype(np.uint8)


def test_a_file_of_keras_is_read_and_built_to_the_same_network(saved):
    model, path = saved
    graph = graph_of_file(path)
    ours = build(graph, "backbone", SHAPE, node_layers())
    assign(ours, read_arrays(path, graph.places, graph.weight_shapes()))
    pixels = images().astype(np.float32)
    np.testing.assert_allclose(ours(pixels), model(pixels, training=False), rtol=1e-5)
    assert ours.count_params() == model.count_params() - 7  # mean, variance and count are settings here
    rows = read_keras_file(path).layers
    assert sum(row.params for row in rows) == ours.count_params()
    assert [name for name, _ in read_weights(path)] == [row.name for row in rows if row.params]


def test_weights_of_the_wrong_layers_or_shapes_are_refused(saved):
    _, path = saved
    graph = graph_of_file(path)
    ours = build(graph, "backbone", SHAPE, node_layers())
    arrays = read_arrays(path, graph.places, graph.weight_shapes())
    name = next(iter(arrays))
    with pytest.raises(RunError, match=f"no weights for the layer {name} of backbone"):
        assign(ours, {key: value for key, value in arrays.items() if key != name})
    with pytest.raises(RunError, match="backbone has no layer other"):
        assign(ours, {**arrays, "other": arrays[name]})
    with pytest.raises(RunError, match=f"the layer {name} of backbone has weights of shape"):
        assign(ours, {**arrays, name: arrays[name][:1]})


def with_head(path: Path, trainable: bool):
    items = (f"backbone: {{file: {path}, trainable: {str(trainable).lower()}}}", "global_average_pooling2d")
    return make_plan(layers(*items), SHAPE, classes=3)


@pytest.mark.parametrize("trainable", [False, True])
def test_a_network_with_a_backbone_trains_in_inference_mode(saved, trainable, tmp_path):
    plan = with_head(saved[1], trainable)
    model = build_network(plan, UNIT, "float32", seed=1, trains=True)
    assert [layer.name for layer in model.layers] == [
        "scaling",
        "backbone",
        "global_average_pooling2d",
        "probabilities",
    ]
    before = model.get_layer("backbone").get_weights()
    fixed = [np.asarray(one) for one in model.get_layer("backbone").non_trainable_weights]
    pixels = images()
    np.testing.assert_array_equal(model(pixels, training=True), model(pixels, training=False))
    model.compile(optimizer=keras.optimizers.SGD(0.1), loss="sparse_categorical_crossentropy")
    model.train_on_batch(pixels, np.array([0, 1]))
    after = model.get_layer("backbone").get_weights()
    changed = any((one != other).any() for one, other in zip(before, after, strict=True))
    assert changed == trainable
    for one, other in zip(fixed, model.get_layer("backbone").non_trainable_weights, strict=True):
        np.testing.assert_array_equal(one, other)

    kept = build_network(plan, UNIT, "float32")
    kept.set_weights(model.get_weights())
    np.testing.assert_allclose(kept(pixels), model(pixels), atol=1e-6)
    kept.save(tmp_path / "model.keras")
    again = keras.models.load_model(tmp_path / "model.keras")  # stock layers alone
    np.testing.assert_array_equal(again(pixels), kept(pixels))
    read = read_keras_file(tmp_path / "model.keras")
    assert [(row.name, row.output_shape, row.params) for row in read.layers[:-1]] == [
        (row.name, row.output_shape, row.params) for row in plan.layers[:-1]
    ]
    assert read.trainable_params == plan.trainable_params
    for (_, arrays), layer in zip(
        read_weights(tmp_path / "model.keras"), [one for one in leaf_layers(kept) if one.weights], strict=True
    ):
        for one, other in zip(arrays, layer.get_weights(), strict=True):
            np.testing.assert_array_equal(one, other)


def test_the_memory_of_a_frozen_backbone_is_that_of_its_output(saved):
    frozen, trained = (with_head(saved[1], trainable) for trainable in (False, True))
    assert activation_values(frozen) == 24 * 20 * 3 + 12 * 10 * 8 + 8 + 2 * 3
    assert activation_values(trained) > 4 * activation_values(frozen)
    assert training_bytes(trained, 8, Adam()) > training_bytes(frozen, 8, Adam())
