"""A plan of learning rates in a table, and as JSON."""

from typing import TYPE_CHECKING, Any

from cnnctl.terminal.render import RIGHT, print_table

if TYPE_CHECKING:
    from cnnctl.config.training import TrainSettings
    from cnnctl.training.schedules import Rates


def title(train: "TrainSettings") -> str:
    """`cosine schedule of sgd`."""
    return f"{train.schedule.kind} schedule of {train.optimizer.kind}"


def to_json(train: "TrainSettings", rates: "Rates", steps: int) -> dict[str, Any]:
    """The form of `schedule --json`."""
    from cnnctl.config.dump import to_plain

    return {
        "schedule": to_plain(train.schedule),
        "optimizer": to_plain(train.optimizer),
        "steps_per_epoch": steps,
        "learning_rates": [float(rate) for rate in rates],
    }


def print_schedule(train: "TrainSettings", rates: "Rates", steps: int) -> None:
    """The rates of each epoch."""
    from cnnctl.config.training import ReduceOnPlateau

    print(f"{title(train)}: {train.epochs} epochs of {steps:,} steps\n")
    rows = []
    for epoch in range(train.epochs):
        part = rates[epoch * steps : (epoch + 1) * steps]
        rows.append((str(epoch + 1), *(f"{rate:.3g}" for rate in (part[0], part[-1], part.max()))))
    print_table(("epoch", "first step", "last step", "highest"), rows, (RIGHT, RIGHT, RIGHT, RIGHT))
    if isinstance(train.schedule, ReduceOnPlateau):
        plateau = train.schedule
        print(f"\ntimes {plateau.factor:g} whenever {plateau.monitor} has not improved for {plateau.patience} epochs")
