"""Models that cnnctl has written or looked through before, by their SHA-256, in the user's cache folder.

A run cannot say by itself that it is ours: a stranger would write the same. So a model that is written here leaves an
empty file in the cache, and one whose operators were looked through leaves another. The cache is a help alone: where it
cannot be written, or others can write it, a model is looked through each time.
"""

import hashlib
import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from cnnctl.data.cache.folders import make_folder
from cnnctl.errors import MachineError
from cnnctl.system.home import is_writable, temporary_folder, user_cache
from cnnctl.system.trust import is_foreign, of_this_user, opened

MADE, CHECKED = "made", "checked"
_FOLDER = "models-1"
"""Its number grows when an operator is taken from the table: what was looked through before says nothing then."""

_MOST = 5000
"""Files, after which those of models that were looked through are taken away."""

_FLAGS = os.O_WRONLY | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_CLOEXEC", 0)


def fingerprint(content: bytes) -> str:
    """What a model is known by."""
    return hashlib.sha256(content).hexdigest()


def is_known(model: str, how: str) -> bool:
    """Whether a model of that fingerprint was written (MADE) or looked through (CHECKED) by this user."""
    name = f"{model}-{how}"
    for base in _bases():
        for folder in dict.fromkeys((_FOLDER, of_this_user(_FOLDER))):
            with opened(base / folder, {name: 0}) as files:
                if files is not None:
                    return True
    return False


def remember(model: str, how: str) -> None:
    """Know a model of that fingerprint again; nothing happens where there is no folder for that."""
    base = next((one for one in _bases() if is_writable(one)), None)
    if base is None:
        return
    with suppress(OSError, MachineError):
        make_folder(base)
        folder = base / (of_this_user(_FOLDER) if is_foreign(base / _FOLDER) else _FOLDER)
        folder.mkdir(mode=0o700, exist_ok=True)
        names = os.listdir(folder)
        if len(names) >= _MOST:
            for name in names:
                if name.endswith(f"-{CHECKED}"):  # what was written here cannot be found out again
                    (folder / name).unlink(missing_ok=True)
        os.close(os.open(folder / f"{model}-{how}", _FLAGS, 0o600))


def _bases() -> Iterator[Path]:
    """The user's cache folder, and after it what stands for one that cannot be written."""
    user = user_cache()
    if user is not None:
        yield user
    if user is None or not is_writable(user):
        other = temporary_folder()
        if other is not None:
            yield other
