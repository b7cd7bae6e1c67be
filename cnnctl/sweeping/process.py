"""The training in another process, as the process sees it that asked for it."""

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from cnnctl.config import Config
from cnnctl.config.dump import to_yaml
from cnnctl.errors import (
    EXIT_BUG,
    EXIT_BUSY,
    EXIT_CONFIG,
    EXIT_DATA,
    EXIT_DIVERGED,
    EXIT_ENVIRONMENT,
    EXIT_OK,
    EXIT_RUN,
    BusyError,
    CnnctlError,
    DataError,
    DivergedError,
    MachineError,
    RunError,
    UsageError,
)
from cnnctl.runs import Run
from cnnctl.system.locks import is_held

PROGRAM = "from cnnctl.sweeping.child import main; main()"
PATIENCE = 6.0
"""Seconds in which a training that is asked to stop has stopped by itself; less than we have after a SIGTERM."""
_BETWEEN_LOOKS = 0.5
_ERRORS: dict[int, type[CnnctlError]] = {
    EXIT_CONFIG: UsageError,
    EXIT_DATA: DataError,
    EXIT_RUN: RunError,
    EXIT_ENVIRONMENT: MachineError,
    EXIT_DIVERGED: DivergedError,
    EXIT_BUSY: BusyError,
}


@dataclass(frozen=True)
class Ended:
    """How a training ended: its exit code, negative for a signal that killed it, and what it said of it."""

    code: int
    message: str = ""
    hint: str | None = None

    def error(self) -> CnnctlError:
        """The same as an error."""
        return _ERRORS.get(self.code, MachineError)(self.message, self.hint)


@dataclass(frozen=True)
class Epoch:
    """An epoch is done, from 1, of so many in all."""

    number: int
    total: int


class Training:
    """A training of a config into a run directory, which is resumed where it is begun.

    As a context it is ended with its block, whatever ends that.
    """

    def __init__(self, config: Config, run: Path, command: Sequence[str], strict: bool = False) -> None:
        self._said = tempfile.TemporaryFile()  # noqa: SIM115 - closed with the process
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-c", PROGRAM],
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._said,
            encoding="ascii",
            start_new_session=True,  # Ctrl-C is for us, who tell it to stop
        )
        order = {"config": to_yaml(config), "output": str(run), "command": list(command), "strict": strict}
        self.ended: Ended | None = None
        with suppress(OSError):  # it is gone already, and `news` says why
            assert self._process.stdin is not None
            self._process.stdin.write(json.dumps(order) + "\n")
            self._process.stdin.flush()

    def __enter__(self) -> "Training":
        return self

    def __exit__(self, *error: object) -> None:
        self.stop()
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(PATIENCE)
        self._process.kill()
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout, self._said):
            with suppress(OSError):
                pipe.close()  # type: ignore[union-attr]

    def news(self) -> Iterator[Epoch]:
        """Each epoch when it is done; `ended` is set when there are no more."""
        assert self._process.stdout is not None
        for line in self._process.stdout:
            said = json.loads(line)
            if "epoch" in said:
                yield Epoch(said["epoch"], said["epochs"])
            else:
                self.ended = Ended(said["ended"], said.get("message", ""), said.get("hint"))
        code = self._process.wait()
        if self.ended is None:
            self.ended = Ended(EXIT_BUG if code == EXIT_OK else code, self._last_words(code))

    def stop(self) -> None:
        """Ask it to stop after its step."""
        self._process.terminate()

    def _last_words(self, code: int) -> str:
        """Why a training is gone that did not say so."""
        self._said.seek(0)
        lines = self._said.read().decode("utf-8", "replace").strip().splitlines()
        what = f"was killed by signal {-code}" if code < 0 else f"ended with exit code {code}"
        return f"the process of the training {what}" + (f": {lines[-1].strip()}" if lines else "")


def wait_for(run: Run) -> None:
    """Until no other process works on a run: one that is taken for dead may still be at its last step."""
    while is_held(run.lock):
        time.sleep(_BETWEEN_LOOKS)
