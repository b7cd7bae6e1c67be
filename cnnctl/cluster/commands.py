"""A command of cnnctl as a task of Ray, which tells what the command says.

It is a process of its own, since Ray's processes hold threads that a training must not share. It ends with the process
of Ray that started it, and so with the task.
"""

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from cnnctl.errors import EXIT_ENVIRONMENT, EXIT_INTERRUPTED

_PROGRAM = """\
import sys
from cnnctl.cluster.commands import end_with_parent
end_with_parent()
from cnnctl.__main__ import main
sys.argv[0] = "cnnctl"
main()
"""
_OF_THE_MACHINE = (EXIT_ENVIRONMENT, EXIT_INTERRUPTED, 128 + signal.SIGTERM)
"""Exit codes after which the same command may do better elsewhere, or later."""


@dataclass(frozen=True)
class Ended:
    """How a command ended: its exit code, negative for a signal; None where the host is gone that it ran on."""

    code: int | None

    @property
    def is_lost(self) -> bool:
        """Whether it was not the command that failed, but what it ran on."""
        return self.code is None or self.code < 0 or self.code in _OF_THE_MACHINE

    def __str__(self) -> str:
        if self.code is None:
            return "its host is gone"
        return f"killed by {signal.Signals(-self.code).name}" if self.code < 0 else f"exit code {self.code}"


def run_command(words: Sequence[str], folder: str) -> Iterator[str | int]:
    """What `cnnctl WORDS` says on stderr, line by line; at last its exit code. Called in a process of Ray."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    with subprocess.Popen(
        [sys.executable, "-P", "-c", _PROGRAM, *words],
        cwd=folder,
        env=environment,
        stdin=subprocess.PIPE,  # its other end is open as long as we are there
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        encoding="utf-8",
        errors="replace",
    ) as process:
        assert process.stderr is not None
        for line in process.stderr:
            yield line.rstrip("\n")
        code = process.wait()
    yield code


def end_with_parent() -> None:
    """Let this process be killed once nobody holds the other end of its stdin; what it has saved is there."""

    def watch() -> None:
        with suppress(OSError):
            while os.read(0, 1):
                pass
        os.kill(os.getpid(), signal.SIGKILL)

    threading.Thread(target=watch, daemon=True).start()


def follow(ray: Any, running: dict[Any, int]) -> Iterator[tuple[int, str | Ended]]:
    """(number, line) and (number, Ended) of some tasks of `run_command`, as they come.

    `running` has the number of each task. Those that have ended are taken out, and others may be put in.
    """
    while running:
        (task, *_), _ = ray.wait(list(running))
        number = running[task]
        try:
            said = ray.get(next(task))
        except StopIteration:
            running.pop(task)
        except ray.exceptions.RayError:
            running.pop(task)
            yield number, Ended(None)
        else:
            yield number, Ended(said) if isinstance(said, int) else said
