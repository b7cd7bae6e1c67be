"""`cnnctl export`."""

from pathlib import Path
from typing import Annotated

import typer

from cnnctl.cli.options import JsonOption, RunOptions
from cnnctl.exporting.formats import MAX_ACCURACY_DROP

EPILOG = "Example: cnnctl export runs/digits/1 --format litert --quantize int8"


def export_cli(
    run: RunOptions,
    form: Annotated[
        str,
        typer.Option(
            "--format",
            help="Format: onnx (servers), litert (phones, small boards), openvino (Intel) or savedmodel (TensorFlow).",
        ),
    ] = "onnx",
    quantize: Annotated[
        str | None,
        typer.Option(
            "--quantize",
            metavar="float16|int8",
            help="Number type: float16 halves the file; int8 quarters it and is faster. Not for savedmodel.",
            show_default=False,
        ),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            metavar="PATH",
            help="File to write; default: named after the run, in the current folder.",
            show_default=False,
        ),
    ] = None,
    max_drop: Annotated[
        float | None,
        typer.Option(
            "--max-accuracy-drop",
            metavar="POINTS",
            min=0,
            max=100,
            help=f"Percentage points of accuracy that int8 may lose; default: {MAX_ACCURACY_DROP:g}.",
            show_default=False,
        ),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Write the model of a run for another runtime and check there that it gives the same predictions."""
    from cnnctl.exporting.export import export, parse_wish
    from cnnctl.terminal.files import print_exported
    from cnnctl.terminal.render import print_json
    from cnnctl.terminal.watch import captured_watcher

    wish = parse_wish(form, quantize, output, max_drop)
    found = run.find()
    with captured_watcher() as watcher:
        exported = export(found, wish, watcher)
    if as_json:
        print_json(exported.content)
    else:
        print_exported(exported)
