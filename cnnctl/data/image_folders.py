"""The folders in and around that of a table, in which its images may be."""

import os
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path

from cnnctl.data.file_names import is_system_name
from cnnctl.system.files import absolute

MOST_FOLDERS, _DEPTH = 500, 3


def searched(base: Path, here: bool = True) -> Iterator[Iterable[Path]]:
    """Where a table in the folder `base` may have its images, the nearest first; with `here` in the current one too."""
    yield [base]
    yield islice(_below(base), MOST_FOLDERS)
    if here:
        yield [absolute(Path())]
    above = absolute(base).parent
    yield [above]
    yield islice(_subfolders(above), MOST_FOLDERS)


def _below(base: Path) -> Iterator[Path]:
    """The folders below one, level by level."""
    waiting = deque([(base, 1)])
    while waiting:
        parent, depth = waiting.popleft()
        for folder in _subfolders(parent):
            yield folder
            if depth < _DEPTH:
                waiting.append((folder, depth + 1))


def _subfolders(folder: Path) -> Sequence[Path]:
    try:
        with os.scandir(folder) as entries:
            names = [entry.name for entry in entries if not is_system_name(entry.name) and entry.is_dir()]
    except OSError:
        return []
    return [folder / name for name in sorted(names)]
