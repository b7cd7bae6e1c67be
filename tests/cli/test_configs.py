"""Every config in configs/ answers `summary` without data, and trains once its data is filled in."""

import csv
import json
from pathlib import Path

import numpy as np
import pytest

from cnnctl.config import load
from cnnctl.config.reference import json_schema
from cnnctl.data.decoder.images import opencv
from tests.cli.command import succeed
from tests.conftest import CONFIGS

ALL = sorted(CONFIGS.rglob("*.yaml"))
PARAMETERS = {"article-cats-dogs.yaml": 219_801, "lenet5.yaml": 61_706, "cifar10.yaml": 356_810}


def test_there_are_configs_and_their_schema_is_current() -> None:
    assert {path.name for path in ALL} >= {
        "digits.yaml",
        "article-cats-dogs.yaml",
        "cats-dogs.yaml",
        "cifar10.yaml",
        "lenet5.yaml",
        "cifar10-airbench.yaml",
        "csv-digits.yaml",
    }
    written = json.loads((CONFIGS / "schema.json").read_text())
    assert written == json_schema(), "run: cnnctl schema > configs/schema.json"


@pytest.mark.parametrize("path", ALL, ids=lambda path: path.name)
def test_summary_needs_no_data(path: Path, tmp_path: Path) -> None:
    printed = json.loads(succeed("summary", path, "--json", cwd=tmp_path))
    assert printed["total_params"] == sum(layer["params"] for layer in printed["layers"])
    assert printed["total_params"] == PARAMETERS.get(path.name, printed["total_params"])
    assert path.read_text().startswith("# yaml-language-server: $schema=schema.json\n")


def write_folders(root: Path, names: list[str], each: int, size: int) -> Path:
    generator = np.random.default_rng(1)
    for index, name in enumerate(names):
        (root / name).mkdir(parents=True)
        for number in range(each):
            image = generator.integers(0, 256, (size, size, 3)).astype(np.uint8)
            image[:, :, index % 3] //= 2
            (root / name / f"{number}.jpg").write_bytes(opencv().imencode(".jpg", image)[1].tobytes())
    return root


def filled_in(path: Path, folder: Path) -> list[str]:
    """`--set` arguments that give a config small data of the kind that it expects."""
    ten = [f"class {number}" for number in range(10)]
    match path.name:
        case "digits.yaml" | "lenet5.yaml":
            return []
        case "article-cats-dogs.yaml" | "cats-dogs.yaml":
            source = write_folders(folder / "photos", ["cat", "dog"], each=12, size=120)
            return [f"data.train={source}", "train.batch_size=8"]
        case "csv-digits.yaml":
            images = write_folders(folder / "images", ten, each=3, size=28)
            with (folder / "train.csv").open("w", newline="") as file:
                rows = csv.writer(file)
                rows.writerow(("filename", "digit"))
                rows.writerows((f"{name}/{n}.jpg", number) for number, name in enumerate(ten) for n in range(3))
            (folder / "test.csv").write_text("filename\nclass 3/1.jpg\nclass 9/0.jpg\n")
            return [f"data.train={folder / 'train.csv'}", f"data.csv.folder={images}"]
        case _:
            source = write_folders(folder / "train", ten, each=6, size=32)
            test = write_folders(folder / "test", ten, each=2, size=32)
            return [f"data.train={source}", f"data.test={test}", "data.validation=0.2"]


@pytest.mark.parametrize("path", [path for path in ALL if path.name != "digits.yaml"], ids=lambda path: path.name)
def test_trains_one_epoch_on_small_data(path: Path, tmp_path: Path) -> None:
    settings = [part for text in filled_in(path, tmp_path) for part in ("--set", text)]
    printed = json.loads(succeed("train", path, *settings, "--set", "train.epochs=1", "--json", cwd=tmp_path))
    run = tmp_path / printed["run"]
    assert printed["metrics"]["onnx"]["largest_difference"] < 1e-3
    resolved = load(run / "config.yaml")
    assert resolved is not None
    assert resolved.train.epochs == 1
    assert resolved.model == load(path).model
    if path.name == "csv-digits.yaml":
        words = ["--folder", tmp_path / "images", "--format", "csv", "--columns", "run"]
        answers = succeed("predict", tmp_path / "test.csv", *words, cwd=tmp_path)
        rows = list(csv.DictReader(answers.splitlines()))
        assert [row["filename"] for row in rows] == ["class 3/1.jpg", "class 9/0.jpg"]
        assert {row["digit"] for row in rows} <= {str(number) for number in range(10)}
    if path.name == "article-cats-dogs.yaml":
        photo = tmp_path / "photos" / "dog" / "1.jpg"
        (answer,) = json.loads(succeed("predict", photo, "--format", "json", cwd=tmp_path))
        assert {one["label"] for one in answer["top"]} == {"cat", "dog"}
        assert sum(one["probability"] for one in answer["top"]) == pytest.approx(1)
