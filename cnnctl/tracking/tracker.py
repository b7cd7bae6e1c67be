"""The trackers of a training, told of it side by side; none of them can end it."""

import importlib.util
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from typing import Any, assert_never

from cnnctl.config.training import Logger
from cnnctl.data.split import SPLITS
from cnnctl.errors import MachineError, how_to_install
from cnnctl.runs import Run
from cnnctl.tracking.events import Figures, Outcome, RunStarted, Tracker

_LONGEST_REASON = 300


class Trackers:
    """All trackers of a training. The first failure of one is told in a warning, and then it is left alone."""

    def __init__(
        self, trackers: Mapping[str, Tracker] | None = None, tell: Callable[[str], None] = lambda text: None
    ) -> None:
        self._trackers = dict(trackers or {})
        self._tell = tell
        self._has_ended = False

    def begin(self, beginning: RunStarted) -> None:
        """Tell each of the beginning."""
        self._each(lambda tracker: tracker.begin(beginning))

    def epoch(self, number: int, figures: Figures) -> None:
        """Tell each of an epoch that was kept."""
        self._each(lambda tracker: tracker.epoch(number, figures))

    def end(self, outcome: Outcome) -> None:
        """Tell each of the end; what comes after the first end is not told."""
        if not self._has_ended:
            self._has_ended = True
            self._each(lambda tracker: tracker.end(outcome))

    def how_to_look(self) -> dict[str, str]:
        """What shows the training, by the name of each tracker that recorded all of it."""
        found: dict[str, str] = {}
        for name, tracker in self._trackers.items():
            with suppress(Exception):  # as in _each; and what is wrong here loses nothing
                text = tracker.how_to_look()
                if text is not None:
                    found[name] = text
        return found

    @contextmanager
    def ending_on_error(self) -> Iterator[None]:
        """A block whose exceptions are the end of the training."""
        try:
            yield
        except KeyboardInterrupt:
            self.end(Outcome("killed"))
            raise
        except BaseException:
            self.end(Outcome("failed"))
            raise

    def _each(self, tell: Callable[[Tracker], None]) -> None:
        for name, tracker in list(self._trackers.items()):
            try:
                tell(tracker)
            except Exception as error:  # it is another program, perhaps on another machine: whatever it raises, go on
                del self._trackers[name]
                reason = " ".join(str(error).split())[:_LONGEST_REASON] or type(error).__name__
                self._tell(f"warning: {name} stops recording this training: {reason}")


def insist_on_packages(names: Sequence[Logger]) -> None:
    """Raises:
    MachineError: what a tracker needs is not installed; the hint names the extra.
    """
    is_database = (os.environ.get("MLFLOW_TRACKING_URI") or "sqlite:").startswith("sqlite:")
    for name in names:
        needed = ("mlflow", "sqlalchemy", "alembic") if name == "mlflow" and is_database else (name,)
        missing = next((package for package in needed if importlib.util.find_spec(package) is None), None)
        if missing is not None:
            raise MachineError(f"train.loggers: {name} needs {missing}, which is not installed", how_to_install(name))


def make_trackers(names: Sequence[Logger], tell: Callable[[str], None]) -> Trackers:
    """The trackers that a config names."""
    return Trackers({name: _make(name) for name in names}, tell)


def _make(name: Logger) -> Tracker:
    match name:
        case "tensorboard":
            from cnnctl.tracking.tensorboard import TensorBoard

            return TensorBoard()
        case "mlflow":
            from cnnctl.tracking.mlflow import Mlflow

            return Mlflow()
        case "wandb":
            from cnnctl.tracking.wandb import Wandb

            return Wandb()
        case _:
            assert_never(name)


def finished(run: Run, metrics: Mapping[str, Any], best_epoch: int) -> Outcome:
    """The outcome of a run that was trained, evaluated and exported; `best_epoch` is from 1."""
    nested = {split: metrics[split] for split in SPLITS if split in metrics}
    scores = {
        split: {name: value for name, value in one.items() if isinstance(value, float)}
        for split, one in {metrics["split"]: metrics, **nested}.items()
    }
    return Outcome(
        "finished",
        best_epoch,
        scores,
        run.plot_files(),
        [path for path in (run.keras_model, run.onnx_model) if run.has(path)],
        [run.need(path) for path in (run.config, run.classes, run.history, run.metrics)],
    )
