"""Checkpoints on disk: whole, the last two, and nothing that is damaged taken for whole."""

import io
import json
import os
import pickle
import zipfile
from pathlib import Path

import numpy as np
import pytest

from cnnctl.errors import RunError
from cnnctl.runs import Run
from cnnctl.runs.checkpoints import Checkpoint, commit, newest

ARRAYS = {
    "model": [np.arange(6, dtype=np.float32).reshape(2, 3), np.array([1, 2], np.uint32), np.float32(0.5)],
    "optimizer": [np.int64(7)],
    "best": [],
}
STATE = {"history": [{"loss": 0.1 + 0.2}], "classes": ["a\udce9", "🐱"]}


def quiet(text: str) -> None:
    """Nobody reads it."""


@pytest.fixture
def run(tmp_path: Path) -> Run:
    made = Run(tmp_path)
    for epoch in (1, 2, 10):
        commit(made, Checkpoint(epoch, STATE, ARRAYS))
    return made


def test_what_is_read_is_what_was_written(run: Run) -> None:
    found = newest(run, quiet)
    assert found is not None
    assert found.epoch == 10
    assert {key: found.state[key] for key in STATE} == STATE
    assert {name: len(arrays) for name, arrays in found.arrays.items()} == {"model": 3, "optimizer": 1, "best": 0}
    for name, arrays in ARRAYS.items():
        for ours, theirs in zip(arrays, found.arrays[name], strict=True):
            assert (ours.dtype, ours.shape, ours.tobytes()) == (theirs.dtype, theirs.shape, theirs.tobytes())


def test_two_are_kept(run: Run) -> None:
    assert sorted(os.listdir(run.checkpoints)) == ["epoch-0002.npz", "epoch-0010.npz"]


def test_there_is_none(tmp_path: Path) -> None:
    assert newest(Run(tmp_path), quiet) is None


def test_numpy_reads_it_without_pickle(run: Run) -> None:
    with np.load(run.checkpoints / "epoch-0010.npz", allow_pickle=False) as archive:
        assert archive["model/0"].tolist() == [[0, 1, 2], [3, 4, 5]]


@pytest.mark.parametrize("share", [0, 0.01, 0.3, 0.5, 0.9, 0.999])
def test_cut_off_it_is_passed_over(run: Run, share: float) -> None:
    last = run.checkpoints / "epoch-0010.npz"
    content = last.read_bytes()
    last.write_bytes(content[: int(share * len(content))])
    told: list[str] = []
    found = newest(run, told.append)
    assert found is not None
    assert found.epoch == 2
    assert len(told) == 1
    assert told[0].startswith(f"{last} is damaged (")


def rewritten(path: Path, change: dict[str, bytes | None]) -> None:
    with zipfile.ZipFile(path) as archive:
        members: dict[str, bytes | None] = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in (members | change).items():
            if content is not None:
                archive.writestr(name, content)


CLAIM = (
    b"\x93NUMPY\x01\x00v\x00"
    + b"{'descr': '<f8', 'fortran_order': False, 'shape': (10000000000000, 1000), }".ljust(118)
)
"""An array of 80 PB."""


class Evil:
    def __reduce__(self) -> tuple[object, ...]:
        return (os.mkdir, ("evil",))


@pytest.mark.parametrize(
    "change",
    [
        {"model/1.npy": None},
        {"state.json": None},
        {"state.json": b"{}"},
        {"state.json": json.dumps({"epoch": "x", "arrays": {}}).encode()},
        {"state.json": b"[" * 100_000},
        {"model/0.npy": b"not an array"},
        {"model/0.npy": pickle.dumps(Evil())},
        {"model/0.npy": b"\x93NUMPY\x01\x00v\x00{'descr': '|O', 'fortran_order': False, 'shape': (1,), }" + b" " * 60},
        {"model/0.npy": CLAIM},
    ],
    ids=[
        "an array is missing",
        "no state",
        "an empty state",
        "no epoch",
        "deep",
        "no array",
        "a pickle",
        "objects",
        "endless",
    ],
)
def test_changed_it_is_an_error_and_nothing_runs(
    run: Run, change: dict[str, bytes | None], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    for path in run.checkpoints.iterdir():
        rewritten(path, change)
    with pytest.raises(RunError, match=r"none of the checkpoints in .* can be read"):
        newest(run, quiet)
    assert not Path("evil").exists()


def test_a_member_larger_than_its_file_is_not_unpacked(run: Run) -> None:
    """Checkpoints are not compressed: what would unpack to more than the file was not written here."""
    path = run.checkpoints / "epoch-0010.npz"
    array = io.BytesIO()
    np.save(array, np.zeros(10_000_000, np.float32))
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in (members | {"model/0.npy": array.getvalue()}).items():
            archive.writestr(name, content)
    told: list[str] = []
    found = newest(run, told.append)
    assert found is not None
    assert found.epoch == 2
    assert told == [f"{path} is damaged (model/0.npy has 40,000,128 bytes, more than {path.stat().st_size:,}): skipped"]
