"""`cnnctl schedule`."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cnnctl.cli.options import ConfigArgument, JsonOption, SetOption

if TYPE_CHECKING:
    from cnnctl.config import Config
    from cnnctl.training.schedules import Rates

EPILOG = (
    "Example: cnnctl init --example cifar10\n\n"
    "Then: cnnctl schedule cifar10.yaml --set train.schedule=cosine --images 45000 --plot rates.png"
)


def schedule_cli(
    config: ConfigArgument,
    images: Annotated[
        int | None,
        typer.Option(
            "--images", min=1, help="Number of training images; default: counted in the data.", show_default=False
        ),
    ] = None,
    plot: Annotated[
        Path | None,
        typer.Option("--plot", metavar="PNG", help="Draw the learning rates into this file.", show_default=False),
    ] = None,
    assignments: SetOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show the learning rate of each epoch before training."""
    from cnnctl.config import load
    from cnnctl.data.batches import count_batches
    from cnnctl.terminal.training import print_schedule
    from cnnctl.training.schedules import planned_rates

    resolved = load(config, assignments or ())
    train = resolved.train
    steps = count_batches(images or _count_images(resolved), train.batch_size)
    rates = planned_rates(train, steps)
    if plot is not None:
        _draw(resolved, rates, steps, plot)
    print_schedule(train, rates, steps, as_json)


def _count_images(config: "Config") -> int:
    from cnnctl.data.catalog import make_catalog
    from cnnctl.errors import DataError

    try:
        catalog = make_catalog(config.data, config.seed, config.output.multi_label is not None)
    except DataError as error:
        raise DataError(error.message, "say how many training images there will be: --images 45000") from None
    return int((catalog.frame.split == "train").sum())


def _draw(config: "Config", rates: "Rates", steps: int, path: Path) -> None:
    from cnnctl.evaluation.plots.curves import learning_rate_png
    from cnnctl.terminal.png import save_png
    from cnnctl.terminal.training import schedule_title

    save_png(path, learning_rate_png(rates, steps, f"{config.name}: {schedule_title(config.train)}"), "--plot")
