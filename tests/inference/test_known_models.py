"""What cnnctl has written or looked through is known by its content, where nobody else can have said so."""

import os
import tempfile
from pathlib import Path

import pytest

from cnnctl.inference import known_models
from cnnctl.inference.known_models import CHECKED, MADE, fingerprint, is_known, remember
from cnnctl.system.notices import untold
from tests.data.cache.test_trust import NOBODY, needs_root

MODEL = fingerprint(b"a model")


@pytest.fixture
def base(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The user's cache folder, which is not there yet."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache" / "cnnctl"


def only(folder: Path) -> Path:
    (found,) = (path for path in folder.rglob("*") if path.is_file())
    return found


def test_a_model_is_known_by_its_content_and_as_what_it_was_remembered(base: Path) -> None:
    assert len(MODEL) == 64
    assert not is_known(MODEL, MADE)
    assert not base.exists()  # nobody is asked to make room for a question
    remember(MODEL, MADE)
    assert is_known(MODEL, MADE)
    assert not is_known(MODEL, CHECKED)
    assert not is_known(fingerprint(b"another model"), MADE)
    remember(MODEL, CHECKED)
    remember(MODEL, CHECKED)
    assert is_known(MODEL, CHECKED)
    assert {path.name for path in base.rglob("*") if path.is_file()} == {f"{MODEL}-made", f"{MODEL}-checked"}
    assert (base / "models-1").stat().st_mode & 0o777 == 0o700


def test_a_file_that_others_can_have_written_says_nothing(base: Path) -> None:
    remember(MODEL, MADE)
    only(base).parent.chmod(0o777)
    assert not is_known(MODEL, MADE)
    only(base).parent.chmod(0o755)
    assert is_known(MODEL, MADE)
    only(base).chmod(0o666)
    assert not is_known(MODEL, MADE)
    name = only(base)
    name.unlink()
    name.symlink_to("/dev/null")
    assert not is_known(MODEL, MADE)


@needs_root
def test_what_another_user_has_laid_down_is_passed_over_and_ours_lies_beside_it(base: Path) -> None:
    base.mkdir(parents=True)
    base.chmod(0o1777)
    theirs = base / "models-1"
    theirs.mkdir()
    (theirs / f"{MODEL}-made").touch()
    for path in (theirs / f"{MODEL}-made", theirs):
        os.chown(path, NOBODY, NOBODY)
    assert not is_known(MODEL, MADE)
    remember(MODEL, MADE)
    assert is_known(MODEL, MADE)
    assert only(base / f"models-1-{os.geteuid()}").name == f"{MODEL}-made"


def test_a_cache_that_cannot_be_written_is_done_without_or_replaced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", "/proc/nowhere")
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    remember(MODEL, MADE)
    assert is_known(MODEL, MADE)
    assert only(tmp_path).name == f"{MODEL}-made"
    assert untold() == []  # a prediction has nothing to say of it
    monkeypatch.setattr(tempfile, "tempdir", "/proc/nowhere")
    remember(MODEL, MADE)
    assert not is_known(MODEL, MADE)
    (tmp_path / "file").touch()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    remember(MODEL, MADE)
    assert not is_known(MODEL, MADE)


def test_their_number_is_limited(base: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(known_models, "_MOST", 3)
    remember(MODEL, MADE)
    models = [fingerprint(bytes([number])) for number in range(4)]
    for model in models:
        remember(model, CHECKED)
    assert is_known(MODEL, MADE)
    assert [is_known(model, CHECKED) for model in models] == [False, False, True, True]
