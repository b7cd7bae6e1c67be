"""A limit of time for a model that may be anybody's: a graph of a few hundred bytes can compute for years.

ONNX Runtime is asked to stop, which it does between two operators. An operator that goes on by itself cannot be ended;
the model is not asked again before it has ended.
"""

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from cnnctl.errors import RunError
from cnnctl.inference.memory_limit import refuse_too_large
from cnnctl.system.limited_work import OutOfTimeError, within
from cnnctl.system.limits import limit_set

VARIABLE = "CNNCTL_MODEL_SECONDS"
SECONDS = 60.0
"""For the loading of a model and for each batch; cnnctl's own batches take some seconds on the slowest machines."""


def seconds_allowed() -> float:
    """The limit, which the user may set.

    Raises:
        UsageError: it is set to something else than a number above 0.
    """
    return limit_set(VARIABLE, "seconds", "600", threading.TIMEOUT_MAX) or SECONDS


class LimitedSession:
    """An ONNX Runtime session whose batches have a limit each; threads may share it."""

    def __init__(self, session: Any, path: Path, seconds: float) -> None:
        self._session = session
        self._path = path
        self._seconds = seconds
        self._left: threading.Thread | None = None

    def __getattr__(self, name: str) -> Any:
        """What else the session has: its inputs, its options."""
        return getattr(self._session, name)

    @property
    def hangs(self) -> bool:
        """Whether it is at a batch still whose limit is over."""
        return self._left is not None and self._left.is_alive()

    def run(self, names: Any, feed: dict[str, Any]) -> Any:
        """What the session answers.

        Raises:
            RunError: it does not within the limit of time or memory, or is at an earlier batch still.
        """
        import onnxruntime

        if self.hangs:
            raise _too_slow(self._path, self._seconds)
        options = onnxruntime.RunOptions()

        def stop() -> None:
            options.terminate = True

        try:
            return within(self._seconds, lambda: self._session.run(names, feed, options), stop)
        except OutOfTimeError as error:
            self._left = error.thread
            raise _too_slow(self._path, self._seconds) from None
        except Exception as error:  # onnxruntime has no class for it
            refuse_too_large(error, self._path)
            raise


def open_within(open_it: Callable[[], Any], path: Path, stop: Callable[[], None]) -> LimitedSession:
    """A session that is opened, and computes, within the limit each; `stop` asks the opening to end.

    Raises:
        RunError: the limit is over.
    """
    seconds = seconds_allowed()
    try:
        return LimitedSession(within(seconds, open_it, stop), path, seconds)
    except OutOfTimeError:
        raise _too_slow(path, seconds) from None


def _too_slow(path: Path, seconds: float) -> RunError:
    return RunError(
        f"{path} needs more than {seconds:g} s, the most for a model that this user has not trained here",
        f"if you trust it, give it more with the environment variable {VARIABLE}",
    )
