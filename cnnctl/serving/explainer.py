"""Asks the explaining process, which is started with the first question: Keras slows neither start nor predictions."""

import asyncio
import base64
import importlib.util
import json
import logging
import subprocess
import sys
import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from types import TracebackType
from typing import Any

from cnnctl.runs import Run
from cnnctl.serving.batcher import Seen
from cnnctl.serving.errors import BUG, RETRY, RequestError, too_busy

SECONDS = 120.0
"""What one explanation may take, the loading of Keras included."""

_MOST_WAITING = 8
_BACKENDS = ("tensorflow", "jax")
_PROGRAM = """\
import json, sys
sys.path[:] = json.loads(sys.argv[1])
from cnnctl.serving.explaining_process import main
main()
"""
"""Python puts its working folder before everything else; the child is to see the modules of its parent."""


def why_not(run: Run) -> str | None:
    """Why a run cannot be explained here, in a few words; None where it can, as far as the disk tells."""
    if importlib.util.find_spec("keras") is None:
        return "Keras is not installed"
    if not any(importlib.util.find_spec(name) for name in _BACKENDS):
        return "neither TensorFlow nor JAX is installed"
    missing = next((path.name for path in (run.keras_model, run.config) if not run.has(path)), None)
    return None if missing is None else f"the run has no {missing}"


class Explainer:
    """The process that explains `run`'s network and the queue before it; a context manager that ends the process."""

    def __init__(self, run: Run) -> None:
        self._run = run
        self._pool = ThreadPoolExecutor(1, "explain")
        self._waiting = 0
        self._process: subprocess.Popen[bytes] | None = None
        self._closed = False

    def __enter__(self) -> "Explainer":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._closed = True
        if self._process is not None:
            self._process.kill()
        self._pool.shutdown(wait=True, cancel_futures=True)
        self._end()

    async def explain(self, seen: Seen, top: int, thresholds: Sequence[float] | None = None) -> dict[str, Any]:
        """What POST /v1/explain answers; `thresholds` are those of the classes where images may have several labels.

        Raises:
            RequestError: 503: too many wait, it took too long, or the process cannot do it, with its reason.
        """
        if self._waiting >= _MOST_WAITING:
            raise too_busy("too many explanations are waiting")
        question = {
            "shape": seen.pixels.shape,
            "pixels": base64.b64encode(seen.pixels.tobytes()).decode("ascii"),
            "shipped": seen.probabilities.tolist(),
            "top": top,
            "thresholds": thresholds,
        }
        self._waiting += 1
        try:
            answer = await asyncio.get_running_loop().run_in_executor(self._pool, self._ask, json.dumps(question))
        finally:
            self._waiting -= 1
        if "traceback" in answer:
            logging.getLogger(__name__).error("%s", answer["traceback"])
            raise BUG
        if "error" in answer:
            raise RequestError(503, answer["error"], answer["hint"])
        return answer

    def _ask(self, question: str) -> dict[str, Any]:
        """One question after the other, in the pool's thread."""
        process = self._process or self._start()
        assert process.stdin is not None
        assert process.stdout is not None
        alarm = threading.Timer(SECONDS, process.kill)
        alarm.start()
        try:
            process.stdin.write(question.encode() + b"\n")
            process.stdin.flush()
            line = process.stdout.readline()
        except OSError:
            line = b""
        finally:
            alarm.cancel()
        if not line.endswith(b"\n"):
            self._end()
            raise RequestError(503, "the explanation took too long", f"the limit is {SECONDS:g} seconds", RETRY)
        answer: dict[str, Any] = json.loads(line)
        return answer

    def _start(self) -> "subprocess.Popen[bytes]":
        command = [sys.executable, "-P", "-c", _PROGRAM, json.dumps(sys.path), str(self._run.path)]
        self._process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            start_new_session=True,  # Ctrl-C is for the server alone
        )
        if self._closed:
            self._process.kill()
        return self._process

    def _end(self) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        process.kill()
        process.wait()
        for pipe in (process.stdin, process.stdout):
            if pipe is not None:
                with suppress(OSError):
                    pipe.close()
