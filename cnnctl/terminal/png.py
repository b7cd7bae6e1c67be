"""Pictures that a command writes where the user says."""

import os
from collections.abc import Iterable
from pathlib import Path

from cnnctl.formatting import printable


def check_png(path: Path, option: str, sources: Iterable[str | Path] = ()) -> None:
    """Refuse a place for a picture before any work is done.

    `option` names the place, and `sources` are the files that the picture is made from.

    Raises:
        UsageError: the name does not end in .png, or is one of the sources.
        MachineError: no file can have that name.
    """
    from cnnctl.errors import MachineError, UsageError

    shown = printable(str(path))
    if path.suffix.lower() != ".png":
        raise UsageError(f"the picture is a PNG file; received: {option} {shown}", "use the ending .png")
    try:
        if path.is_file():
            place = path.stat()
            for source in sources:
                if Path(source).exists() and os.path.samestat(place, Path(source).stat()):
                    raise UsageError(f"the picture would overwrite {shown}, which it is made from", _hint(option))
    except OSError as error:
        raise MachineError(f"{shown} cannot be written: {error.strerror}", _hint(option)) from None


def save_png(path: Path, content: bytes, option: str) -> None:
    """Write a picture; a regular file that was there before is replaced as a whole.

    Raises:
        MachineError: it cannot be written.
    """
    from cnnctl.errors import MachineError
    from cnnctl.system.outputs import write_output

    try:
        write_output(path, content)
    except MachineError as error:
        raise MachineError(error.message, _hint(option)) from None


def _hint(option: str) -> str:
    return f"choose another file with {option} PNG"
