"""`cnnctl summary`."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TextIO

import typer

from cnnctl.cli.app import guarded
from cnnctl.cli.options import JsonOption, SetOption
from cnnctl.cli.render import LEFT, RIGHT, print_json, print_table
from cnnctl.words import size

if TYPE_CHECKING:
    from cnnctl.architecture import LayerPlan
    from cnnctl.subject import Subject


def register(app: typer.Typer) -> None:
    """Add the command to the application."""
    epilog = (
        "Example: cnnctl summary configs/lenet5.yaml --formulas\n\n"
        "Example: cnnctl summary configs/lenet5.yaml --plot lenet5.png"
    )
    app.command("summary", epilog=epilog)(guarded(summary_cli))


def summary_cli(
    source: Annotated[
        Path | None,
        typer.Argument(
            metavar="[CONFIG|RUN|MODEL.keras]", help="The only config in the folder when left out, else the latest run."
        ),
    ] = None,
    assignments: SetOption = None,
    formulas: Annotated[bool, typer.Option("--formulas", help="Show the arithmetic with its numbers.")] = False,
    plot: Annotated[
        Path | None,
        typer.Option("--plot", metavar="PNG", help="Draw the network as volumes to scale.", show_default=False),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Show every layer's output shape, parameters and cost, before anything is trained."""
    from cnnctl.subject import find_subject

    if plot is not None:
        from cnnctl.cli.png import check_png

        check_png(plot, "--plot", [] if source is None else [source])
    subject = find_subject(source, assignments or [])
    if plot is not None:
        _draw(subject, plot)
    if as_json:
        print_json(to_json(subject, formulas))
    else:
        print_summary(subject, formulas)


def _draw(subject: "Subject", path: Path) -> None:
    from cnnctl.cli.png import save_png
    from cnnctl.pictures import style
    from cnnctl.pictures.network import network_figure

    with style.drawing():
        save_png(path, style.png(network_figure(subject.plan, subject.name)), "--plot")


def to_json(subject: "Subject", formulas: bool) -> dict[str, Any]:
    """The form of `summary --json`; shapes are without the batch dimension."""
    from cnnctl.architecture.cost import fully_connected_params, training_bytes, weight_bytes

    plan, train = subject.plan, subject.train
    value: dict[str, Any] = {
        "name": subject.name,
        "input_shape": list(plan.input_shape),
        "layers": [_layer_json(row, formulas) for row in plan.layers],
        "total_params": plan.total_params,
        "trainable_params": plan.trainable_params,
        "non_trainable_params": plan.non_trainable_params,
        "multiply_adds": plan.multiply_adds,
        "weight_bytes": weight_bytes(plan),
        "fully_connected_params": fully_connected_params(plan),
    }
    if train is not None:
        value["batch_size"] = train.batch_size
        value["training_bytes"] = training_bytes(plan, train.batch_size, train.optimizer, train.ema is not None)
    return value


def _layer_json(row: "LayerPlan", with_formulas: bool) -> dict[str, Any]:
    from cnnctl.architecture.formulas import formulas
    from cnnctl.config.dump import to_plain

    plain = to_plain(row.layer)
    value = {
        "name": row.name,
        "type": row.kind,
        "settings": plain[row.kind] if isinstance(plain, dict) else {},
        "input_shape": list(row.input_shape),
        "output_shape": list(row.output_shape),
        "params": row.params,
        "trainable_params": row.trainable_params,
        "non_trainable_params": row.non_trainable_params,
        "multiply_adds": row.multiply_adds,
        "receptive_field": list(row.receptive_field) if row.receptive_field is not None else None,
    }
    return {**value, "formulas": formulas(row)} if with_formulas else value


def print_summary(subject: "Subject", with_formulas: bool, stream: TextIO | None = None) -> None:
    """The table of layers, then the totals, on stdout when no other stream is given."""
    from cnnctl.architecture.describe import settings_text
    from cnnctl.architecture.formulas import formulas
    from cnnctl.architecture.plan import format_shape

    plan = subject.plan
    print(f"{subject.name}: input {format_shape(plan.input_shape)}\n", file=stream)
    fixed = plan.non_trainable_params > 0
    header = ["layer", "type", "settings", "output", "parameters", *(["not trained"] if fixed else [])]
    rows = []
    for row in plan.layers:
        field = "whole image" if row.receptive_field is None else format_shape(row.receptive_field)
        counts = [f"{row.params:,}", *([f"{row.non_trainable_params:,}"] if fixed else [])]
        text = [row.name, row.kind, settings_text(row), format_shape(row.output_shape)]
        rows.append([*text, *counts, f"{row.multiply_adds:,}", field])
    align = [LEFT, LEFT, LEFT, RIGHT, RIGHT, *([RIGHT] if fixed else []), RIGHT, RIGHT]
    print_table([*header, "multiply-adds", "receptive field"], rows, align, stream)
    if with_formulas:
        print(file=stream)
        for row in plan.layers:
            for line in formulas(row):
                print(f"{row.name}  {line}", file=stream)
    print(file=stream)
    _print_totals(subject, stream)


def _print_totals(subject: "Subject", stream: TextIO | None) -> None:
    from cnnctl.architecture.cost import fully_connected_params, training_bytes, weight_bytes

    plan, train = subject.plan, subject.train
    kinds = f"{plan.trainable_params:,} trained, {plan.non_trainable_params:,} not"
    print(f"parameters         {plan.total_params:,} ({kinds})", file=stream)
    print(f"multiply-adds      {plan.multiply_adds:,} an image", file=stream)
    print(f"weights on disk    {size(weight_bytes(plan))}", file=stream)
    if train is not None:
        memory = size(training_bytes(plan, train.batch_size, train.optimizer, train.ema is not None))
        print(f"a training step    about {memory} at batch size {train.batch_size}, in float32", file=stream)
    dense = fully_connected_params(plan)
    if plan.total_params and dense != plan.total_params:
        times = dense / plan.total_params
        print(
            f"fully connected    {dense:,} parameters with the same hidden units, {times:,.0f} times as many",
            file=stream,
        )
