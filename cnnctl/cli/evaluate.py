"""`cnnctl evaluate`."""

from typing import Annotated

import typer

from cnnctl.cli.options import FolderOption, JsonOption, RunOptions

EPILOG = "Example: cnnctl evaluate --run runs/digits/1 --data new_photos"


def evaluate_cli(
    run: RunOptions,
    data: Annotated[
        str | None,
        typer.Option(
            "--data", metavar="PATH", help="Labelled images that the run was not trained on: class folders or a CSV."
        ),
    ] = None,
    split: Annotated[
        str | None,
        typer.Option(
            "--split",
            help="Split of the run: train, validation or test; default: test, or validation without a test split.",
        ),
    ] = None,
    folder: FolderOption = None,
    as_json: JsonOption = False,
) -> None:
    """Evaluate a run: loss, accuracy, metrics of each class, confusion matrix."""
    from cnnctl.data.listing import describe_left_out
    from cnnctl.evaluation.evaluate import evaluate
    from cnnctl.formatting import printable
    from cnnctl.terminal.render import print_json, remark
    from cnnctl.terminal.training import print_evaluation
    from cnnctl.terminal.watch import captured_watcher, counting

    found = run.find()
    with captured_watcher() as watcher:
        place = None if folder is None else str(folder.absolute())
        evaluation = evaluate(found, data, split, counting(watcher, "evaluating"), place)
    left_out = describe_left_out(evaluation.left_out)
    if left_out:
        remark(left_out)
    for notice in evaluation.notices:
        remark(f"warning: {printable(notice.message)}\n  hint: {printable(notice.hint)}")
    if as_json:
        print_json(evaluation.content)
    else:
        print_evaluation(evaluation)
        remark(f"\npredictions and plots are in {printable(str(evaluation.folder))}")
