"""The trials of a sweep as Optuna's storage has them, and which one a worker takes next.

A trial that is taken up again is a new trial in the storage, with the values of the old one and its number as `slot`.
The slot is what counts: its number is that of the run directory.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cnnctl.config.dimensions import Dimension
from cnnctl.config.sweep import Hyperband, Median, Sweep
from cnnctl.errors import RunError
from cnnctl.runs import Run
from cnnctl.sweeping.storage import open_storage, start_clocks
from cnnctl.system.locks import locked

if TYPE_CHECKING:
    import optuna

SLOT, REASON = "slot", "reason"
COMPLETE, PRUNED, FAILED, RUNNING, WAITING, LOST = "complete", "pruned", "failed", "running", "waiting", "lost"
_ENDED = (COMPLETE, PRUNED, FAILED)


@dataclass(frozen=True)
class Slot:
    """One of the trials that were asked for.

    Attributes:
        number: That of its first trial in the storage, and of its run directory.
        state: `complete`, `pruned`, `failed`, `running`, `waiting`, or `lost` where its worker ended before it did.
        value: The metric; None where it is not complete.
        values: Those of the space.
        seconds: From the beginning to the end of its last trial; None where it has not ended.
        reason: Why it failed.
        epochs: How many were told.
    """

    number: int
    state: str
    value: float | None
    values: Mapping[str, Any]
    seconds: float | None
    reason: str | None
    epochs: int

    @property
    def has_ended(self) -> bool:
        """Whether nothing is left to do."""
        return self.state in _ENDED


class Study:
    """A sweep in its storage, and the lock in its folder under which trials are taken."""

    def __init__(self, sweep: Sweep, output: Path, name: str, url: str, seed: int, epochs: int) -> None:
        import optuna

        self._sweep, self._output, self._seed = sweep, output, seed
        self._lock = output / ".choosing.lock"
        self._url = url
        self._epochs = epochs
        direction = optuna.study.StudyDirection.MINIMIZE
        if is_higher_better(sweep.settings.metric):
            direction = optuna.study.StudyDirection.MAXIMIZE
        with self._alone():
            self.storage = open_storage(url, sweep.settings.heartbeat)
            is_new = name not in {one.study_name for one in self.storage.get_all_studies()}
            if is_new and (output / "trials").is_dir():
                hint = "name the storage that it was begun with, or choose another folder with --output"
                raise RunError(f"the storage has no sweep {name}, of which {output} has trials", hint)
            self._study = optuna.create_study(
                storage=self.storage, study_name=name, direction=direction, pruner=self._pruner(), load_if_exists=True
            )
        self._id = self.storage.get_study_id_from_name(name)

    @property
    def in_optuna(self) -> "optuna.Study":
        """For Optuna's own pictures."""
        return self._study

    @cached_property
    def _distributions(self) -> dict[str, Any]:
        return {one.key: distribution(one) for one in self._sweep.dimensions}

    @property
    def wanted(self) -> int:
        """How many trials there are to be; a grid has no more than its combinations."""
        if self._sweep.settings.sampler != "grid":
            return self._sweep.settings.trials
        combinations = 1
        for one in self._sweep.dimensions:
            combinations *= len(one.grid or ())
        return min(self._sweep.settings.trials, combinations)

    def slots(self) -> list[Slot]:
        """All that were begun, in order."""
        tried: dict[int, list[optuna.trial.FrozenTrial]] = {}
        for trial in self._study.get_trials(deepcopy=False):
            tried.setdefault(int(trial.user_attrs.get(SLOT, trial.number)), []).append(trial)
        return [self._slot(number, trials) for number, trials in sorted(tried.items())]

    def _slot(self, number: int, trials: "list[optuna.trial.FrozenTrial]") -> Slot:
        from optuna.trial import TrialState

        by_state = {trial.state: trial for trial in reversed(trials)}
        decisive = by_state.get(TrialState.COMPLETE) or by_state.get(TrialState.PRUNED) or trials[-1]
        names = {TrialState.COMPLETE: COMPLETE, TrialState.PRUNED: PRUNED, TrialState.RUNNING: RUNNING}
        names |= {TrialState.WAITING: WAITING, TrialState.FAIL: FAILED if REASON in decisive.user_attrs else LOST}
        state = names[decisive.state]
        values = {one.key: self.value_of(one, decisive.params) for one in self._sweep.dimensions}
        took = decisive.duration.total_seconds() if decisive.duration is not None else None
        return Slot(
            number,
            state,
            decisive.value if state == COMPLETE else None,
            values,
            took,
            decisive.user_attrs.get(REASON) if state == FAILED else None,
            len(decisive.intermediate_values),
        )

    @staticmethod
    def value_of(one: Dimension, params: Mapping[str, Any]) -> Any:
        """A value of the space for the config, of what Optuna has for it; None where it was not chosen yet."""
        if one.key not in params or one.options is None:
            return params.get(one.key)
        return next((option for option in one.options if choice(option) == params[one.key]), params[one.key])

    def take(self) -> "optuna.Trial | None":
        """A trial to train: one whose worker is gone, else a new one; None where all are begun, or have ended.

        Raises:
            MachineError: the storage is away.
        """
        with self._alone():
            self._take_back()
            slots = self.slots()
            for lost in (slot for slot in slots if slot.state == LOST):
                self.put_back(lost.number)
            is_waiting = any(slot.state in (LOST, WAITING) for slot in slots)
            if not is_waiting and len(slots) >= self.wanted:
                return None
            self._study.sampler = self._sampler(len(slots))
            trial = self._study.ask(self._distributions)
            self.storage.record_heartbeat(self.id_of(trial))
            return trial

    def has_ended(self) -> bool:
        """Whether as many as wanted have."""
        slots = self.slots()
        return len(slots) >= self.wanted and all(slot.has_ended for slot in slots)

    def id_of(self, trial: "optuna.Trial") -> int:
        """The storage's number of a trial."""
        return self.storage.get_trial_id_from_study_id_trial_number(self._id, trial.number)

    def run_of(self, number: int) -> Run:
        """The run of a slot."""
        return Run(self._output / "trials" / f"{number:04}")

    def _alone(self) -> Any:
        return locked(self._lock, lambda: None)

    def _take_back(self) -> None:
        """Let the trials of dead workers fail, without a reason, so that they are lost."""
        import optuna

        running = self._study.get_trials(deepcopy=False, states=(optuna.trial.TrialState.RUNNING,))
        start_clocks(
            self.storage,
            [self.storage.get_trial_id_from_study_id_trial_number(self._id, trial.number) for trial in running],
        )
        optuna.storages.fail_stale_trials(self._study)

    def put_back(self, number: int) -> None:
        """Let a slot be taken once more, whatever became of it."""
        import optuna

        trials = self._study.get_trials(deepcopy=False)
        last = [trial for trial in trials if trial.user_attrs.get(SLOT, trial.number) == number][-1]
        self._study.add_trial(
            optuna.create_trial(
                state=optuna.trial.TrialState.WAITING,
                params=last.params,
                distributions=last.distributions,
                user_attrs={SLOT: number},
                system_attrs=last.system_attrs,
            )
        )

    def _sampler(self, tried: int) -> Any:
        """Optuna's sampler, whose draws depend on the config's seed and on how many trials there are, and nothing else.

        So a sweep by one worker tries the same whether it is interrupted or not, and two workers do not try the same.
        """
        from optuna import samplers

        seed = (self._seed * 1_000_003 + tried) % 2**32
        match self._sweep.settings.sampler:
            case "random":
                return samplers.RandomSampler(seed)
            case "grid":
                return _grid({one.key: [choice(value) for value in one.grid or ()] for one in self._sweep.dimensions})
        return samplers.TPESampler(seed=seed, constant_liar=True)

    def _pruner(self) -> Any:
        from optuna import pruners

        match self._sweep.settings.prune:
            case Median() as median:
                return pruners.MedianPruner(median.startup_trials, median.warmup_epochs)
            case Hyperband() as band:
                most = max(self._epochs, band.min_epochs)
                return pruners.HyperbandPruner(band.min_epochs, most, band.reduction_factor)
        return pruners.NopPruner()


def is_higher_better(metric: str) -> bool:
    """Of an accuracy; a loss is to be low."""
    return metric.endswith("accuracy")


def choice(value: Any) -> Any:
    """A value as Optuna keeps it: lists and mappings as text."""
    return (
        value if value is None or isinstance(value, bool | int | float | str) else json.dumps(value, ensure_ascii=False)
    )


def distribution(one: Dimension) -> Any:
    """A dimension in Optuna's form."""
    from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

    if one.options is not None:
        return CategoricalDistribution([choice(value) for value in one.options])
    assert one.range is not None
    low, high, step, log = one.range.low, one.range.last, one.range.step, one.range.log
    if one.is_whole:
        return IntDistribution(low, high, log=log, step=1 if step is None else step)
    return FloatDistribution(float(low), float(high), log=log, step=step)


def _grid(values: dict[str, list[Any]]) -> Any:
    from optuna.samplers import GridSampler

    class Grid(GridSampler):
        """Does not stop Optuna's own loop at the end, which is not used."""

        def after_trial(self, *done: Any, **named: Any) -> None:
            """We count."""

    return Grid(values, seed=0)
