"""How a training ended."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from cnnctl.formatting import duration
from cnnctl.terminal.render import LEFT, RIGHT, print_table

if TYPE_CHECKING:
    from cnnctl.training.train import Trained


def print_trained(run: Path, trained: "Trained | None") -> None:
    """The main figures of a training and where its run is; `trained` is None where nothing was left to train."""
    if trained is None:
        print("the run is already complete")
    else:
        _print_result(trained)
    print(f"\nrun   {run}\nnext  cnnctl predict IMAGE")


def _print_result(trained: "Trained") -> None:
    from cnnctl.evaluation.metrics import METRICS

    evaluation, figures = trained.evaluation, trained.evaluation.metrics.figures
    rows = []
    for metric in sorted((one for one in METRICS if one.is_main), key=lambda one: one.better is None):
        interval = metric.interval_text(figures)
        beside = f" ({interval})" if interval else ""
        rows.append((f"{evaluation.split} {metric.title}", metric.text(figures) + beside))
    rows += [
        ("best epoch", f"{trained.record.best_epoch} of {len(trained.record.history)}"),
        ("time", duration(trained.seconds)),
    ]
    print_table(("result", ""), rows, (LEFT, RIGHT))
    if evaluation.split != "test":
        why = "there are no test images: these metrics are of the validation images, which selected the best epoch"
        if evaluation.split == "train":
            why = "there are no test or validation images: these metrics are of the training images"
        print(f"\n{why}")
    if not trained.parity.written:
        difference = trained.parity.largest_difference
        print(f"model.onnx was not written: it differs from model.keras by {difference:.3g}", file=sys.stderr)
