"""A worker of a sweep: takes trials and trains them until all have ended."""

import shlex
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from cnnctl.config.sweep import Sweep, load_sweep
from cnnctl.errors import (
    EXIT_DIVERGED,
    EXIT_INTERRUPTED,
    EXIT_OK,
    CnnctlError,
    DivergedError,
    InterruptedTrainingError,
    MachineError,
)
from cnnctl.formatting import duration
from cnnctl.runs.directory import mark_latest
from cnnctl.sweeping.corners import check_corners
from cnnctl.sweeping.place import settle
from cnnctl.sweeping.result import SweepResult, best_of, values_text, write_result
from cnnctl.sweeping.storage import Heart, optuna_is_quiet
from cnnctl.sweeping.study import PRUNED, REASON, RUNNING, Slot, Study
from cnnctl.sweeping.trial import TrialEnd, run_trial

if TYPE_CHECKING:
    import optuna

_IN_A_ROW = 3
"""Trials of a worker that fail one after the other, and not because their loss diverged, before it gives up."""
_BETWEEN_LOOKS = 1.0

Tell = Callable[[str], None]


def sweep(path: Path, output: Path, command: Sequence[str], tell: Tell) -> SweepResult:
    """Train the trials of a SWEEP.yaml, together with whoever else does; the result, when all have ended.

    Args:
        path: The SWEEP.yaml.
        output: The folder; a sweep that is there is joined.
        command: The command line, for the records of the runs.
        tell: Gets lines for people.

    Raises:
        ConfigError: with every mistake of the SWEEP.yaml, the config and the corners of the space.
        UsageError: the folder has something else in it.
        MachineError: Optuna is missing, or the storage or the disk cannot be used.
        InterruptedTrainingError: by a signal; the trial under way is kept, and taken up by the next worker.
        DivergedError: no trial came to its end.
        CnnctlError: what made three trials fail in a row; they are trained again by the next worker.
    """
    asked = load_sweep(path)
    with optuna_is_quiet():
        for warning in check_corners(asked):
            tell(f"warning: {warning.message}; {warning.hint}")
        config = asked.loaded(next(asked.corners())).need()
        place = settle(asked, config, output)
        with _storage_errors():
            study = Study(asked, place.folder, place.study, place.url, config.seed, config.train.all_epochs)
            try:
                _Worker(asked, study, command, tell).work()
            except KeyboardInterrupt as stop:
                code = getattr(stop, "exit_code", EXIT_INTERRUPTED)
                raise InterruptedTrainingError(*_interrupted(study, path, output), code) from None
            except CnnctlError as error:
                line = f"resume with: {resume_line(path, output)}"
                error.hint = f"{error.hint}; then {line}" if error.hint else line
                raise
            result = write_result(asked, study, place.folder)
        if result.best is None:
            hint = f"try lower learning rates; {place.folder / 'trials.csv'} lists the trials"
            raise DivergedError(f"none of {len(result.trials):,} trials came to its end", hint)
        _mark(study, result.best, tell)
        return result


def resume_line(path: Path, output: Path) -> str:
    """The command that goes on with a sweep, or joins it."""
    return shlex.join(["cnnctl", "sweep", str(path), "--output", str(output)])


def _interrupted(study: Study, path: Path, output: Path) -> tuple[str, str]:
    ended = sum(slot.has_ended for slot in study.slots())
    return (
        f"interrupted after {ended:,} of {study.wanted:,} trials; the epochs of the trial under way are kept",
        f"resume with: {resume_line(path, output)}",
    )


@contextmanager
def _storage_errors() -> Iterator[None]:
    """A block in which the storage's refusals are the machine's."""
    from optuna.exceptions import StorageInternalError
    from sqlalchemy.exc import SQLAlchemyError

    try:
        yield
    except (StorageInternalError, SQLAlchemyError) as error:
        reason = str(error.__cause__ or error).strip().splitlines()[0]
        raise MachineError(f"the storage of the sweep cannot be used: {reason}", "resume when it is back") from None


def _mark(study: Study, best: Slot, tell: Tell) -> None:
    try:
        mark_latest(study.run_of(best.number))
    except MachineError as error:
        tell(f"warning: {error.message}")


class _Worker:
    """One process that trains trials one after the other."""

    def __init__(self, asked: Sweep, study: Study, command: Sequence[str], tell: Tell) -> None:
        self._sweep, self._study, self._command, self._tell = asked, study, command, tell
        self._failed: list[int] = []
        self._is_waiting = False

    def work(self) -> None:
        """Until all trials have ended; what a dead worker leaves is taken up."""
        while not self._study.has_ended():
            trial = self._study.take()
            if trial is None:
                self._wait()
            else:
                self._is_waiting = False
                self._train(trial)

    def _wait(self) -> None:
        if not self._is_waiting:
            running = sum(slot.state == RUNNING for slot in self._study.slots())
            self._tell(f"all trials are begun; waiting for the {running:,} that other workers have")
        self._is_waiting = True
        time.sleep(min(_BETWEEN_LOOKS, self._sweep.settings.heartbeat))

    def _train(self, trial: "optuna.Trial") -> None:
        slot = int(trial.user_attrs.get("slot", trial.number))
        values = {one.key: self._study.value_of(one, trial.params) for one in self._sweep.dimensions}
        run = self._study.run_of(slot)
        with Heart(self._study.storage, self._study.id_of(trial), self._sweep.settings.heartbeat):
            try:
                config = self._sweep.loaded(values).need()
                end = run_trial(trial, config, run, self._sweep.settings.metric, self._command)
            except BaseException:
                self._end(trial, "FAIL")  # without a reason: the next worker takes it up
                raise
        self._note(trial, slot, end)

    def _note(self, trial: "optuna.Trial", slot: int, end: TrialEnd) -> None:
        if end.is_taken:
            self._tell(f"trial {slot:04}: another worker has it now")
            return
        if end.value is not None:
            self._end(trial, "COMPLETE", end.value)
        elif end.is_pruned:
            self._end(trial, "PRUNED")
        else:
            reason = end.ended.message or f"its {self._sweep.settings.metric} is no number"
            if end.ended.code not in (EXIT_OK, EXIT_DIVERGED):
                self._count_failure(trial, slot, end.ended.error())
            trial.set_user_attr(REASON, reason.splitlines()[0][:500])
            self._end(trial, "FAIL")
        if end.value is not None or end.is_pruned:
            self._failed.clear()
        self._report(slot)

    def _count_failure(self, trial: "optuna.Trial", slot: int, error: CnnctlError) -> None:
        """Note a failure that may not be the trial's own; of too many in a row the last is raised, and all put back."""
        self._failed.append(slot)
        if len(self._failed) < _IN_A_ROW:
            return
        for number in self._failed[:-1]:
            self._study.put_back(number)
        self._end(trial, "FAIL")
        raise error

    def _end(self, trial: "optuna.Trial", state: str, value: float | None = None) -> None:
        """Tell the storage; a trial that another worker has ended stays as it is."""
        import optuna

        with suppress(ValueError):
            optuna_state = optuna.trial.TrialState[state]
            self._study.in_optuna.tell(trial, value, state=optuna_state, skip_if_finished=True)

    def _report(self, number: int) -> None:
        slots = self._study.slots()
        ended = [slot for slot in slots if slot.has_ended]
        (slot,) = (one for one in slots if one.number == number)
        metric = self._sweep.settings.metric
        outcome = f"{metric} {slot.value:.4f}" if slot.value is not None else f"{slot.state}"
        outcome += f" after {slot.epochs:,} epoch{'s' * (slot.epochs != 1)}" if slot.state == PRUNED else ""
        outcome += f": {slot.reason}" if slot.reason else ""
        line = f"trial {number:04}: {outcome}, {duration(slot.seconds or 0.0)}, {values_text(slot)}"
        best = best_of(slots, metric)
        if best is not None and best.number == number:
            line += "; the best so far"
        elif best is not None and best.value is not None:
            line += f"; best {best.value:.4f} in {best.number:04}"
        left = self._study.wanted - len(ended)
        line += f"; {len(ended):,} of {self._study.wanted:,} done"
        if left > 0:
            took = [one.seconds for one in ended if one.seconds is not None]
            workers = max(1, sum(one.state == RUNNING for one in slots) + 1)
            line += f", about {duration(sum(took) / len(took) * left / workers)} left" if took else ""
        self._tell(line)
