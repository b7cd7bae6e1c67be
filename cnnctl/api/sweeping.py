"""`cnnctl.sweep` and `cnnctl.cross_validate`."""

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from cnnctl.api.configs import Source
from cnnctl.api.runs import TrainedRun
from cnnctl.api.shown import Shown
from cnnctl.config.load import load_values
from cnnctl.sweeping.cross_validation import CrossValidation, Spread
from cnnctl.sweeping.cross_validation import cross_validate as run_folds
from cnnctl.sweeping.result import SweepResult
from cnnctl.sweeping.sweep import sweep as run_sweep
from cnnctl.system.interrupts import caught_in_a_guest
from cnnctl.system.watcher import Watcher
from cnnctl.terminal.watch import watching


class Sweep(Shown):
    """What came out of a sweep. Its text is the table that the command prints.

    Attributes:
        folder: It has the runs, best.yaml, trials.csv and the pictures.
        best_config: The config that trains the best trial again.
    """

    def __init__(self, result: SweepResult) -> None:
        self._result = result
        self.folder = result.folder
        self.best_config = result.best_config

    @property
    def best(self) -> TrainedRun:
        """The run of the best trial."""
        assert self._result.best is not None  # a sweep without one is an error
        return TrainedRun(self._result.run_of(self._result.best))

    @property
    def best_values(self) -> dict[str, Any]:
        """Its values, by the keys of the space."""
        assert self._result.best is not None
        return dict(self._result.best.values)

    def to_dict(self) -> dict[str, Any]:
        """What `sweep --json` prints."""
        return self._result.to_json()

    def _show(self) -> None:
        from cnnctl.terminal.sweep import print_sweep

        print_sweep(self._result)

    def __repr__(self) -> str:
        return f"<Sweep of {len(self._result.trials):,} trials in {self.folder}>"


def sweep(path: str | Path, output: str | Path, *, progress: bool | Watcher | None = None) -> Sweep:
    """Train a config many times with settings that Optuna chooses, as `cnnctl sweep` does.

    Each trial is a training in a process of its own. A sweep that is in `output` is joined or resumed. Ctrl-C ends it;
    the epochs of the trial under way are kept.

    Args:
        path: The SWEEP.yaml.
        output: The folder of the sweep.
        progress: True prints a line for each trial to stderr; or a watcher whose `note` is told. When
            left out, a notebook shows the lines, and nothing is printed elsewhere.

    Raises:
        ConfigError: with every mistake of the SWEEP.yaml, of the config and of the corners of the space.
        UsageError: the folder has something else in it.
        MachineError: Optuna is missing, or the storage or the disk cannot be used.
        InterruptedTrainingError: by Ctrl-C.
        DivergedError: no trial came to its end.

    Example: `sweep("sweep.yaml", "sweeps/photos").best.accuracy`
    """
    with watching(progress, sys.stderr) as watcher, caught_in_a_guest():
        return Sweep(run_sweep(Path(path), Path(output), sys.argv, watcher.note))


class CrossValidated(Shown):
    """What came out of a cross-validation. Its text is the table that the command prints.

    Attributes:
        folder: It has the runs, predictions.csv and the confusion matrix.
        metrics: Each metric by its key, such as `accuracy`: `mean`, `deviation`, `low`, `high`, `values` of the folds.
    """

    def __init__(self, result: CrossValidation) -> None:
        self._result = result
        self.folder = result.folder
        self.metrics: dict[str, Spread] = {one.key: one for one in result.spreads}

    @property
    def runs(self) -> list[TrainedRun]:
        """The run of each fold."""
        return [TrainedRun(path) for path in self._result.runs]

    def to_dict(self) -> dict[str, Any]:
        """What `cross-validate --json` prints."""
        return self._result.to_json()

    def _show(self) -> None:
        from cnnctl.terminal.sweep import print_cross_validation

        print_cross_validation(self._result)

    def __repr__(self) -> str:
        return f"<CrossValidated: accuracy {self.metrics['accuracy'].mean:.1%} in {len(self._result.runs)} folds>"


def cross_validate(
    config: Source,
    overrides: Mapping[str, Any] | None = None,
    *,
    output: str | Path,
    folds: int = 5,
    repeat: int = 1,
    ensemble: bool = False,
    progress: bool | Watcher | None = None,
) -> CrossValidated:
    """Train a config once for each fold of its images and test it on that fold, as `cnnctl cross-validate` does.

    Each training is a process of its own. What is in `output` is resumed.

    Args:
        config: What `load_config` takes, or what it made.
        overrides: Values by dotted paths, as `load_config` takes them.
        output: The folder of the folds.
        folds: How many.
        repeat: How often they are dealt, each time with another seed.
        ensemble: Also write ensemble/, which `Predictor` takes for a run: its model is the mean of the folds'.
        progress: True prints a line for each fold to stderr; or a watcher whose `note` is told. When
            left out, a notebook shows the lines, and nothing is printed elsewhere.

    Raises:
        ConfigError: with every mistake of the config and of its data.
        DataError: a class is too small for so many folds.
        UsageError: there are fewer than two folds, or the folder has something else in it.
        InterruptedTrainingError: by Ctrl-C.
        CnnctlError: a training failed; the others are kept.

    Example: `cross_validate("photos.yaml", output="folds/photos").metrics["accuracy"].mean`
    """
    loaded = load_values(config, overrides)
    with watching(progress, sys.stderr) as watcher, caught_in_a_guest():
        return CrossValidated(run_folds(loaded, Path(output), folds, repeat, sys.argv, watcher.note, ensemble))
