"""The trained network as model.keras and model.onnx, and the proof that the two agree."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from cnnctl.architecture import Plan
from cnnctl.architecture.cost import images_at_once
from cnnctl.config.schema import TestTime, views_of
from cnnctl.data.decoder.images import ImageSpec
from cnnctl.inference.known_models import MADE, fingerprint, remember
from cnnctl.inference.model import expand, metadata, open_session
from cnnctl.inference.unknown import reduced
from cnnctl.models.onnx import to_onnx
from cnnctl.models.views import with_views
from cnnctl.runs import Run
from cnnctl.system import files

LIMIT = 1e-3
"""Largest difference in probability between model.keras and model.onnx at which the latter is kept."""

_MOST_FEATURES = 2**26
"""Of all images together: 256 MB."""

_LEAST_COMPARED = 32
_MOST_WORK = 20_000_000_000
"""Multiplications with addition that comparing may take: seconds."""


@dataclass(frozen=True)
class Answering:
    """A trained network: the keras.Sequential of its plan, in float32, and the views that it answers by."""

    model: Any
    plan: Plan
    test_time: TestTime | None = None

    @cached_property
    def asked(self) -> Any:
        """The Keras model that answers, views and all."""
        return self.model if self.test_time is None else with_views(self.model, self.test_time)


class Compared(NamedTuple):
    """What became of model.onnx, and what the model that is used says of the images that it was compared on.

    `probabilities` are float32 (images, classes); `features`, as `reduced` makes them, are float32 (images, ...), and
    None where model.onnx was not kept, or they would take too much memory.
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
    network: Answering,
    run: Run,
    spec: ImageSpec,
    classes: Sequence[str],
    images: NDArray[np.uint8],
    rows: NDArray[np.int64],
    split: str,
    several: bool = False,
) -> Compared:
    """model.onnx of a run, as `to_onnx` writes it, kept only if it agrees with the float32 Keras model.

    `spec` and `classes` are its metadata. `rows` of the images, uint8 (N, height, width, channels), are answered;
    `split` is what they are called. All are compared, or some where an image is much work.
    `several` says whether images may have several labels.
    """
    import onnx

    with files.writing(run.onnx_model), files.aside_folder(run.path) as folder:
        path = Path(folder) / "model.onnx"
        made = to_onnx(network.model, network.plan, network.test_time, metadata(spec, classes, several))
        onnx.checker.check_model(made)
        onnx.save(made, str(path))
        session = open_session(path)
        name = session.get_inputs()[0].name
        answers, features = [], []
        for batch in _batches(images, rows):
            answer, inner = session.run(None, {name: batch})
            answers.append(answer)
            if len(rows) * inner[0].size <= _MOST_FEATURES:
                features.append(reduced(inner))
        theirs = np.concatenate(answers)
        compared = _spread(len(rows), network)
        ours = _predicted(network.asked, images, rows[compared])
        largest = float(np.abs(ours - theirs[compared]).max())
        agrees = largest <= LIMIT  # False for NaN
        if agrees:
            content = path.read_bytes()
            remember(fingerprint(content), MADE)
            run.write_bytes(run.onnx_model, content)
    parity = Parity(largest, len(compared), split, agrees)
    if not agrees:
        return Compared(parity, expand(_predicted(network.asked, images, rows)), None)
    return Compared(parity, expand(theirs), np.concatenate(features) if features else None)


def _spread(images: int, network: Answering) -> NDArray[np.int64]:
    """Which of some images are compared: all, or as many as the work allows, evenly spread."""
    work = network.plan.multiply_adds * views_of(network.test_time)
    most = max(_LEAST_COMPARED, _MOST_WORK // max(1, work))
    return np.unique(np.linspace(0, images - 1, min(images, most)).astype(np.int64))


def _batches(images: NDArray[np.uint8], rows: NDArray[np.int64]) -> Iterator[NDArray[np.uint8]]:
    size = images_at_once(images.shape[1:])
    return (np.asarray(images[rows[start : start + size]]) for start in range(0, len(rows), size))


def _predicted(model: Any, images: NDArray[np.uint8], rows: NDArray[np.int64]) -> NDArray[np.float32]:
    return np.concatenate([np.asarray(model.predict_on_batch(batch)) for batch in _batches(images, rows)])
