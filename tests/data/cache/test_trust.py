"""A cache that several users share: nobody gets pixels that another one has put there, and nobody is shut out."""

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from cnnctl.data.cache.decoded import decode_images
from cnnctl.data.cache.entries import images_folder, left_behind, list_entries, lock_of, remove_entries
from cnnctl.data.cache.features import features_of
from cnnctl.data.decoder.images import ImageSpec
from cnnctl.system import trust
from cnnctl.system.locks import try_lock
from tests.cli.command import succeed
from tests.images import write_classes

SPEC = ImageSpec(4, 5)
NOBODY = 65534

needs_root = pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only root is several users")


def silent(done: int, total: int) -> None:
    """A progress that nobody watches."""


@pytest.fixture
def common() -> Iterator[Path]:
    """A folder of mode 1777, as /tmp, that nobody reaches too (which no folder of pytest's is)."""
    with tempfile.TemporaryDirectory() as reached:
        around = Path(reached)
        write_classes(around / "pets", {"cat": 3, "dog": 3})
        for path in (around, *around.rglob("*")):
            path.chmod(0o755)
        (around / "common").mkdir()
        (around / "common").chmod(0o1777)
        yield around / "common"


@pytest.fixture
def paths(common: Path) -> list[str]:
    return [str(path) for path in sorted((common.parent / "pets").rglob("*.png"))]


@pytest.fixture
def entry(paths: list[str], common: Path) -> Path:
    """The one entry of those images, which this user has made."""
    decode_images(paths, SPEC, str(common), silent)
    return list_entries(images_folder(str(common)))[0].path


def as_nobody(code: str, common: Path, paths: list[str]) -> str:
    """What Python code prints as another user."""
    words = [paths[0], str(common), json.dumps(paths)]
    done = subprocess.run([sys.executable, "-c", PREPARE + code, *words], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


PREPARE = """
import json, os, sys, tempfile, numpy as np
from cnnctl.data.cache.decoded import decode_images
from cnnctl.data.cache.entries import images_folder, remove_entries
from cnnctl.data.decoder.images import ImageSpec
from cnnctl.errors import CnnctlError
with tempfile.TemporaryDirectory() as warm:
    for _ in range(2):
        decode_images([sys.argv[1]], ImageSpec(4, 5), warm, lambda done, total: None)
    remove_entries(images_folder(warm))
os.setgroups([]); os.setgid(65534); os.setuid(65534)
"""
"""Everything is imported and used once while it is root, who may read this checkout and its Python."""

DECODE = """
paths, where = json.loads(sys.argv[3]), sys.argv[2]
found = decode_images(paths, ImageSpec(4, 5), where, lambda done, total: None)
print(found.entry.name if found.entry else None, int(found.pixels.sum()))
"""


@needs_root
def test_a_second_user_decodes_beside_the_first(paths: list[str], common: Path, entry: Path) -> None:
    expected = int(decode_images(paths, SPEC, "off", silent).pixels.sum())
    for _ in range(2):  # makes one, and takes it
        assert as_nobody(DECODE, common, paths).split() == [f"{entry.name}-{NOBODY}", str(expected)]
    assert len(list_entries(entry.parent)) == 2
    assert decode_images(paths, SPEC, str(common), silent).entry == entry


@needs_root
def test_what_a_stranger_has_put_in_the_place_is_not_used(paths: list[str], common: Path, entry: Path) -> None:
    expected = int(decode_images(paths, SPEC, "off", silent).pixels.sum())
    pixels = entry / "pixels"
    pixels.write_bytes(bytes(pixels.stat().st_size))
    for path in (entry, *entry.iterdir()):
        os.chown(path, NOBODY, NOBODY)
    found = decode_images(paths, SPEC, str(common), silent)
    assert (found.entry, int(found.pixels.sum())) == (entry.with_name(f"{entry.name}-0"), expected)
    assert not np.frombuffer(pixels.read_bytes(), np.uint8).any()
    (common / "images" / f"{entry.name}-0").rename(common / "gone")
    (common / "images" / f"{entry.name}-0").symlink_to(entry)
    found = decode_images(paths, SPEC, str(common), silent)
    assert (found.entry, int(found.pixels.sum())) == (None, expected)


@needs_root
def test_an_entry_of_root_is_used_where_it_may_be_read(paths: list[str], common: Path, entry: Path) -> None:
    expected = int(decode_images(paths, SPEC, "off", silent).pixels.sum())
    for path in (entry, *entry.iterdir()):
        path.chmod(0o755)
    assert as_nobody(DECODE, common, paths).split() == [entry.name, str(expected)]
    with features_of(entry, "key", len(paths), (2,), lambda: None) as features:
        assert isinstance(features.values.base, np.memmap) or isinstance(features.values, np.memmap)


@needs_root
def test_a_lock_of_another_user_is_not_waited_for(paths: list[str], common: Path, entry: Path) -> None:
    lock = try_lock(lock_of(entry))
    shutil.rmtree(entry)
    assert as_nobody(DECODE, common, paths).split()[0] == f"{entry.name}-{NOBODY}"
    assert lock is not None
    lock.release(remove=True)


@needs_root
def test_clearing_leaves_the_entries_of_others(paths: list[str], common: Path, entry: Path) -> None:
    as_nobody(DECODE, common, paths)
    clear = "removed = remove_entries(images_folder(sys.argv[2])); print(len(removed.entries), removed.foreign)"
    assert as_nobody(clear, common, paths).split() == ["1", "1"]
    assert [one.path for one in list_entries(entry.parent)] == [entry]


@needs_root
def test_a_folder_that_only_its_owner_may_write_is_an_error(paths: list[str], common: Path) -> None:
    (common / "images").mkdir(mode=0o755)
    code = (
        f"try:{DECODE.replace(chr(10), chr(10) + '    ')}\nexcept CnnctlError as error: print(error.exit_code, error)"
    )
    assert as_nobody(code, common, paths).startswith("5 error: ")


def test_in_a_folder_of_all_users_all_may_add(paths: list[str], entry: Path, common: Path, tmp_path: Path) -> None:
    assert (common / "images").stat().st_mode & 0o7777 == 0o1777
    assert entry.stat().st_mode & 0o777 == 0o700
    (tmp_path / "own").mkdir(mode=0o755)
    (tmp_path / "own").chmod(0o755)
    decode_images(paths[:1], SPEC, str(tmp_path / "own"), silent)
    assert not (tmp_path / "own" / "images").stat().st_mode & 0o022


@pytest.mark.parametrize("harm", ["shorter", "longer", "gone", "writable", "link", "pipe", "json"])
def test_an_entry_that_cannot_be_used_is_made_anew(harm: str, paths: list[str], common: Path, entry: Path) -> None:
    expected = int(decode_images(paths, SPEC, "off", silent).pixels.sum())
    pixels = entry / "pixels"
    if harm in ("shorter", "longer"):
        with pixels.open("r+b") as file:
            file.truncate(pixels.stat().st_size + (1 if harm == "longer" else -1))
    elif harm == "writable":
        entry.chmod(0o777)
        pixels.write_bytes(bytes(pixels.stat().st_size))
    elif harm == "json":
        (entry / "failures.json").write_text("[")
    else:
        pixels.rename(common / "kept")
        if harm == "link":
            pixels.symlink_to(common / "kept")
        elif harm == "pipe":
            os.mkfifo(pixels)
    found = decode_images(paths, SPEC, str(common), silent)
    assert (found.entry, int(found.pixels.sum())) == (entry, expected)
    assert entry.stat().st_mode & 0o777 == 0o700
    assert list(entry.parent.iterdir()) == [entry]


def test_a_file_system_without_owners_and_modes(
    paths: list[str], common: Path, entry: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A share of Windows shows one owner and one mode for all files."""
    entry.chmod(0o777)
    for path in entry.iterdir():
        path.chmod(0o666)
    monkeypatch.setattr(trust, "_customs", lambda base: (entry.stat().st_uid, 0o100777))
    monkeypatch.setattr(os, "geteuid", lambda: 12345)
    assert decode_images(paths, SPEC, str(common), silent).entry == entry
    assert not trust.is_foreign(entry)
    monkeypatch.setattr(trust, "_customs", lambda base: (12345, 0o100600))
    assert trust.is_foreign(entry)


def test_what_killed_runs_left_is_counted_and_cleared(entry: Path, common: Path) -> None:
    base = entry.parent
    (base / f".{entry.name}.abc").mkdir()
    (base / f".{entry.name}.abc" / "pixels").write_bytes(b"12345")
    (base / ".4567.def").mkdir()
    (base / ".4567.def" / "pixels").write_bytes(b"123")
    making = try_lock(base / "4567.lock")
    assert left_behind(base) == 5
    whole = sum(path.stat().st_size for path in entry.iterdir())
    said = json.loads(succeed("cache", "--folder", common, "--json", cwd=common))
    assert (said["bytes"], said["left_behind"]) == (whole + 5, 5)
    assert "5 bytes of it left behind by killed runs" in succeed("cache", "--folder", common, cwd=common)
    assert remove_entries(base).size == whole + 5
    assert left_behind(base) == 0
    assert making is not None
    making.release(remove=True)


def test_strange_things_in_a_cache_are_listed_or_passed_over(entry: Path, common: Path) -> None:
    base = entry.parent
    (base / "elsewhere").symlink_to(common.parent / "pets")
    (base / "odd").mkdir()
    os.mkfifo(base / "odd" / "about.json")
    (base / "huge").mkdir()
    with (base / "huge" / "about.json").open("wb") as file:
        file.truncate(2**34)
    assert {one.path.name for one in list_entries(base)} == {entry.name, "odd", "huge"}
    assert len(remove_entries(base).entries) == 3
    assert len(list((common.parent / "pets").rglob("*.png"))) == 6
