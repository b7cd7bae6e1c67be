"""`cnnctl init`."""

import os
from pathlib import Path

from tests.cli.command import fail, succeed


def test_from_photos_to_a_config_that_checks(small_photos: Path, tmp_path: Path) -> None:
    printed = succeed("init", small_photos, cwd=tmp_path)
    assert printed.endswith("\nwritten: photos.yaml\nnext  cnnctl train photos.yaml\n")
    assert "007" in printed
    assert succeed("check", "photos.yaml", cwd=tmp_path).endswith("photos.yaml is ready to train\n")
    before = (tmp_path / "photos.yaml").read_bytes()
    said = fail(2, "init", small_photos, cwd=tmp_path)
    assert said.startswith("error: photos.yaml exists already")
    assert (tmp_path / "photos.yaml").read_bytes() == before


def test_mistakes(tmp_path: Path) -> None:
    assert "there is no folder gone" in fail(3, "init", "gone", cwd=tmp_path)
    assert "a config is a YAML file" in fail(2, "init", "gone", "--output", "x.txt", cwd=tmp_path)
    assert os.listdir(tmp_path) == []
