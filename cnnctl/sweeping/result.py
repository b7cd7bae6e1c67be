"""What came out of a sweep: its trials, the best of them, and what is written of it."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cnnctl.config.dump import to_yaml
from cnnctl.config.problems import show
from cnnctl.config.sweep import Sweep
from cnnctl.sweeping.pictures import draw, drawn
from cnnctl.sweeping.place import BEST, TRIALS
from cnnctl.sweeping.study import COMPLETE, FAILED, PRUNED, Slot, Study, is_higher_better
from cnnctl.system import files


@dataclass(frozen=True)
class SweepResult:
    """A sweep that has ended.

    Attributes:
        folder: It has the runs under trials/, and best.yaml, trials.csv and the pictures.
        metric: By which trials were judged.
        trials: In order.
        best: The best complete one; None where none is.
        pictures: The files that were drawn.
    """

    folder: Path
    metric: str
    trials: tuple[Slot, ...]
    best: Slot | None
    pictures: tuple[Path, ...]

    @property
    def best_config(self) -> Path:
        """The config that trains the best one again."""
        return self.folder / BEST

    def run_of(self, trial: Slot) -> Path:
        """The run directory of a trial."""
        return self.folder / "trials" / f"{trial.number:04}"

    @property
    def ranked(self) -> list[Slot]:
        """The complete trials, the best first."""
        return _ranked(self.trials, self.metric)

    def count(self, state: str) -> int:
        """How many trials ended so."""
        return sum(trial.state == state for trial in self.trials)

    def to_json(self) -> dict[str, Any]:
        """The form of `sweep --json`."""
        return {
            "sweep": str(self.folder),
            "metric": self.metric,
            **{state: self.count(state) for state in (COMPLETE, PRUNED, FAILED)},
            "best": None if self.best is None else self._trial_json(self.best),
            "best_config": None if self.best is None else str(self.best_config),
            "trials": [self._trial_json(trial) for trial in self.trials],
            "pictures": [str(path) for path in self.pictures],
        }

    def _trial_json(self, trial: Slot) -> dict[str, Any]:
        return {
            "number": trial.number,
            "run": str(self.run_of(trial)),
            "state": trial.state,
            "value": trial.value,
            "values": dict(trial.values),
            "epochs": trial.epochs,
            "seconds": trial.seconds,
            "reason": trial.reason,
        }


def best_of(slots: Sequence[Slot], metric: str) -> Slot | None:
    """The complete trial with the best value; of equal ones the first."""
    return next(iter(_ranked(slots, metric)), None)


def _ranked(slots: Sequence[Slot], metric: str) -> list[Slot]:
    complete = [slot for slot in slots if slot.value is not None]
    sign = -1 if is_higher_better(metric) else 1
    return sorted(complete, key=lambda slot: (sign * (slot.value or 0.0), slot.number))


def values_text(slot: Slot) -> str:
    """`learning_rate=0.0013 batch_size=64`, the keys by their last names where these differ."""
    short = [key.rpartition(".")[2] for key in slot.values]
    names = short if len(set(short)) == len(short) else list(slot.values)
    return " ".join(f"{name}={_short(value)}" for name, value in zip(names, slot.values.values(), strict=True))


def _short(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else show(value)


def write_result(sweep: Sweep, study: Study, folder: Path) -> SweepResult:
    """Write trials.csv, best.yaml and the pictures of a sweep."""
    slots = study.slots()[: study.wanted]
    best = best_of(slots, sweep.settings.metric)
    keys = [one.key for one in sweep.dimensions]
    header = ("number", "state", sweep.settings.metric, "seconds", "epochs", *keys)
    rows = [
        (slot.number, slot.state, _cell(slot.value), _cell(slot.seconds), slot.epochs, *map(show, slot.values.values()))
        for slot in slots
    ]
    before = _content(folder / TRIALS)
    files.write_csv(folder / TRIALS, header, rows)
    if best is not None:
        files.write_text(folder / BEST, to_yaml(sweep.loaded(best.values).need()))
    pictures = drawn(folder) if _content(folder / TRIALS) == before else ()  # by another worker, which takes seconds
    pictures = pictures or draw(study.in_optuna, folder, sweep.settings.metric)
    return SweepResult(folder, sweep.settings.metric, tuple(slots), best, pictures)


def _content(path: Path) -> bytes:
    return path.read_bytes() if files.is_file(path) else b""


def _cell(value: float | None) -> str:
    return "" if value is None else repr(value)
