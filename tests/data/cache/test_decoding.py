"""Decoding by processes: the arrays that one thread makes, and nothing lost with a process that is."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from cnnctl.data.cache import decoding, entries
from cnnctl.data.cache.decoding import decode_by_processes, decode_into
from cnnctl.data.decoder import parallel
from cnnctl.data.decoder.images import ImageSpec
from tests.images import every_mode

SPEC = ImageSpec(7, 9)


@pytest.fixture
def paths(tmp_path: Path) -> list[str]:
    """A file of every mode, several times, in more than one chunk of work."""
    root = tmp_path / "images"
    root.mkdir()
    found = []
    contents = list(every_mode().values())
    for number in range(300):
        file = root / f"{number:03} ü.jpg"
        file.write_bytes(contents[number % len(contents)])
        found.append(str(file))
    return found


def mapped(folder: Path, count: int, spec: ImageSpec = SPEC) -> dict[str, np.ndarray]:
    folder.mkdir()
    return {
        name: np.memmap(folder / name, np.uint8, "w+", shape=shape)
        for name, shape in entries.shapes(count, spec).items()
    }


def in_memory(paths: list[str], spec: ImageSpec = SPEC) -> tuple[dict[str, np.ndarray], dict[int, str]]:
    arrays = {name: np.zeros(shape, np.uint8) for name, shape in entries.shapes(len(paths), spec).items()}
    return arrays, decode_into(paths, spec, arrays, silent)


def silent(done: int, total: int) -> None:
    """A progress that nobody watches."""


def assert_same(one: dict[str, np.ndarray], other: dict[str, np.ndarray]) -> None:
    assert one.keys() == other.keys()
    for name, array in one.items():
        assert np.array_equal(array, other[name]), name


def test_processes_make_what_a_thread_makes(paths: list[str], tmp_path: Path) -> None:
    arrays = mapped(tmp_path / "arrays", len(paths))
    seen: list[int] = []
    assert decode_by_processes(paths, SPEC, arrays, lambda done, total: seen.append(done)) == []
    expected, _ = in_memory(paths)
    assert_same(arrays, expected)
    assert arrays["pixels"].any()
    assert seen == sorted(seen)
    assert seen[-1] == len(paths)


def test_what_a_process_refuses_is_looked_at_again(
    paths: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A damaged file gets its reason, and an image that is large for a process is decoded all the same."""
    Path(paths[5]).write_bytes(b"")
    large = np.random.default_rng(0).integers(0, 2, (1200, 1200, 3), np.uint8)  # over a megapixel
    Image.fromarray(large * 255).save(paths[200], format="PNG")
    arrays = mapped(tmp_path / "left", len(paths))
    assert decode_by_processes(paths, SPEC, arrays, silent) == [5, 200]
    monkeypatch.setattr(decoding, "_MANY", 1)
    monkeypatch.setattr(parallel, "SMALL", 10**9)
    arrays = mapped(tmp_path / "arrays", len(paths))
    seen: list[tuple[int, int]] = []
    failures = decode_into(paths, SPEC, arrays, lambda done, total: seen.append((done, total)))
    assert failures == {5: "the file is empty"}
    expected, _ = in_memory(paths)
    assert_same(arrays, expected)
    assert arrays["pixels"][200].any()
    assert seen[-1] == (len(paths), len(paths))
    assert [done for done, _ in seen] == sorted(done for done, _ in seen)


def test_limits_are_those_of_the_config(paths: list[str], tmp_path: Path) -> None:
    narrow = ImageSpec(7, 9, max_pixels=1)
    arrays = mapped(tmp_path / "arrays", len(paths), narrow)
    assert decode_by_processes(paths, narrow, arrays, silent) == list(range(len(paths)))


@pytest.mark.parametrize("program", ["/nowhere/python", "", "/bin/false", "/bin/cat"])
def test_without_processes_everything_is_left(
    program: str, paths: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No such program; one that ends at once; one that answers nonsense."""
    monkeypatch.setattr(sys, "executable", program)
    arrays = mapped(tmp_path / "arrays", len(paths))
    assert decode_by_processes(paths, SPEC, arrays, silent) == list(range(len(paths)))


def test_the_chunk_of_a_killed_process_is_left(
    paths: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What others did stays done, and the rest is decoded by the caller."""
    monkeypatch.setattr(decoding, "_OF_A_PROCESS", 10)
    arrays = mapped(tmp_path / "arrays", len(paths))
    killed: list[int] = []

    def kill_one(done: int, total: int) -> None:
        if not killed:
            children = subprocess.run(["pgrep", "-P", str(os.getpid())], capture_output=True, text=True).stdout.split()
            mine = [int(pid) for pid in children if b"serve()" in Path(f"/proc/{pid}/cmdline").read_bytes()]
            os.kill(mine[0], signal.SIGKILL)
            killed.append(mine[0])

    left = decode_by_processes(paths, SPEC, arrays, kill_one)
    assert killed
    expected, _ = in_memory(paths)
    for row in set(range(len(paths))) - set(left):
        assert np.array_equal(arrays["pixels"][row], expected["pixels"][row])
    assert not running_children()


def test_an_interruption_leaves_no_process(paths: list[str], tmp_path: Path) -> None:
    arrays = mapped(tmp_path / "arrays", len(paths))

    def stop(done: int, total: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        decode_by_processes(paths, SPEC, arrays, stop)
    assert not running_children()


def running_children() -> list[str]:
    found = subprocess.run(["pgrep", "-P", str(os.getpid()), "-f", "serve"], capture_output=True, text=True)
    return found.stdout.split()


def test_a_process_ends_with_its_input() -> None:
    """Whoever asked may have been killed."""
    program = [sys.executable, "-P", "-c", "from cnnctl.data.cache.decoding import serve; serve()"]
    order = '{"spec": {"height": 1, "width": 1, "background": [0, 0, 0]}, "arrays": {}}\n'
    done = subprocess.run(program, input=order, capture_output=True, text=True, timeout=30)
    assert done.returncode == 0, done.stderr
    assert done.stdout == ""
