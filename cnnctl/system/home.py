"""The user's folders where they can be written, else one in the temporary directory that nobody else can reach.

In a container HOME is often /nonexistent, read-only, or of a user whom the system does not know.
"""

import os
import stat
import tempfile
from pathlib import Path

_PRIVATE = 0o700


def user_cache() -> Path | None:
    """`cnnctl/` under the user's cache folder: XDG_CACHE_HOME, else the platform's (~/.cache on Linux).

    None where nothing says where the user's home is.
    """
    base = os.environ.get("XDG_CACHE_HOME")
    if base and Path(base).is_absolute():
        return Path(base) / "cnnctl"
    from platformdirs import user_cache_path

    folder = user_cache_path("cnnctl", appauthor=False)
    if not folder.is_absolute():  # old versions take a relative base
        folder = _home() / ".cache" / "cnnctl"
    return folder if folder.is_absolute() else None


def _home() -> Path:
    """The user's home; not absolute where nothing says where it is."""
    return Path(os.path.expanduser("~"))  # noqa: PTH111 - pathlib raises where there is no home


def is_writable(folder: Path) -> bool:
    """Whether a folder can be written into, or made: tried with a file that has no name. Nothing is left behind."""
    try:
        there = next(one for one in (folder, *folder.parents) if os.path.lexists(one))
        with tempfile.TemporaryFile(dir=there):
            return folder.is_absolute()
    except (OSError, StopIteration):  # a read-only disk, a file or a broken link in its way, /proc, a squashed root
        return False


def temporary_folder() -> Path | None:
    """`cnnctl-UID/` in the temporary directory, made where it is not there; None where it would not be ours alone.

    Anybody may have made a folder or a link of that name before: what it holds would be taken for our own.
    """
    try:
        base = Path(tempfile.gettempdir())
        folder = base / f"cnnctl-{os.geteuid()}" if hasattr(os, "geteuid") else base / "cnnctl"
        folder.mkdir(mode=_PRIVATE, exist_ok=True)
        return folder if _is_ours_alone(folder) and is_writable(folder) else None
    except OSError:
        return None


def _is_ours_alone(folder: Path) -> bool:
    found, around = folder.lstat(), folder.parent.stat()
    if not stat.S_ISDIR(found.st_mode):  # a link is none
        return False
    if not hasattr(os, "geteuid"):  # Windows, where each user has a temporary directory
        return True
    others_may_rename = around.st_mode & (stat.S_IWGRP | stat.S_IWOTH) and not around.st_mode & stat.S_ISVTX
    return found.st_uid == os.geteuid() and not stat.S_IMODE(found.st_mode) & 0o077 and not others_may_rename


def lend_folders() -> None:
    """Give Matplotlib and Keras a folder where theirs cannot be written.

    Matplotlib would list all fonts anew and warn; Keras would read /tmp/.keras, which anybody may have filled. Nothing
    that the user has set is changed.
    """
    home = _home()
    caches = Path(os.environ.get("XDG_CACHE_HOME") or home / ".cache")
    configs = Path(os.environ.get("XDG_CONFIG_HOME") or home / ".config")
    needed = {
        "MPLCONFIGDIR": [caches / "matplotlib", configs / "matplotlib"],
        "KERAS_HOME": [home / ".keras"],
    }
    lacking = [
        name for name, folders in needed.items() if name not in os.environ and not all(map(is_writable, folders))
    ]
    folder = temporary_folder() if lacking else None
    if folder is not None:
        for name in lacking:
            os.environ[name] = str(folder / {"MPLCONFIGDIR": "matplotlib", "KERAS_HOME": "keras"}[name])
