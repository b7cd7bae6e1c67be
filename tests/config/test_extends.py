"""`extends: base.yaml`: what is merged, where paths start, and what an error names."""

from pathlib import Path

import pytest
from jsonschema import Draft202012Validator

import cnnctl
from cnnctl.config import load, load_recorded, parse_config, source
from cnnctl.config.dump import to_yaml
from cnnctl.config.extends import MAX_CONFIGS
from cnnctl.config.reference import json_schema
from cnnctl.errors import ConfigError

BASE = """\
seed: 7
data:
  train: photos
  test: ~/held-out
  csv: {folder: images}
  image: {size: 48, fit: crop}
augment:
  - random_flip: {mode: horizontal}
model:
  - conv2d: {filters: 32, kernel_size: 3}
  - flatten
train:
  epochs: 20
  optimizer: {sgd: {learning_rate: 0.1, momentum: 0.9}}
  schedule: {cosine: {warmup_epochs: 1}}
  class_weight: {cat: 2, dog: 1}
  initial_weights: weights/first.keras
"""
TOP = """\
extends: shared/base.yaml
data:
  validation: 0.3
augment: []
train:
  epochs: 3
  optimizer: {sgd: {learning_rate: 0.5}}
  class_weight: {dog: 4}
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """top.yaml, which extends shared/base.yaml."""
    (tmp_path / "shared").mkdir()
    (tmp_path / "shared" / "base.yaml").write_text(BASE)
    (tmp_path / "top.yaml").write_text(TOP)
    return tmp_path


def top(folder: Path, text: str) -> Path:
    path = folder / "top.yaml"
    path.write_text("extends: shared/base.yaml\n" + text)
    return path


def refusal(path: Path) -> str:
    with pytest.raises(ConfigError) as refused:
        load(path)
    return str(refused.value)


def test_mappings_are_merged_and_the_rest_is_replaced(folder: Path) -> None:
    config = load(folder / "top.yaml")
    assert (config.name, config.seed, config.augment) == ("top", 7, ())
    assert [layer.kind for layer in config.model] == ["conv2d", "flatten"]
    assert (config.data.validation, config.data.image.height, config.data.image.fit) == (0.3, 48, "crop")
    train = config.train
    assert (train.epochs, train.optimizer.learning_rate, train.optimizer.momentum) == (3, 0.5, 0.9)
    assert (train.class_weight, train.schedule.kind) == ({"cat": 2, "dog": 4}, "cosine")


def test_a_key_of_the_output_is_set_beside_the_short_form_of_a_base(folder: Path) -> None:
    base = folder / "shared" / "base.yaml"
    base.write_text(f"output: sigmoid\n{base.read_text()}")
    output = load(top(folder, "output: {use_bias: false}\n")).output
    assert (output.activation, output.use_bias) == ("sigmoid", False)


def test_a_list_takes_the_place_of_a_list(folder: Path) -> None:
    config = load(top(folder, "model:\n  - dense: {units: 3}\n"))
    assert [layer.kind for layer in config.model] == ["dense"]


@pytest.mark.parametrize(("said", "kind"), [("adam", "adam"), ("{adamw: {learning_rate: 1}}", "adamw"), ("sgd", "sgd")])
def test_another_optimizer_does_not_get_the_settings_of_the_old_one(folder: Path, said: str, kind: str) -> None:
    optimizer = load(top(folder, f"train: {{optimizer: {said}}}\n")).train.optimizer
    assert (optimizer.kind, getattr(optimizer, "momentum", 0)) == (kind, 0)


@pytest.mark.parametrize(
    ("below", "above", "shape"),
    [
        ("size: 48", "size: 32", (32, 32)),
        ("size: 48", "width: 96", (48, 96)),
        ("height: 10, width: 20", "size: 32", (32, 32)),
        ("height: 10, width: 20", "height: 30", (30, 20)),
    ],
)
def test_both_forms_of_the_size(folder: Path, below: str, above: str, shape: tuple[int, int]) -> None:
    (folder / "shared" / "base.yaml").write_text(BASE.replace("size: 48", below))
    image = load(top(folder, f"data: {{image: {{{above}}}}}\n")).data.image
    assert ((image.height, image.width), image.fit) == (shape, "crop")


def test_paths_start_where_they_stand(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/ada")
    data = load(folder / "top.yaml").data
    shared = folder / "shared"
    assert (data.train, data.test, data.csv.folder) == (f"{shared}/photos", "/home/ada/held-out", f"{shared}/images")
    assert load(folder / "top.yaml").train.initial_weights == f"{shared}/weights/first.keras"
    assert load(top(folder, "data: {train: mine}\n")).data.train == f"{folder}/mine"
    monkeypatch.chdir("/")
    assert load(folder / "top.yaml", ["data.train=set"]).data.train == "/set"


def test_a_chain_whose_middle_lies_elsewhere(folder: Path) -> None:
    (folder / "deep").mkdir()
    (folder / "deep" / "middle.yaml").write_text("extends: ../shared/base.yaml\ndata: {test: tests, csv: {path: x}}\n")
    (folder / "last.yaml").write_text("extends: deep/middle.yaml\ndata: {validation: val}\n")
    data = load(folder / "last.yaml").data
    assert (Path(data.train).resolve(), data.test) == (folder / "shared" / "photos", f"{folder}/deep/tests")
    assert (data.validation, data.csv.path) == (f"{folder}/val", "x")


def test_errors_name_the_file_and_the_line_of_the_value(folder: Path) -> None:
    (folder / "shared" / "base.yaml").write_text(BASE.replace("epochs: 20", "epochs: 0\n  batch_size: 0"))
    (folder / "top.yaml").write_text(TOP.replace("validation: 0.3", "validation: 3\n  tset: 1"))
    problems = parse_config(folder / "top.yaml").problems
    assert [(one.path, one.position.origin, one.position.line) for one in problems] == [
        ("data.validation", f"{folder}/top.yaml", 3),
        ("data.tset", f"{folder}/top.yaml", 4),
        ("train.batch_size", f"{folder}/shared/base.yaml", 14),
    ]


def test_circles_are_refused(folder: Path) -> None:
    (folder / "shared" / "base.yaml").write_text("extends: ../top.yaml\n")
    said = refusal(folder / "top.yaml")
    assert said.startswith(
        f"{folder}/shared/base.yaml:1:1: extends: these configs extend each other: {folder}/top.yaml"
    )
    (folder / "own.yaml").write_text("extends: own.yaml\n")
    assert "own.yaml:1:1: extends: these configs extend each other" in refusal(folder / "own.yaml")


def test_long_chains_are_refused(tmp_path: Path) -> None:
    for number in range(MAX_CONFIGS + 1):
        (tmp_path / f"{number}.yaml").write_text(f"extends: {number + 1}.yaml\n")
    (tmp_path / f"{MAX_CONFIGS}.yaml").write_text(BASE)
    assert load(tmp_path / "1.yaml").seed == 7
    assert f"expected a chain of at most {MAX_CONFIGS} configs" in refusal(tmp_path / "0.yaml")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("extends: gone.yaml", "top.yaml:1:1: extends: there is no config at {folder}/gone.yaml"),
        ("extends: shared", "extends: expected a config file, but {folder}/shared is a folder"),
        ("extends: [a.yaml]", "extends: expected the path of one config"),
        ("extends:", "extends: expected the path of one config"),
        ("extends: broken.yaml", "{folder}/broken.yaml:1:8: this is not YAML"),
        ("extend: shared/base.yaml", "did you mean extends?"),
    ],
)
def test_what_is_no_base(folder: Path, text: str, said: str) -> None:
    (folder / "broken.yaml").write_text("train: {a: 1\n")
    (folder / "top.yaml").write_text(text + "\n")
    assert said.format(folder=folder) in refusal(folder / "top.yaml")


def test_it_cannot_be_set(folder: Path) -> None:
    with pytest.raises(ConfigError, match="it is read before anything is set"):
        load(folder / "top.yaml", ["extends=other.yaml"])


def test_python_knows_it(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert cnnctl.load_config(folder / "top.yaml") == load(folder / "top.yaml")
    monkeypatch.chdir(folder)
    config = cnnctl.load_config({"extends": "shared/base.yaml", "data": {"test": "mine"}}, {"train.epochs": 4})
    assert (config.data.train, config.data.test) == (f"{folder}/shared/photos", f"{folder}/mine")
    assert (config.train.epochs, config.seed, config.name) == (4, 7, "config")
    assert cnnctl.load_config(config) == config


def test_what_a_run_records_is_whole(folder: Path) -> None:
    config = load(folder / "top.yaml")
    (folder / "config.yaml").write_text(to_yaml(config))
    (folder / "shared" / "base.yaml").unlink()
    assert load_recorded(folder / "config.yaml", (folder / "config.yaml").read_bytes()) == config


def test_the_config_of_a_run_reads_no_other_file(folder: Path) -> None:
    with pytest.raises(ConfigError, match="the config of a run extends no other one"):
        load_recorded(folder / "top.yaml", (folder / "top.yaml").read_bytes())


def test_editors_know_it() -> None:
    validator = Draft202012Validator(json_schema())
    for text in (TOP, "extends: base.yaml\n", "extends: base.yaml\ndata: {image: {size: 32}}\n", BASE):
        assert validator.is_valid(source.parse(text, "c.yaml").data)
    for text in ("extends: 3\n", "extends: base.yaml\ntrain: {epoch: 3}\n", "data: {test: 0.1}\nmodel: [flatten]\n"):
        assert not validator.is_valid(source.parse(text, "c.yaml").data)
