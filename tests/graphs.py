"""Writes the graphs of the applications that are part of the package from Keras: `python -m tests.graphs`."""

import gzip
import json
from dataclasses import replace
from typing import Any

from cnnctl.architecture.graph import Node
from cnnctl.architecture.graph.applications import DEVIATION, MEAN, SCALINGS, SHIPPED, pack
from cnnctl.architecture.graph.read import read_graph
from cnnctl.layers.backbone import APPLICATIONS
from cnnctl.models.backend import import_keras


def from_keras(application: str, shape: tuple[int | None, int | None, int] = (None, None, 3)) -> Any:
    """The network as Keras builds it, with random weights."""
    import keras

    settings = {"weights": None, "include_top": False, "input_shape": shape}
    if application == "EfficientNetLite0":
        return _lite(settings)
    return getattr(keras.applications, application)(**settings)


def _lite(settings: dict[str, Any]) -> Any:
    """EfficientNet-B0 without squeeze and excitation, with ReLU6, and without scaling inside: Keras has no Lite0.

    Source: https://github.com/tensorflow/tpu/tree/master/models/official/efficientnet/lite
    """
    import keras
    from keras.src.applications.efficientnet import DEFAULT_BLOCKS_ARGS, EfficientNet

    blocks = [{**block, "se_ratio": 0} for block in DEFAULT_BLOCKS_ARGS]
    whole = EfficientNet(1.0, 1.0, 224, activation="relu6", blocks_args=blocks, name="efficientnetlite0", **settings)
    image = keras.layers.Input(settings["input_shape"])
    made = {layer.name: image for layer in whole.layers[:3]}  # the input, the rescaling and the normalization
    for layer in whole.layers[3:]:
        sources = [made[one.name] for one in _sources(layer)]
        made[layer.name] = layer(sources if len(sources) > 1 else sources[0])
    return keras.Model(image, made[whole.layers[-1].name], name="efficientnetlite0")


def _sources(layer: Any) -> list[Any]:
    return [tensor._keras_history.operation for tensor in layer._inbound_nodes[0].input_tensors]


def nodes_of(application: str) -> tuple[Node, ...]:
    """The nodes of a network whose images may have any size."""
    model = json.loads(from_keras(application).to_json())
    nodes = read_graph(model, lambda place: (MEAN, tuple(one**2 for one in DEVIATION))).nodes
    return _without_paddings(nodes)


def _without_paddings(nodes: tuple[Node, ...]) -> tuple[Node, ...]:
    """Strided convolutions with `padding: same` for those with zeros around them.

    Keras lays zeros around them that it chooses by whether the sides of the image are even; they are those of `same`.
    """
    moved: dict[int, int] = {-1: -1}
    kept: list[Node] = []
    for number, node in enumerate(nodes):
        (source, *others) = node.inputs
        before = nodes[source] if source >= 0 else None
        if _is_strided(node) and before is not None and _pads_for(before, node):
            node = replace(node, layer=node.layer.model_copy(update={"padding": "same"}), inputs=before.inputs)
            source, others = before.inputs[0], []
            assert kept.pop().name == before.name
        moved[number] = len(kept)
        kept.append(replace(node, inputs=tuple(moved[one] for one in (source, *others))))
    return tuple(kept)


def _is_strided(node: Node) -> bool:
    return node.layer.has_kernels and node.layer.window.strides == (2, 2) and node.layer.padding == "valid"


def _pads_for(padding: Node, convolution: Node) -> bool:
    half = convolution.layer.window.size[0] // 2
    return padding.layer.kind == "zero_padding2d" and padding.layer.padding == ((half - 1, half),) * 2


def write() -> None:
    """Write the files of the package."""
    import keras

    assert set(APPLICATIONS) == set(SCALINGS)
    for application in APPLICATIONS:
        text = json.dumps(pack(nodes_of(application)), separators=(",", ":"))
        packed = gzip.compress(text.encode(), mtime=0)
        (SHIPPED / f"{application}.json.gz").write_bytes(packed)
        print(f"{application}: {len(packed):,} bytes")
        keras.backend.clear_session()


if __name__ == "__main__":
    import_keras()
    write()
