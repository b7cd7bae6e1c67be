"""The plan of learning rates, the result of a training, and the figures of an evaluation."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cnnctl.formatting import duration, percent, printable
from cnnctl.terminal.render import LEFT, RIGHT, print_json, print_table, print_text, say, say_values

if TYPE_CHECKING:
    from cnnctl.config.training import TrainSettings
    from cnnctl.evaluation.evaluate import Evaluation
    from cnnctl.evaluation.metrics import ClassMetrics, Figures, Metrics
    from cnnctl.runs import Run
    from cnnctl.training.schedules import Rates
    from cnnctl.training.train import Trained

_LARGEST_MATRIX = 12


def schedule_title(train: "TrainSettings") -> str:
    """`cosine schedule of sgd`."""
    return f"{train.schedule.kind} schedule of {train.optimizer.kind}"


def print_schedule(train: "TrainSettings", rates: "Rates", steps: int, as_json: bool) -> None:
    """The rates of each epoch of both phases; as JSON, of each step; with --quiet, of the first step of each epoch."""
    first, second = train.epochs * steps, train.second_phase
    if as_json:
        plain = {**_schedule_json(train, rates[:first]), "steps_per_epoch": steps}
        if second is not None:
            plain["fine_tune"] = _schedule_json(second, rates[first:])
        print_json(plain)
        return
    if say_values(*(f"{rate:.6g}" for rate in rates[::steps])):
        return
    _print_phase(train, rates[:first], steps, 0)
    if second is not None:
        say("\nfine_tune")
        _print_phase(second, rates[first:], steps, train.epochs)


def _schedule_json(train: "TrainSettings", rates: "Rates") -> dict[str, Any]:
    from cnnctl.config.dump import to_plain

    plain = {"schedule": to_plain(train.schedule), "optimizer": to_plain(train.optimizer)}
    return {**plain, "learning_rates": [float(rate) for rate in rates]}


def _print_phase(train: "TrainSettings", rates: "Rates", steps: int, before: int) -> None:
    from cnnctl.config.schedules import ReduceOnPlateau

    print_text(f"{schedule_title(train)}: {train.epochs} epochs of {steps:,} steps\n")
    rows = []
    for epoch in range(train.epochs):
        part = rates[epoch * steps : (epoch + 1) * steps]
        rows.append((str(before + epoch + 1), *(f"{rate:.3g}" for rate in (part[0], part[-1], part.max()))))
    print_table(("epoch", "first step", "last step", "highest"), rows, (RIGHT, RIGHT, RIGHT, RIGHT))
    if isinstance(train.schedule, ReduceOnPlateau):
        plateau = train.schedule
        print_text(
            f"\ntimes {plateau.factor:g} whenever {plateau.monitor} has not improved for {plateau.patience} epochs"
        )


def print_trained(run: Path, trained: "Trained | None") -> None:
    """The main figures of a training and where its run is; `trained` is None where nothing was left to train."""
    if trained is not None and not trained.parity.written:
        difference = trained.parity.largest_difference
        print_text(f"model.onnx was not written: it differs from model.keras by {difference:.3g}", sys.stderr)
    if say_values(run):
        return
    if trained is None:
        print("the run is already complete")
    else:
        _print_result(trained)
    trackers = {} if trained is None else trained.trackers
    lines = {"run": printable(str(run)), "next": "cnnctl predict IMAGE", **trackers}
    longest = max(map(len, lines))
    print()
    for name, text in lines.items():
        print(f"{name:{longest}}  {printable(text)}")


def print_run(run: "Run") -> None:
    """A run as a table: how far it is, and where it is complete, its result and what trained it."""
    from cnnctl.errors import RunError
    from cnnctl.evaluation.comparison import figures_of, training_of
    from cnnctl.runs.listing import look

    listed = look(run)
    status = listed.status if listed.reason is None else f"{listed.status}: {listed.reason}"
    rows = [("status", status)]
    try:
        (split, figures), training = figures_of(run), training_of(run)
    except RunError:
        if listed.epochs is not None:
            planned = "" if listed.planned is None else f" of {listed.planned:,}"
            rows.append(("epochs", f"{listed.epochs:,}{planned}"))
        if listed.accuracy is not None:
            rows.append((f"best {listed.split} accuracy", percent(listed.accuracy)))
    else:
        rows += _result_rows(split, figures, training.best_epoch, training.epochs, training.seconds)
        rows += [("device", training.device), ("precision", training.precision)]
    print_table((str(run.path), ""), rows, (LEFT, RIGHT))


def _result_rows(split: str, figures: "Figures", best_epoch: int, epochs: int, seconds: float) -> list[tuple[str, str]]:
    """(name, value) of the main figures and of the training."""
    from cnnctl.evaluation.metrics import METRICS

    rows = []
    for metric in sorted((one for one in METRICS if one.is_main), key=lambda one: one.better is None):
        interval = metric.interval_text(figures)
        beside = f" ({interval})" if interval else ""
        if metric.key in figures:
            rows.append((f"{split} {metric.named(figures)}", metric.text(figures) + beside))
    return [*rows, ("best epoch", f"{best_epoch} of {epochs}"), ("time", duration(seconds))]


def _print_result(trained: "Trained") -> None:
    evaluation, record = trained.evaluation, trained.record
    figures, epochs = evaluation.metrics.figures, len(record.history)
    rows = _result_rows(evaluation.split, figures, record.best_epoch, epochs, trained.seconds)
    print_table(("result", ""), rows, (LEFT, RIGHT))
    if evaluation.split != "test":
        why = "there are no test images: these metrics are of the validation images, which selected the best epoch"
        if evaluation.split == "train":
            why = "there are no test or validation images: these metrics are of the training images"
        print_text(f"\n{why}")


def print_evaluation(evaluation: "Evaluation") -> None:
    """The figures of an evaluation as tables."""
    from cnnctl.evaluation.metrics import CLASS_METRICS, LABEL_METRICS, METRICS
    from cnnctl.evaluation.verdict import verdict

    metrics, figures = evaluation.metrics, evaluation.metrics.figures
    if say_values(f"{metrics.accuracy:.6g}"):
        return
    print_text(f"{verdict({'split': evaluation.split, **metrics.to_json()})}\n")
    rows = []
    for metric in METRICS:
        if metric.key in figures:
            interval = metric.interval_text(figures)
            beside = f"  (95% interval {interval})" if interval else ""
            rows.append((metric.named(figures), metric.text(figures) + beside))
    print_table((f"{evaluation.split} images", ""), rows, (LEFT, LEFT))

    say()
    columns = (*CLASS_METRICS, *(LABEL_METRICS if metrics.several else ()))
    header = ("class", *(title for _, title, _ in columns))
    averages = {key.replace("_", " "): one for key, one in metrics.averages.items()}
    classes = [
        (name, *(_cell(one, key, form) for key, _, form in columns))
        for name, one in (*zip(metrics.classes, metrics.per_class, strict=True), *averages.items())
    ]
    print_table(header, classes, (LEFT, *(RIGHT for _ in columns)), drop=("support",) if metrics.several else ())
    if metrics.confusion_matrix and len(metrics.classes) <= _LARGEST_MATRIX:
        _print_confusion(metrics)
    _print_certainty(metrics)


def _cell(one: "ClassMetrics", key: str, form: str) -> str:
    """A figure of a class; empty where an average, or a class without images, has none."""
    value = getattr(one, key, None)
    return "" if value is None else format(value, form)


def _print_certainty(metrics: "Metrics") -> None:
    """How right the model is where it is sure, and what its prediction sets hold."""
    say()
    rows = [
        (percent(one.threshold, 0), percent(one.share), "-" if one.accuracy is None else percent(one.accuracy))
        for one in metrics.answered
    ]
    print_table(("probability from", "images", "accuracy of these"), rows, (RIGHT, RIGHT, RIGHT))
    if metrics.covered:
        say()
        sets = [(percent(one.coverage, 0), percent(one.reached), f"{one.mean_size:.2f}") for one in metrics.covered]
        print_table(("coverage wanted", "reached", "classes in a set"), sets, (RIGHT, RIGHT, RIGHT))


def _print_confusion(metrics: "Metrics") -> None:
    say()
    names = [printable(name) if len(name) <= 12 else f"{printable(name[:11])}…" for name in metrics.classes]
    rows = [
        (name, *(f"{count:,}" if count else "." for count in row))
        for name, row in zip(names, metrics.confusion_matrix, strict=True)
    ]
    print_table(("true \\ predicted", *names), rows, (LEFT, *(RIGHT for _ in names)))
