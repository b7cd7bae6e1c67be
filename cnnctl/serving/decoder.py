"""Asks a process of its own to decode, and replaces it where an image ends it or holds it too long."""

import json
import logging
import mmap
import os
import select
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import ExitStack, suppress
from dataclasses import asdict
from enum import Enum
from typing import Any, Final

import numpy as np

from cnnctl.data.decoder import images
from cnnctl.data.decoder.images import Image, ImageError, ImageSpec
from cnnctl.serving.decoding_process import (
    AMOUNT,
    COUNT,
    GO_ON,
    HEAD,
    LEAVE_IT,
    PIXELS,
    PROCESSOR_SECONDS,
    READY,
    WANTS,
    shared_number,
)
from cnnctl.serving.errors import RequestError, too_busy

_PROGRAM = """\
import json, sys
sys.path[:] = json.loads(sys.argv[1])
from cnnctl.serving.decoding_process import main
main()
"""
_SINGLE = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
"""numpy's own threads would take memory and do nothing."""

_START_SECONDS = 60.0
_SLOW_SECONDS = 0.3
"""After this time others need not wait any longer for an image."""
_VERY_SLOW_SECONDS, _NICENESS = 2.0, 10
_LOOK_SECONDS = 0.1
_TURN_SECONDS = 5.0
_WAITING = threading.Semaphore(2)
_LEAST_SECONDS = 1.0
"""An image that nobody waits for any more may go on so long: a new process would take longer."""
_PIPE_BYTES = 2**20


class UnusableError(ImageError):
    """An image that cannot be used, with the status of a request that holds no other."""

    def __init__(self, status: int, message: str, hint: str | None = None) -> None:
        super().__init__(message, hint)
        self.status = status


class _Slow(Enum):
    SLOW = 0


SLOW: Final = _Slow.SLOW
"""Instead of an outcome: this image takes long, and what others wait for should not wait for it."""

Decoded = Image | UnusableError
MayGoOn = Callable[[], bool]
Process = tuple["subprocess.Popen[bytes]", "mmap.mmap | None"]
"""With the number that it shares with us, where the system can give it an open file."""


class _DiedError(Exception):
    """The process has ended, by itself or by us."""


class Decoder:
    """One process that decodes to `spec`; for one thread.

    An image may take PROCESSOR_SECONDS of processor time, `seconds` in all, and memory by the size that it may have.
    `process` is one that was started before. `works` says whether there is one, `replaced` how many images have ended.
    """

    def __init__(self, spec: ImageSpec, seconds: float, process: "Process | None" = None) -> None:
        self._spec = spec
        self._seconds = seconds
        self._early = process
        self._process: subprocess.Popen[bytes] | None = None
        self._poll: Any = None
        self._shared: mmap.mmap | None = None
        self._buffer, self._used = b"", 0
        self._awaited = 0
        self._is_behind = False
        self._is_slow = False
        self._closed = False
        self._killed = False
        self._begun = 0.0
        self.works = True
        self.replaced = 0

    def start(self) -> None:
        """Start the process where there is none.

        Raises:
            RequestError: 503, it cannot be started.
        """
        if self._process is not None:  # whether it lives is seen when it is written to
            return
        begun = time.monotonic()
        try:
            early, self._early = self._early, None
            self._process, self._shared = early or start_process()
            if hasattr(select, "poll"):
                self._poll = select.poll()
                self._poll.register(self._process.stdout, select.POLLIN)
            self._write(json.dumps(asdict(self._spec)).encode() + b"\n")
            kind, _ = HEAD.unpack(self._read(HEAD.size, lambda: time.monotonic() - begun < _START_SECONDS))
            assert kind == READY
        except (OSError, _DiedError) as error:
            self._end()
            self.works = False
            if not self._closed:
                logging.getLogger(__name__).error("a process that decodes images cannot be started: %s", error)
            raise _unable() from None
        self.works = True

    def decode(
        self, contents: Sequence[bytes], is_wanted: Callable[[int], bool]
    ) -> Generator[tuple[int, Decoded | _Slow], None, None]:
        """The outcome of each image file with its place.

        The place of a slow image comes with SLOW first. Then nothing follows but its outcome: the others without one
        are the caller's again. `is_wanted` says whether anybody waits for an image still.

        Raises:
            RequestError: 503, there is no process.
        """
        left = list(range(len(contents)))
        suspects: set[int] = set()
        is_over = False
        try:
            while left:
                sent = list(left)
                self._send([contents[at] for at in sent])
                try:
                    for at, outcome in self._outcomes(sent, is_wanted):
                        if outcome is SLOW:
                            left = [at]
                        else:
                            left.remove(at)
                        yield at, outcome
                except _DiedError:
                    if self._closed:
                        raise too_busy("the server ends") from None
                    at = sent[self._current]
                    reason = self._reason()
                    if reason is None and at not in suspects:  # it may have died of something else
                        suspects.add(at)
                        continue
                    left.remove(at)
                    yield at, reason or UnusableError(422, "the image is damaged: it ended the decoder")
            is_over = True
        finally:
            if not is_over:  # it would decode what nobody waits for
                self._end()

    def close(self) -> None:
        """End the process, whatever it is at; for any thread."""
        self._closed = True
        process = self._process
        if process is not None:
            process.kill()

    def end(self) -> None:
        """End the process and forget it."""
        if self._early is not None:
            self._early[0].kill()
        self.close()
        self._end()

    def _send(self, contents: Sequence[bytes]) -> None:
        head = COUNT.pack(len(contents)) + b"".join(AMOUNT.pack(len(content)) for content in contents)
        for _ in range(2):  # one that was idle may have died of something else
            self.start()
            if self._shared is not None:
                self._shared[:] = COUNT.pack(0)
            with suppress(OSError):
                self._write(b"".join((head, *contents)))
                return
            self._end()
        raise _unable()

    def _outcomes(self, sent: Sequence[int], is_wanted: Callable[[int], bool]) -> Iterator[tuple[int, Decoded | _Slow]]:
        """What comes of the images that were sent, in their order; from a slow one on, only what comes of that."""

        def may_go_on() -> bool:
            taken = time.monotonic() - self._begun
            if taken > _VERY_SLOW_SECONDS:
                self._stand_back()
            return taken < _LEAST_SECONDS or (taken < self._seconds and is_wanted(sent[self._current]))

        self._begun = time.monotonic()
        self._is_slow = False
        slow: int | None = None
        for number, at in enumerate(sent):
            self._awaited = number
            refused = False
            if slow is None and not self._has_answered(_SLOW_SECONDS):
                slow, self._is_slow = self._current, True
                yield sent[slow], SLOW
            kind, length = HEAD.unpack(self._read(HEAD.size, may_go_on))
            if kind == WANTS:
                (amount,) = AMOUNT.unpack(self._read(length, may_go_on))
                with ExitStack() as turn:
                    if not _takes_turn(turn, amount, 0):
                        if slow is None:
                            slow, self._is_slow = number, True
                            yield at, SLOW
                        refused = not _waits_for_turn(turn, amount)
                    self._begun = time.monotonic()
                    with suppress(OSError):  # reading says it too
                        self._write(LEAVE_IT if refused else GO_ON)
                    kind, length = HEAD.unpack(self._read(HEAD.size, may_go_on))
            outcome = self._parsed(kind, self._read(length, may_go_on))
            if refused:
                outcome = UnusableError(503, "too many large images are being decoded", "try again in a moment")
            if slow is None or number == slow:
                yield at, outcome
            if number == slow:
                if at != sent[-1] or self._is_behind:
                    self._end()  # it would decode what the caller has again, or be slow for others
                return

    def _stand_back(self) -> None:
        """Let the processes of others go first, from here on."""
        if self._process is not None and not self._is_behind and hasattr(os, "setpriority"):
            self._is_behind = True
            with suppress(OSError):
                os.setpriority(os.PRIO_PROCESS, self._process.pid, _NICENESS)

    def _parsed(self, kind: int, content: bytes) -> Decoded:
        if kind == PIXELS:
            return np.frombuffer(content, np.uint8).reshape(self._spec.shape)
        status, message, hint, bug = json.loads(content)
        if bug is not None:
            logging.getLogger(__name__).error("%s", bug)
        return UnusableError(status, message, hint)

    @property
    def _current(self) -> int:
        """Which of the images that were sent is being decoded."""
        if self._shared is None:
            return self._awaited
        return max(self._awaited, int(COUNT.unpack(self._shared[:])[0]))

    def _reason(self) -> UnusableError | None:
        """Which limit of an image ended the process; None where it died by itself."""
        assert self._process is not None
        code, killed = self._process.wait(), self._killed
        self._end()
        self.replaced += 1
        if not killed and code != -getattr(signal, "SIGXCPU", 0):
            return None
        seconds = self._seconds if killed else PROCESSOR_SECONDS
        return UnusableError(422, f"decoding it takes more than {seconds:g} seconds", "send a smaller image")

    def _read(self, size: int, may_go_on: MayGoOn) -> bytes:
        while len(self._buffer) - self._used < size:
            self._fill(may_go_on)
        content = bytes(memoryview(self._buffer)[self._used : self._used + size])
        self._used += size
        return content

    def _fill(self, may_go_on: MayGoOn) -> None:
        process = self._process
        assert process is not None
        assert process.stdout is not None
        alarm = None if hasattr(select, "poll") else threading.Timer(self._seconds, self._kill)
        if alarm is not None:
            alarm.start()
        try:
            while self._poll is not None and not self._poll.poll(_LOOK_SECONDS * 1000):
                if not may_go_on():
                    self._kill()
                    raise _DiedError
            received = os.read(process.stdout.fileno(), _PIPE_BYTES)
        finally:
            if alarm is not None:
                alarm.cancel()
        if not received:
            raise _DiedError
        self._begun = time.monotonic()
        self._buffer = received if self._used == len(self._buffer) else self._buffer[self._used :] + received
        self._used = 0

    def _has_answered(self, seconds: float) -> bool:
        """Whether there is something to read within some seconds; True where the system cannot tell."""
        if self._used < len(self._buffer) or self._poll is None:
            return True
        return bool(self._poll.poll(seconds * 1000))

    def _write(self, content: bytes) -> None:
        assert self._process is not None
        assert self._process.stdin is not None
        left = memoryview(content)
        while left:
            left = left[self._process.stdin.write(left) :]

    def _kill(self) -> None:
        process = self._process
        if process is not None:
            self._killed = True
            process.kill()

    def _end(self) -> None:
        process, self._process = self._process, None
        self._buffer, self._used = b"", 0
        self._killed = self._is_behind = False
        if process is None:
            return
        process.kill()
        process.wait()
        for pipe in (process.stdin, process.stdout):
            if pipe is not None:
                with suppress(OSError):
                    pipe.close()


def _takes_turn(turn: ExitStack, amount: int, seconds: float) -> bool:
    """Take so much of the budget of memory, as long as `turn` lasts; False where it is not free within some seconds."""
    try:
        turn.enter_context(images.BUDGET.taken(amount, seconds))
    except TimeoutError:
        return False
    return True


def _waits_for_turn(turn: ExitStack, amount: int) -> bool:
    """The same with some patience; few may wait, since a thread that waits answers nobody."""
    if not _WAITING.acquire(blocking=False):
        return False
    try:
        return _takes_turn(turn, amount, _TURN_SECONDS)
    finally:
        _WAITING.release()


def start_process() -> Process:
    """A process that gets ready to decode."""
    with ExitStack() as stack:
        file = -1
        if os.name == "posix":
            shared = stack.enter_context(tempfile.TemporaryFile())
            shared.truncate(COUNT.size)
            file = shared.fileno()
        process = subprocess.Popen(
            [sys.executable, "-P", "-c", _PROGRAM, json.dumps(sys.path), str(file)],
            env={**os.environ, **_SINGLE},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            bufsize=0,
            start_new_session=True,  # Ctrl-C is for the server alone
            pass_fds=() if file < 0 else (file,),
        )
        number = shared_number(file)
    with suppress(ImportError, AttributeError, OSError):  # so that neither side waits in the middle of a batch
        import fcntl

        for pipe in (process.stdin, process.stdout):
            assert pipe is not None
            fcntl.fcntl(pipe, fcntl.F_SETPIPE_SZ, _PIPE_BYTES)
    return process, number


def _unable() -> RequestError:
    return RequestError(503, "images cannot be decoded now", "see the output of the server")
