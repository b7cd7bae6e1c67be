"""One trial: a training in a process of its own, whose epochs are told to Optuna as they are done."""

import math
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cnnctl.config import Config
from cnnctl.errors import EXIT_BUSY, EXIT_OK, RunError
from cnnctl.runs import Run
from cnnctl.sweeping.process import Ended, Training, wait_for

if TYPE_CHECKING:
    import optuna


@dataclass(frozen=True)
class TrialEnd:
    """How a trial ended.

    Attributes:
        ended: How its training did.
        value: The metric in the epoch whose weights are kept; None where the training did not come to its end.
        is_pruned: Whether Optuna ended it.
        is_taken: Whether another worker has it now, since this one was taken for dead.
    """

    ended: Ended
    value: float | None = None
    is_pruned: bool = False
    is_taken: bool = False


def run_trial(trial: "optuna.Trial", config: Config, run: Run, metric: str, command: Sequence[str]) -> TrialEnd:
    """Train a trial to its end, or until Optuna says that it is not worth it; a run that is begun is resumed."""
    while True:
        wait_for(run)
        end = _train(trial, config, run, metric, command)
        if end.ended.code != EXIT_BUSY:  # else somebody else has it after all
            return end


def _train(trial: "optuna.Trial", config: Config, run: Run, metric: str, command: Sequence[str]) -> TrialEnd:
    from optuna.exceptions import UpdateFinishedTrialError

    told: set[int] = set()
    is_pruned = False
    with Training(config, run.path, command) as training:
        try:
            for epoch in training.news():
                if is_pruned:
                    continue
                _tell(trial, run, metric, told)
                if epoch.number < epoch.total and trial.should_prune():
                    is_pruned = True
                    training.stop()
            ended = training.ended
            assert ended is not None
            if ended.code == EXIT_OK:
                _tell(trial, run, metric, told)
        except UpdateFinishedTrialError:
            return TrialEnd(Ended(EXIT_BUSY + 1), is_taken=True)
    if ended.code == EXIT_OK:
        return TrialEnd(ended, value_of(run, metric))
    return TrialEnd(ended, is_pruned=is_pruned)


def _tell(trial: "optuna.Trial", run: Run, metric: str, told: set[int]) -> None:
    """Report the epochs that were not reported yet, those of an earlier process too."""
    for number, row in enumerate(_history(run), start=1):
        if number not in told and metric in row:
            trial.report(float(row[metric]), number)
            told.add(number)


def _history(run: Run) -> list[Mapping[str, str]]:
    with suppress(RunError):
        return list(run.read_rows(run.need(run.history), ("epoch",)))
    return []


def value_of(run: Run, metric: str) -> float | None:
    """The metric of a complete run, in the epoch whose weights it has; None where that is no number."""
    rows = _history(run)
    best = run.read_environment().get("best_epoch")
    if not isinstance(best, int) or not 0 < best <= len(rows) or metric not in rows[best - 1]:
        return None
    value = float(rows[best - 1][metric])
    return value if math.isfinite(value) else None
