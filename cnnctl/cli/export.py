"""`cnnctl export`."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cnnctl.cli.app import guarded
from cnnctl.cli.options import JsonOption
from cnnctl.exporting.formats import MAX_ACCURACY_DROP
from cnnctl.formatting import percent, size
from cnnctl.terminal.render import LEFT, print_json, print_table, printable

if TYPE_CHECKING:
    from cnnctl.exporting.export import Exported


def register(app: typer.Typer) -> None:
    """Add the command to the application."""
    epilog = "Example: cnnctl export runs/digits/1 --format litert --quantize int8"
    app.command("export", epilog=epilog)(guarded(export_cli))


def export_cli(
    run: Annotated[
        Path | None,
        typer.Argument(metavar="[RUN]", help="A run directory; runs/latest when left out.", show_default=False),
    ] = None,
    form: Annotated[
        str,
        typer.Option("--format", help="onnx (servers), litert (phones, small boards) or savedmodel (TensorFlow)."),
    ] = "onnx",
    quantize: Annotated[
        str | None,
        typer.Option(
            "--quantize",
            metavar="float16|int8",
            help="float16 halves the file, int8 takes a quarter and is faster; not for savedmodel.",
            show_default=False,
        ),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output", metavar="PATH", help="Left out: named after the run, in this folder.", show_default=False
        ),
    ] = None,
    max_drop: Annotated[
        float | None,
        typer.Option(
            "--max-accuracy-drop",
            metavar="POINTS",
            min=0,
            max=100,
            help=f"Percentage points of accuracy that int8 may cost; {MAX_ACCURACY_DROP:g} when left out.",
            show_default=False,
        ),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Write a run's model for another runtime, and prove there that it gives the same answers."""
    from cnnctl.exporting.export import export, parse_wish
    from cnnctl.runs import find_run
    from cnnctl.system.stderr import captured_stderr
    from cnnctl.terminal.watch import make_watcher

    wish = parse_wish(form, quantize, output, max_drop)
    found = find_run(run)
    with captured_stderr() as capture:
        watcher = make_watcher(capture.terminal)
        try:
            exported = export(found, wish, watcher)
        finally:
            watcher.close()
    if as_json:
        print_json(exported.content)
    else:
        _print(exported)


def _print(exported: "Exported") -> None:
    parity = exported.parity
    rows = [
        ("compared with", parity.reference),
        ("images", f"{parity.images:,}"),
        ("largest difference in probability", f"{parity.largest_difference:.2g}"),
        ("equal answers", percent(parity.equal_answers, 2)),
        (f"accuracy of {parity.reference}", percent(parity.reference_accuracy, 2)),
        ("accuracy of the exported file", percent(parity.accuracy, 2)),
        ("change", f"{100 * parity.accuracy_change:+.2f} points"),
    ]
    print_table((f"parity, {parity.split} images", ""), rows, (LEFT, LEFT))
    name = printable(str(exported.path))
    print(f"\nwritten: {name}, {size(exported.size)}\nwritten: {name}.json, which says how to use it")
