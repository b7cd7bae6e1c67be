"""Tables of images through the commands: a training on Parquet files, and what others do with it; HEIC."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.cli.command import cnnctl, fail, succeed
from tests.data.tables import coco, hugging_face
from tests.images import encode
from tests.inference.build import COLOURS, colour_run

CONFIG = """\
data: {train: "data/train-*.parquet", validation: 0.2, test: data/test.parquet, image: {size: 16}}
model: [{conv2d: {filters: 4, kernel_size: 3}}, global_average_pooling2d]
train: {epochs: 1}
"""


def coloured(channel: int, seed: int, kind: str = "PNG") -> bytes:
    """A noisy image that is mostly of one colour."""
    pixels = np.random.default_rng(seed).integers(0, 60, (16, 16, 3))
    pixels[:, :, channel] += 180
    return encode(Image.fromarray(pixels.astype(np.uint8)), kind)


def write_table(file: Path, count: int, seed: int) -> Path:
    file.parent.mkdir(exist_ok=True)
    labels = [number % 3 for number in range(count)]
    images = [coloured(label, seed + number) for number, label in enumerate(labels)]
    return hugging_face(file, images, labels, COLOURS)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with data/, a config, and the run of its training."""
    folder = tmp_path_factory.mktemp("tables")
    for number in range(2):
        write_table(folder / "data" / f"train-{number}.parquet", 15, 100 * number)
    write_table(folder / "data" / "test.parquet", 6, 900)
    (folder / "c.yaml").write_text(CONFIG)
    succeed("train", "c.yaml", "--output", "run", cwd=folder)
    return folder


def test_a_run_on_parquet_files(place: Path) -> None:
    told = json.loads(succeed("check", "c.yaml", "--json", cwd=place))
    assert told["ok"]
    assert told["classes"] == sorted(COLOURS)
    rows = (place / "run" / "split.csv").read_text().splitlines()
    assert sum("train-1.parquet/14," in row for row in rows) == 1
    assert "3" in succeed("summary", "c.yaml", cwd=place)
    for table in ("data/test.parquet", "data/train-*.parquet"):
        told = json.loads(succeed("evaluate", "run", "--data", table, "--json", cwd=place))
        assert told["images"] == (6 if "test" in table else 30)
    answers = [
        json.loads(line)
        for line in succeed("predict", "run", "data/test.parquet", "--format", "jsonl", cwd=place).splitlines()
    ]
    assert [one["path"] for one in answers] == [f"data/test.parquet/{row}" for row in range(6)]
    alone = json.loads(succeed("predict", "run", "data/test.parquet/4", "--format", "json", cwd=place))
    assert alone[0]["label"] == answers[4]["label"]
    succeed("explain", "run", "data/test.parquet/1", "--output", "why", cwd=place)
    assert any((place / "why").iterdir())
    succeed("preview", "c.yaml", "--output", "preview.png", cwd=place)
    succeed("report", "run", cwd=place)
    page = (place / "run" / "report.html").read_text()
    assert "outside the data folders" not in page
    assert "another file of that name" not in page
    assert "this image is in a table" in fail(2, "eject", "c.yaml", cwd=place)


def test_other_images_are_not_resumed_on(place: Path) -> None:
    kept = (place / "data" / "train-1.parquet").read_bytes()
    write_table(place / "data" / "train-1.parquet", 15, 500)
    said = cnnctl("train", "--resume", "run", "--set", "train.epochs=2", cwd=place)
    (place / "data" / "train-1.parquet").write_bytes(kept)
    assert said.returncode != 0
    assert "images" in said.stderr
    succeed("train", "--resume", "run", "--set", "train.epochs=2", cwd=place)


@pytest.mark.parametrize("kind", ["parquet", "metadata", "coco"])
def test_init_writes_a_config_that_is_ready(tmp_path: Path, kind: str) -> None:
    names, labels = [f"{number}.png" for number in range(12)], [number % 3 for number in range(12)]
    images = [coloured(label, number) for number, label in enumerate(labels)]
    photos = tmp_path / "photos"
    (photos / "pictures").mkdir(parents=True)
    if kind == "parquet":
        hugging_face(photos / "pictures" / "part.parquet", images, labels, COLOURS)
    else:
        for name, image in zip(names, images, strict=True):
            (photos / "pictures" / name).write_bytes(image)
    if kind == "metadata":
        rows = [f"{name},{COLOURS[label]}" for name, label in zip(names, labels, strict=True)]
        (photos / "pictures" / "metadata.csv").write_text("\n".join(["file_name,what", *rows, ""]))
    if kind == "coco":
        coco(photos / "annotations" / "all.json", names, [[COLOURS[label]] for label in labels], COLOURS)
    source = "photos" if kind == "coco" else "photos/pictures"
    succeed("init", source, "--output", "c.yaml", cwd=tmp_path)
    assert "csv:" not in (tmp_path / "c.yaml").read_text()
    assert json.loads(succeed("check", "c.yaml", "--json", cwd=tmp_path))["classes"] == sorted(COLOURS)


def test_heic_is_predicted(tmp_path: Path) -> None:
    colour_run(tmp_path / "run")
    for number, name in enumerate(COLOURS):
        (tmp_path / f"{name}.heic").write_bytes(coloured(number, number, "HEIF"))
    (tmp_path / "cut.heic").write_bytes(coloured(0, 0, "HEIF")[:-50])
    done = cnnctl("predict", ".", "--run", "run", "--format", "json", cwd=tmp_path)
    assert done.returncode == 8
    answers = {Path(one["path"]).name: one for one in json.loads(done.stdout)}
    assert {name: answers[f"{name}.heic"]["label"] for name in COLOURS} == {name: name for name in COLOURS}
    assert answers["cut.heic"]["error"].startswith("the HEIC image is damaged")
