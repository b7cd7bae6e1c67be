"""`cnnctl eject`."""

import json
import os
from pathlib import Path

from tests.cli.command import cnnctl, fail, succeed
from tests.conftest import CONFIGS

SMALL = "data: {train: photos, image: {size: 8}}\nmodel: [flatten]\n"


def test_a_script_beside_its_split(small_photos: Path, tmp_path: Path) -> None:
    (tmp_path / "small.yaml").write_text(SMALL)
    (tmp_path / "photos").symlink_to(small_photos)
    printed = succeed("eject", "small.yaml", cwd=tmp_path, fresh=True)
    assert printed.startswith("train.py  builds, trains and saves the network\n")
    assert "train-split.csv  which image is in which split: train 48, validation 12\n" in printed
    assert "  - precision: auto is float32 in the script" in printed
    assert printed.endswith("\nnext  python train.py\n")
    assert 'CLASSES = ["007", "1e3", "no"]' in (tmp_path / "train.py").read_text()
    compile((tmp_path / "train.py").read_text(), "train.py", "exec")
    before = (tmp_path / "train.py").read_bytes()
    said = fail(2, "eject", "small.yaml", cwd=tmp_path)
    assert said.startswith("error: train.py already exists")
    assert (tmp_path / "train.py").read_bytes() == before


def test_for_programs(small_photos: Path, tmp_path: Path) -> None:
    (tmp_path / "small.yaml").write_text(SMALL)
    words = ("--set", f"data.train={small_photos}", "--set", "train.precision=float32", "--set", "deterministic=false")
    printed = succeed("eject", "small.yaml", *words, "--output", "my net/go.py", "--json", cwd=tmp_path)
    assert json.loads(printed) == {
        "script": "my net/go.py",
        "split": "my net/go-split.csv",
        "images": {"train": 48, "validation": 12},
        "remarks": [],
    }
    assert sorted(os.listdir(tmp_path / "my net")) == ["go-split.csv", "go.py"]


def test_mistakes(tmp_path: Path) -> None:
    assert "a Keras script is a Python file" in fail(2, "eject", "x.yaml", "--output", "x.txt", cwd=tmp_path)
    assert "there is no folder or file" in fail(3, "eject", CONFIGS / "cats-dogs.yaml", cwd=tmp_path)
    (tmp_path / "wrong.yaml").write_text(SMALL.replace("flatten", "flaten"))
    assert "did you mean flatten?" in cnnctl("eject", "wrong.yaml", cwd=tmp_path).stderr
    assert os.listdir(tmp_path) == ["wrong.yaml"]
