"""`cnnctl explain`."""

from pathlib import Path
from typing import Annotated

import typer

from cnnctl.cli.options import JsonOption, RunArgument, RunOption, find_and_tell, two_runs

EPILOG = (
    "Example: cnnctl explain runs/cats-dogs/1 cat.jpg --unit conv2d_1:10,12\n\n"
    "Example: cnnctl explain cat.jpg --numbers --unit conv2d:0,3,12"
)


def explain_cli(
    named: RunArgument = None,
    image: Annotated[
        Path | None, typer.Argument(metavar="IMAGE", help="Image file to explain.", show_default=False)
    ] = None,
    run: RunOption = None,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output", metavar="DIR", help="Folder to write; default: FOLDER-IMAGE-explained.", show_default=False
        ),
    ] = None,
    top: Annotated[
        int, typer.Option("--top", metavar="K", min=1, max=10, help="Number of classes that get a map.")
    ] = 3,
    method: Annotated[
        str,
        typer.Option(
            "--method", help="grad-cam, or hires-cam, which is more faithful where a flatten follows the convolutions."
        ),
    ] = "grad-cam",
    unit: Annotated[
        str | None,
        typer.Option(
            "--unit",
            metavar="LAYER:ROW,COLUMN",
            help="Unit whose receptive field is drawn; default: the one that contributes most to the prediction. With "
            "--numbers, the unit whose arithmetic is printed, also as LAYER:ROW,COLUMN,CHANNEL or LAYER:UNIT; default: "
            "the strongest of the first layer.",
            show_default=False,
        ),
    ] = None,
    numbers: Annotated[
        bool,
        typer.Option("--numbers", help="Print the arithmetic instead of drawing; with --output, do both."),
    ] = False,
    label: Annotated[
        str | None,
        typer.Option(
            "--label",
            metavar="CLASS",
            help="With --numbers: the true class; default: the name of the image's folder, or the prediction.",
            show_default=False,
        ),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Show what a network sees in an image: Grad-CAM, kernels, feature maps and a receptive field.

    With --numbers: the arithmetic of one unit, of the output and of one step of gradient descent.
    """
    from cnnctl.errors import UsageError
    from cnnctl.explaining.activation_maps import insist_on_method
    from cnnctl.explaining.explain import ExplainRequest, parse_place, parse_unit
    from cnnctl.explaining.folder import check_folder, default_folder, explain_into
    from cnnctl.models.of_run import run_plan
    from cnnctl.system.stderr import captured_stderr
    from cnnctl.terminal.files import explanation_json, print_explanation
    from cnnctl.terminal.numbers import print_numbers
    from cnnctl.terminal.numbers_json import numbers_json
    from cnnctl.terminal.render import print_json

    insist_on_method(method)
    if label is not None and not numbers:
        raise UsageError("--label needs --numbers", "add --numbers")
    image, run = _image_and_run([word for word in (named, image) if word is not None], run)
    folder = output or Path(default_folder(image))
    draws = output is not None or not numbers
    if draws:
        check_folder(folder)
    found = find_and_tell(run)
    plan = None if unit is None else run_plan(found)
    place = None if plan is None or unit is None or not numbers else parse_place(unit, plan)
    seen = None if plan is None or unit is None or not draws else parse_unit(unit, plan)
    counted, explained = None, None
    with captured_stderr():
        if numbers:
            from cnnctl.explaining.numbers import numbers_of_run

            counted = numbers_of_run(found, image, place, label)
        if draws:
            explained = explain_into(folder, found, image, ExplainRequest(top, method, seen))

    if as_json:
        drawn = {} if explained is None else explanation_json(explained)
        print_json(drawn | ({} if counted is None else numbers_json(counted)))
        return
    if counted is not None:
        print_numbers(counted)
    if explained is not None:
        print_explanation(explained, after_numbers=counted is not None)


def _image_and_run(words: list[Path], run: Path | None) -> tuple[Path, Path | None]:
    """The image of a command line and its run, which may stand before the image, or after it.

    Raises:
        UsageError: there is no image, or there are several, or two runs.
    """
    from cnnctl.errors import UsageError
    from cnnctl.runs.find import names_run
    from cnnctl.system import files

    if not words:
        raise UsageError("expected the image to explain", "for example: cnnctl explain cat.jpg")
    if len(words) == 1:
        if names_run(str(words[0])):
            raise UsageError(
                f"{words[0]} is a run, and the image is missing", f"for example: cnnctl explain {words[0]} cat.jpg"
            )
        return words[0], run
    named, image = words
    if files.is_file(named) and not files.is_file(image):
        named, image = image, named
    if files.is_file(named):
        raise UsageError("expected one image, and a run before it", "explain the images one by one")
    if run is not None and run != named:
        raise two_runs(named, run)
    return image, named
