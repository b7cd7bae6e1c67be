"""Where cnnctl keeps what it can make again: decoded images and the built-in digits."""

import os
import tempfile
from pathlib import Path

from cnnctl.errors import MachineError


def cache_folder() -> Path:
    """`cnnctl/` under the user's cache folder: XDG_CACHE_HOME, else the platform's (~/.cache on Linux)."""
    base = os.environ.get("XDG_CACHE_HOME")
    if base and Path(base).is_absolute():
        return Path(base) / "cnnctl"
    from platformdirs import user_cache_path

    folder = user_cache_path("cnnctl", appauthor=False)
    return folder if folder.is_absolute() else Path.home() / ".cache" / "cnnctl"  # old versions take a relative base


def make_folder(folder: Path) -> None:
    """Make a folder where there is none.

    Raises:
        MachineError: it cannot be made.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise _cannot_be_written(folder, error) from None


def staging_folder(destination: Path) -> Path:
    """A new folder beside `destination`, to be filled and then renamed to it.

    Raises:
        MachineError: it cannot be made.
    """
    make_folder(destination.parent)
    try:
        return Path(tempfile.mkdtemp(prefix=f".{destination.name}.", dir=destination.parent))
    except OSError as error:
        raise _cannot_be_written(destination.parent, error) from None


def _cannot_be_written(folder: Path, error: OSError) -> MachineError:
    hint = "choose another folder with data.cache: PATH, or set XDG_CACHE_HOME"
    return MachineError(f"{folder} cannot be written: {error.strerror}", hint)
