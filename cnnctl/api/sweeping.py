"""`cnnctl.sweep`."""

import sys
from pathlib import Path
from typing import Any

from cnnctl.api.runs import TrainedRun
from cnnctl.api.shown import Shown
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


def sweep(path: str | Path, output: str | Path, *, progress: bool | Watcher = False) -> Sweep:
    """Train a config many times with settings that Optuna chooses, as `cnnctl sweep` does.

    Each trial is a training in a process of its own. A sweep that is in `output` is joined or resumed. Ctrl-C ends it;
    the epochs of the trial under way are kept.

    Args:
        path: The SWEEP.yaml.
        output: The folder of the sweep.
        progress: True prints a line for each trial to stderr; or a watcher whose `note` is told.

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
