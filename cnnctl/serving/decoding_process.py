"""The process that decodes images for the server, so that an image that takes too much costs only its own request.

Its first line of input is JSON: what it decodes to. Then come messages: the number of images, their lengths, the
images. Each image is answered in order by a kind, a length, and as many bytes: PIXELS, REFUSED (JSON: status, message,
hint, and the traceback of a bug), or WANTS (how much of the server's budget the image takes; then it waits for GO_ON or
LEAVE_IT). It ends with its input, so that it does not outlive the server. The last argument is a file that both map.
"""

import json
import math
import mmap
import os
import signal
import struct
import sys
import time
import traceback
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, BinaryIO

from cnnctl.data.decoder import headers, images
from cnnctl.data.decoder.images import ImageError, ImageSpec, decode, opencv
from cnnctl.data.decoder.memory import BYTES_OF_A_PIXEL, NEVER_TOO_MUCH, SMALL
from cnnctl.data.decoder.reading import MEGABYTE

GO_ON, LEAVE_IT = b"\0", b"\1"
READY, PIXELS, REFUSED, WANTS = range(4)
COUNT = struct.Struct("<I")
HEAD = struct.Struct("<BQ")
AMOUNT = struct.Struct("<Q")
PROCESSOR_SECONDS = 10
"""What the decoding of one image may take."""

_TOGETHER = 64_000
_SECONDS_TOGETHER = 0.1
"""Bytes of answers that wait for the next ones, and how long they do."""
_MARGIN = 1.5
"""How many times the memory that the decoder expects to take it may take."""
_MORE_BYTES = 256 * MEGABYTE


def main() -> None:
    """Decode what comes in until it ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the server
    with os.fdopen(os.dup(1), "wb", buffering=0) as answers, os.fdopen(os.dup(0), "rb", buffering=2**18) as questions:
        os.dup2(2, 1)  # whatever libraries print is no answer
        opencv()  # while the server starts, too
        spec = read_spec(json.loads(questions.readline()))
        _limit_memory(spec)
        server = _Server(questions, answers, shared_number(int(sys.argv[-1])))
        images.BUDGET = server  # type: ignore[assignment]
        server.say(HEAD.pack(READY, 0))
        server.flush()
        while len(count := questions.read(COUNT.size)) == COUNT.size:
            lengths = [AMOUNT.unpack(questions.read(AMOUNT.size))[0] for _ in range(COUNT.unpack(count)[0])]
            contents = [questions.read(length) for length in lengths]
            for number, content in enumerate(contents):
                server.begin(number)
                server.say(_answer(content, spec))
            server.flush()


def shared_number(file: int) -> "mmap.mmap | None":
    """A number that both processes see, in an open file; None where there is none."""
    return None if file < 0 else mmap.mmap(file, COUNT.size)


class _Server:
    """The server as this process sees it.

    Answers are sent together, and early where there are many bytes; `at` tells which image is being decoded meanwhile.
    It keeps the budget of memory for all processes, since it can take back what a dead one had.
    """

    def __init__(self, questions: BinaryIO, answers: BinaryIO, at: "mmap.mmap | None") -> None:
        self._questions = questions
        self._answers = answers
        self._at = at
        self._unsaid: list[bytes] = []
        self._bytes = 0
        self._flushed = 0.0
        self._limited = 0.0

    def begin(self, number: int) -> None:
        """The next image is that of a number."""
        now = time.monotonic()
        if self._at is None or now - self._flushed > _SECONDS_TOGETHER:
            self.flush()
            self._flushed = now
        if self._at is not None:
            self._at[:] = COUNT.pack(number)
        if now - self._limited > 1:
            self._limited = now
            _limit_time(math.ceil(time.process_time()) + PROCESSOR_SECONDS + 1)

    def say(self, message: bytes) -> None:
        self._unsaid.append(message)
        self._bytes += len(message)
        if self._bytes > _TOGETHER:
            self.flush()

    def flush(self) -> None:
        left = memoryview(b"".join(self._unsaid))
        self._unsaid.clear()
        self._bytes = 0
        while left:  # a raw file may take a part
            left = left[self._answers.write(left) :]

    @contextmanager
    def taken(self, amount: int) -> Iterator[None]:
        """A block that takes so much of the budget."""
        if amount >= SMALL:
            self.say(HEAD.pack(WANTS, AMOUNT.size) + AMOUNT.pack(amount))
            self.flush()
            answer = self._questions.read(1)
            if answer == LEAVE_IT:
                raise ImageError("too many large images are being decoded")
            if answer != GO_ON:
                sys.exit()
        yield


def read_spec(values: dict[str, Any]) -> ImageSpec:
    """What `dataclasses.asdict` made of an ImageSpec, and JSON of that."""
    return ImageSpec(**{**values, "background": tuple(values["background"])})


def _answer(content: bytes, spec: ImageSpec) -> bytes:
    """Whatever an image does to a decoder is a reason not to use this image."""
    bug, status = None, 422
    try:
        pixels = decode(content, spec).tobytes()
        return HEAD.pack(PIXELS, len(pixels)) + pixels
    except ImageError as refused:
        error, status = refused, status_of(content, spec)
    except MemoryError:
        error = ImageError("decoding it takes too much memory", "send a smaller image")
    except Exception as found:
        bug = traceback.format_exc()
        error = ImageError(f"the image is damaged: the decoder ended with {type(found).__name__}")
    reason = json.dumps([status, error.message, error.hint, bug]).encode()
    return HEAD.pack(REFUSED, len(reason)) + reason


def status_of(content: bytes, spec: ImageSpec) -> int:
    """The status for an image that cannot be used: 413 too large, 415 no format that is read, 422 damaged."""
    with suppress(Exception):
        file_format = headers.image_format(content)
        if file_format is None or headers.not_read(content, file_format) is not None:
            return 415 if content else 422
        height, width = headers.dimensions(content, file_format) or (0, 0)
        if height * width > spec.max_pixels:
            return 413
    return 422


def _limit_memory(spec: ImageSpec) -> None:
    """Let allocations fail beyond what an image may take; where the system has no such limit, nothing does."""
    with suppress(ImportError, OSError, ValueError, StopIteration):
        import resource

        lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
        used = next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmData"))
        expected = max(BYTES_OF_A_PIXEL * spec.max_pixels, NEVER_TOO_MUCH)
        most = round(used + _MARGIN * expected + 2 * spec.max_bytes + _MORE_BYTES)
        resource.setrlimit(resource.RLIMIT_DATA, (most, most))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def _limit_time(seconds: int) -> None:
    """Let the system end this process once it has taken so much processor time in all."""
    with suppress(ImportError, OSError, ValueError):
        import resource

        _, hard = resource.getrlimit(resource.RLIMIT_CPU)
        resource.setrlimit(resource.RLIMIT_CPU, (seconds, hard))
