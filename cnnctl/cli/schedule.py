"""`cnnctl schedule`."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cnnctl.cli.app import guarded
from cnnctl.cli.options import ConfigArgument, JsonOption, SetOption
from cnnctl.terminal.render import RIGHT, print_json, print_table

if TYPE_CHECKING:
    from cnnctl.config import Config
    from cnnctl.training.schedules import Rates


def register(app: typer.Typer) -> None:
    """Add the command to the application."""
    epilog = "Example: cnnctl schedule cifar10-strong.yaml --images 45000 --plot rates.png"
    app.command("schedule", epilog=epilog)(guarded(schedule_cli))


def schedule_cli(
    config: ConfigArgument,
    images: Annotated[
        int | None,
        typer.Option("--images", min=1, help="Training images; counted in the data when left out.", show_default=False),
    ] = None,
    plot: Annotated[
        Path | None, typer.Option("--plot", metavar="PNG", help="Draw it into this file.", show_default=False)
    ] = None,
    assignments: SetOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show the plan of learning rates before training."""
    from cnnctl.config import load
    from cnnctl.data.batches import count_batches
    from cnnctl.training.schedules import learning_rates

    settings = load(config, assignments or ())
    train = settings.train
    steps = count_batches(images or _count_images(settings), train.batch_size)
    rates = learning_rates(train.schedule, train.optimizer.learning_rate, train.epochs, steps)
    if plot is not None:
        _draw(settings, rates, steps, plot)
    if as_json:
        print_json(to_json(settings, rates, steps))
    else:
        _print(settings, rates, steps)


def _count_images(settings: "Config") -> int:
    from cnnctl.data.catalog import make_catalog
    from cnnctl.errors import DataError

    try:
        catalog = make_catalog(settings.data, settings.seed)
    except DataError as error:
        raise DataError(error.message, "say how many training images there will be: --images 45000") from None
    return int((catalog.frame.split == "train").sum())


def _draw(settings: "Config", rates: "Rates", steps: int, path: Path) -> None:
    from cnnctl.evaluation.plots.rates import learning_rate_png
    from cnnctl.terminal.png import save_png

    save_png(path, learning_rate_png(rates, steps, f"{settings.name}: {_title(settings)}"), "--plot")


def _title(settings: "Config") -> str:
    return f"{settings.train.schedule.kind} schedule of {settings.train.optimizer.kind}"


def to_json(settings: "Config", rates: "Rates", steps: int) -> dict[str, Any]:
    """The form of `schedule --json`."""
    from cnnctl.config.dump import to_plain

    train = settings.train
    return {
        "schedule": to_plain(train.schedule),
        "optimizer": to_plain(train.optimizer),
        "steps_per_epoch": steps,
        "learning_rates": [float(rate) for rate in rates],
    }


def _print(settings: "Config", rates: "Rates", steps: int) -> None:
    from cnnctl.config.training import ReduceOnPlateau

    train = settings.train
    print(f"{_title(settings)}: {train.epochs} epochs of {steps:,} steps\n")
    rows = []
    for epoch in range(train.epochs):
        part = rates[epoch * steps : (epoch + 1) * steps]
        rows.append((str(epoch + 1), *(f"{rate:.3g}" for rate in (part[0], part[-1], part.max()))))
    print_table(("epoch", "first step", "last step", "highest"), rows, (RIGHT, RIGHT, RIGHT, RIGHT))
    if isinstance(train.schedule, ReduceOnPlateau):
        plateau = train.schedule
        print(f"\ntimes {plateau.factor:g} whenever {plateau.monitor} has not got better for {plateau.patience} epochs")
