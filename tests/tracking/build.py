"""Beginnings, figures, and what trackers wrote, read back by their makers' own programs."""

import struct
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


def told_of_epochs(kind: Any, folder: Path, *before: int, then: tuple[int, ...], **more: str) -> Any:
    """A tracker of a kind that was told of the epochs `then`, and not of an end."""
    tracker = kind()
    tracker.begin(beginning(folder, *before, **more))
    for number in then:
        tracker.epoch(number, figures(number))
    return tracker


def complete_run(folder: Path, plot: bytes) -> Run:
    """A run with everything that `finished` looks for."""
    run = Run(folder)
    files.write_bytes(run.plots / "curves.png", plot)
    for path in (run.keras_model, run.config, run.history):
        files.write_text(path, path.name)
    files.write_json(run.classes, ["cat", "dog"])
    files.write_bytes(run.onnx_model, onnx_model())
    files.write_json(run.metrics, SEVENTH)
    return run


def onnx_model() -> bytes:
    """Of 2x3 grey images: the mean of their pixels, twice."""
    from onnx import TensorProto, helper

    image = helper.make_tensor_value_info("image", TensorProto.UINT8, ["N", 2, 3, 1])
    answer = helper.make_tensor_value_info("probabilities", TensorProto.FLOAT, ["N", 2])
    nodes = [
        helper.make_node("Cast", ["image"], ["float"], to=TensorProto.FLOAT),
        helper.make_node("ReduceMean", ["float", "axes"], ["mean"], keepdims=0),
        helper.make_node("Concat", ["mean", "mean"], ["probabilities"], axis=1),
    ]
    axes = helper.make_tensor("axes", TensorProto.INT64, [2], [1, 2])
    graph = helper.make_graph(nodes, "means", [image], [answer], [axes])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=8)
    content: bytes = model.SerializeToString()
    return content


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


def wandb_records(folder: Path) -> list[Any]:
    """What Weights & Biases wrote into the transaction log of a run's folder, `run-*` or `offline-run-*`.

    The file has the form of LevelDB's logs: blocks of 32 KiB, records in fragments, each with a checksum, its length
    and its kind, which are whole, first, middle and last. The first 7 bytes are wandb's own.
    """
    from wandb.proto.wandb_internal_pb2 import Record

    (path,) = folder.glob("*.wandb")
    content, at, fragments, found = path.read_bytes(), 7, b"", []
    while at + 7 <= len(content):
        rest = 2**15 - at % 2**15
        if rest < 7:
            at += rest
            continue
        _, length, kind = struct.unpack_from("<IHB", content, at)
        fragments += content[at + 7 : at + 7 + length]
        at += 7 + length
        if kind in (1, 4):
            found.append(Record.FromString(fragments))
            fragments = b""
    return found
