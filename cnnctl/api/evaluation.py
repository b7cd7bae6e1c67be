"""`cnnctl.evaluate`."""

import sys
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from cnnctl.api.runs import AnyRun, find
from cnnctl.api.shown import Picture, Shown, plots_of
from cnnctl.data.listing import describe_left_out
from cnnctl.data.split import SPLITS
from cnnctl.evaluation import evaluate as evaluation
from cnnctl.evaluation.metrics import Metrics
from cnnctl.runs import Run
from cnnctl.system.files import absolute
from cnnctl.system.watcher import Watcher
from cnnctl.terminal.watch import watching


@dataclass(frozen=True, repr=False)
class Evaluation(Shown):
    """How good a run is on some images. Its text is the tables of `evaluate`.

    Attributes:
        metrics: Every figure.
        split: `train`, `validation` or `test`; for new data its path.
        folder: Where predictions.csv and the plots lie, absolute.
    """

    metrics: Metrics
    split: str
    folder: Path
    _run: Run = field(repr=False, compare=False)

    @property
    def accuracy(self) -> float:
        """Share of right answers."""
        return self.metrics.accuracy

    @property
    def loss(self) -> float:
        """Mean cross-entropy, in nats."""
        return self.metrics.loss

    def to_dict(self) -> dict[str, Any]:
        """Every figure, in the form of metrics.json."""
        return {"split": self.split, **self.metrics.to_json()}

    def _show(self) -> None:
        from cnnctl.terminal.training import print_evaluation

        print_evaluation(evaluation.Evaluation(self.metrics, self.split, self.folder, {}))

    def _pictures(self) -> Iterable[Picture]:
        names = ("confusion_matrix_normalised", *(["mistakes"] if self._may_show_mistakes() else []))
        return plots_of(self._run, self.folder / "plots", names)

    def _may_show_mistakes(self) -> bool:
        """Whether the images are the user's to show: named by the user, or those that the run was made of.

        A stranger's run could name any image of this machine, which a notebook would carry along.
        """
        from cnnctl.evaluation.report.trust import shows_unknown_images

        if self.split not in SPLITS:
            return True
        is_main = self.folder == self._run.path
        return is_main and not shows_unknown_images(self._run, frozenset(self._run.read_digests()))

    def __repr__(self) -> str:
        return f"<Evaluation of {self.metrics.images:,} {self.split} images: accuracy {self.accuracy:.4f}>"


def evaluate(
    run: AnyRun = None,
    data: str | Path | None = None,
    *,
    split: str | None = None,
    folder: str | Path | None = None,
    progress: bool | Watcher | None = None,
) -> Evaluation:
    """Judge a run by its model.onnx, on images of its own or on new ones; writes what the command writes.

    Args:
        run: A run; the latest of the current folder when left out.
        data: Labelled images that it has never seen: class folders, a CSV, or `digits`.
        split: Of the run's own images: `train`, `validation` or `test`; test, else validation, when left out.
        folder: Where the file names of a CSV are looked up; beside the CSV when left out.
        progress: True prints to stderr how far it is; or a watcher that is told. When
            left out, a notebook shows a bar, and nothing is printed elsewhere.

    Raises:
        RunError: there is no such run, or it has no model.
        UsageError: there is no such split, or a folder is named without a CSV.
        DataError: an image is gone or damaged, or a class is unknown to the run.
        BusyError: another process works on the run.

    Example: `evaluate("runs/photos/1", data="new_photos").accuracy`
    """
    with watching(progress, sys.stderr) as watcher:
        source = None if data is None else str(data)
        place = None if folder is None else str(absolute(Path(folder)))
        judged = Run(absolute(find(run).path))
        found = evaluation.evaluate(judged, source, split, partial(watcher.progress, "evaluating"), place)
        left_out = describe_left_out(found.left_out)
        if left_out:
            watcher.note(left_out)
    return Evaluation(found.metrics, found.split, absolute(found.folder), judged)
