"""`cnnctl explain`."""

from pathlib import Path
from typing import Annotated

import typer

from cnnctl.cli.options import JsonOption, RunOption

EPILOG = "Example: cnnctl explain cat.jpg --run runs/cats-dogs/1 --unit conv2d_1:10,12"


def explain_cli(
    image: Annotated[Path, typer.Argument(metavar="IMAGE", help="Image file to explain.", show_default=False)],
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
            help="Unit whose receptive field is drawn; default: the one that contributes most to the prediction.",
            show_default=False,
        ),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Show what a network sees in an image: Grad-CAM, kernels, feature maps and a receptive field."""
    from cnnctl.errors import UsageError
    from cnnctl.explaining.activation_maps import METHODS
    from cnnctl.explaining.explain import ExplainRequest, parse_unit
    from cnnctl.explaining.folder import check_folder, default_folder, explain_into
    from cnnctl.models.of_run import run_plan
    from cnnctl.runs import find_run
    from cnnctl.system.stderr import captured_stderr
    from cnnctl.terminal.files import print_explanation

    if method not in METHODS:
        raise UsageError(f"there is no method {method}", f"methods are {', '.join(METHODS)}")
    folder = output or Path(default_folder(image))
    check_folder(folder)
    found = find_run(run)
    wish = ExplainRequest(top, method, None if unit is None else parse_unit(unit, run_plan(found)))
    with captured_stderr():
        explained = explain_into(folder, found, image, wish)
    print_explanation(explained, as_json)
