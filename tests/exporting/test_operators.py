"""The operators that a model.onnx may have are those that our exports use: every kind of layer, on both backends.

The networks of keras.applications take up to a quarter of an hour to export. So every form of node that they have is
exported once, in one small network.
"""

import itertools
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, get_args

import numpy as np

from cnnctl.architecture.graph.applications import graph_of
from cnnctl.architecture.graph.nodes import NODES
from cnnctl.data.decoder.images import ImageSpec
from cnnctl.exporting.formats import FLOAT16, INT8
from cnnctl.exporting.writers import write_onnx
from cnnctl.inference.model import open_session
from cnnctl.inference.operators import OPERATORS, refuse_foreign_operators
from cnnctl.layers.backbone import APPLICATIONS
from cnnctl.layers.base import ActivationName
from cnnctl.models.save import _export, _finish, save_onnx
from cnnctl.runs import Run
from cnnctl.settings import given
from tests.exporting.build import MODERN
from tests.models.test_build import NETWORKS, WIDE
from tests.training.build import network, pixels

ONLY_IN_GRAPHS = ("relu6", "hard_silu", "hard_sigmoid", "softplus", "softsign", "selu", "mish")
BUILT = ("Rescaling", "Cropping2D", "Reshape", "Add", "Multiply", "Concatenate")
"""Nodes that are joined to networks below."""
JAX = "jax"


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
    """The model.onnx of a network, and what `export` makes of it."""
    model, _ = network(*items, shape=shape)
    run, images = Run(folder), pixels(4, shape)
    save_onnx(model, run, ImageSpec(*shape), ("a", "b", "c"), images, np.arange(4), "validation")
    source = run.onnx_model.read_bytes()
    yield source
    for quantization in (FLOAT16, INT8) if quantized else ():
        path = folder / f"{quantization}.onnx"
        write_onnx(source, path, quantization, iter([images]), "{}")
        yield path.read_bytes()


def largest_difference() -> float:
    """Between Keras and ONNX Runtime, over every activation of a graph with every combination of its settings."""
    import keras

    kinds = keras.layers
    image = kinds.Input((4, 4, 3), dtype="uint8", name="image")
    numbers = kinds.Rescaling(4 / 255, -2.0, dtype="float32")(image)
    relus = itertools.product((None, 0.0, 0.5, 6.0), (0.0, 0.1), (0.0, 0.2))
    layers = [
        *(kinds.ReLU(max_value=most, negative_slope=slope, threshold=least) for most, slope, least in relus),
        *(kinds.LeakyReLU(negative_slope=slope) for slope in (0.0, 0.3)),
        *(kinds.Activation(name) for name in (*get_args(ActivationName), *ONLY_IN_GRAPHS)),
    ]
    model = keras.Model(image, [layer(numbers) for layer in layers])
    shown = pixels(4, (4, 4, 3))
    ours = model.predict_on_batch(shown)
    model(shown)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.onnx"
        _export(model, path)
        _finish(path, "{}")
        theirs = open_session(path).run(None, {"image": shown})
    return max(float(np.abs(one - other).max()) for one, other in zip(ours, theirs, strict=True))


def used() -> set[str]:
    """The operators of all these exports, each of which is looked through as a stranger's would be."""
    import onnx

    found = set()
    for name, items, shape in cases():
        with tempfile.TemporaryDirectory() as folder:
            for content in exports(items, shape, Path(folder), quantized=name != "forms"):
                graph = onnx.load_model_from_string(content).graph
                found |= {node.op_type for node in graph.node}
                refuse_foreign_operators(content, Path(name))
    return found


def test_every_kind_of_node_is_among_the_cases() -> None:
    """Those of a config are held to by tests/models/test_build.py."""
    from cnnctl.layers import LAYERS

    of_configs = {member.keras_class for kind, member in LAYERS.items() if kind not in ("repeat", "backbone")}
    inactive = {name for name, member in NODES.items() if member.acts_in_training_only}
    assert set(NODES) - inactive <= of_configs | {"ReLU", *BUILT}


def test_the_table_has_what_both_backends_export_and_nothing_else() -> None:
    code = "from tests.exporting.test_operators import main; main()"
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "KERAS_BACKEND": JAX}
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, env=environment, text=True) as other:
        ours = used()
        assert other.stdout is not None
        assert largest_difference() < 1e-6
        theirs, difference = json.loads(other.stdout.read().splitlines()[-1])
    assert other.returncode == 0
    assert difference < 1e-6
    theirs = set(theirs)
    assert ours | theirs <= OPERATORS
    assert OPERATORS - (ours | theirs) <= {"Gemm"}  # which exports of JAX 0.8 do without
    assert ours - theirs  # they are two exporters
    assert theirs - ours


def main() -> None:
    """Print the operators and `largest_difference` on JAX, which needs a process of its own."""
    from cnnctl.models.backend import import_keras

    import_keras(JAX)
    print(json.dumps([sorted(used()), largest_difference()]))
