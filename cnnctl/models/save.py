"""The trained network as model.keras and model.onnx, and the proof that the two agree."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from cnnctl.architecture.cost import images_at_once
from cnnctl.data.decoder.images import ImageSpec
from cnnctl.inference.known_models import MADE, fingerprint, remember
from cnnctl.inference.model import FEATURES, METADATA_KEY, expand, metadata, open_session
from cnnctl.inference.unknown import reduced
from cnnctl.models.backend import JAX
from cnnctl.models.views import with_features
from cnnctl.runs import Run
from cnnctl.system import files

LIMIT = 1e-3
"""Largest difference in probability between model.keras and model.onnx at which the latter is kept."""

_TO_CHANNELS_FIRST, _TO_CHANNELS_LAST = (0, 3, 1, 2), (0, 2, 3, 1)


class Compared(NamedTuple):
    """What became of model.onnx, and what the model that is used says of the images that it was compared on.

    `probabilities` are float32 (images, classes); `features`, as `reduced` makes them, are float32 (images, ...), and
    None where model.onnx was not kept.
    """

    parity: "Parity"
    probabilities: NDArray[np.float32]
    features: NDArray[np.float32] | None


@dataclass(frozen=True)
class Parity:
    """How far model.onnx is from model.keras on the images of a split, and whether it was kept.

    The difference is in probability, over all images and classes; NaN where one of the two is.
    """

    largest_difference: float
    images: int
    split: str
    written: bool

    def to_json(self) -> dict[str, Any]:
        """The `onnx` part of metrics.json."""
        return {
            "largest_difference": None if math.isnan(self.largest_difference) else self.largest_difference,
            "limit": LIMIT,
            "images": self.images,
            "split": self.split,
            "written": self.written,
        }


def save_keras(model: Any, run: Run) -> None:
    """model.keras of a run."""
    with files.writing(run.keras_model), files.aside_folder(run.path) as folder:
        path = Path(folder) / "model.keras"
        model.save(path)
        run.write_bytes(run.keras_model, path.read_bytes())


def save_onnx(
    model: Any,
    run: Run,
    spec: ImageSpec,
    classes: Sequence[str],
    images: NDArray[np.uint8],
    rows: NDArray[np.int64],
    split: str,
) -> Compared:
    """model.onnx of a run, kept only if it agrees with the float32 Keras model; spec and classes are its metadata.

    It has two outputs: what the model answers, and the features that its output layer gets. `rows` of the images, uint8
    (N, height, width, channels), are compared; `split` is what they are called.
    """
    with files.writing(run.onnx_model), files.aside_folder(run.path) as folder:
        path = Path(folder) / "model.onnx"
        both = with_features(model)
        both(np.asarray(images[rows[:1]]))  # Keras exports what has been called
        _export(both, path)
        _finish(path, metadata(spec, classes))
        session = open_session(path)
        name = session.get_inputs()[0].name
        largest = 0.0
        answers: dict[bool, list[NDArray[np.float32]]] = {True: [], False: []}
        features = []
        size = images_at_once(images.shape[1:])
        for start in range(0, len(rows), size):
            batch = np.asarray(images[rows[start : start + size]])
            ours = np.asarray(model.predict_on_batch(batch))
            theirs, inner = session.run(None, {name: batch})
            largest = float(np.maximum(largest, np.abs(ours - theirs).max()))  # NaN stays NaN
            answers[True].append(expand(theirs))
            answers[False].append(expand(ours))
            features.append(reduced(inner))
        agrees = largest <= LIMIT  # False for NaN
        if agrees:
            content = path.read_bytes()
            remember(fingerprint(content), MADE)
            run.write_bytes(run.onnx_model, content)
    parity = Parity(largest, len(rows), split, agrees)
    return Compared(parity, np.concatenate(answers[agrees]), np.concatenate(features) if agrees else None)


def _export(model: Any, path: Path) -> None:
    """What Keras makes of the model."""
    import keras

    if keras.backend.backend() == JAX:
        model.export(str(path), format="onnx", verbose=False)
        return
    import tensorflow as tf

    tf.config.run_functions_eagerly(True)  # without XLA: its call of a compiled grouped convolution is no ONNX
    try:
        model.export(str(path), format="onnx", verbose=False)
    finally:
        tf.config.run_functions_eagerly(False)


def _finish(path: Path, text: str) -> None:
    """Write what ONNX Runtime and predict need: operators that it has, a name for the features, metadata."""
    import onnx

    model = onnx.load(str(path))
    mend_graph(model.graph)
    _rename(model.graph, model.graph.output[1].name, FEATURES)
    entry = model.metadata_props.add()
    entry.key, entry.value = METADATA_KEY, text
    onnx.checker.check_model(model)
    onnx.save(model, str(path))


def _rename(graph: Any, before: str, name: str) -> None:
    """Give what flows through an onnx.GraphProto another name, in place."""
    for node in graph.node:
        for names in (node.input, node.output):
            names[:] = [name if one == before else one for one in names]
    for value in graph.output:
        value.name = name if value.name == before else value.name


def mend_graph(graph: Any) -> None:
    """Rewrite in place what Keras' exporters write into an onnx.GraphProto and ONNX Runtime refuses."""
    _free_bounds(graph)
    nodes = [mended for index, node in enumerate(graph.node) for mended in _mend(graph, node, index)]
    del graph.node[:]
    graph.node.extend(nodes)


def _free_bounds(graph: Any) -> None:
    """Bounds of a Clip as they are: behind a Where jax2onnx casts them to double, which the values are not."""
    from onnx import TensorProto

    double = [node for node in graph.node if node.op_type == "Cast" and node.attribute[0].i == TensorProto.DOUBLE]
    sources = {node.output[0]: node.input[0] for node in double}
    for node in graph.node:
        if node.op_type == "Clip":
            node.input[1:] = [sources.get(name, name) for name in node.input[1:]]
    used = {name for node in graph.node for name in node.input}
    for node in double:
        if node.output[0] not in used:
            graph.node.remove(node)


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
