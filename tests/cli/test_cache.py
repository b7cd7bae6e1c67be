"""`cnnctl cache` through the real command."""

import json
from pathlib import Path

import pytest

from tests.cli.command import fail, succeed
from tests.images import write_classes


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """A config with a cache of its own, whose images were decoded by `check`."""
    write_classes(tmp_path / "pets", {"cat": 6, "dog": 6})
    file = tmp_path / "pets.yaml"
    text = "data: {train: pets, cache: kept, image: {size: 8}}\nmodel: [flatten]\n"
    file.write_text(text)
    succeed("check", file, cwd=tmp_path)
    return file


def test_showing(config: Path, tmp_path: Path) -> None:
    shown = succeed("cache", "--folder", "kept", cwd=tmp_path)
    row = next(line for line in shown.splitlines() if str(tmp_path / "pets") in line)
    assert "12" in row
    assert "8 x 8 x 3" in row
    assert "ago" in row
    value = json.loads(succeed("cache", "--folder", "kept", "--json", cwd=tmp_path))
    (entry,) = value["entries"]
    assert entry["source"] == str(tmp_path / "pets")
    assert entry["images"] == 12
    assert entry["shape"] == [8, 8, 3]
    assert value["bytes"] == entry["size"] == sum(f.stat().st_size for f in Path(entry["path"]).iterdir())


def test_clearing(config: Path, tmp_path: Path) -> None:
    assert "removed 0 entries" in succeed("cache", "--folder", "kept", "--clear", "--older-than", "1", cwd=tmp_path)
    assert "removed 1 entry, " in succeed("cache", "--folder", "kept", "--clear", cwd=tmp_path)
    assert succeed("cache", "--folder", "kept", cwd=tmp_path).startswith("0 bytes in ")
    assert json.loads(succeed("cache", "--folder", "kept", "--clear", "--json", cwd=tmp_path))["removed"] == []
    succeed("check", config, cwd=tmp_path)
    assert len(json.loads(succeed("cache", "--folder", "kept", "--json", cwd=tmp_path))["entries"]) == 1


def test_older_than_needs_clear(tmp_path: Path) -> None:
    assert "add --clear" in fail(2, "cache", "--older-than", "1", cwd=tmp_path)
