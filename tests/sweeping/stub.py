"""Workers of a sweep whose trainings take no time: processes that write what a training would, and can be killed."""

import json
import math
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

from cnnctl.config.load import load_recorded
from cnnctl.errors import EXIT_OK, BusyError
from cnnctl.runs import Run
from cnnctl.runs.directory import own

ROOT = Path(__file__).parent.parent.parent
CONFIG = """\
name: stub
data: {train: digits, validation: 0.3, image: {size: 8, channels: 1}}
model: [flatten, dense: {units: 8, activation: relu}]
train: {epochs: 3}
"""
SWEEP = """\
config: stub.yaml
trials: 12
heartbeat: 1
space:
  train.optimizer.adam.learning_rate: {from: 1.0e-4, to: 1.0e-1, log: true}
  train.batch_size: [64, 128, 256]
  model[1].dense.units: {from: 16, to: 64, step: 16}
"""
_WORK = "from tests.sweeping.stub import work; work()"
_CHILD = "from tests.sweeping.stub import child; child()"


def write(folder: Path, sweep: str = SWEEP) -> Path:
    """The config, and a SWEEP.yaml."""
    (folder / "stub.yaml").write_text(CONFIG)
    (folder / "sweep.yaml").write_text(sweep)
    return folder / "sweep.yaml"


def start(sweep: Path, output: Path, **environment: str) -> "subprocess.Popen[str]":
    """A worker."""
    return subprocess.Popen(
        [sys.executable, "-c", _WORK, str(sweep), "--output", str(output), "--json"],
        cwd=sweep.parent,
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), *sys.path[1:]]), **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def work() -> None:
    """The command `sweep`, with another program for its trainings."""
    from cnnctl.cli.app import run
    from cnnctl.sweeping import process, result

    process.PROGRAM = _CHILD
    result.draw = lambda study, folder, metric: ()  # which takes seconds
    sys.argv[0] = "cnnctl"
    sys.argv.insert(1, "sweep")
    sys.exit(run())


def accuracy(rate: float, units: int, epoch: int) -> float:
    """What a training reaches: best around a rate of 0.003, better with more units."""
    return 0.9 - 0.1 * abs(math.log10(rate) + 2.5) + units / 2000 - 0.1 / epoch


def child() -> None:
    """A training of three epochs, which goes on after those that are there, as the real one does."""
    if os.environ.get("STUB_IGNORES_SIGTERM"):
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    order = json.loads(sys.stdin.readline())
    threading.Thread(target=_end_with_parent, daemon=True).start()
    run = Run(Path(order["output"]))
    run.path.mkdir(parents=True, exist_ok=True)
    try:
        lock = own(run)
    except BusyError as error:
        print(json.dumps({"ended": error.exit_code, "message": error.message, "hint": error.hint}), flush=True)
        return
    config = load_recorded(run.config, order["config"].encode())
    said = os.environ.get("STUB_ENDS_WITH")
    if said:
        print(json.dumps({"ended": int(said), "message": "the disk is full", "hint": "free some"}), flush=True)
        return
    run.write_text(run.config, order["config"])
    epochs = config.train.epochs
    done = len(list(run.read_rows(run.history, ("epoch",)))) if run.has(run.history) else 0
    rate, units = config.train.optimizer.learning_rate, config.model[1].units  # type: ignore[union-attr]
    for epoch in range(done + 1, epochs + 1):
        time.sleep(float(os.environ.get("STUB_SECONDS", "0.02")))
        rows = [(number, accuracy(rate, units, number)) for number in range(1, epoch + 1)]
        run.write_csv(run.history, ("epoch", "val_accuracy"), rows)
        with (run.path / "trained.txt").open("a") as file:
            file.write(f"{epoch}\n")
        print(json.dumps({"epoch": epoch, "epochs": epochs}), flush=True)
    run.write_json(run.environment, {"best_epoch": epochs, "epochs": epochs})
    lock.release(remove=True)
    print(json.dumps({"ended": EXIT_OK}), flush=True)


def _end_with_parent() -> None:
    while os.read(0, 1):
        pass
    os._exit(1)
