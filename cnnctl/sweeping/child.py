"""A training in a process of its own, which ends with the process that asked for it.

So a training that runs out of memory, or is killed, ends alone, and the next one finds nothing of its state. The order
is a line of JSON on stdin, whose other end the asking process keeps open: when that is gone, so is the training, which
stops after its step. What is told is lines of JSON on stdout.
"""

import json
import os
import signal
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import Any, TextIO

from cnnctl.config.load import load_recorded, load_values
from cnnctl.errors import EXIT_OK, CnnctlError
from cnnctl.system.interrupts import Interrupt, caught
from cnnctl.system.stderr import captured_stderr
from cnnctl.system.watcher import Epoch, NullProgress
from cnnctl.training.request import TrainRequest
from cnnctl.training.train import train


class _Watcher(NullProgress):
    """Tells of each epoch."""

    def __init__(self, answers: TextIO) -> None:
        self._answers = answers

    def epoch(self, epoch: Epoch) -> None:
        _tell(self._answers, {"epoch": epoch.number, "epochs": epoch.total})


def main() -> None:
    """Train what stdin asks for."""
    begun = time.perf_counter()
    order = json.loads(sys.stdin.readline())
    answers = os.fdopen(os.dup(1), "w", encoding="ascii")
    os.dup2(2, 1)  # what libraries print is no answer
    threading.Thread(target=_end_with_parent, daemon=True).start()
    try:
        _train(order, answers, begun)
        _tell(answers, {"ended": EXIT_OK})
    except CnnctlError as error:
        _tell(answers, {"ended": error.exit_code, "message": error.message, "hint": error.hint})
    except Interrupt as stop:
        _tell(answers, {"ended": stop.exit_code, "message": "interrupted", "hint": None})


def _train(order: dict[str, Any], answers: TextIO, begun: float) -> None:
    output = Path(order["output"])
    config = load_recorded(output / "config.yaml", order["config"].encode("utf-8", "surrogateescape"))
    request = TrainRequest(load_values(config), output, True, order["strict"], order["command"], begun, is_alone=False)
    with captured_stderr() as capture, caught(capture.terminal, lambda text: None) as interrupts:
        train(request, _Watcher(answers), capture, interrupts)


def _tell(answers: TextIO, what: dict[str, Any]) -> None:
    with suppress(OSError):  # nobody listens: the thread below ends the training
        print(json.dumps(what), file=answers, flush=True)


def _end_with_parent() -> None:
    while os.read(0, 1):
        pass
    os.kill(os.getpid(), signal.SIGTERM)
