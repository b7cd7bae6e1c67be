"""Which pictures an evaluation and a training leave behind."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from cnnctl.evaluation.calibration import calibration
from cnnctl.evaluation.plots.classes import confusion_figure, f1_figure
from cnnctl.evaluation.plots.curves import curves_figure, history_of
from cnnctl.evaluation.plots.labels import precision_recall_of_labels_figure
from cnnctl.evaluation.plots.mistakes import mistakes_figure
from cnnctl.evaluation.plots.probabilities import (
    has_thresholds,
    precision_recall_figure,
    reliability_figure,
    roc_figure,
)
from cnnctl.evaluation.score import ScoredSplit
from cnnctl.pictures import style
from cnnctl.runs import Run


def write_plots(run: Run, folder: Path, scored: ScoredSplit) -> None:
    """Every picture of an evaluation, into a folder of a run.

    Raises:
        DiskError: it cannot be written.
    """
    title, metrics = scored.title, scored.metrics
    several = scored.several
    figures: dict[str, Callable[[], Any]] = {
        "f1": lambda: f1_figure(metrics, title),
        "reliability": lambda: reliability_figure(
            calibration(scored.probabilities, scored.truth), title, several is not None
        ),
        "mistakes": lambda: mistakes_figure(scored),
    }
    if several is not None:
        figures["precision_recall"] = lambda: precision_recall_of_labels_figure(scored)
    else:
        figures["confusion_matrix"] = lambda: confusion_figure(metrics, title, normalised=False)
        figures["confusion_matrix_normalised"] = lambda: confusion_figure(metrics, title, normalised=True)
    if has_thresholds(scored):
        figures["roc"] = lambda: roc_figure(scored)
        figures["precision_recall"] = lambda: precision_recall_figure(scored)
    with style.drawing():
        for name, figure in figures.items():
            run.write_bytes(folder / f"{name}.png", style.png(figure()))


def write_curves(run: Run, best_epoch: int, planned: int) -> None:
    """plots/curves.png of a run, from its history.csv; `best_epoch` is from 1, `planned` epochs were to be trained.

    Raises:
        DiskError: it cannot be written.
    """
    history = history_of(run.read_rows(run.need(run.history), ("epoch",)), best_epoch, planned)
    with style.drawing():
        run.write_bytes(run.plots / "curves.png", style.png(curves_figure(history, run.title)))
