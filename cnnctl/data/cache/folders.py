"""Where cnnctl keeps what it can make again: decoded images and the built-in digits."""

import stat
import tempfile
from pathlib import Path

from cnnctl.errors import MachineError
from cnnctl.system.home import is_writable, temporary_folder, user_cache
from cnnctl.system.notices import notice

_SHARED = stat.S_ISVTX | stat.S_IWOTH
"""The mode of a folder in which each user may remove only what is theirs."""


def cache_folder() -> Path | None:
    """The user's cache folder, else one in the temporary directory, which is told; else None."""
    user = user_cache()
    if user is not None and is_writable(user):
        return user
    chosen = temporary_folder()
    why = "the user has no home" if user is None else f"{user} cannot be written"
    instead = "without a cache" if chosen is None else f"with {chosen} for a cache"
    notice(f"warning: {why}: going on {instead}; XDG_CACHE_HOME names another folder")
    return chosen


def make_folder(folder: Path) -> None:
    """Make a folder where there is none; in one that all users share, all may write into it too.

    Raises:
        MachineError: it cannot be made.
    """
    try:
        missing = [one for one in (folder, *folder.parents) if not one.exists()]
        folder.mkdir(parents=True, exist_ok=True)
        for one in reversed(missing):
            around = stat.S_IMODE(one.parent.stat().st_mode)
            if around & _SHARED == _SHARED:
                one.chmod(around)
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
