"""`cnnctl train` with TensorFlow's profiler on some steps of the second epoch: what every instant of them went to.

Usage: python benchmarks/profiled.py CONFIG [OPTIONS OF cnnctl train]

Prints a line of JSON, shares of the time of those steps. An instant in which two operations run counts half for each.
"""

import json
import re
import resource
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any

import keras
import tensorflow as tf

from cnnctl.cli import app

EXECUTIONS = 10
_OPERATION = re.compile(r"\S+[^:\s]:\w+|IteratorGetNext\w*::DoCompute")
_KINDS = (
    ("feeding", r"IteratorGetNext|Optional"),
    ("convolution", r":\w*Conv2D"),
    ("batch normalization", r"BatchNorm|batch_normalization"),
    ("pooling", r":\w*Pool"),
    ("activation", r":(Relu|ReluGrad|Tanh|Sigmoid|Elu|LeakyRelu)\w*$"),
    ("optimizer", r"/(adam|adamw|sgd|rmsprop)/"),
    ("dense", r":\w*MatMul"),
    ("scaling of pixels", r"/scaling|sequential[^/]*/Cast:Cast$"),
)
_IGNORED = re.compile(r"/while/?[^/]*:(While|If|Identity)$|:(While|If|StatefulPartitionedCall|PyFunc)$")


class Window(keras.callbacks.Callback):
    """Profiles some executions of the second epoch."""

    def __init__(self, folder: str) -> None:
        super().__init__()
        self.folder = folder
        self.epoch = self.seen = 0
        self.begun: tuple[float, float] | None = None
        self.wall = self.processor = 0.0

    def on_epoch_begin(self, epoch: int, logs: object = None) -> None:
        self.epoch = epoch

    def on_train_batch_begin(self, batch: int, logs: object = None) -> None:
        if self.epoch == 1 and batch > 0 and not self.wall and self.begun is None:
            tf.profiler.experimental.start(self.folder, tf.profiler.experimental.ProfilerOptions(host_tracer_level=2))
            self.begun = (time.perf_counter(), _processor())

    def on_train_batch_end(self, batch: int, logs: object = None) -> None:
        self.seen += self.begun is not None
        if self.seen == EXECUTIONS:
            self.stop()

    def on_test_begin(self, logs: object = None) -> None:
        self.stop()

    def stop(self) -> None:
        if self.begun is not None:
            self.wall, self.processor = time.perf_counter() - self.begun[0], _processor() - self.begun[1]
            self.begun = None
            tf.profiler.experimental.stop()


def _processor() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def operations(folder: str) -> list[tuple[int, int, str]]:
    """(begin, end, name) of every operation in picoseconds."""
    from tensorflow.tsl.profiler.protobuf import xplane_pb2

    space = xplane_pb2.XSpace()
    space.ParseFromString(next(Path(folder).rglob("*.xplane.pb")).read_bytes())
    found = []
    for plane in space.planes:
        names = {key: value.name for key, value in plane.event_metadata.items()}
        for line in plane.lines if plane.name == "/host:CPU" else ():
            for event in line.events:
                name = names[event.metadata_id]
                if _OPERATION.fullmatch(name) and not _IGNORED.search(name):
                    begin = line.timestamp_ns * 1000 + event.offset_ps
                    found.append((begin, begin + event.duration_ps, name))
    return found


def shares(found: list[tuple[int, int, str]]) -> dict[str, float]:
    """Of each kind of operation in the time from the first to the last, `nothing` where none ran."""
    moments = sorted([(begin, 1, at) for at, (begin, _, _) in enumerate(found)]
                     + [(end, 0, at) for at, (_, end, _) in enumerate(found)])  # fmt: skip
    running: set[int] = set()
    spent: Counter[str] = Counter()
    last = moments[0][0]
    for moment, begins, at in moments:
        for one in running:
            spent[_kind(found[one][2])] += (moment - last) / len(running)
        if not running:
            spent["nothing"] += moment - last
        (running.add if begins else running.discard)(at)
        last = moment
    total = sum(spent.values())
    return {kind: time / total for kind, time in spent.most_common()}


def _kind(name: str) -> str:
    return next((kind for kind, pattern in _KINDS if re.search(pattern, name)), "other")


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        window = Window(folder)
        fit = keras.Model.fit

        def watched(model: Any, *arguments: Any, callbacks: Any = (), **named: Any) -> Any:
            return fit(model, *arguments, callbacks=[*callbacks, window], **named)

        keras.Model.fit = watched
        sys.argv = ["cnnctl", "train", *sys.argv[1:], "--output", str(Path(folder) / "run"), "--json"]
        stdout, sys.stdout = sys.stdout, sys.stderr
        code = app.run()
        sys.stdout = stdout
        if code:
            sys.exit(code)
        print(json.dumps({"shares": shares(operations(folder)), "cores": window.processor / window.wall}))


if __name__ == "__main__":
    main()
