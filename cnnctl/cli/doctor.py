"""`cnnctl doctor`."""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from cnnctl.cli.options import JsonOption, RunOption, SetOption, find_and_tell, two_runs

EPILOG = (
    "Example: cnnctl doctor runs/photos/1\n\n"
    "Then, with actions in fixes.csv: cnnctl doctor runs/photos/1 --apply doctor/photos/1/fixes.csv"
)


def doctor_cli(
    source: Annotated[
        Path | None,
        typer.Argument(
            metavar="[CONFIG|RUN]",
            help="Config (YAML; - for stdin), or a run, whose network tells more; default: the latest run.",
            show_default=False,
        ),
    ] = None,
    run: RunOption = None,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            metavar="DIR",
            help="New or empty folder to write into; default: the next number in doctor/NAME/, or with --apply the "
            "folder of the CSV.",
            show_default=False,
        ),
    ] = None,
    apply: Annotated[
        Path | None,
        typer.Option(
            "--apply",
            metavar="FIXES.csv",
            help="Write a new data CSV with the actions of this file (keep, drop, relabel); nothing else is changed.",
            show_default=False,
        ),
    ] = None,
    predictions: Annotated[
        Path | None,
        typer.Option(
            "--predictions",
            metavar="CSV",
            help="Judge labels by the predictions.csv of cross-validate, whose networks have not seen the images.",
            show_default=False,
        ),
    ] = None,
    with_images: Annotated[
        bool,
        typer.Option(
            "--with-images",
            help="Show the images that a run names, wherever they are; default: only of your own runs, and only those "
            "that they were trained on, from the data folders of the config.",
        ),
    ] = False,
    assignments: SetOption = None,
    as_json: JsonOption = False,
) -> None:
    """Look for mistakes in images and labels: near-duplicates, wrong labels, images unlike all others, blur."""
    from cnnctl.examining.subject import find_subject

    if run is not None and source is not None and run != source:
        raise two_runs(source, run)
    if source is None:
        source = find_and_tell(run).path
    if apply is not None:
        from cnnctl.errors import UsageError

        if predictions is not None or with_images:
            raise UsageError("--apply goes with --output and --set alone", "leave --predictions and --with-images out")
        _apply(source, apply, output, assignments or (), as_json)
        return
    from cnnctl.examining.doctor import look_at
    from cnnctl.terminal.doctor import print_examined
    from cnnctl.terminal.render import print_json, remark
    from cnnctl.terminal.watch import captured_watcher

    with captured_watcher() as watcher:
        subject = find_subject(source, assignments or ())
        examined = look_at(subject, str(source), output, predictions, with_images, watcher.progress)
    if examined.withheld:
        remark(f"warning: {examined.withheld}\n  hint: --with-images shows them")
    if as_json:
        print_json(examined.to_json())
    else:
        print_examined(examined, str(source))


def _apply(source: Path, fixes: Path, output: Path | None, assignments: Sequence[str], as_json: bool) -> None:
    from cnnctl.examining.fixes import apply_fixes
    from cnnctl.examining.subject import data_of
    from cnnctl.terminal.doctor import applied_json, print_applied
    from cnnctl.terminal.render import print_json

    data = data_of(source, assignments)
    applied = apply_fixes(data, fixes, output or fixes.parent)
    if as_json:
        print_json(applied_json(applied))
    else:
        print_applied(applied, data)
