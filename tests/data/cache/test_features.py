"""Features of images in the cache: kept by row, and never believed where their file is not whole."""

import os
import shutil
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from cnnctl.data.cache import features
from cnnctl.data.cache.features import features_of
from cnnctl.errors import MachineError


def never() -> None:
    raise AssertionError("nobody else works on it")


@pytest.fixture
def entry(tmp_path: Path) -> Path:
    (tmp_path / "images" / "entry").mkdir(parents=True)
    return tmp_path / "images" / "entry"


ROWS = np.array([4, 1], np.int64)


def fill(entry: Path | None, key: str = "a") -> np.ndarray:
    with features_of(entry, key, 6, (2, 3), never) as found:
        missing = found.missing(ROWS)
        found.put(missing, np.full((len(missing), 2, 3), 0.5, np.float32) * missing[:, None, None])
        return found.values


def test_what_was_computed_is_not_missing_any_more(entry: Path) -> None:
    assert fill(entry)[4].tolist() == [[2.0] * 3] * 2
    with features_of(entry, "a", 6, (2, 3), never) as found:
        assert found.missing(np.arange(6)).tolist() == [0, 2, 3, 5]
        assert found.missing(np.array([4, 1, 5])).tolist() == [5]
        assert found.values[1].tolist() == [[0.5] * 3] * 2
    with features_of(entry, "b", 6, (2, 3), never) as found:
        assert len(found.missing(np.arange(6))) == 6


def test_without_an_entry_they_are_in_memory(entry: Path) -> None:
    assert fill(None)[4].tolist() == fill(entry)[4].tolist()


@pytest.mark.parametrize("harm", ["shorter", "gone"])
def test_a_file_that_is_not_whole_is_made_anew(harm: str, entry: Path) -> None:
    fill(entry)
    path = entry / "features-a"
    if harm == "shorter":
        os.truncate(path, 5)
    else:
        path.unlink()
    with features_of(entry, "a", 6, (2, 3), never) as found:
        assert len(found.missing(np.arange(6))) == 6


def test_what_a_killed_process_left_is_replaced(entry: Path) -> None:
    (entry / "features-a.part").write_bytes(b"half")
    fill(entry)
    assert sorted(path.name for path in entry.iterdir()) == ["features-a", "features-a.done"]


def test_a_disk_that_is_too_small(entry: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(features.shutil, "disk_usage", lambda folder: SimpleNamespace(free=100))
    with pytest.raises(MachineError, match=r"the features need 0\.0 GB and .* has 0\.0 GB free"):
        fill(entry)
    assert list(entry.iterdir()) == []


def test_an_entry_that_is_removed_meanwhile_is_an_error_that_names_it(entry: Path) -> None:
    shutil.rmtree(entry.parent)
    with pytest.raises(MachineError, match="features cannot be kept in"):
        fill(entry)
