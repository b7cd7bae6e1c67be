"""Damaged heaps of strings, over which the HDF5 library never comes to an end."""

import struct
import subprocess
import sys
import time
import zipfile
from pathlib import Path

import h5py
import numpy as np
import pytest

from cnnctl.architecture.keras_weights import WEIGHTS, insist_on_sizes
from cnnctl.errors import RunError
from cnnctl.system.hdf5 import open_hdf5, refuse_endless
from cnnctl.weights.find import read_weights

SHAPES = {"stem": ((3, 8),)}
DAMAGED = "its strings are damaged"
HEAP = b"GCOL\x01\0\0\0"


def written(path: Path, **options: str) -> bytes:
    """A file of weights in which each layer has its name, as Keras writes it; its bytes."""
    with h5py.File(path, "w", **options) as file:
        group = file.create_group("layers/layer/vars")
        group.attrs["name"] = "stem"
        group["0"] = np.ones((3, 8), np.float32)
    return path.read_bytes()


def heap_of(content: bytes) -> tuple[int, int, int]:
    """Where the heap is, where its name is, and where its free rest begins."""
    start = content.index(HEAP)
    assert content[start + 32 : start + 36] == b"stem"
    return start, start + 16, start + 40


def with_size(content: bytes, place: int, size: int) -> bytes:
    """The thing at a place of a heap gets another size."""
    return content[: place + 8] + struct.pack("<Q", size % 2**64) + content[place + 16 :]


@pytest.fixture
def content(tmp_path: Path) -> bytes:
    return written(tmp_path / "whole.weights.h5")


def test_whole_files_are_read(content: bytes, tmp_path: Path) -> None:
    for options in ({"libver": "earliest"}, {"libver": "latest"}, {"userblock_size": 512}):
        path = tmp_path / "other.weights.h5"
        assert refuse_endless(written(path, **options)) is None
        assert read_weights(path, SHAPES).arrays["stem"][0].shape == (3, 8)
    with open_hdf5(content) as file:
        assert file["layers/layer/vars"].attrs["name"] == "stem"


def test_a_heap_that_the_library_never_leaves(content: bytes, tmp_path: Path) -> None:
    """In a process of its own, which is ended after a while where it hangs."""
    path = tmp_path / "endless.weights.h5"
    start, _, rest = heap_of(content)
    path.write_bytes(with_size(content, rest, start + 4096 - rest - 160))
    script = f"""
from pathlib import Path
from cnnctl.weights.find import read_weights
read_weights(Path({str(path)!r}), {SHAPES!r})
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False, timeout=60)
    assert f"{path} cannot be read as weights: {DAMAGED}" in done.stderr


BEYOND = (4096, -1, -16, -24, 2**63)


@pytest.mark.parametrize(
    ("thing", "size"), [*(("rest", size) for size in (0, 8, *BEYOND)), *(("name", size) for size in BEYOND)]
)
def test_sizes_that_lead_nowhere(thing: str, size: int, content: bytes, tmp_path: Path) -> None:
    _, name, rest = heap_of(content)
    damaged = with_size(content, rest if thing == "rest" else name, size)
    with pytest.raises(ValueError, match=DAMAGED):
        refuse_endless(damaged)
    packed = tmp_path / "model.keras"
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr(WEIGHTS, damaged)
    with pytest.raises(RunError, match=DAMAGED):
        read_weights(packed, SHAPES)
    with pytest.raises(ValueError, match=DAMAGED):
        insist_on_sizes(packed, len(damaged) // 8, 1)


def test_sizes_of_another_width_are_refused(content: bytes) -> None:
    assert content[8] == 0
    with pytest.raises(ValueError, match="8 bytes"):
        refuse_endless(content[:14] + b"\x04" + content[15:])


def test_heaps_within_each_other_cost_no_time(content: bytes) -> None:
    thing = struct.pack("<HHIQ", 1, 0, 0, 16) + HEAP + struct.pack("<Q", 2**16)
    begun = time.process_time()
    with pytest.raises(ValueError, match=DAMAGED):
        refuse_endless(content + thing * 50_000)
    assert time.process_time() - begun < 2


def test_letters_that_look_like_a_heap_are_no_heap(content: bytes) -> None:
    for size in (0, 100, 2**40):
        refuse_endless(content + HEAP + struct.pack("<Q", size) + bytes(5000))
    refuse_endless(content + HEAP)
    refuse_endless(b"")
