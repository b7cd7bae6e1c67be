"""The figures of an evaluation as tables."""

from typing import TYPE_CHECKING, TextIO

from cnnctl.formatting import percent
from cnnctl.terminal.render import LEFT, RIGHT, print_table, printable

if TYPE_CHECKING:
    from cnnctl.evaluation.evaluate import Evaluation
    from cnnctl.evaluation.metrics import Metrics

_LARGEST_MATRIX = 12


def print_evaluation(evaluation: "Evaluation", stream: TextIO | None = None) -> None:
    """The figures of an evaluation as tables, on stdout when no other stream is given."""
    metrics = evaluation.metrics
    low, high = metrics.accuracy_interval
    rows = [
        ("images", f"{metrics.images:,}"),
        ("accuracy", f"{percent(metrics.accuracy)}  (95% interval {percent(low)} to {percent(high)})"),
        ("loss", f"{metrics.loss:.4f}"),
    ]
    if metrics.top_5_accuracy is not None:
        rows.append(("top-5 accuracy", percent(metrics.top_5_accuracy)))
    if metrics.roc_auc is not None:
        rows.append(("ROC-AUC", f"{metrics.roc_auc:.4f}"))
    rows.append(("expected calibration error", f"{metrics.expected_calibration_error:.4f}"))
    print_table((f"{evaluation.split} images", ""), rows, (LEFT, LEFT), stream)
    print(file=stream)
    classes = [
        (name, f"{one.precision:.3f}", f"{one.recall:.3f}", f"{one.f1:.3f}", f"{one.support:,}")
        for name, one in zip(metrics.classes, metrics.per_class, strict=True)
    ]
    print_table(("class", "precision", "recall", "F1", "support"), classes, (LEFT, RIGHT, RIGHT, RIGHT, RIGHT), stream)
    if len(metrics.classes) <= _LARGEST_MATRIX:
        _print_confusion(metrics, stream)


def _print_confusion(metrics: "Metrics", stream: TextIO | None) -> None:
    print(file=stream)
    names = [printable(name) if len(name) <= 12 else f"{printable(name[:11])}…" for name in metrics.classes]
    rows = [
        (name, *(f"{count:,}" if count else "." for count in row))
        for name, row in zip(names, metrics.confusion_matrix, strict=True)
    ]
    print_table(("true \\ predicted", *names), rows, (LEFT, *(RIGHT for _ in names)), stream)
