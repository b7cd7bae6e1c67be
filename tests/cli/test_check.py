"""`cnnctl check`: everything at once, by line and column."""

import json
from pathlib import Path

import pytest

from tests.cli.command import cnnctl, fail, succeed
from tests.conftest import CONFIGS
from tests.images import write_classes

WRONG = """\
data: {train: photos, image: {size: 12}}
model:
  - conv2d: {filters: 8, kernel_size: 3, activation: relu}
  - max_pooling2d: {pool_size: 2}
  - max_pooling2d: {pool_size: 2}
  - max_pooling2d: {pool_size: 4}
  - flatten
train:
  epoch: 3
  optimizer: {adam: {learning_rate: -1}}
"""

SAID = """\
c.yaml:6:21: model[3].max_pooling2d.pool_size: the output would be empty
    6 |   - max_pooling2d: {pool_size: 4}
      |                     ^
received: input 2x2, pool_size 4x4, strides 4x4, padding valid: floor((2 - 4) / 4) + 1 = 0
hint: remove this pooling, use padding: same, or make the images at least 18x18

c.yaml:9:3: train.epoch: there is no such key
    9 |   epoch: 3
      |   ^
hint: did you mean epochs?

c.yaml:10:22: train.optimizer.adam.learning_rate: expected a number above 0
   10 |   optimizer: {adam: {learning_rate: -1}}
      |                      ^
received: learning_rate=-1

c.yaml:1:8: data.train: there is no folder or file {folder}/photos
    1 | data: {train: photos, image: {size: 12}}
      |        ^
hint: {folder} holds c.yaml

4 problems
"""


def test_every_mistake_at_once_to_the_letter(tmp_path: Path) -> None:
    (tmp_path / "c.yaml").write_text(WRONG)
    assert fail(2, "check", "c.yaml", cwd=tmp_path) == SAID.replace("{folder}", str(tmp_path))


def test_json_says_the_same(tmp_path: Path) -> None:
    (tmp_path / "c.yaml").write_text(WRONG)
    done = cnnctl("check", "c.yaml", "--json", cwd=tmp_path)
    assert done.returncode == 2
    printed = json.loads(done.stdout)
    assert not printed["ok"]
    places = [(problem["kind"], problem["line"], problem["column"]) for problem in printed["problems"]]
    assert places == [("config", 6, 21), ("config", 9, 3), ("config", 10, 22), ("data", 1, 8)]


def test_the_size_that_the_hint_names_will_do_and_one_less_will_not(tmp_path: Path) -> None:
    text = WRONG.replace("epoch: 3", "epochs: 3").replace("-1", "0.1")
    for size, code in ((18, 3), (17, 2)):
        (tmp_path / "c.yaml").write_text(text.replace("size: 12", f"size: {size}"))
        fail(code, "check", "c.yaml", cwd=tmp_path)


def test_a_right_config_is_said_to_be_ready_with_its_warnings(tmp_path: Path) -> None:
    printed = succeed("check", CONFIGS / "digits.yaml", cwd=tmp_path)
    assert printed.splitlines()[0] == "train: 1,169 images of 10 classes"
    assert printed.splitlines()[-1].endswith("digits.yaml is ready to train")
    config = tmp_path / "c.yaml"
    config.write_text(
        "data: {train: digits, image: {size: 33, channels: 1}}\n"
        "model: [{conv2d: {filters: 8, kernel_size: 3}}, {max_pooling2d: {pool_size: 2}}, flatten,\n"
        "  {dense: {units: 320}}]\n"
    )
    printed = succeed("check", config, cwd=tmp_path)
    for warning in ("no activation before dense", "never reads the last 1 row and 1 column", "holds 576,320 of"):
        assert warning in printed
    assert json.loads(succeed("check", config, "--json", cwd=tmp_path))["ok"]


@pytest.mark.parametrize(
    ("tree", "said"),
    [
        ([], "expected a folder for each class"),
        (["a.jpg"], "1 images are not in folders"),
        (["cat/1.jpg", "cat/2.jpg"], "expected at least two classes"),
        (["cat/1.jpg", "cat/2.jpg", "dog/1.jpg"], "too few images to split (dog: 1); each needs 2"),
        (["cat/1.jpg", "cat/2.jpg", "dog/x.txt"], "no image was found for the class dog"),
        (["train/cat/1.jpg", "test/cat/1.jpg"], "these are splits, not classes"),
    ],
)
def test_unfit_folders_are_refused_with_their_reason(tree: list[str], said: str, tmp_path: Path) -> None:
    (tmp_path / "photos").mkdir()
    for name in tree:
        path = tmp_path / "photos" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"not looked at")
    (tmp_path / "c.yaml").write_text("data: {train: photos}\nmodel: [flatten]\n")
    assert said in fail(3, "check", "c.yaml", cwd=tmp_path)


def test_a_file_that_is_no_yaml_is_named_by_line_and_column(tmp_path: Path) -> None:
    (tmp_path / "c.yaml").write_text("data: {train: x\nmodel: [flatten]\n")
    assert fail(2, "check", "c.yaml", cwd=tmp_path).startswith("c.yaml:2:6: ")
    done = cnnctl("check", "c.yaml", "--json", cwd=tmp_path)
    assert done.returncode == 2
    assert json.loads(done.stdout)["problems"][0]["line"] == 2


def test_one_image_in_two_splits_is_a_warning_and_with_strict_an_error(tmp_path: Path) -> None:
    write_classes(tmp_path / "train", {"cat": 6, "dog": 6})
    write_classes(tmp_path / "test", {"cat": 1, "dog": 6})
    data = "data: {train: train, test: test, validation: 0.2, image: {size: 8}}\n"
    (tmp_path / "c.yaml").write_text(f"{data}model: [flatten]\n")
    said = succeed("check", "c.yaml", cwd=tmp_path)
    assert "warning: 7 images are in two splits, byte for byte:" in said
    assert f"{tmp_path / 'train' / 'cat' / '0.png'} (" in said
    refused = fail(3, "check", "c.yaml", "--strict", cwd=tmp_path)
    assert refused.startswith("error: 7 images are in two splits, byte for byte:")
    assert "hint: keep each image in one split" in refused
    trained = fail(3, "train", "c.yaml", "--strict", cwd=tmp_path)
    assert "error: 7 images are in two splits" in trained
    assert not (tmp_path / "runs").exists()
