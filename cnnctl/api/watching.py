"""Who watches what the API does: nobody, the screen as the command has it, or the caller's own watcher."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TextIO

from cnnctl.system.watcher import NullProgress, Watcher


@contextmanager
def watching(progress: bool | Watcher, stream: TextIO) -> Iterator[Watcher]:
    """The watcher of a block.

    Args:
        progress: False for nobody, True for what the command prints, or a watcher.
        stream: Where that is printed.
    """
    if not isinstance(progress, bool):
        yield progress
    elif not progress:
        yield NullProgress()
    else:
        from cnnctl.terminal.watch import make_watcher

        watcher = make_watcher(stream)
        try:
            yield watcher
        finally:
            watcher.close()
