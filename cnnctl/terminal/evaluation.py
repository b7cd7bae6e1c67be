"""The figures of an evaluation as tables."""

from typing import TYPE_CHECKING, TextIO

from cnnctl.formatting import printable
from cnnctl.terminal.render import LEFT, RIGHT, print_table

if TYPE_CHECKING:
    from cnnctl.evaluation.evaluate import Evaluation
    from cnnctl.evaluation.metrics import Metrics

_LARGEST_MATRIX = 12


def print_evaluation(evaluation: "Evaluation", stream: TextIO | None = None) -> None:
    """The figures of an evaluation as tables, on stdout when no other stream is given."""
    from cnnctl.evaluation.metrics import CLASS_METRICS, METRICS

    metrics, figures = evaluation.metrics, evaluation.metrics.figures
    rows = []
    for metric in METRICS:
        if metric.key in figures:
            interval = metric.interval_text(figures)
            beside = f"  (95% interval {interval})" if interval else ""
            rows.append((metric.title, metric.text(figures) + beside))
    print_table((f"{evaluation.split} images", ""), rows, (LEFT, LEFT), stream)

    print(file=stream)
    header = ("class", *(title for _, title, _ in CLASS_METRICS))
    classes = [
        (name, *(format(getattr(one, key), form) for key, _, form in CLASS_METRICS))
        for name, one in zip(metrics.classes, metrics.per_class, strict=True)
    ]
    print_table(header, classes, (LEFT, *(RIGHT for _ in CLASS_METRICS)), stream)
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
