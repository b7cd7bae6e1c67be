"""Locks that end with their owner, however it ends: flock on a file beside what is locked."""

import os
import stat
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from cnnctl.system.inside import Folder, UnfitFileError, refuse_unfit

try:
    import fcntl
except ImportError:  # Windows: every lock is granted
    fcntl = None  # type: ignore[assignment]

_BETWEEN_TRIES = 0.1  # seconds


class Lock:
    """A lock that is held until `release`, or until the process ends. Processes that we start do not inherit it."""

    def __init__(self, path: Path, descriptor: int) -> None:
        self.path = path
        self._descriptor = descriptor

    def say(self, text: str) -> None:
        """Write into the lock's file, for those who find it taken."""
        with suppress(OSError):
            os.ftruncate(self._descriptor, 0)
            os.write(self._descriptor, text.encode())

    def release(self, remove: bool = False) -> None:
        """Let go; `remove` takes the lock's file away too, if it is still ours."""
        if self._descriptor < 0:
            return
        if remove:
            with suppress(OSError):
                if _is(self._descriptor, self.path):
                    self.path.unlink(missing_ok=True)
        os.close(self._descriptor)
        self._descriptor = -1


def try_lock(path: Path) -> Lock | None:
    """The lock of a file, which is made; None while somebody else has it.

    Where the file system knows no locks, it is granted.

    Raises:
        UnfitFileError: it is a link or something else that is not written into.
        OSError: the file cannot be made.
    """
    folder = Folder(path.parent)
    while True:
        refuse_unfit(path, folder.state(path.name))  # before it is opened, which may do something to a device
        descriptor = folder.open(path.name, os.O_RDWR | os.O_CREAT)
        try:
            _insist_on_own(path, os.fstat(descriptor))
            if fcntl is not None:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            return None
        except UnfitFileError:
            os.close(descriptor)
            raise
        except OSError:
            return Lock(path, descriptor)
        if _is(descriptor, path):
            return Lock(path, descriptor)
        os.close(descriptor)  # its last owner took the file away


def is_held(path: Path) -> bool:
    """Whether somebody has the lock of a file. It is not made, and not taken from those who want it.

    A shared lock is asked for and let go at once: two who ask at the same time do not take each other for the holder.
    Where the file system knows no locks, or the file cannot be read, nobody has it.
    """
    if fcntl is None:
        return False
    try:
        state = path.lstat()
        descriptor = Folder(path.parent).open(path.name, os.O_RDONLY) if stat.S_ISREG(state.st_mode) else None
    except (OSError, UnfitFileError):
        return False
    if descriptor is None:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return False
    finally:
        os.close(descriptor)
    return False


@contextmanager
def locked(path: Path, waiting: Callable[[], None]) -> Iterator[None]:
    """Hold the lock of a file for a block; `waiting` is called once where somebody else has it.

    Raises:
        OSError: the file cannot be made.
    """
    lock = try_lock(path)
    if lock is None:
        waiting()
    while lock is None:
        time.sleep(_BETWEEN_TRIES)
        lock = try_lock(path)
    try:
        yield
    finally:
        lock.release(remove=True)


def _insist_on_own(path: Path, state: os.stat_result) -> None:
    """A lock is written in place: what has a second name would be written there too."""
    refuse_unfit(path, state)
    if state.st_nlink > 1:
        raise UnfitFileError(path, "is the same file as another one (a hard link)")


def _is(descriptor: int, path: Path) -> bool:
    try:
        ours, there = os.fstat(descriptor), path.lstat()
    except FileNotFoundError:
        return False
    return (ours.st_dev, ours.st_ino) == (there.st_dev, there.st_ino)
