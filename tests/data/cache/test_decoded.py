"""The cache of decoded images: the decoder's own pixels, a new entry for whatever changed, whole entries only."""

import errno
import json
import multiprocessing
import os
import shutil
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from cnnctl.data.cache import decoding
from cnnctl.data.cache.decoded import Decoded, contents_hash, decode_images
from cnnctl.data.decoder import images
from cnnctl.data.decoder.images import ImageSpec, read_image
from cnnctl.errors import MachineError
from tests.images import every_mode, write_classes

SPEC = ImageSpec(7, 9)


@pytest.fixture
def paths(tmp_path: Path) -> list[str]:
    """A file of every mode, in more than one chunk of work."""
    root = tmp_path / "images"
    root.mkdir()
    found = []
    for number, data in enumerate(every_mode().values()):
        file = root / f"{number:03}.jpg"
        file.write_bytes(data)
        found.append(str(file))
    assert len(found) > 32
    return found


def silent(done: int, total: int) -> None:
    """A progress that nobody watches."""


def never(done: int, total: int) -> None:
    raise AssertionError("decoded again")


def entries(cache_home: Path) -> list[str]:
    return sorted(os.listdir(cache_home / "cnnctl" / "images"))


def same(one: Decoded, other: Decoded) -> bool:
    return (
        np.array_equal(one.pixels, other.pixels)
        and np.array_equal(one.digests, other.digests)
        and one.failures == other.failures
    )


def test_the_same_pixels_everywhere(paths: list[str], tmp_path: Path) -> None:
    """In memory, in the cache, out of the cache, in a named folder: those of read_image."""
    expected = np.stack([read_image(path, SPEC) for path in paths])
    ways = [decode_images(paths, SPEC, where, silent) for where in ("off", "auto", "auto", str(tmp_path / "own"))]
    for decoded in ways:
        assert np.array_equal(decoded.pixels, expected)
        assert decoded.pixels.dtype == np.uint8
        assert same(decoded, ways[0])
        assert not decoded.failures
    assert len(list((tmp_path / "own" / "images").iterdir())) == 1


def test_progress_counts_up_to_all(paths: list[str]) -> None:
    seen: list[tuple[int, int]] = []
    decode_images(paths, SPEC, "off", lambda done, total: seen.append((done, total)))
    assert [total for _, total in seen] == [len(paths)] * len(seen)
    assert [done for done, _ in seen] == sorted({done for done, _ in seen})
    assert seen[-1] == (len(paths), len(paths))


def test_the_second_time_nothing_is_decoded(paths: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    first = decode_images(paths, SPEC, "auto", silent)
    monkeypatch.setattr(decoding, "decode", never)
    again = decode_images(paths, SPEC, "auto", never)
    assert same(first, again)
    assert not again.pixels.flags.writeable


def test_off_writes_nothing(paths: list[str], cache_home: Path) -> None:
    decode_images(paths, SPEC, "off", silent)
    assert not any(cache_home.iterdir())


def test_whatever_changes_is_a_new_entry(paths: list[str], cache_home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def count(spec: ImageSpec = SPEC) -> int:
        decode_images(paths, spec, "auto", silent)
        return len(entries(cache_home))

    assert count() == 1
    assert count(ImageSpec(9, 7)) == 2
    assert count(ImageSpec(7, 9, channels=1)) == 3
    assert count(ImageSpec(7, 9, fit="pad")) == 4
    assert count(ImageSpec(7, 9, background=(0, 0, 1))) == 5
    file = Path(paths[3])
    status = file.stat()
    file.write_bytes(file.read_bytes()[::-1])  # as long as before, and with the old times
    os.utime(file, ns=(status.st_atime_ns, status.st_mtime_ns))
    assert count() == 6
    paths.reverse()
    assert count() == 7
    monkeypatch.setattr("cnnctl.data.cache.decoded.DECODER_VERSION", images.DECODER_VERSION + 1)
    assert count() == 8
    assert count() == 8


def test_failures_are_recorded_and_their_rows_are_zero(paths: list[str]) -> None:
    Path(paths[2]).write_bytes(b"\0\0\0\x18ftypheic\0\0\0\0mif1heic")
    Path(paths[40]).write_bytes(b"")
    paths.append("/nowhere/at/all.png")
    for where in ("off", "auto", "auto"):
        found = decode_images(paths, SPEC, where, silent)
        assert list(found.failures) == [2, 40, len(paths) - 1]
        assert found.failures[2] == "the HEIC image is damaged: its header has no valid size"
        assert found.failures[40] == "the file is empty"
        assert found.failures[len(paths) - 1] == "there is no such file"
        for row in range(len(paths)):
            assert found.pixels[row].any() == (row not in found.failures)


def test_no_images(paths: list[str]) -> None:
    for where in ("off", "auto"):
        found = decode_images([], SPEC, where, silent)
        assert found.pixels.shape == (0, 7, 9, 3)


def test_whoever_comes_second_waits_for_the_first(paths: list[str], cache_home: Path) -> None:
    """It says so, decodes nothing, and gets the same pixels; where the first is killed, it does the work itself."""
    expected = decode_images(paths, SPEC, "off", silent)
    shutil.rmtree(cache_home / "cnnctl", ignore_errors=True)
    begun, go_on = threading.Event(), threading.Event()

    def pause(done: int, total: int) -> None:
        begun.set()
        assert go_on.wait(60)

    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(decode_images, paths, SPEC, "auto", pause)
        assert begun.wait(60)
        second = pool.submit(decode_images, paths, SPEC, "auto", never, go_on.set)
        assert same(first.result(60), expected)
        assert same(second.result(60), expected)
    assert len(entries(cache_home)) == 1


def test_what_a_killed_process_left_is_swept(paths: list[str], cache_home: Path) -> None:
    started = (
        "import sys, json\nfrom cnnctl.data.cache.decoded import decode_images\n"
        "from cnnctl.data.decoder.images import ImageSpec\n"
    )
    hang = "import time\ndef hang(done, total): print('half', flush=True); time.sleep(600)\n"
    code = f"{started}{hang}decode_images(json.loads(sys.argv[1]), ImageSpec(7, 9), 'auto', hang)"
    command = [sys.executable, "-c", code, json.dumps(paths)]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        process.kill()
    left = os.listdir(cache_home / "cnnctl" / "images")
    assert sorted(name.endswith(".lock") for name in left) == [False, True]
    assert same(decode_images(paths, SPEC, "auto", silent), decode_images(paths, SPEC, "off", silent))
    assert len(os.listdir(cache_home / "cnnctl" / "images")) == 1


def _decode_in_a_process(paths: list[str], answers: "multiprocessing.Queue[int]") -> None:
    answers.put(int(decode_images(paths, SPEC, "auto", silent).pixels.sum()))


def test_threads_and_processes_at_once_make_one_whole_entry(paths: list[str], cache_home: Path) -> None:
    expected = int(decode_images(paths, SPEC, "off", silent).pixels.sum())
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda _: decode_images(paths, SPEC, "auto", silent), range(4)))
    assert {int(decoded.pixels.sum()) for decoded in found} == {expected}
    assert len(entries(cache_home)) == 1
    shutil.rmtree(cache_home / "cnnctl")
    context = multiprocessing.get_context("spawn")
    answers = context.Queue()
    processes = [context.Process(target=_decode_in_a_process, args=(paths, answers)) for _ in range(2)]
    for process in processes:
        process.start()
    assert {answers.get(timeout=120) for _ in processes} == {expected}
    for process in processes:
        process.join()
    assert len(entries(cache_home)) == 1
    decode_images(paths, SPEC, "auto", never)


@pytest.mark.parametrize("error", [RuntimeError("a bug"), KeyboardInterrupt()])
def test_an_exception_in_the_middle_leaves_nothing(paths: list[str], cache_home: Path, error: BaseException) -> None:
    def stop(done: int, total: int) -> None:
        raise error

    with pytest.raises(type(error)):
        decode_images(paths, SPEC, "auto", stop)
    assert entries(cache_home) == []


def test_a_disk_that_is_too_small(paths: list[str], cache_home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda path: SimpleNamespace(free=300_000_000))
    with pytest.raises(MachineError) as caught:
        decode_images(paths * 50, ImageSpec(1000, 500), "auto", never)
    needed = len(paths) * 50 * (1000 * 500 * 3 + 16)
    assert f"need {needed / 1e9:.1f} GB" in caught.value.message
    assert "has 0.3 GB free" in caught.value.message
    assert "data.cache" in (caught.value.hint or "")
    assert entries(cache_home) == []


def test_a_disk_that_fills_up(paths: list[str], cache_home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*arguments: object, **options: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(np, "memmap", full)
    with pytest.raises(MachineError, match="No space left on device") as caught:
        decode_images(paths, SPEC, "auto", silent)
    assert "data.cache" in (caught.value.hint or "")
    assert entries(cache_home) == []


def test_a_folder_that_cannot_be_written(paths: list[str], tmp_path: Path) -> None:
    """A file stands in its way: unlike a permission, that stops root too."""
    (tmp_path / "occupied").touch()
    with pytest.raises(MachineError, match="cannot be written") as caught:
        decode_images(paths, SPEC, str(tmp_path / "occupied"), never)
    assert "data.cache" in (caught.value.hint or "")


def test_contents_hash(tmp_path: Path) -> None:
    """Of contents and labels, whatever the names, the order and the size they are decoded to."""
    write_classes(tmp_path / "one", {"a": 3, "b": 3})
    names = [str(path) for path in sorted((tmp_path / "one").rglob("*.png"))]
    labels = ["a"] * 3 + ["b"] * 3
    first = contents_hash(decode_images(names, SPEC, "off", silent).digests, labels)
    shutil.copytree(tmp_path / "one", tmp_path / "two")
    (tmp_path / "two" / "a" / "0.png").rename(tmp_path / "two" / "a" / "z.png")
    others = [str(path) for path in sorted((tmp_path / "two").rglob("*.png"), reverse=True)]
    again = decode_images(others, ImageSpec(3, 3), "off", silent).digests
    assert contents_hash(again, labels[::-1]) == first
    assert contents_hash(again, labels) != first
    assert contents_hash(again[1:], labels[:0:-1]) != first
    with Path(others[0]).open("ab") as file:
        file.write(b"\0")
    assert contents_hash(decode_images(others, SPEC, "off", silent).digests, labels[::-1]) != first
