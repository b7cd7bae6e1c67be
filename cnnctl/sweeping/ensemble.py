"""A model whose probabilities are the mean of those of several runs."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cnnctl.config import Config
from cnnctl.config.dump import to_yaml
from cnnctl.data.split import VALIDATION
from cnnctl.errors import RunError
from cnnctl.evaluation.evaluate import evaluate_split
from cnnctl.inference.known_models import MADE, fingerprint, remember
from cnnctl.inference.model import open_session
from cnnctl.runs import Run
from cnnctl.system import files

_LIMIT = 1e-5
_IMAGES = 4


@dataclass(frozen=True)
class Ensemble:
    """A folder that `predict`, `serve` and `evaluate` take for a run, with model.onnx but without model.keras.

    `difference` is how far its probabilities are from the mean of the folds' at most, on `images` random images.
    """

    path: Path
    difference: float
    images: int = _IMAGES


def write_ensemble(
    runs: Sequence[Run], path: Path, config: Config, listing: Iterable[tuple[str, str, str]]
) -> Ensemble:
    """Put the models of runs, which have one shape and the same classes, side by side below a mean.

    It is compared with them on random images before it takes its place. `listing` are (path, class name, split) of the
    images that trained them, and of those that none was trained on. Where images may have several labels, the
    validation images among them choose the thresholds.

    Raises:
        RunError: a run has no model, or the file does not give their mean.
        DataError: a validation image cannot be read.
        MachineError: the folder cannot be written.
    """
    contents = [run.read_bytes(run.need(run.onnx_model)) for run in runs]
    whole, made = _merged(contents).SerializeToString(), Run(path)
    difference = _difference(contents, whole, made.onnx_model)
    with files.writing(path):
        path.mkdir(exist_ok=True)
    made.write_json(made.classes, list(runs[0].read_classes()))
    made.write_text(made.config, to_yaml(config))
    made.write_csv(made.split, ("path", "label", "split"), listing)
    made.write_bytes(made.onnx_model, whole)
    parity = {"largest_difference": difference, "limit": _LIMIT, "images": _IMAGES, "split": "random", "written": True}
    made.write_json(made.metrics, {"onnx": parity})
    remember(fingerprint(whole), MADE)
    if config.output.multi_label is not None:
        evaluate_split(made, VALIDATION, lambda done, total: None)
    return Ensemble(path, difference)


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
    _append_mean(graph, answers, given.name)
    made = helper.make_model(graph, producer_name="cnnctl", opset_imports=list(first.opset_import))
    made.ir_version = first.ir_version
    made.metadata_props.extend(first.metadata_props)
    return made


def _append_mean(graph: Any, answers: Sequence[str], name: str) -> None:
    """The mean, of operators that `predict` runs in anybody's model."""
    from onnx import TensorProto, helper

    share = helper.make_tensor("share", TensorProto.FLOAT, [], [1 / len(answers)])
    graph.initializer.append(share)
    total = answers[0]
    for number, answer in enumerate(answers[1:], start=2):
        graph.node.append(helper.make_node("Add", [total, answer], [f"sum_{number}"], name=f"sum_{number}"))
        total = f"sum_{number}"
    graph.node.append(helper.make_node("Mul", [total, share.name], [name], name="mean"))


def _difference(contents: Sequence[bytes], whole: bytes, path: Path) -> float:
    """How far a model is from the mean of others at most.

    Raises:
        RunError: too far.
    """
    import numpy as np

    session = open_session(path, content=whole)
    name, shape = session.get_inputs()[0].name, session.get_inputs()[0].shape[1:]
    images = np.random.default_rng(0).integers(0, 256, (_IMAGES, *shape), np.uint8)
    answers = [open_session(path, content=content) for content in contents]
    mean = np.mean([one.run(None, {one.get_inputs()[0].name: images})[0] for one in answers], axis=0)
    difference = float(np.abs(session.run(None, {name: images})[0] - mean).max())
    if not difference <= _LIMIT:
        raise RunError(f"{path} was not written: it differs from the mean of the folds by {difference:.3g}")
    return difference
