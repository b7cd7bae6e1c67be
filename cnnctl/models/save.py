"""The trained network as model.keras and model.onnx, and the proof that the two agree."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cnnctl.data.decoder.images import ImageSpec
from cnnctl.inference.model import METADATA_KEY, expand, metadata, open_session
from cnnctl.models.backend import JAX
from cnnctl.models.onnx_fixes import mend_graph
from cnnctl.runs import Run
from cnnctl.system import files

LIMIT = 1e-3
"""Largest difference in probability between model.keras and model.onnx at which the latter is kept."""

_BATCH = 256


@dataclass(frozen=True)
class Parity:
    """How far model.onnx is from model.keras.

    Attributes:
        largest_difference: In probability, over all images and classes; NaN where one of the two is.
        images: How many were compared.
        split: Which.
        written: Whether model.onnx was kept.
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
        files.write_bytes(run.keras_model, path.read_bytes())


def save_onnx(
    model: Any,
    run: Run,
    spec: ImageSpec,
    classes: Sequence[str],
    images: NDArray[np.uint8],
    rows: NDArray[np.int64],
    split: str,
) -> tuple[Parity, NDArray[np.float32]]:
    """model.onnx of a run, kept only if it agrees with the Keras model.

    Args:
        model: A float32 model.
        run: Where it goes.
        spec: Goes into its metadata.
        classes: Likewise.
        images: uint8 (N, height, width, channels).
        rows: The images to compare on.
        split: What they are called.

    Returns:
        How far the two differ, and the probabilities of those images by the one that is used: float32 (rows, classes).
    """
    with files.writing(run.onnx_model), files.aside_folder(run.path) as folder:
        path = Path(folder) / "model.onnx"
        model(np.asarray(images[rows[:1]]))  # Keras exports what has been called
        _export(model, path)
        _finish(path, metadata(spec, classes))
        session = open_session(path)
        name = session.get_inputs()[0].name
        largest = 0.0
        answers: dict[bool, list[NDArray[np.float32]]] = {True: [], False: []}
        for start in range(0, len(rows), _BATCH):
            batch = np.asarray(images[rows[start : start + _BATCH]])
            ours = np.asarray(model.predict_on_batch(batch))
            (theirs,) = session.run(None, {name: batch})
            largest = float(np.maximum(largest, np.abs(ours - theirs).max()))  # NaN stays NaN
            answers[True].append(expand(theirs))
            answers[False].append(expand(ours))
        agrees = largest <= LIMIT  # False for NaN
        if agrees:
            files.write_bytes(run.onnx_model, path.read_bytes())
    return Parity(largest, len(rows), split, agrees), np.concatenate(answers[agrees])


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
    """Write what ONNX Runtime and predict need: operators that it has, metadata."""
    import onnx

    model = onnx.load(str(path))
    mend_graph(model.graph)
    entry = model.metadata_props.add()
    entry.key, entry.value = METADATA_KEY, text
    onnx.checker.check_model(model)
    onnx.save(model, str(path))
