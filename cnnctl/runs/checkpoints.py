"""Checkpoints: what a resume needs, committed at the ends of epochs; the last two are kept.

A checkpoint is a .npz, checkpoints/epoch-0003.npz after three epochs: `state.json` with plain values, and arrays in
groups, `model/0`, `model/1`, ... It holds no pickle. It is written aside, flushed to the disk and renamed.
"""

import io
import json
import os
import re
import zipfile
import zlib
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cnnctl.errors import RunError
from cnnctl.runs.directory import Run
from cnnctl.system.zip import read_member

KEPT = 2
_STATE = "state.json"
_NAME = re.compile(r"epoch-(\d+)\.npz")
_DAMAGE = (
    OSError,
    ValueError,
    TypeError,
    LookupError,
    EOFError,
    MemoryError,
    RuntimeError,
    zipfile.BadZipFile,
    zlib.error,
)
"""What zipfile, json and numpy raise over a damaged file."""

Arrays = Sequence[NDArray[Any]]


@dataclass(frozen=True)
class Checkpoint:
    """Everything that a training is after `epoch` epochs: a state that JSON can hold, and groups of arrays by name."""

    epoch: int
    state: Mapping[str, Any]
    arrays: Mapping[str, Arrays]


def commit(run: Run, checkpoint: Checkpoint) -> None:
    """Write a checkpoint; then those that are older than the one before it are taken away.

    Raises:
        MachineError: it cannot be written; those before are still there.
    """
    with (
        run.replacing(run.checkpoints / f"epoch-{checkpoint.epoch:04}.npz") as file,
        zipfile.ZipFile(file, "w") as archive,
    ):
        counts = {group: len(arrays) for group, arrays in checkpoint.arrays.items()}
        archive.writestr(_STATE, json.dumps({**checkpoint.state, "epoch": checkpoint.epoch, "arrays": counts}))
        for group, arrays in checkpoint.arrays.items():
            for number, array in enumerate(arrays):
                with archive.open(f"{group}/{number}.npy", "w", force_zip64=True) as member:
                    np.lib.format.write_array(member, np.asarray(array), allow_pickle=False)
    for old in _paths(run)[KEPT:]:
        with suppress(OSError):
            run.remove(old)


def newest(run: Run, tell: Callable[[str], None]) -> Checkpoint | None:
    """The last checkpoint that can be read; None if there never was one. `tell` gets a sentence for each damaged one.

    Raises:
        RunError: there are checkpoints and none can be read.
    """
    paths = _paths(run)
    for path in paths:
        try:
            return _read(run, path)
        except _DAMAGE as error:
            tell(f"{path} is damaged ({next(iter(str(error).splitlines()), type(error).__name__)}): skipped")
    if paths:
        hint = f"remove {run.checkpoints} to start again"
        raise RunError(f"none of the checkpoints in {run.checkpoints} can be read", hint)
    return None


def last_epoch(run: Run) -> int:
    """The epoch of the last checkpoint; 0 where there is none."""
    return max((int(match[1]) for name in run.names_in(run.checkpoints) if (match := _NAME.fullmatch(name))), default=0)


def _paths(run: Run) -> list[Path]:
    """The checkpoints of a run, the newest first."""
    found = [match for name in run.names_in(run.checkpoints) if (match := _NAME.fullmatch(name))]
    return [run.checkpoints / one.string for one in sorted(found, key=lambda one: int(one[1]), reverse=True)]


def _read(run: Run, path: Path) -> Checkpoint:
    with run.open(path) as file, zipfile.ZipFile(file) as archive:
        members, most = archive.infolist(), os.fstat(file.fileno()).st_size
        state = json.loads(read_member(archive, _STATE, most))
        groups: dict[str, dict[int, NDArray[Any]]] = {}
        for member in members:
            if member.filename != _STATE:
                group, _, number = member.filename.removesuffix(".npy").partition("/")
                content = io.BytesIO(read_member(archive, member.filename, most))
                groups.setdefault(group, {})[int(number)] = np.load(content, allow_pickle=False)
    counts = {group: int(count) for group, count in state["arrays"].items()}
    arrays = {group: [groups[group][place] for place in range(count)] for group, count in counts.items()}
    return Checkpoint(int(state["epoch"]), state, arrays)
