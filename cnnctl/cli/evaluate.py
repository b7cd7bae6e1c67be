"""`cnnctl evaluate`."""

import sys
from typing import TYPE_CHECKING, Annotated, TextIO

import typer

from cnnctl.cli.app import guarded
from cnnctl.cli.options import JsonOption, RunOption
from cnnctl.cli.render import LEFT, RIGHT, print_json, print_table, printable
from cnnctl.words import percent

if TYPE_CHECKING:
    from cnnctl.evaluation.evaluate import Evaluation
    from cnnctl.evaluation.metrics import Metrics

_LARGEST_MATRIX = 12


def register(app: typer.Typer) -> None:
    """Add the command to the application."""
    epilog = "Example: cnnctl evaluate --run runs/digits/1 --data new_photos"
    app.command("evaluate", epilog=epilog)(guarded(evaluate_cli))


def evaluate_cli(
    run: RunOption = None,
    data: Annotated[
        str | None,
        typer.Option(
            "--data", metavar="PATH", help="Labelled images that the run has never seen: class folders or a CSV."
        ),
    ] = None,
    split: Annotated[
        str | None, typer.Option("--split", help="train, validation or test; test when left out, else validation.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Judge a run: loss, accuracy, metrics of each class, confusion matrix."""
    from cnnctl.cli.watch import counting, make_watcher
    from cnnctl.evaluation.evaluate import evaluate
    from cnnctl.quiet import captured_stderr
    from cnnctl.runs import find_run

    found = find_run(run)
    with captured_stderr() as capture:
        watcher = make_watcher(capture.terminal)
        try:
            evaluation = evaluate(found, data, split, counting(watcher, "evaluating"))
        finally:
            watcher.close()
    if as_json:
        print_json(evaluation.content)
    else:
        print_evaluation(evaluation)
        print(f"\npredictions and plots are in {evaluation.folder}", file=sys.stderr)


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
