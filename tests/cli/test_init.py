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
    assert said.startswith("error: photos.yaml already exists")
    assert (tmp_path / "photos.yaml").read_bytes() == before


def test_a_table_in_another_folder_than_its_images(small_photos: Path, tmp_path: Path) -> None:
    rows = [f"{path.relative_to(small_photos)}\t{path.parent.name}" for path in sorted(small_photos.rglob("*.*g"))]
    (tmp_path / "list.tsv").write_text("\n".join(["file\tkind", *rows]))
    printed = succeed("init", "list.tsv", "--columns", "file,kind", "--folder", small_photos, cwd=tmp_path)
    assert f"columns: file has the file names, kind the labels; the images are in {small_photos}\n" in printed
    assert succeed("check", "list.yaml", cwd=tmp_path).endswith("list.yaml is ready to train\n")
    assert "two names, PATH,LABEL" in fail(2, "init", "list.tsv", "--columns", "file", cwd=tmp_path)
    assert "not for --example" in fail(2, "init", "--example", "digits", "--folder", "x", cwd=tmp_path)


def test_mistakes(tmp_path: Path) -> None:
    assert "there is no folder gone" in fail(3, "init", "gone", cwd=tmp_path)
    assert "a config is a YAML file" in fail(2, "init", "gone", "--output", "x.txt", cwd=tmp_path)
    assert os.listdir(tmp_path) == []


def test_a_ready_config_is_copied(tmp_path: Path) -> None:
    printed = succeed("init", "--example", "digits", cwd=tmp_path)
    assert printed.startswith("Handwritten digits, 8x8 pixels")
    assert printed.endswith("\nwritten: digits.yaml\nnext  cnnctl train digits.yaml\n")
    assert "filled in" not in printed
    assert succeed("check", "digits.yaml", cwd=tmp_path).endswith("digits.yaml is ready to train\n")
    before = (tmp_path / "digits.yaml").read_bytes()
    assert "already exists" in fail(2, "init", "--example", "digits", cwd=tmp_path)
    assert (tmp_path / "digits.yaml").read_bytes() == before


def test_a_ready_config_says_what_it_wants(tmp_path: Path) -> None:
    printed = succeed("init", "--example", "article", "--output", "mine.yaml", cwd=tmp_path)
    assert "line 8 is to be filled in: train: cats-dogs  <- your folder" in printed
    assert (tmp_path / "mine.yaml").read_text().splitlines()[7].strip().startswith("train: cats-dogs")
    assert '"total_params": 219801' in succeed("summary", "mine.yaml", "--json", cwd=tmp_path)


def test_mistakes_with_ready_configs(tmp_path: Path) -> None:
    assert "did you mean digits?" in fail(2, "init", "--example", "digit", cwd=tmp_path)
    assert "either DATA or --example NAME, not both" in fail(2, "init", "photos", "--example", "digits", cwd=tmp_path)
    assert "init needs DATA" in fail(2, "init", cwd=tmp_path)
    assert "a config is a YAML file" in fail(2, "init", "--example", "digits", "--output", "x.txt", cwd=tmp_path)
    assert os.listdir(tmp_path) == []
    assert "cifar10-airbench" in succeed("init", "--help", cwd=tmp_path)
