"""`cnnctl summary`."""

from pathlib import Path
from typing import Annotated

import typer

from cnnctl.cli.options import JsonOption, RunOption, SetOption, two_runs

EPILOG = (
    "Example: cnnctl init --example lenet5\n\nThen: cnnctl summary lenet5.yaml --formulas\n\n"
    "Or: cnnctl summary lenet5.yaml --plot lenet5.png"
)


def summary_cli(
    source: Annotated[
        Path | None,
        typer.Argument(
            metavar="[CONFIG|RUN|MODEL.keras]",
            help="Config (- for stdin), run or .keras file; default: the only config in the folder, else the "
            "latest run.",
        ),
    ] = None,
    run: RunOption = None,
    assignments: SetOption = None,
    formulas: Annotated[bool, typer.Option("--formulas", help="Show the formulas with their numbers.")] = False,
    expand: Annotated[bool, typer.Option("--expand", help="List the layers inside a backbone.")] = False,
    plot: Annotated[
        Path | None,
        typer.Option("--plot", metavar="PNG", help="Draw the network to scale into this file.", show_default=False),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Show the output shape, parameters and cost of every layer before training."""
    from cnnctl.network_source import find_subject, subject_of_run
    from cnnctl.terminal.render import print_json
    from cnnctl.terminal.summary import print_summary, to_json

    if run is not None and source is not None and run != source:
        raise two_runs(source, run)
    if plot is not None:
        from cnnctl.terminal.png import check_png

        check_png(plot, "--plot", [] if source is None else [source])
    subject = find_subject(source, assignments or []) if run is None else subject_of_run(run)
    if plot is not None:
        from cnnctl.pictures import style
        from cnnctl.pictures.network import network_figure
        from cnnctl.terminal.png import save_png

        with style.drawing():
            save_png(plot, style.png(network_figure(subject.plan, subject.name)), "--plot")
    if as_json:
        print_json(to_json(subject, formulas, expand))
    else:
        print_summary(subject, formulas, expand=expand)
