"""What is in the cache, and taking it away."""

import os
import time
from pathlib import Path

import pytest

from cnnctl.data.cache.decoded import decode_images
from cnnctl.data.cache.entries import images_folder, list_entries, lock_of, remove_entries
from cnnctl.data.decoder.images import ImageSpec
from cnnctl.system.locks import try_lock
from tests.images import write_classes


def silent(done: int, total: int) -> None:
    """A progress that nobody watches."""


@pytest.fixture
def base(tmp_path: Path) -> Path:
    """Two entries of the same six images: the first at 4x5 in colour, then 3x3 in grey."""
    write_classes(tmp_path / "pets", {"cat": 3, "dog": 3})
    paths = [str(path) for path in sorted((tmp_path / "pets").rglob("*.png"))]
    for spec in (ImageSpec(4, 5), ImageSpec(3, 3, 1, "pad")):
        decode_images(paths, spec, str(tmp_path / "own"), silent)
    folder = images_folder(str(tmp_path / "own"))
    for age, entry in enumerate(sorted(list_entries(folder), key=lambda entry: len(entry.shape) and -entry.shape[2])):
        then = time.time() - 3600 * (2 - age)
        os.utime(entry.path / "about.json", (then, then))
    return folder


def test_an_entry_says_what_it_holds(base: Path, tmp_path: Path) -> None:
    grey, colour = list_entries(base)
    assert (colour.source, colour.images, colour.shape, colour.fit) == (str(tmp_path / "pets"), 6, (4, 5, 3), "stretch")
    assert (grey.source, grey.images, grey.shape, grey.fit) == (str(tmp_path / "pets"), 6, (3, 3, 1), "pad")
    for entry in (grey, colour):
        assert entry.size == sum(file.stat().st_size for file in entry.path.iterdir())
        assert entry.size > 6 * (3 * 3 + 16)
    assert time.time() - grey.used == pytest.approx(3600, abs=60)
    assert time.time() - colour.used == pytest.approx(7200, abs=60)


def test_opening_is_using(base: Path, tmp_path: Path) -> None:
    paths = [str(path) for path in sorted((tmp_path / "pets").rglob("*.png"))]
    decode_images(paths, ImageSpec(4, 5), str(tmp_path / "own"), silent)
    assert [entry.shape for entry in list_entries(base)] == [(4, 5, 3), (3, 3, 1)]
    assert time.time() - list_entries(base)[0].used < 60


def test_clearing_all(base: Path) -> None:
    before = list_entries(base)
    removed = remove_entries(base)
    assert {entry.path for entry in removed.entries} == {entry.path for entry in before}
    assert removed.size == sum(entry.size for entry in before)
    assert removed.busy == 0
    assert list(base.iterdir()) == []


def test_clearing_the_old(base: Path) -> None:
    removed = remove_entries(base, older_than=5400)
    assert [entry.shape for entry in removed.entries] == [(4, 5, 3)]
    assert [entry.shape for entry in list_entries(base)] == [(3, 3, 1)]
    assert len(list(base.iterdir())) == 1


def test_what_is_being_made_stays(base: Path) -> None:
    """The locked entry, and a staging folder whose maker is alive; that of a dead one goes."""
    busy = list_entries(base)[0].path
    (base / ".0123.abc").mkdir()
    (base / ".0123.abc" / "pixels").write_bytes(b"12345")
    (base / ".4567.def").mkdir()
    locks = [try_lock(lock_of(busy)), try_lock(base / "4567.lock")]
    removed = remove_entries(base)
    assert removed.busy == 2
    assert removed.size == removed.entries[0].size + 5
    assert {path.name for path in base.iterdir()} == {busy.name, f"{busy.name}.lock", ".4567.def", "4567.lock"}
    for lock in locks:
        assert lock is not None
        lock.release()


def test_an_entry_of_another_version_is_listed_and_cleared(base: Path) -> None:
    (base / "old").mkdir()
    (base / "old" / "pixels").write_bytes(b"1234567")
    old = next(entry for entry in list_entries(base) if entry.path.name == "old")
    assert (old.source, old.images, old.shape, old.size) == (None, None, (), 7)
    assert len(remove_entries(base).entries) == 3
    assert list(base.iterdir()) == []


def test_no_cache_yet(tmp_path: Path) -> None:
    assert list_entries(tmp_path / "none") == []
    assert remove_entries(tmp_path / "none").entries == ()


def test_a_mapped_entry_outlives_its_removal(base: Path, tmp_path: Path) -> None:
    paths = [str(path) for path in sorted((tmp_path / "pets").rglob("*.png"))]
    held = decode_images(paths, ImageSpec(4, 5), str(tmp_path / "own"), silent)
    before = held.pixels.copy()
    remove_entries(base)
    assert (held.pixels == before).all()
    again = decode_images(paths, ImageSpec(4, 5), str(tmp_path / "own"), silent)
    assert (again.pixels == before).all()
