"""One ONNX file whose probabilities are the mean of those of several runs."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from cnnctl.errors import RunError
from cnnctl.inference.model import open_session
from cnnctl.runs import Run
from cnnctl.system import files

_LIMIT = 1e-5
_IMAGES = 4


def write_ensemble(runs: Sequence[Run], path: Path) -> Path:
    """Put the models of runs, which have one shape and the same classes, side by side below a mean.

    It is compared with them on random images before it takes its place.

    Raises:
        RunError: a run has no model, or the file does not give their mean.
    """
    contents = [run.read_bytes(run.need(run.onnx_model)) for run in runs]
    whole = _merged(contents).SerializeToString()
    _compare(contents, whole, path)
    files.write_bytes(path, whole)
    return path


def _merged(contents: Sequence[bytes]) -> Any:
    import onnx
    from onnx import compose, helper

    models = [onnx.load_model_from_string(content) for content in contents]
    first = models[0]
    if any(model.functions for model in models):
        raise RunError("a model.onnx has functions of its own, which cannot be put together", "use the runs one by one")
    (taken,), given = first.graph.input, first.graph.output[0]  # the other output are features
    graph = onnx.GraphProto(name="ensemble")
    answers = []
    for number, model in enumerate(models):
        prefix = f"fold_{number + 1}/"
        own = compose.add_prefix(model, prefix).graph
        for node in own.node:
            for place, name in enumerate(node.input):
                if name == f"{prefix}{taken.name}":
                    node.input[place] = taken.name
        graph.node.extend(own.node)
        graph.initializer.extend(own.initializer)
        graph.sparse_initializer.extend(own.sparse_initializer)
        answers.append(f"{prefix}{given.name}")
    graph.input.append(taken)
    graph.output.append(given)
    graph.node.append(helper.make_node("Mean", answers, [given.name], name="mean"))
    made = helper.make_model(graph, producer_name="cnnctl", opset_imports=list(first.opset_import))
    made.ir_version = first.ir_version
    made.metadata_props.extend(first.metadata_props)
    return made


def _compare(contents: Sequence[bytes], whole: bytes, path: Path) -> None:
    import numpy as np

    session = open_session(path, content=whole)
    name, shape = session.get_inputs()[0].name, session.get_inputs()[0].shape[1:]
    images = np.random.default_rng(0).integers(0, 256, (_IMAGES, *shape), np.uint8)
    answers = [open_session(path, content=content) for content in contents]
    mean = np.mean([one.run(None, {one.get_inputs()[0].name: images})[0] for one in answers], axis=0)
    difference = float(np.abs(session.run(None, {name: images})[0] - mean).max())
    if not difference <= _LIMIT:
        raise RunError(f"{path} was not written: it differs from the mean of the folds by {difference:.3g}")
