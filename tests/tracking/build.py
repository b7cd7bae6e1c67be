"""Beginnings, figures, and what trackers wrote, read back by their makers' own programs."""

from pathlib import Path
from typing import Any

from cnnctl.runs import Run
from cnnctl.system import files
from cnnctl.tracking.events import RunStarted
from tests.config.build import SMALLEST, config

MACHINE = {"backend": "tensorflow", "device": "Abacus", "precision": "float32"}
SEVENTH = {"accuracy": 0.75, "loss": 0.5, "onnx": {"largest_difference": 1e-7}, "split": "test", "images": 12}
"""A metrics.json."""


def figures(number: int) -> dict[str, float]:
    """Of an epoch, as history.csv has them; halves and quarters, which float32 holds exactly."""
    return {
        "accuracy": number / 4,
        "loss": 1 / 2**number,
        "val_accuracy": number / 8,
        "val_loss": 2 / 2**number,
        "learning_rate": 0.5,
    }


def beginning(folder: Path, *before: int, text: str = "name: shapes\n" + SMALLEST) -> RunStarted:
    """A training in `folder` that goes on after these epochs."""
    return RunStarted(Run(folder), config(text), [figures(number) for number in before], MACHINE)


def complete_run(folder: Path, plot: bytes) -> Run:
    """A run with everything that `finished` looks for."""
    run = Run(folder)
    files.write_bytes(run.plots / "curves.png", plot)
    for path in (run.keras_model, run.onnx_model, run.config, run.classes, run.history):
        files.write_text(path, path.name)
    files.write_json(run.metrics, SEVENTH)
    return run


def points(folder: Path) -> dict[str, list[tuple[int, float]]]:
    """(step, value) of each curve that TensorBoard finds in a folder."""
    from tensorboard.util.tensor_util import make_ndarray

    read = accumulated(folder)
    tags = [tag for tag in read.Tags()["tensors"] if read.SummaryMetadata(tag).plugin_data.plugin_name == "scalars"]
    return {tag: [(one.step, float(make_ndarray(one.tensor_proto))) for one in read.Tensors(tag)] for tag in tags}


def accumulated(folder: Path) -> Any:
    """What TensorBoard reads in a folder, every point of it."""
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    read = EventAccumulator(str(folder), size_guidance={"tensors": 0}, purge_orphaned_data=False)
    return read.Reload()
