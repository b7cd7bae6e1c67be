"""What Keras' exporters write and ONNX Runtime refuses, rewritten as what is the same and what it takes."""

from collections.abc import Iterator
from typing import Any

_TO_CHANNELS_FIRST, _TO_CHANNELS_LAST = (0, 3, 1, 2), (0, 2, 3, 1)


def mend_graph(graph: Any) -> None:
    """Rewrite an onnx.GraphProto in place."""
    nodes = [mended for index, node in enumerate(graph.node) for mended in _mend(graph, node, index)]
    del graph.node[:]
    graph.node.extend(nodes)


def _mend(graph: Any, node: Any, index: int) -> Iterator[Any]:
    kernel = next((list(one.ints) for one in node.attribute if one.name == "kernel_shape"), [])
    if node.op_type == "Erfc":
        yield from _without_erfc(graph, node, index)
    elif node.op_type == "MaxPool" and len(kernel) == 4:
        yield from _pool_of_images(graph, node, index)
    else:
        yield node


def _without_erfc(graph: Any, node: Any, index: int) -> Iterator[Any]:
    """Exact GELU comes out of tf2onnx as Erfc(x), which ONNX does not have: 1 - Erf(x)."""
    from onnx import TensorProto, helper

    one, erf = f"erfc_{index}_one", f"erfc_{index}_erf"
    graph.initializer.append(helper.make_tensor(one, TensorProto.FLOAT, [], [1.0]))
    yield helper.make_node("Erf", node.input, [erf], name=erf)
    yield helper.make_node("Sub", [one, erf], node.output, name=f"erfc_{index}_sub")


def _pool_of_images(graph: Any, node: Any, index: int) -> Iterator[Any]:
    """jax2onnx pools (1, 1, batch, height, width, channels) over its four last axes, which is one over two of them."""
    from onnx import TensorProto, helper

    given = {one.name: list(one.ints) for one in node.attribute if one.ints}
    settings = {name: given[name][1:3] for name in ("kernel_shape", "strides", "dilations") if name in given}
    if "pads" in given:
        settings["pads"] = [given["pads"][place] for place in (1, 2, 5, 6)]
    axes = f"pool_{index}_axes"
    graph.initializer.append(helper.make_tensor(axes, TensorProto.INT64, [2], [0, 1]))
    steps = [f"pool_{index}_{step}" for step in ("squeezed", "first", "pooled", "last")]
    yield helper.make_node("Squeeze", [node.input[0], axes], [steps[0]], name=steps[0])
    yield helper.make_node("Transpose", [steps[0]], [steps[1]], name=steps[1], perm=_TO_CHANNELS_FIRST)
    yield helper.make_node("MaxPool", [steps[1]], [steps[2]], name=steps[2], **settings)
    yield helper.make_node("Transpose", [steps[2]], [steps[3]], name=steps[3], perm=_TO_CHANNELS_LAST)
    yield helper.make_node("Unsqueeze", [steps[3], axes], list(node.output), name=f"pool_{index}_unsqueezed")
