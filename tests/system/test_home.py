"""A home that cannot be written: nothing stops, and nobody else can lay something into what stands for it."""

import os
import tempfile
from pathlib import Path

import numpy as np
import pytest

from cnnctl.data import sources
from cnnctl.data.cache.decoded import decode_images
from cnnctl.data.cache.folders import cache_folder
from cnnctl.data.decoder.images import ImageSpec
from cnnctl.system import home
from cnnctl.system.notices import untold
from tests.cli.command import cnnctl
from tests.images import write_classes

HOMELESS = "/dev/null"
"""Unlike a permission, a file that stands in the way stops root too."""


@pytest.fixture
def around(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """The temporary directory of a process whose home cannot be written."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setenv("HOME", HOMELESS)
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    sources._folder_of_this_process.cache_clear()
    untold()
    return folder


def own(around: Path) -> Path:
    return around / f"cnnctl-{os.geteuid()}"


def test_a_private_folder_in_the_temporary_directory_stands_for_it_and_is_told_once(around: Path) -> None:
    assert cache_folder() == cache_folder() == own(around)
    assert own(around).stat().st_mode & 0o777 == 0o700
    (told,) = untold()
    assert "/dev/null/.cache/cnnctl cannot be written" in told
    assert str(own(around)) in told
    assert "\n" not in told


@pytest.mark.parametrize("trap", ["link", "file", "open", "another's", "around"])
def test_what_others_could_fill_is_not_used(around: Path, trap: str, monkeypatch: pytest.MonkeyPatch) -> None:
    elsewhere = around.parent / "elsewhere"
    elsewhere.mkdir(mode=0o700)
    if trap == "link":
        own(around).symlink_to(elsewhere)
    elif trap == "file":
        own(around).touch()
    elif trap == "open":
        own(around).mkdir()
        own(around).chmod(0o770)
    elif trap == "around":
        around.chmod(0o777)
    else:
        (around / "cnnctl-4711").mkdir(mode=0o700)
        monkeypatch.setattr(os, "geteuid", lambda: 4711)
    assert cache_folder() is None
    assert "without a cache" in untold()[0]
    assert not list(elsewhere.iterdir())


@pytest.mark.parametrize("is_safe", [True, False])
def test_images_are_decoded_with_a_cache_or_without(around: Path, tmp_path: Path, is_safe: bool) -> None:
    write_classes(tmp_path / "photos", {"cat": 2})
    paths = [str(path) for path in sorted((tmp_path / "photos").rglob("*.png"))]
    if not is_safe:
        own(around).touch()
    decoded = decode_images(paths, ImageSpec(8, 8), "auto", lambda done, total: None)
    assert decoded.pixels.shape == (2, 8, 8, 3)
    assert isinstance(decoded.pixels, np.memmap) == is_safe


def test_images_of_a_cache_that_can_only_be_read_are_read(
    around: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_classes(tmp_path / "photos", {"cat": 2})
    paths = [str(path) for path in sorted((tmp_path / "photos").rglob("*.png"))]
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    decode_images(paths, ImageSpec(8, 8), "auto", lambda done, total: None)
    monkeypatch.setattr(home, "is_writable", lambda folder: False)
    monkeypatch.setattr("cnnctl.data.cache.folders.is_writable", lambda folder: False)
    decode_images(paths, ImageSpec(8, 8), "auto", lambda done, total: pytest.fail("decoded again"))
    assert untold() == []


@pytest.mark.parametrize("is_safe", [True, False])
def test_the_digits_are_written_all_the_same(around: Path, is_safe: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sources, "_write_digits", lambda folder: (folder / "0").mkdir(parents=True))
    if not is_safe:
        own(around).touch()
    folder = sources.digits_folder()
    assert folder.is_relative_to(own(around)) == is_safe
    assert folder.is_relative_to(around)
    assert folder.is_dir()


def test_without_a_cache_the_digits_leave_the_users_folder_alone(
    around: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sources, "_write_digits", lambda folder: (folder / "0").mkdir(parents=True))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "user"))
    assert sources.digits_folder("off").parent == own(around)
    assert not (tmp_path / "user").exists()
    assert untold() == []
    kept = sources.digits_folder("auto")
    assert sources.digits_folder("off") == kept == tmp_path / "user" / "cnnctl" / "digits-1"


def test_matplotlib_and_keras_have_a_folder_too(around: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MPLCONFIGDIR", "")
    monkeypatch.setenv("KERAS_HOME", "/chosen")
    monkeypatch.delenv("MPLCONFIGDIR")
    home.lend_folders()
    assert os.environ["MPLCONFIGDIR"] == str(own(around) / "matplotlib")
    assert os.environ["KERAS_HOME"] == "/chosen"


def test_libraries_keep_a_home_that_can_be_written(
    around: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("XDG_CONFIG_HOME", raising=False)
    for name in ("MPLCONFIGDIR", "KERAS_HOME"):
        monkeypatch.delenv(name, raising=False)
    home.lend_folders()
    assert not {"MPLCONFIGDIR", "KERAS_HOME"} & set(os.environ)
    assert not own(around).exists()


def test_a_command_says_it_in_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", HOMELESS)
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    done = cnnctl("cache", cwd=tmp_path)
    assert done.returncode == 0
    assert done.stdout == f"0 bytes in {own(tmp_path)}/images\n"
    assert done.stderr.startswith("warning: /dev/null/.cache/cnnctl cannot be written: going on with ")
    assert len(done.stderr.splitlines()) == 1
