"""The graphs of the package against keras.applications: the same counts, the same outputs."""

import json
import math
from collections.abc import Iterator

import numpy as np
import pytest

from cnnctl.architecture.graph.applications import DEVIATION, MEAN, graph_of, pack, unpack
from cnnctl.layers.window import State
from cnnctl.models.backend import import_keras
from cnnctl.models.build import node_layers
from cnnctl.models.graph import assign, build
from tests.graphs import APPLICATIONS, from_keras, nodes_of

import_keras()
import keras  # noqa: E402

ODD = (61, 47, 3)
"""An odd, non-square size: zeros around strided convolutions differ from those of an even one."""
USUAL = (224, 224, 3)
ANY = (None, None, 3)
SAME_AT_ANY_SIZE = ("EfficientNetV2B0", "EfficientNetV2S", "ResNet50V2", "DenseNet121")
"""Keras builds them alike for all sizes, so one that takes any will do."""
LARGE = ("EfficientNetV2S", "ResNet50V2", "DenseNet121")
"""They see one large image of 96 pixels instead, which is even and square as well."""
CONSTANTS = {"EfficientNetB0": 7}
"""Mean, variance and count of a Normalization layer, which Keras counts as weights; here they are settings."""


@pytest.fixture(autouse=True)
def _forgotten() -> Iterator[None]:
    yield
    keras.backend.clear_session()


def randomized(model: keras.Model) -> dict[str, tuple[np.ndarray, ...]]:
    """Give every layer random weights, as small as trained ones; returns them but for those of scaling."""
    generator, arrays = np.random.default_rng(5), {}
    for layer in model.layers:
        if isinstance(layer, keras.layers.Normalization):
            if layer.input_mean is None:
                layer.set_weights([np.array(MEAN), np.array(DEVIATION) ** 2, np.array(0)])
                layer.finalize_state()
            continue
        made = [_random(generator, weight) for weight in layer.weights]
        layer.set_weights(made)
        if made:
            arrays[layer.name] = tuple(made)
    return arrays


def _random(generator: np.random.Generator, weight: keras.Variable) -> np.ndarray:
    shape = tuple(weight.shape)
    if "variance" in weight.path or "gamma" in weight.path:
        return generator.uniform(0.5, 1.5, shape).astype(np.float32)
    scale = 0.1 if len(shape) == 1 else (2 / math.prod(shape[:-1])) ** 0.5
    return generator.normal(0, scale, shape).astype(np.float32)


@pytest.mark.parametrize("application", APPLICATIONS)
def test_counts_shapes_and_outputs_are_those_of_keras(application):
    graph = graph_of(application)
    ours = build(graph, application, ANY, node_layers())
    fixed_zeros = from_keras(application, ANY) if application in SAME_AT_ANY_SIZE else None
    for shape in (USUAL if application not in LARGE else (96, 96, 3), ODD):
        reference = fixed_zeros or from_keras(application, shape)
        steps = graph.run(State(shape))
        trainable, fixed = sum(one.step.trainable for one in steps), sum(one.step.fixed for one in steps)
        assert trainable + fixed == reference.count_params() - CONSTANTS.get(application, 0)
        assert trainable == sum(math.prod(weight.shape) for weight in reference.trainable_weights)

        arrays = randomized(reference)
        assert {name: tuple(a.shape for a in each) for name, each in arrays.items()} == graph.weight_shapes(shape)
        assign(ours, arrays)
        image = np.random.default_rng(3).uniform(-1, 1, (1, *shape)).astype(np.float32)
        expected, made = (np.asarray(model(image, training=False)) for model in (reference, ours))
        assert steps[-1].step.state.shape == expected.shape[1:]
        scale = max(1.0, float(np.abs(expected).max()))
        assert np.abs(expected).max() > 1e-3
        assert np.abs(made - expected).max() <= 2e-6 * scale


@pytest.mark.parametrize("application", ["EfficientNetLite0", "EfficientNetB0", "MobileNetV3Small"])
def test_the_file_is_what_keras_builds(application):
    assert graph_of(application).nodes == nodes_of(application)


@pytest.mark.parametrize("application", APPLICATIONS)
def test_packed_nodes_are_the_nodes(application):
    nodes = graph_of(application).nodes
    assert unpack(json.loads(json.dumps(pack(nodes)))) == nodes


@pytest.mark.parametrize("application", APPLICATIONS)
def test_the_receptive_field_is_what_a_unit_needs(application):
    graph, side = graph_of(application), 32 * 101
    last = graph.run(State((side, 224, 3)))[-1].step.state
    assert last.shape[:2] == (101, 7)
    begin, end = graph.input_span(0, (50, 51), side)
    if last.field is None:
        assert (begin <= 0, end >= side) == (True, True)
    else:
        assert end - begin == last.field[0]


@pytest.mark.parametrize(
    ("application", "pixels"),
    [
        ("MobileNetV2", "mobilenet_v2"),
        ("ResNet50V2", "resnet_v2"),
        ("DenseNet121", "densenet"),
        ("EfficientNetB0", "efficientnet"),
        ("EfficientNetV2S", "efficientnet_v2"),
        ("MobileNetV3Small", "mobilenet_v3"),
    ],
)
def test_the_scaling_is_the_preprocessing_of_keras(application, pixels):
    image = np.random.default_rng(0).integers(0, 256, (1, 5, 5, 3)).astype(np.float32)
    scaling = graph_of(application).scaling
    expected = getattr(keras.applications, pixels).preprocess_input(image.copy())
    np.testing.assert_allclose(image * scaling.scale + scaling.offset, expected, atol=1e-5)
