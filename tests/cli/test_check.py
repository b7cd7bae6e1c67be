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
    printed = succeed("check", CONFIGS / "digits.yaml", cwd=tmp_path, fresh=True)
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


def test_contradictory_labels_and_duplicates_are_named_with_both_paths(tmp_path: Path) -> None:
    write_classes(tmp_path / "photos", {"cat": 6, "dog": 6})
    photos = tmp_path / "photos"
    (photos / "dog" / "again.png").write_bytes((photos / "cat" / "0.png").read_bytes())
    (photos / "cat" / "again.png").write_bytes((photos / "cat" / "1.png").read_bytes())
    (tmp_path / "c.yaml").write_text("data: {train: photos, validation: 0, image: {size: 8}}\nmodel: [flatten]\n")
    said = succeed("check", "c.yaml", cwd=tmp_path)
    assert (
        f"image is in two classes, byte for byte:\n  {photos}/cat/0.png (cat) and {photos}/dog/again.png (dog)" in said
    )
    assert f"1 image is twice in one class, byte for byte:\n  {photos}/cat/1.png and {photos}/cat/again.png" in said
    remarks = json.loads(succeed("check", "c.yaml", "--json", cwd=tmp_path))["remarks"]
    pairs = [pair for one in remarks for pair in one.get("pairs", [])]
    assert [f"{photos}/cat/0.png", f"{photos}/dog/again.png"] in pairs
    assert [f"{photos}/cat/1.png", f"{photos}/cat/again.png"] in pairs
    refused = json.loads(cnnctl("check", "c.yaml", "--json", "--strict", cwd=tmp_path).stdout)
    assert pairs == [pair for one in refused["problems"] for pair in one.get("pairs", [])]


RIGHT = "data: {train: digits, image: {size: 8, channels: 1}}\nmodel: [flatten]\n"


def test_several_configs(tmp_path: Path) -> None:
    (tmp_path / "right.yaml").write_text(RIGHT)
    (tmp_path / "data.yaml").write_text(RIGHT.replace("digits", "gone"))
    (tmp_path / "wrong.yaml").write_text(RIGHT + "trian: 1\n")
    names = ["right.yaml", "data.yaml", "gone.yaml", "wrong.yaml", "<stdin>"]
    given = [*names[:-1], "-"]
    done = cnnctl("check", *given, cwd=tmp_path, stdin=RIGHT)
    assert done.returncode == 2
    assert done.stdout.splitlines()[0] == "right.yaml:"
    assert done.stdout.splitlines()[-1] == "2 of 5 configs are ready to train"
    for said in ("data.yaml:1:8: data.train", "gone.yaml:\nerror: there is no config at gone.yaml", "wrong.yaml:3:1"):
        assert said in done.stderr
    done = cnnctl("check", *given, "--json", cwd=tmp_path, stdin=RIGHT)
    found = json.loads(done.stdout)
    assert done.returncode == 2
    assert [(one["config"], one["ok"]) for one in found] == list(
        zip(names, (True, False, False, False, True), strict=True)
    )
    assert found[2]["problems"][0]["message"] == "there is no config at gone.yaml"
    assert fail(3, "check", "right.yaml", "data.yaml", cwd=tmp_path)
    assert isinstance(json.loads(succeed("check", "right.yaml", "--json", cwd=tmp_path)), dict)
    assert "give - once" in fail(2, "check", "-", "-", cwd=tmp_path, stdin=RIGHT)
    assert "--output is the run directory of one config" in fail(
        2, "check", "right.yaml", "data.yaml", "--output", "x", cwd=tmp_path
    )


LACKING = """\
data: {train: photos, image: {size: 8}}
model: [flatten]
train: {device: gpu, backend: jax, loggers: [mlflow]}
"""


@pytest.fixture
def bare(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a config, on a machine that sees no GPU and has neither jax nor mlflow."""
    write_classes(tmp_path / "photos", {"cat": 6, "dog": 6})
    (tmp_path / "c.yaml").write_text(LACKING)
    hiding = "import importlib.util as u\nfind = u.find_spec\nhidden = {'jax', 'mlflow'}\n"
    hiding += "u.find_spec = lambda name, package=None: None if name in hidden else find(name, package)\n"
    (tmp_path / "site").mkdir()
    (tmp_path / "site" / "sitecustomize.py").write_text(hiding)
    monkeypatch.setenv("PYTHONPATH", f"{tmp_path / 'site'}:{Path(__file__).parents[2]}")
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "-1")
    return tmp_path


def test_all_that_the_machine_lacks_is_said_at_once(bare: Path) -> None:
    done = cnnctl("check", "c.yaml", "--json", cwd=bare)
    assert done.returncode == 5, done.stderr
    printed = json.loads(done.stdout)
    assert {(one["kind"], one["exit_code"]) for one in printed["problems"]} == {("machine", 5)}
    told = {one["message"]: one["line"] for one in printed["problems"]}
    assert told == {
        "JAX is not installed": 3,
        "mlflow needs mlflow, which is not installed": 3,
        "there is no GPU: CUDA_VISIBLE_DEVICES is '-1'": 3,
    }


def test_a_mistake_in_the_config_outweighs_the_machine(bare: Path) -> None:
    (bare / "c.yaml").write_text(LACKING.replace("[flatten]", "[{conv2d: {filters: 4, kernel_size: 30}}, flatten]"))
    done = cnnctl("check", "c.yaml", cwd=bare)
    assert done.returncode == 2
    assert "c.yaml:3:22: train.backend: JAX is not installed" in done.stderr
    assert done.stderr.endswith("\n4 problems\n")


@pytest.mark.parametrize("is_taken", [True, False])
def test_an_output_folder_that_is_taken_is_said(is_taken: bool, tmp_path: Path) -> None:
    write_classes(tmp_path / "photos", {"cat": 6, "dog": 6})
    (tmp_path / "c.yaml").write_text("data: {train: photos, image: {size: 8}}\nmodel: [flatten]\n")
    (tmp_path / "out").mkdir()
    if not is_taken:
        assert "ready to train" in succeed("check", "c.yaml", "--output", "out", cwd=tmp_path)
        return
    (tmp_path / "out" / "notes.txt").touch()
    assert "out is not empty" in fail(2, "check", "c.yaml", "--output", "out", cwd=tmp_path)
    assert "cannot be" in fail(5, "check", "c.yaml", "--output", "/proc/none/out", cwd=tmp_path)
