"""`cnnctl init`."""

from pathlib import Path
from typing import Annotated

import typer

from cnnctl.ready import EXAMPLES

_NAMES = ", ".join(EXAMPLES)

EPILOG = "Example: cnnctl init photos --output photos.yaml\n\nExample: cnnctl init --example digits"


def init_cli(
    data: Annotated[
        str | None,
        typer.Argument(
            metavar="DATA",
            help="Folder or archive with one folder for each class or with train/ and test/, or table of images "
            "(CSV, JSON Lines, Parquet, COCO).",
            show_default=False,
        ),
    ] = None,
    example: Annotated[
        str | None,
        typer.Option("--example", metavar="NAME", help=f"Copy a ready config instead: {_NAMES}.", show_default=False),
    ] = None,
    columns: Annotated[
        str | None,
        typer.Option(
            "--columns",
            metavar="PATH,LABEL",
            help="Columns of a table: file names and labels; default: found by looking.",
            show_default=False,
        ),
    ] = None,
    folder: Annotated[
        Path | None,
        typer.Option(
            "--folder",
            metavar="FOLDER",
            help="Folder that the file names of a table are relative to; default: found by looking.",
            show_default=False,
        ),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            metavar="CONFIG",
            help="Config to write; default: NAME.yaml in the current folder.",
            show_default=False,
        ),
    ] = None,
    folders_are_classes: Annotated[
        bool,
        typer.Option("--folders-are-classes", help="Take folders named like splits, such as train/, for classes."),
    ] = False,
    backbone: Annotated[
        str | None,
        typer.Option(
            "--backbone",
            metavar="NAME",
            help="Pretrained network to begin with (cnnctl weights lists them); default: where it suits the images and "
            "its weights are here.",
            show_default=False,
        ),
    ] = None,
    from_scratch: Annotated[
        bool, typer.Option("--from-scratch", help="Begin with no pretrained network, whatever the images.")
    ] = False,
) -> None:
    """Write a config for your images, with comments that explain it, or copy a ready one."""
    from cnnctl.errors import UsageError
    from cnnctl.init.write import copy_example, write_config
    from cnnctl.system.stderr import captured_stderr
    from cnnctl.terminal.files import print_copied, print_written

    if (data is None) == (example is None):
        what = "either DATA or --example NAME, not both" if data else "DATA, the images that the config is for"
        raise UsageError(f"init needs {what}", f"name a folder of images, or a ready config: --example {_NAMES}")
    names = _two_columns(columns)
    if example is not None:
        if names or folder:
            raise UsageError("--columns and --folder are for a CSV file, not for --example", "leave them out")
        if backbone or from_scratch:
            raise UsageError("--backbone and --from-scratch are for DATA, not for --example", "leave them out")
        print_copied(*copy_example(example, output))
    elif data is not None:
        with captured_stderr():
            written = write_config(data, output, names, folder, folders_are_classes, backbone, from_scratch)
        print_written(*written)


def _two_columns(text: str | None) -> tuple[str, str] | None:
    """`filename,label` as two names; one with a comma is in double quotes, as in a CSV."""
    import csv

    from cnnctl.errors import UsageError

    if text is None:
        return None
    names = [name.strip() for name in next(csv.reader([text]), [])]
    if len(names) != 2 or not all(names) or names[0] == names[1]:
        raise UsageError(
            f"--columns is two names, PATH,LABEL; received: {text}", "for example --columns filename,label"
        )
    return names[0], names[1]
