"""Files of PyTorch are read without it, and pickles that do more than hold tensors are refused."""

import io
import os
import pickle
import pickletools
import struct
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from cnnctl.weights.pickles import RefusedPickleError, read_pickle
from cnnctl.weights.torch_file import Tensors, read_tensors
from tests.weights.torch_pickles import MACHINE, MAGIC, VERSION, pickled, state, write_old, write_zip

GENERATOR = np.random.default_rng(3)
TENSORS: dict[str, NDArray[Any]] = {
    "stem.weight": GENERATOR.normal(size=(4, 3, 2, 5)).astype(np.float32),
    "half": GENERATOR.normal(size=7).astype(np.float16),
    "turned": GENERATOR.normal(size=(6, 4)).astype(np.float32).T,
    "part": GENERATOR.normal(size=(6, 4)).astype(np.float32)[1:5:2, 1:],
    "count": np.array(12, np.int64),
    "none": np.zeros((0, 3), np.float32),
}
Writer = Callable[[Path, Any], Path]


@pytest.fixture(params=[write_zip, write_old])
def write(request: pytest.FixtureRequest) -> Writer:
    return request.param  # type: ignore[no-any-return]


def tensors_of(path: Path) -> Tensors:
    return read_tensors(io.BytesIO(path.read_bytes()))


@pytest.mark.parametrize("wrap", [lambda one: one, lambda one: {"epoch": 3, "rate": 0.5, "state_dict": one}])
def test_every_tensor_is_read_as_it_was(write: Writer, wrap: Callable[[Any], Any], tmp_path: Path) -> None:
    tensors = tensors_of(write(tmp_path / "a.pth", wrap(state(TENSORS))))
    assert set(tensors) == set(TENSORS)
    for name, array in TENSORS.items():
        assert tensors[name].shape == array.shape
        read = tensors.read(name)
        assert read.dtype == array.dtype
        np.testing.assert_array_equal(read, array)
    assert "torch" not in sys.modules


def test_the_names_of_a_parallel_training_are_plain(tmp_path: Path) -> None:
    assert set(tensors_of(write_zip(tmp_path / "a.pth", {"module.a": TENSORS["half"]}))) == {"a"}


class Evil:
    """What a hostile pickle is made of: a call when it is unpickled."""

    def __init__(self, called: Any, *arguments: Any) -> None:
        self._made = called, arguments

    def __repr__(self) -> str:
        return f"a call of {self._made[0].__name__}"

    def __reduce__(self) -> Any:
        return self._made


@pytest.mark.parametrize(
    ("evil", "reason"),
    [
        (Evil(os.system, "touch EVIL"), "names (posix|nt).system"),
        (Evil(eval, "open('EVIL', 'w')"), "names __builtin__.eval"),
        (Evil(getattr, "text", "upper"), "names __builtin__.getattr"),
        (Evil(Path, "EVIL"), "names pathlib"),
        (np.float64(3.5), r"names numpy"),
        ({(1, 2): 3}, "keys are no texts"),
        ("x" * 20_000, "too long"),
        ({1, 2}, "names __builtin__.set"),
        (bytearray(5), "names __builtin__.bytearray"),
    ],
    ids=str,
)
def test_a_pickle_that_does_more_is_refused(
    evil: Any, reason: str, tmp_path: Path, write: Writer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    path = write(tmp_path / "a.pth", {"a": TENSORS["half"], "evil": evil})
    with pytest.raises(RefusedPickleError, match=reason):
        tensors_of(path)
    assert not Path("EVIL").exists()


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "no end|exhausted"),
        (b"\x80\x02", "exhausted|no end"),
        (b"\x80\x02.", "stack is empty"),
        (b"\x80\x02(.", "stack is empty"),
        (b"\x80\x02t.", "no mark"),
        (b"\x80\x02K\x01s.", "damaged"),
        (b"\x80\x02h\x05.", "damaged"),
        (b"\x80\x02K\x01a.", "damaged"),
        (b"\x80\x02]K\x01b.", "container is missing"),
        (b"\x80\x02)R.", "damaged|calls"),
        (b"\x80\x02K\x01)R.", "calls what is no name"),
        (b"\x80\x02ccollections\nOrderedDict\nK\x01\x85R.", "in a way that PyTorch does not"),
        (b"\x80\x02ctorch._utils\n_rebuild_tensor_v2\n)R.", "in a way that PyTorch does not"),
        (b"\x80\x02ctorch\nload\n.", "names torch.load"),
        (b"\x80\x02ctorch._utils\n_rebuild_tensor_v2\nQ.", "points at what is no storage"),
        (b"(S'x'\nios\nsystem\n.", "uses (STRING|INST)"),
        (b"\x80\x02K\x01\x82\x01.", "uses EXT1"),
        (b"\x80\x04\x8c\x02os\x8c\x06system\x93.", "uses STACK_GLOBAL"),
        (b"\x80\x02\x8b" + struct.pack("<i", 2**30), "damaged"),
        (b"\x80\x02X" + struct.pack("<I", 2**31), "damaged"),
        (b"I" + b"9" * 10_000 + b"\n.", "damaged|uses"),
        (b"\x80\x02" + b"2" * 10, "uses DUP"),
        (b"\x80\x02" + b"N0" * 10, "uses POP"),
        (b"\x80\x02" + b"(" * 1_100_000 + b".", "too long"),
    ],
    ids=lambda value: repr(value)[:30],
)
def test_damaged_and_hostile_operations_are_refused(content: bytes, reason: str) -> None:
    with pytest.raises(RefusedPickleError, match=reason):
        read_pickle(io.BytesIO(content))


def test_a_large_number_of_a_memo_takes_no_memory() -> None:
    assert read_pickle(io.BytesIO(b"\x80\x02K\x07r\xff\xff\xff\x7f.")) == 7


def tensor_of(offset: int, shape: tuple[int, ...], strides: tuple[int, ...], count: int = 24) -> bytes:
    """The pickle of a tensor over a storage of `count` numbers, of which the file has 24."""
    content, storages = pickled({"a": np.arange(24, dtype=np.float32).reshape(4, 6)})
    assert len(storages) == 1
    operations = [one.name for one, _, _ in pickletools.genops(content)]
    assert "BINPERSID" in operations
    head, _, rest = content.partition(b"K\x18tq")  # the count of the storage, at the end of its tuple
    middle, _, tail = rest.partition(b"Q")
    _, _, tail = tail.partition(b"\x89")  # behind offset, shape and strides: requires_grad
    values = b"".join(pickle.dumps(one, 2)[2:-1].replace(b"q\x00", b"") for one in (offset, shape, strides))
    return head + pickle.dumps(count, 2)[2:-1] + b"tq" + middle + b"Q" + values + b"\x89" + tail


@pytest.mark.parametrize(
    ("offset", "shape", "strides"),
    [
        (1, (4, 6), (6, 1)),
        (0, (5, 6), (6, 1)),
        (0, (4, 6), (7, 1)),
        (0, (2**30,), (0,)),
        (-1, (4, 6), (6, 1)),
        (0, (4, 6), (-6, 1)),
        (0, (4, 6), (6,)),
        (2**40, (1,), (1,)),
        (24, (), ()),
        (0, (1,) * 9, (1,) * 9),
    ],
)
def test_a_tensor_outside_of_its_storage_is_refused(offset: int, shape: Any, strides: Any) -> None:
    with pytest.raises(RefusedPickleError, match="tensor"):
        read_pickle(io.BytesIO(tensor_of(offset, shape, strides)))
    assert read_pickle(io.BytesIO(tensor_of(0, (4, 6), (6, 1))))["a"].shape == (4, 6)


@pytest.mark.parametrize("old", [False, True])
def test_a_storage_that_claims_more_than_the_file_has_is_refused(old: bool, tmp_path: Path) -> None:
    content, path = tensor_of(0, (4, 6), (6, 1), count=2**30), tmp_path / "a.pth"
    if old:
        parts = [pickle.dumps(one, 2) for one in (MAGIC, VERSION, MACHINE)]
        parts += [content, pickle.dumps(["1000"], 2), struct.pack("<q", 2**30), bytes(96)]
        path.write_bytes(b"".join(parts))
        with pytest.raises(ValueError, match="too early"):
            tensors_of(path)
    else:
        write_zip(path, {"a": np.arange(24, dtype=np.float32)}, **{"data.pkl": content})
        with pytest.raises(ValueError, match="96 bytes for 1,073,741,824 numbers"):
            tensors_of(path).read("a")


def test_other_files_are_refused(tmp_path: Path) -> None:
    whole = write_zip(tmp_path / "whole.pth", state(TENSORS)).read_bytes()
    old = write_old(tmp_path / "old.pth", state(TENSORS)).read_bytes()
    wrong = (ValueError, LookupError, EOFError, OSError, RuntimeError, zipfile.BadZipFile)
    for content in (b"", b"PK\x03\x04", whole[:-40], old[:60], old[:-30], bytes(100), pickle.dumps([1, 2])):
        with pytest.raises(wrong):
            read_tensors(io.BytesIO(content))
    for value in ([1, 2], {"a": 1}, "text"):
        with pytest.raises(ValueError, match="no dictionary of tensors"):
            tensors_of(write_zip(tmp_path / "b.pth", value))
    with pytest.raises(ValueError, match="big-endian"):
        tensors_of(write_zip(tmp_path / "c.pth", state(TENSORS), byteorder=b"big"))


def test_packed_members_are_refused(tmp_path: Path) -> None:
    """They could unpack to any size."""
    content, _ = pickled(state(TENSORS))
    with zipfile.ZipFile(tmp_path / "a.pth", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a/data.pkl", content)
    with pytest.raises(ValueError, match="packed"):
        tensors_of(tmp_path / "a.pth")


def test_types_that_numpy_lacks_are_refused() -> None:
    content, _ = pickled({"a": TENSORS["half"]})
    with pytest.raises(RefusedPickleError, match="BFloat16Storage"):
        read_pickle(io.BytesIO(content.replace(b"HalfStorage", b"BFloat16Storage")))
