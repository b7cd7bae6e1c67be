"""`cnnctl.open_run` and `cnnctl.list_runs`, and a run as Python sees it."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, overload

from cnnctl.api.shown import Picture, Shown, plots_of
from cnnctl.config import Config
from cnnctl.formatting import percent
from cnnctl.runs import Run, find_run
from cnnctl.runs.find import runs_in
from cnnctl.runs.listing import Listed
from cnnctl.system.files import absolute
from cnnctl.system.packages import insist_on

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, repr=False)
class TrainedRun(Shown):
    """A run directory that a training has written, at an absolute `path`.

    What it holds is read whenever it is asked for, with a RunError, which names the command that makes it, where the
    run lacks the file.
    """

    path: Path

    @property
    def config(self) -> Config:
        """The resolved config."""
        return self._run.read_config()

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
        rows = self._run.read_rows(self._run.need(self._run.history), ("epoch",))
        return [{name: int(text) if name == "epoch" else float(text) for name, text in row.items()} for row in rows]

    @property
    def best_epoch(self) -> int:
        """From 1, whose weights the models have."""
        self._run.need(self._run.environment)
        return int(self._run.read_environment()["best_epoch"])

    @property
    def plots(self) -> Mapping[str, Path]:
        """The pictures, each a PNG file, by names such as `curves` and `confusion_matrix`."""
        return {path.stem: path for path in self._run.plot_files()}

    def history_frame(self) -> "pd.DataFrame":
        """The history as a pandas DataFrame, its index the epochs."""
        insist_on("pandas")
        import pandas as pd

        return pd.DataFrame(self.history).set_index("epoch")

    def _show(self) -> None:
        from cnnctl.terminal.training import print_run

        print_run(self._run)

    def _pictures(self) -> Iterable[Picture]:
        return plots_of(self._run, self._run.plots, ("curves", "confusion_matrix_normalised"))

    def __repr__(self) -> str:
        metrics = self._run.read_metrics()
        evaluated = f"{metrics['split']} accuracy {percent(metrics['accuracy'])}" if metrics else "not evaluated yet"
        return f"<TrainedRun {self.path}: {evaluated}>"

    __str__ = __repr__

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

    Example: `open_run("runs/photos/best").accuracy`
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


@dataclass(frozen=True)
class ListedRun:
    """A run at a glance.

    Attributes:
        run: The run.
        status: `complete`, `in training`, `unfinished` or `damaged`.
        reason: What is damaged.
        date: When it was finished; while it is not, when an epoch was last done.
        epochs: How many are done.
        planned_epochs: How many its config wants.
        accuracy: That of its evaluation; while there is none, the best of its epochs.
        split: The images that it was evaluated on: `train`, `validation` or `test`.
        is_latest: Whether commands and functions take it where no run is named.
    """

    run: TrainedRun
    status: str
    reason: str | None
    date: datetime
    epochs: int | None
    planned_epochs: int | None
    accuracy: float | None
    split: str | None
    is_latest: bool


@dataclass(frozen=True, repr=False)
class RunList(Shown, Sequence[ListedRun]):
    """Runs, the newest first; a sequence of `ListedRun`. Its text is the table of `runs`."""

    folder: Path
    _found: tuple[Listed, ...]
    _latest: Path | None

    @overload
    def __getitem__(self, place: int) -> ListedRun: ...

    @overload
    def __getitem__(self, place: slice) -> Sequence[ListedRun]: ...

    def __getitem__(self, place: int | slice) -> ListedRun | Sequence[ListedRun]:
        return self._listed[place]

    def __len__(self) -> int:
        return len(self._found)

    @property
    def _listed(self) -> tuple[ListedRun, ...]:
        from cnnctl.terminal.found import marks_of

        return tuple(
            ListedRun(
                run=TrainedRun(absolute(one.run.path)),
                status=one.status,
                reason=one.reason,
                date=one.date,
                epochs=one.epochs,
                planned_epochs=one.planned,
                accuracy=one.accuracy,
                split=one.split,
                is_latest=mark,
            )
            for one, mark in zip(self._found, marks_of(self._found, self._latest), strict=True)
        )

    def to_dict(self) -> dict[str, Any]:
        """What `runs --json` prints."""
        from cnnctl.terminal.found import runs_json

        return runs_json(self.folder, self._found, self._latest)

    def _show(self) -> None:
        from cnnctl.terminal.found import print_runs

        print_runs(self.folder, self._found, self._latest, as_json=False)

    def __repr__(self) -> str:
        return f"<RunList of {self.folder}: {len(self):,} run{'' if len(self) == 1 else 's'}>"


def list_runs(folder: str | Path | None = None, *, best: bool = False) -> RunList:
    """The runs in a folder, the newest first, with their status and accuracy.

    Args:
        folder: The folder; `runs` of the current folder when left out.
        best: Only the best complete run of each name.

    Raises:
        RunError: there is no such folder.

    Example: `[one.run.path for one in list_runs("runs/photos") if one.status == "complete"]`
    """
    base, found, latest = runs_in(None if folder is None else Path(folder), best)
    return RunList(base, tuple(found), latest)
