"""The graphs that are part of the package; `make graphs` writes them from Keras.

Each is deflated JSON: a list of nodes [name, class, settings but for the defaults, numbers of its inputs counted back],
without those that are empty and those of the node before alone.
"""

import gzip
import json
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

from cnnctl.architecture.graph.graph import Graph, Node
from cnnctl.architecture.graph.nodes import NODES
from cnnctl.architecture.scaling import NONE, SYMMETRIC, Scaling
from cnnctl.settings import given

SHIPPED = Path(__file__).parent / "shipped"
LEAST = 32
"""The smallest side of images that keras.applications takes."""

MEAN, DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
"""Of the pixels of ImageNet, from 0 to 1, by channel."""

_INSIDE = ("MobileNetV3Small", "MobileNetV3Large", "EfficientNetB0", "EfficientNetV2B0", "EfficientNetV2S")
SCALINGS: dict[str, Scaling] = {
    "EfficientNetLite0": Scaling((1 / 128,), (-127 / 128,)),
    "MobileNetV2": SYMMETRIC,
    "ResNet50V2": SYMMETRIC,
    "DenseNet121": Scaling.by_statistics(
        tuple(255 * one for one in MEAN),
        tuple(255 * one for one in DEVIATION),
    ),
    **dict.fromkeys(_INSIDE, NONE),
}
"""What each network was trained with: keras.applications' preprocess_input(); NONE where it scales by itself."""


@cache
def graph_of(application: str) -> Graph:
    """The graph of a network of `layers.backbone.Application`, without its output layers."""
    packed = json.loads(gzip.decompress((SHIPPED / f"{application}.json.gz").read_bytes()))
    return Graph(application, unpack(packed), SCALINGS[application], LEAST)


def pack(nodes: Sequence[Node]) -> list[list[Any]]:
    """Nodes as JSON has them."""
    names = {member: name for name, member in NODES.items()}
    packed = []
    for number, node in enumerate(nodes):
        backwards = [number - one for one in node.inputs]
        items = [node.name, names[type(node.layer)], given(node.layer), [] if backwards == [1] else backwards]
        while not items[-1]:
            items.pop()
        packed.append(items)
    return packed


def unpack(packed: Sequence[Sequence[Any]]) -> tuple[Node, ...]:
    """What `pack` made."""
    nodes = []
    for number, (name, kind, *rest) in enumerate(packed):
        settings = rest[0] if rest else {}
        backwards = rest[1] if len(rest) > 1 else [1]
        nodes.append(Node(name, NODES[kind].model_validate(settings), tuple(number - one for one in backwards)))
    return tuple(nodes)
