"""`cnnctl init`."""

from pathlib import Path
from typing import Annotated

import typer

from cnnctl.init.examples import EXAMPLES

_NAMES = ", ".join(EXAMPLES)

EPILOG = "Example: cnnctl init photos --output photos.yaml\n\nExample: cnnctl init --example digits"


def init_cli(
    data: Annotated[
        str | None,
        typer.Argument(
            metavar="DATA",
            help="Folder with one folder for each class, folder with train/ and test/, or CSV file.",
            show_default=False,
        ),
    ] = None,
    example: Annotated[
        str | None,
        typer.Option("--example", metavar="NAME", help=f"Copy a ready config instead: {_NAMES}.", show_default=False),
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
) -> None:
    """Write a config for your images, with comments that explain it, or copy a ready one."""
    from cnnctl.errors import UsageError
    from cnnctl.init.write import copy_example, write_config
    from cnnctl.system.stderr import captured_stderr
    from cnnctl.terminal.files import print_copied, print_written

    if (data is None) == (example is None):
        what = "either DATA or --example NAME, not both" if data else "DATA, the images that the config is for"
        raise UsageError(f"init needs {what}", f"name a folder of images, or a ready config: --example {_NAMES}")
    if example is not None:
        print_copied(*copy_example(example, output))
    elif data is not None:
        with captured_stderr():
            written = write_config(data, output)
        print_written(*written)
