"""What model.onnx may have: our own writer's operators, for every layer and node, and those of earlier versions."""

import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from cnnctl.architecture.graph.applications import graph_of
from cnnctl.architecture.graph.nodes import NODES
from cnnctl.config.schema import TestTime
from cnnctl.data.decoder.images import ImageSpec
from cnnctl.exporting.formats import FLOAT16, INT8
from cnnctl.exporting.writers import write_onnx
from cnnctl.inference.operators import OPERATORS, refuse_foreign_operators
from cnnctl.layers import LAYERS
from cnnctl.layers.backbone import APPLICATIONS
from cnnctl.models.onnx import to_onnx
from cnnctl.models.save import Answering, save_onnx
from cnnctl.runs import Run
from cnnctl.settings import given
from tests.exporting.build import MODERN
from tests.models.test_build import NETWORKS, WIDE
from tests.training.build import network, pixels

ONLY_IN_GRAPHS = ("relu6", "hard_silu", "hard_sigmoid", "softplus", "softsign", "selu", "mish")
BUILT = ("Rescaling", "Cropping2D", "Reshape", "Add", "Multiply", "Concatenate")
"""Nodes that are joined to networks below."""

EARLIER = set(
    """
    Cast ConstantOfShape Elu Expand Gelu Max MatMul Neg Not Reciprocal ReduceMax ReduceSum ReduceSumSquare Shape Squeeze
    Unsqueeze
    """.split()
)
"""What Keras' exporters wrote, which the runs of then still have."""


def cases() -> Iterator[tuple[str, tuple[str, ...], tuple[int, int, int]]]:
    """Networks that have every kind of layer of a config and every kind of node of a graph, with all activations."""
    yield from ((name, items, WIDE) for name, items in NETWORKS.items())
    yield "modern", MODERN, WIDE
    with tempfile.TemporaryDirectory() as folder:
        for name, make in nodes().items():
            path = Path(folder) / f"{name}.keras"
            write_backbone(path, make)
            yield name, (f"backbone: {{file: {path}}}", "flatten"), (12, 10, 3)


def nodes() -> dict[str, Callable[[Any], Any]]:
    """What only graphs have, as functions of an image of 8 channels, by names of files."""
    import keras

    kinds = keras.layers
    made: dict[str, Callable[[Any], Any]] = {
        "most": lambda x: kinds.ReLU(max_value=5.0)(x),
        "slope": lambda x: kinds.ReLU(negative_slope=0.1)(x),
        "both": lambda x: kinds.ReLU(max_value=5.0, negative_slope=0.1)(x),
        "threshold": lambda x: kinds.ReLU(threshold=0.2)(x),
        "cropped": lambda x: kinds.Cropping2D(((1, 0), (1, 1)))(x),
        "joined": lambda x: kinds.Concatenate()([x, x * 2.0 + 1.5]),
        "gated": lambda x: kinds.Multiply()(
            [kinds.Add()([x, x]), kinds.Reshape((1, 1, 8))(kinds.GlobalAveragePooling2D()(x))]
        ),
        "kept": lambda x: kinds.Concatenate()(
            [kinds.GlobalMaxPooling2D(keepdims=True)(x), kinds.GlobalAveragePooling2D(keepdims=True)(x)]
        ),
        "scaled": lambda x: kinds.Rescaling([2.0] * 8, [1.0] * 8)(x),
    }
    made["forms"] = forms
    for name in ONLY_IN_GRAPHS:
        made[name] = lambda x, name=name: kinds.Activation(name)(x)  # type: ignore[misc]
    return made


def forms(x: Any) -> Any:
    """Every form of node with one input of the nine networks, each with 8 filters."""
    import keras

    found: dict[str, Any] = {}
    for application in APPLICATIONS:
        for node in graph_of(application).nodes:
            settings = given(node.layer)
            if len(node.inputs) > 1 or node.layer.acts_in_training_only or node.layer.keras_class in BUILT:
                continue
            if "filters" in settings:
                settings["filters"] = 8
            layer = type(node.layer).model_validate(settings)
            found[f"{layer.keras_class} {sorted(settings.items())}"] = layer
    kinds = keras.layers
    wide = kinds.ZeroPadding2D(3)(x)
    made = [getattr(kinds, layer.keras_class)(**layer.keras_arguments())(wide) for layer in found.values()]
    assert len(made) > 30
    vectors = [one if len(one.shape) == 2 else kinds.GlobalMaxPooling2D()(one) for one in made]
    joined = kinds.Concatenate()(vectors)
    return kinds.Reshape((1, 1, joined.shape[-1]))(joined)


def write_backbone(path: Path, make: Callable[[Any], Any]) -> None:
    import keras

    image = keras.layers.Input((12, 10, 3))
    first = keras.layers.Conv2D(8, 3, strides=2, padding="same")(image)
    keras.Model(image, make(first), name=path.stem).save(path)


def exports(
    items: tuple[str, ...], shape: tuple[int, int, int], folder: Path, quantized: bool = True
) -> Iterator[bytes]:
    """The model.onnx of a network, which agrees with Keras, and what `export` makes of it."""
    model, plan = network(*items, shape=shape)
    run, images, rows = Run(folder), pixels(4, shape), np.arange(4)
    made = save_onnx(Answering(model, plan), run, ImageSpec(*shape), ("a", "b", "c"), images, rows, "validation")
    assert made.parity.largest_difference < 1e-5
    source = run.onnx_model.read_bytes()
    yield source
    for quantization in (FLOAT16, INT8) if quantized else ():
        path = folder / f"{quantization}.onnx"
        write_onnx(source, path, quantization, iter([images]), "{}")
        yield path.read_bytes()


def test_every_kind_of_node_is_among_the_cases() -> None:
    """Those of a config are held to by tests/models/test_build.py."""
    of_configs = {member.keras_class for kind, member in LAYERS.items() if kind not in ("repeat", "backbone")}
    inactive = {name for name, member in NODES.items() if member.acts_in_training_only}
    assert set(NODES) - inactive <= of_configs | {"ReLU", *BUILT}


def test_the_table_has_what_is_written_and_what_earlier_versions_wrote() -> None:
    import onnx

    found = set()
    for name, items, shape in cases():
        with tempfile.TemporaryDirectory() as folder:
            for content in exports(items, shape, Path(folder), quantized=name != "forms"):
                graph = onnx.load_model_from_string(content).graph
                found |= {node.op_type for node in graph.node}
                refuse_foreign_operators(content, Path(name))
    model, plan = network("flatten", shape=WIDE)
    found |= {node.op_type for node in to_onnx(model, plan, TestTime(flip=True, shift=1)).graph.node}
    assert found | EARLIER == OPERATORS
