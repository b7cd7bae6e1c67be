"""TensorBoard: event files under RUN/tensorboard, written by its own record writer, without TensorFlow.

Tags and steps are those of Keras' callback: `epoch_loss`, `epoch_accuracy` and `epoch_learning_rate` over epochs from
0, training and validation as two sub-runs, so that their curves lie over each other. The figures of the test images
are a third, with one point, at the best epoch.
"""

import itertools
import os
import shlex
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cnnctl.config.dump import leaves, to_plain
from cnnctl.data.decoder.headers import dimensions
from cnnctl.data.split import TEST, TRAIN, VALIDATION
from cnnctl.runs import Run
from cnnctl.tracking.events import Figures, Outcome, RunStarted
from cnnctl.tracking.hparams import shown, write_experiment

if TYPE_CHECKING:
    from tensorboard.compat.proto.event_pb2 import Event
    from tensorboard.compat.proto.summary_pb2 import SummaryMetadata
    from tensorboard.compat.proto.tensor_pb2 import TensorProto
    from tensorboard.plugins.hparams.plugin_data_pb2 import HParamsPluginData

_ROOT = ""
_EVENTS = "events.out.tfevents."
_OF_VALIDATION = "val_"
_CURVES = "epoch_"
_numbers = itertools.count()


class TensorBoard:
    """The tracker."""

    def begin(self, beginning: RunStarted) -> None:
        """Open the folder; of what an earlier start left in it, the curves of its epochs are kept."""
        self._folder = beginning.run.tensorboard
        self._beginning = beginning
        self._trained = len(beginning.history)
        self._kept = self._trained
        self._files: dict[str, _EventFile] = {}
        self._events(_ROOT).hparams(_session_start(beginning), "session_start_info")
        for number, figures in enumerate(beginning.history, start=1):
            self.epoch(number, figures)
        write_experiment(beginning.run, beginning.config)

    def epoch(self, number: int, figures: Figures) -> None:
        """A point on each curve."""
        self._trained = number
        for name, value in figures.items():
            split = VALIDATION if name.startswith(_OF_VALIDATION) else TRAIN
            self._events(split).scalar(f"{_CURVES}{name.removeprefix(_OF_VALIDATION)}", value, number - 1)

    def end(self, outcome: Outcome) -> None:
        """The plots, the figures of the test images, and the status."""
        for name, value in outcome.scores.get(TEST, {}).items():
            prefix = _CURVES if name in ("accuracy", "loss") else ""
            self._events(TEST).scalar(f"{prefix}{name}", value, outcome.best_epoch - 1)
        for path in outcome.plots:
            self._events(_ROOT).image(f"plots/{path.stem}", self._beginning.run.read_bytes(path), self._trained - 1)
        self._events(_ROOT).hparams(_session_end(outcome), "session_end_info")
        write_experiment(self._beginning.run, self._beginning.config)

    def how_to_look(self) -> str:
        """The command for all runs of the name."""
        return f"tensorboard --logdir {shlex.quote(str(self._beginning.run.path.parent))}"

    def _events(self, name: str) -> "_EventFile":
        if name not in self._files:
            self._files[name] = _EventFile(self._beginning.run, self._folder / name, 0 if name == TEST else self._kept)
        return self._files[name]


class _EventFile:
    """One new event file, in place of all in its folder, of whose curves the steps below `epochs` are kept."""

    def __init__(self, run: Run, folder: Path, epochs: int) -> None:
        from tensorboard.compat.proto.event_pb2 import Event

        self._run = run
        run.make_folder(folder)
        before = [run.need(folder / name) for name in run.names_in(folder) if name.startswith(_EVENTS)]
        where = f"{socket.gethostname()}.{os.getpid()}.{next(_numbers)}"
        self._path = folder / f"{_EVENTS}{int(time.time()):010}.{where}"
        self._points: set[tuple[str, int]] = set()
        self._write(Event(wall_time=time.time(), file_version="brain.Event:2"))
        for event in itertools.chain.from_iterable(map(_read, before)):
            tag = event.summary.value[0].tag if event.summary.value else ""
            if tag.startswith(_CURVES) and event.step < epochs and self._is_new(tag, event.step):
                self._write(event)
        for old in before:
            run.remove(old)

    def scalar(self, tag: str, value: float, step: int) -> None:
        """A point of a curve; one that is there is left as it is."""
        from tensorboard.compat.proto.types_pb2 import DT_FLOAT
        from tensorboard.plugins.scalar.metadata import create_summary_metadata
        from tensorboard.util.tensor_util import make_tensor_proto

        if self._is_new(tag, step):
            metadata = create_summary_metadata(display_name="", description="")
            self._summary(tag, make_tensor_proto(value, dtype=DT_FLOAT), metadata, step)

    def image(self, tag: str, content: bytes, step: int) -> None:
        """A picture; `content` is its PNG."""
        from tensorboard.plugins.image.metadata import create_summary_metadata
        from tensorboard.util.tensor_util import make_tensor_proto

        size = dimensions(content, "PNG")
        assert size is not None
        sides = [str(side).encode() for side in reversed(size)]
        metadata = create_summary_metadata(display_name="", description="")
        self._summary(tag, make_tensor_proto([*sides, content]), metadata, step)

    def hparams(self, data: "HParamsPluginData", tag: str) -> None:
        """What the HParams dashboard reads."""
        from tensorboard.plugins.hparams.metadata import NULL_TENSOR, create_summary_metadata

        self._summary(f"_hparams_/{tag}", NULL_TENSOR, create_summary_metadata(data), 0)

    def _is_new(self, tag: str, step: int) -> bool:
        is_new = (tag, step) not in self._points
        self._points.add((tag, step))
        return is_new

    def _summary(self, tag: str, tensor: "TensorProto", metadata: "SummaryMetadata", step: int) -> None:
        from tensorboard.compat.proto.event_pb2 import Event
        from tensorboard.compat.proto.summary_pb2 import Summary

        value = Summary.Value(tag=tag, tensor=tensor, metadata=metadata)
        self._write(Event(wall_time=time.time(), step=step, summary=Summary(value=[value])))

    def _write(self, event: "Event") -> None:
        from tensorboard.summary.writer.record_writer import RecordWriter

        with self._run.appending(self._path) as file:
            RecordWriter(file).write(event.SerializeToString())


def _read(path: Path) -> "Iterator[Event]":
    """The events of a file, as far as it is whole."""
    from tensorboard.compat.proto.event_pb2 import Event
    from tensorboard.compat.tensorflow_stub.errors import DataLossError, OutOfRangeError
    from tensorboard.compat.tensorflow_stub.pywrap_tensorflow import PyRecordReader_New

    reader = PyRecordReader_New(str(path))
    while True:
        try:
            reader.GetNext()
        except (OutOfRangeError, DataLossError):
            return
        yield Event.FromString(reader.record())


def _session_start(beginning: RunStarted) -> "HParamsPluginData":
    from tensorboard.plugins.hparams.plugin_data_pb2 import HParamsPluginData, SessionStartInfo

    start = SessionStartInfo(group_name=beginning.run.title, start_time_secs=time.time())
    for path, value in leaves(to_plain(beginning.config)):
        _set(start.hparams[path], value)
    return HParamsPluginData(session_start_info=start)


def _set(field: Any, value: object) -> None:
    """Give a google.protobuf.Value its value; nothing, and what is empty, is text."""
    if isinstance(value, bool):
        field.bool_value = value
    elif isinstance(value, int | float):
        field.number_value = value
    else:
        field.string_value = shown(value)


def _session_end(outcome: Outcome) -> "HParamsPluginData":
    from tensorboard.plugins.hparams.api_pb2 import STATUS_FAILURE, STATUS_SUCCESS
    from tensorboard.plugins.hparams.plugin_data_pb2 import HParamsPluginData, SessionEndInfo

    status = STATUS_SUCCESS if outcome.status == "finished" else STATUS_FAILURE
    return HParamsPluginData(session_end_info=SessionEndInfo(status=status, end_time_secs=time.time()))
