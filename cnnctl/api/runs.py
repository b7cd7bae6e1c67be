"""`cnnctl.open_run`, and a run as Python sees it."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cnnctl.config import Config, load
from cnnctl.formatting import percent
from cnnctl.runs import Run, find_run
from cnnctl.system import files
from cnnctl.system.files import absolute

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, repr=False)
class TrainedRun:
    """A run directory that a training has written, at an absolute `path`.

    What it holds is read whenever it is asked for, with a RunError, which names the command that makes it, where the
    run lacks the file.
    """

    path: Path

    @property
    def config(self) -> Config:
        """The resolved config."""
        return load(self._run.need(self._run.config))

    @property
    def classes(self) -> tuple[str, ...]:
        """The class names in label order."""
        return self._run.read_classes()

    @property
    def metrics(self) -> dict[str, Any]:
        """metrics.json: the metrics of the main split; those of other splits are under their names."""
        self._run.need(self._run.metrics)
        return self._run.read_metrics()

    @property
    def accuracy(self) -> float:
        """Share of right answers on the test images, else the validation images, else the training images."""
        return float(self.metrics["accuracy"])

    @property
    def loss(self) -> float:
        """Mean cross-entropy on the same images, in nats."""
        return float(self.metrics["loss"])

    @property
    def history(self) -> list[dict[str, float]]:
        """An epoch a row: `epoch` (from 1), `loss`, `accuracy`, `val_loss` and `val_accuracy`, `learning_rate`."""
        rows = files.read_csv(self._run.need(self._run.history))
        return [{name: int(text) if name == "epoch" else float(text) for name, text in row.items()} for row in rows]

    @property
    def best_epoch(self) -> int:
        """From 1, whose weights the models have."""
        self._run.need(self._run.environment)
        return int(self._run.read_environment()["best_epoch"])

    @property
    def plots(self) -> Mapping[str, Path]:
        """The pictures, each a PNG file, by names such as `curves` and `confusion_matrix`."""
        return {path.stem: path for path in sorted(self._run.plots.glob("*.png"))}

    def history_frame(self) -> "pd.DataFrame":
        """The history as a pandas DataFrame, its index the epochs."""
        import pandas as pd

        return pd.DataFrame(self.history).set_index("epoch")

    def __repr__(self) -> str:
        metrics = self._run.read_metrics()
        evaluated = f"{metrics['split']} accuracy {percent(metrics['accuracy'])}" if metrics else "not evaluated yet"
        return f"<TrainedRun {self.path}: {evaluated}>"

    @property
    def _run(self) -> Run:
        return Run(self.path)


AnyRun = TrainedRun | str | Path | None
"""A run: what `train` and `open_run` give, a run directory, a folder `runs/NAME` (its newest run), or None: the
latest run of the current folder.
"""


def open_run(run: AnyRun = None) -> TrainedRun:
    """A run that was trained before; the latest of the current folder when it is left out.

    Raises:
        RunError: there is none.
    """
    return TrainedRun(absolute(find(run).path))


def find(run: AnyRun) -> Run:
    """The run directory that is meant.

    Raises:
        RunError: there is none.
    """
    if isinstance(run, TrainedRun):
        return Run(run.path)
    return find_run(None if run is None else Path(run))
