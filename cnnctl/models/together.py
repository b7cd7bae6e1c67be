"""One training in several processes: they agree on what they train, stop at one step, and none outlives another.

Process 0 owns the run directory and evaluates. The others do the same work in a scratch folder.
"""

import os
import shutil
import signal
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from functools import partial
from typing import Any, TextIO

from cnnctl.errors import (
    EXIT_ENVIRONMENT,
    EXIT_INTERRUPTED,
    CnnctlError,
    InterruptedTrainingError,
    MachineError,
)
from cnnctl.models.processes import end_together, exchange, is_stop, meet
from cnnctl.runs import Run
from cnnctl.runs.scratch import scratch_run
from cnnctl.system.aborts import aborting_with
from cnnctl.system.cluster import Cluster
from cnnctl.system.interrupts import Interrupt, Interrupts, leave_at_once
from cnnctl.system.limited_work import skip_farewells
from cnnctl.system.limits import limit_set
from cnnctl.system.stderr import stdout_captured

VARIABLE = "CNNCTL_STALL_SECONDS"
STALLED = 600.0
"""Seconds without a step after which a process that lives, but is stuck, ends the training."""

_GONE = "another process of this training ended, or cannot be reached"
_LOST = ("Gloo", "NCCL", "UNAVAILABLE", "ABORTED", "DEADLINE_EXCEEDED", "CANCELLED", "coordination service")
"""What JAX says where a process does not answer any more."""


def stall_seconds() -> float:
    """The limit, which the user may set.

    Raises:
        UsageError: it is set to something else than a number above 0.
    """
    return limit_set(VARIABLE, "seconds", f"{STALLED:g}", threading.TIMEOUT_MAX) or STALLED


@contextmanager
def joined(cluster: Cluster, resume_line: str, terminal: TextIO) -> Iterator["Together"]:
    """A block of a process among others, from the import of JAX to its end: no other one outlives it, nor it another.

    `resume_line` is what starts it again.

    Raises:
        MachineError: another process ended.
    """
    with ExitStack() as stack:
        scratch = None if cluster.is_first else stack.enter_context(scratch_run())
        together = Together(cluster, resume_line, terminal, scratch)
        stack.enter_context(aborting_with(partial(together.leave, _GONE)))
        stack.enter_context(stdout_captured())  # where Gloo says whom it is connected with
        skip_farewells(True)  # that of JAX waits for the others
        try:
            yield together
        except Exception as error:
            if isinstance(error, CnnctlError) or not is_loss(error):
                raise
            raise together.lost(error) from error
        skip_farewells(False)


class Together:
    """This process among the others of its training; see `joined`.

    `scratch` is the run that it writes, if it is not the first.
    """

    def __init__(self, cluster: Cluster, resume_line: str, terminal: TextIO, scratch: Run | None) -> None:
        self.cluster = cluster
        self.scratch = scratch
        self._hint = f"see what it said; then start all processes again; this one with: {resume_line}"
        self._terminal = terminal
        self._stall = stall_seconds()
        self._agreed: AgreedInterrupts | None = None
        self._fits = 0

    def lost(self, error: BaseException) -> MachineError:
        """What is said of an error of JAX's, where another process does not answer."""
        reason = next(iter(str(error).splitlines()), "")
        return MachineError(f"{_GONE} ({reason[:200]})", self._hint)

    def leave(self, message: str) -> None:
        """End this process, whatever its threads do."""
        if self.scratch is not None:
            shutil.rmtree(self.scratch.path, ignore_errors=True)
        leave_at_once(self._terminal, str(MachineError(message, self._hint)), EXIT_ENVIRONMENT)

    def agree(self, facts: Mapping[str, Any]) -> None:
        """Return when all processes are as far as this one, and have the same facts; `facts` has them by their names.

        Raises:
            MachineError: they differ, and which.
        """
        first, *others = exchange(dict(facts))
        for number, other in enumerate(others, start=1):
            for name, value in first.items():
                if other.get(name) != value:
                    told = f": {other.get(name)}, and not {value}" if isinstance(value, int) else ""
                    raise MachineError(
                        f"process {number} has another {name} than process 0{told}",
                        "all processes need the same command, program, images and run directory",
                    )

    @contextmanager
    def fitting(self, interrupts: Interrupts) -> Iterator[Interrupts]:
        """A block of a fit, with interrupts that all processes agree on; one that makes no step for long is left.

        It begins when all processes are as far.
        """
        self._agreed = self._agreed or AgreedInterrupts(interrupts)
        self._fits += 1
        meet(f"fit {self._fits}")
        self._agreed.begin()
        message = f"no step was made for {self._stall:g} seconds ({VARIABLE}): a process of this training is stuck"
        with ended_when_stuck(self._agreed.last_step, self._stall, partial(self.leave, message)):
            yield self._agreed

    def take_signals(self, interrupts: Interrupts) -> None:
        """After the last fit a SIGTERM is for this process again; JAX has heard it until here."""
        signal.signal(signal.SIGTERM, interrupts.handle)

    def end(self) -> None:
        """Let the others go, or wait for process 0, which evaluates."""
        end_together(self.cluster.is_first)


class AgreedInterrupts(Interrupts):
    """Interrupts of a fit in several processes: all of them stop at the same step.

    JAX hears of a SIGTERM, tells the others and chooses the step; so a Ctrl-C is handed on to it as a SIGTERM.
    """

    def __init__(self, own: Interrupts) -> None:
        super().__init__()
        self.farewell = own.farewell
        self._own = own
        self._steps = 0
        self._is_told = False
        self._last = 0.0

    def begin(self) -> None:
        """The next step may take its time: the network is compiled first."""
        self._last = time.monotonic()

    def last_step(self) -> float:
        """When `check` was called last, by time.monotonic()."""
        return self._last

    def check(self) -> None:
        """Called by all processes after each step.

        Raises:
            Interrupt: all of them stop here.
        """
        self._last = time.monotonic()
        self._steps += 1
        asked = self._own.asked
        if asked is not None and not self._is_told:
            self._is_told = True
            os.kill(os.getpid(), signal.SIGTERM)
        if is_stop(self._steps):
            raise Interrupt(asked or signal.SIGTERM)

    @contextmanager
    def deferred(self) -> Iterator[None]:
        """A block in which a signal waits for the step that all agree on."""
        with self._own.waiting():
            yield
        self.check()


@contextmanager
def helping(resume_line: str) -> Iterator[None]:
    """A block of a process that helps another one, whose interruption is told in short."""
    try:
        yield
    except KeyboardInterrupt as stop:
        message = "interrupted together with process 0, which says what was kept"
        code = getattr(stop, "exit_code", EXIT_INTERRUPTED)
        raise InterruptedTrainingError(message, f"resume with: {resume_line}", code) from None


def is_loss(error: BaseException) -> bool:
    """Whether an error, or one that it came from, is JAX's of a process that does not answer."""
    seen: BaseException | None = error
    while seen is not None:
        if type(seen).__name__ in ("ValueError", "RuntimeError", "XlaRuntimeError", "JaxRuntimeError") and any(
            word in str(seen) for word in _LOST
        ):
            return True
        seen = seen.__cause__ or seen.__context__
    return False


@contextmanager
def ended_when_stuck(last: Callable[[], float], seconds: float, leave: Callable[[], None]) -> Iterator[None]:
    """A block that calls `leave`, from another thread, once `last` is more than `seconds` ago."""
    over = threading.Event()

    def watch() -> None:
        while not over.wait(max(0.05, min(last() + seconds - time.monotonic(), seconds))):
            if time.monotonic() - last() > seconds:
                leave()
                return

    thread = threading.Thread(target=watch, daemon=True, name="stalled")
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
