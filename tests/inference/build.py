"""Runs whose model.onnx is written by hand, so that they need no training: the most of red, green and blue wins."""

from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from cnnctl.data.decoder.images import ImageSpec, opencv
from cnnctl.evaluation.foreign import fit_familiar, with_threshold
from cnnctl.inference.model import FEATURES, METADATA_KEY, metadata
from cnnctl.runs import Run
from cnnctl.system import files

COLOURS = ("red", "green", "blue")
SPEC = ImageSpec(6, 4)


def colour_model(spec: ImageSpec = SPEC, units: int = 3, text: str | None = "", classes: Any = COLOURS) -> bytes:
    """An ONNX model: softmax of a tenth of the mean of each channel; with one unit the sigmoid of red minus blue.

    Args:
        spec: Goes into the metadata; its shape is the input's.
        units: 1 to 3 outputs.
        text: The metadata; empty for the right one, None for none.
        classes: Go into the metadata.
    """
    weights = np.eye(3, dtype=np.float32)[:, :units] if units > 1 else np.array([[1], [0], [-1]], np.float32)
    nodes = [
        helper.make_node("Cast", ["image"], ["numbers"], to=TensorProto.FLOAT),
        helper.make_node("ReduceMean", ["numbers"], ["means"], axes=[1, 2], keepdims=0),
        helper.make_node("MatMul", ["means", "weights"], ["logits"]),
        helper.make_node("Sigmoid" if units == 1 else "Softmax", ["logits"], ["probabilities"]),
    ]
    graph = helper.make_graph(
        nodes,
        "colours",
        [helper.make_tensor_value_info("image", TensorProto.UINT8, ["N", *spec.shape])],
        [helper.make_tensor_value_info("probabilities", TensorProto.FLOAT, ["N", units])],
        [numpy_helper.from_array(weights / 10, "weights")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    if text is not None:
        entry = model.metadata_props.add()
        entry.key, entry.value = METADATA_KEY, text or metadata(spec, classes)
    onnx.checker.check_model(model)
    return bytes(model.SerializeToString())


def colour_run(folder: Path, classes: tuple[str, ...] = COLOURS, units: int = 3, spec: ImageSpec = SPEC) -> Run:
    """A run with such a model and these classes."""
    run = Run(folder)
    files.write_bytes(run.onnx_model, colour_model(spec, units, classes=classes))
    files.write_json(run.classes, list(classes))
    return run


def paint(path: Path, red: int, green: int, blue: int, height: int = 9, width: int = 7) -> str:
    """A PNG of one colour; its path as text."""
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.full((height, width, 3), (blue, green, red), np.uint8)
    path.write_bytes(opencv().imencode(".png", pixels)[1].tobytes())
    return str(path)


COLOURED = {"red": (200, 10, 20), "green": (10, 200, 20), "blue": (10, 20, 200)}


def knowing_run(folder: Path) -> Run:
    """A run of the colours that was trained on reds and greens, and says unknown of a blue."""
    draws = np.random.default_rng(0)
    noise = draws.uniform(0, 60, (60, 3)).astype(np.float32)
    features = noise + 200 * np.eye(3, dtype=np.float32)[np.arange(60) % 2]
    run = colour_run(folder)
    model = onnx.load_from_string(run.onnx_model.read_bytes())
    for names in (names for node in model.graph.node for names in (node.input, node.output)):
        names[:] = [FEATURES if name == "means" else name for name in names]
    model.graph.output.append(helper.make_tensor_value_info(FEATURES, TensorProto.FLOAT, ["N", 3]))
    files.write_bytes(run.onnx_model, model.SerializeToString())
    known = fit_familiar(features[:40], np.arange(40) % 2)
    known = with_threshold(known, known.scores(features[40:]), 0.01, "validation")
    run.write_json(run.unknown, known.to_json())
    return run
