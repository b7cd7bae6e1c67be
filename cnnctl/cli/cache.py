"""`cnnctl cache`."""

from pathlib import Path
from typing import Annotated

import typer

from cnnctl.cli.options import JsonOption

_DAY = 24 * 3600.0

EPILOG = "Example: cnnctl cache --clear --older-than 30"


def cache_cli(
    clear: Annotated[bool, typer.Option("--clear", help="Remove the decoded images.")] = False,
    older_than: Annotated[
        float | None,
        typer.Option(
            "--older-than", metavar="DAYS", min=0, help="With --clear: remove only images not used for this many days."
        ),
    ] = None,
    folder: Annotated[
        Path | None,
        typer.Option(
            "--folder", metavar="PATH", help="Cache folder, as in data.cache; default: the user's cache folder."
        ),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Show or remove the decoded images on disk, and what killed runs left of some.

    They are decoded again when they are needed. Removing them costs time, never data.
    """
    from cnnctl.data.cache.entries import images_folder, left_behind, list_entries, remove_entries
    from cnnctl.errors import MachineError, UsageError
    from cnnctl.system.files import absolute
    from cnnctl.terminal.found import print_entries, print_removed

    base = images_folder("auto" if folder is None else str(absolute(folder)))
    if older_than is not None and not clear:
        raise UsageError("--older-than needs --clear", "add --clear")
    if not clear:
        print_entries(base, list_entries(base), left_behind(base), as_json)
        return
    try:
        removed = remove_entries(base, (older_than or 0.0) * _DAY)
    except OSError as error:
        raise MachineError(f"{error.filename or base} cannot be removed: {error.strerror}") from None
    print_removed(base, removed, as_json)
