"""Runs whose files are written by hand, so that they need no training."""

import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from cnnctl.config import load
from cnnctl.config.dump import to_yaml
from cnnctl.runs import Run
from cnnctl.system import files

CONFIG = """\
data: {train: /photos, image: {size: 8}}
model:
  - conv2d: {filters: 4, kernel_size: 3}
  - flatten
train: {epochs: 5}
"""
"""Has 1,082 parameters in two classes: 3 * 3 * 3 * 4 + 4, and 6 * 6 * 4 * 2 + 2; 3,888 and 288 multiply-adds."""

FINISHED = "2026-01-02T03:04:05+00:00"


def write_begun(folder: Path, assignments: Sequence[str] = (), epochs: Sequence[float] = (), text: str = CONFIG) -> Run:
    """A run with what a training writes before it ends.

    Args:
        folder: The run directory.
        assignments: KEY=VALUE texts that change the config.
        epochs: The validation accuracy of each epoch that is done.
        text: Of the config.
    """
    run = Run(folder)
    files.write_text(folder / "written.yaml", text)
    config = load(folder / "written.yaml", assignments)
    (folder / "written.yaml").unlink()
    files.write_text(run.config, to_yaml(config))
    files.write_json(run.classes, ["cat", "dog"])
    files.write_csv(run.split, ("path", "label", "split"), [])
    if epochs:
        rows = [(number, 0.5, 0.7, accuracy, 0.6) for number, accuracy in enumerate(epochs, start=1)]
        files.write_csv(run.history, ("epoch", "accuracy", "loss", "val_accuracy", "val_loss"), rows)
    return run


def write_run(
    folder: Path,
    answers: Mapping[str, bool],
    assignments: Sequence[str] = (),
    epochs: Sequence[float] = (0.5, 0.6, 0.7, 0.6, 0.65),
    text: str = CONFIG,
    labels: Mapping[str, str] | None = None,
    **environment: Any,
) -> Run:
    """A complete run.

    Args:
        folder: The run directory.
        answers: Whether it is right on each of its test images.
        assignments: KEY=VALUE texts that change the config.
        epochs: The validation accuracy of each epoch.
        text: Of the config.
        labels: Of images that are no `cat`.
        environment: What environment.json says otherwise.
    """
    run = write_begun(folder, assignments, epochs, text)
    files.write_bytes(run.keras_model, b"model")
    write_predictions(run, answers, labels or {})
    accuracy = sum(answers.values()) / len(answers)
    write_metrics(run, images=len(answers), accuracy=accuracy)
    write_environment(run, epochs=len(epochs), **environment)
    return run


def write_predictions(run: Run, answers: Mapping[str, bool], labels: Mapping[str, str]) -> None:
    """predictions.csv of these answers."""
    other = {"cat": "dog", "dog": "cat"}
    truth = {path: labels.get(path, "cat") for path in answers}
    rows = [
        (path, truth[path], truth[path] if right else other[truth[path]], 0.9, "true" if right else "false")
        for path, right in answers.items()
    ]
    files.write_csv(run.predictions, ("path", "label", "predicted", "probability", "correct"), rows)


def write_metrics(run: Run, **changes: Any) -> None:
    """metrics.json; a change to None leaves a figure out."""
    figures = {
        "split": "test",
        "images": 10,
        "accuracy": 0.5,
        "accuracy_interval": [0.25, 0.75],
        "loss": math.log(2),
        "expected_calibration_error": 0.125,
        "classes": ["cat", "dog"],
        "confusion_matrix": [[1, 2], [3, 4]],
    }
    files.write_json(run.metrics, {key: value for key, value in {**figures, **changes}.items() if value is not None})


def write_environment(run: Run, **changes: Any) -> None:
    """environment.json."""
    files.write_json(
        run.environment,
        {
            "backend": "tensorflow",
            "device": {"kind": "cpu", "name": "Abacus, 2 rows"},
            "precision": {"policy": "float32", "reason": "it has no other"},
            "data_hash": "0f",
            "epochs": 5,
            "best_epoch": 3,
            "resumed_after_epoch": None,
            "finished": FINISHED,
            "seconds": {"until_trained": 60.0, "total": 75.0, "waiting_for_data": None},
            **changes,
        },
    )


def images(right: int, wrong: int, begin: int = 0) -> dict[str, bool]:
    """Answers to so many images: the right ones first."""
    return {f"/photos/{begin + number:03}.png": number < right for number in range(right + wrong)}


def damage_json(path: Path, **changes: Any) -> None:
    """Change some members of a JSON file."""
    files.write_json(path, {**json.loads(path.read_text()), **changes})
