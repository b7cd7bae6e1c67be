"""What comes after the fit: the best weights exported, compared and scored."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from cnnctl.architecture import Plan
from cnnctl.data.cache.decoded import Decoded
from cnnctl.data.decoder.images import ImageSpec
from cnnctl.data.split import TEST, TRAIN, VALIDATION
from cnnctl.evaluation.evaluate import Evaluation, save_evaluation
from cnnctl.evaluation.metrics import ScoredSplit
from cnnctl.inference.model import load_classifier
from cnnctl.models.build import Scaling, build_network
from cnnctl.models.save import Parity, save_keras, save_onnx
from cnnctl.runs import Run
from cnnctl.system import files
from cnnctl.training.callbacks import Record
from cnnctl.training.inputs import Split

_PREDICTION_BATCH = 256


def save_best(run: Run, plan: Plan, scaling: Scaling, history: Record) -> Any:
    """model.keras of a run: the network that is saved, in float32, with the best weights so far. Returns it."""
    model = build_network(plan, scaling, "float32")
    model.set_weights(history.best_weights)
    save_keras(model, run)
    return model


def export_and_score(
    run: Run, model: Any, spec: ImageSpec, splits: dict[str, Split], decoded: Decoded
) -> tuple[Evaluation, Parity]:
    """model.onnx, metrics.json and what belongs to it.

    Args:
        run: Has its classes, its split and model.keras.
        model: Of `save_best`.
        spec: How the images were made.
        splits: The images.
        decoded: Their pixels.
    """
    name = next(name for name in (VALIDATION, TEST, TRAIN) if name in splits)
    rows = splits[name].rows
    parity, probabilities = save_onnx(model, run, spec, run.read_classes(), decoded.pixels, rows, name)
    return _evaluate(run, spec, splits, decoded, model, parity, probabilities), parity


def _evaluate(
    run: Run,
    spec: ImageSpec,
    splits: dict[str, Split],
    decoded: Decoded,
    model: Any,
    parity: Parity,
    compared: NDArray[np.float32],
) -> Evaluation:
    """Score validation and test, the last of them as the run's own figures, by model.onnx where it was kept."""
    files.write_json(run.metrics, {"onnx": parity.to_json()})
    scored = [split for split in (VALIDATION, TEST) if split in splits] or [TRAIN]
    classifier = load_classifier(run) if parity.written else None
    evaluation = None
    for split in scored:
        rows = splits[split].rows
        batches = (np.asarray(decoded.pixels[rows[at : at + _PREDICTION_BATCH]]) for at in _starts(rows))
        if split == parity.split:
            probabilities = compared
        elif classifier is not None:
            probabilities = np.concatenate([classifier.probabilities(batch) for batch in batches])
        else:
            from cnnctl.inference.model import expand

            probabilities = np.concatenate([expand(np.asarray(model.predict_on_batch(batch))) for batch in batches])
        paths, _ = run.read_split(split)
        title, classes = f"{run.title}, {split} images", run.read_classes()
        of_split = ScoredSplit(title, classes, paths, splits[split].labels, probabilities, spec)
        is_main = split == scored[-1]
        evaluation = save_evaluation(run, split, of_split, is_main, draws=is_main)
    assert evaluation is not None
    return evaluation


def _starts(rows: NDArray[np.int64]) -> range:
    return range(0, len(rows), _PREDICTION_BATCH)
