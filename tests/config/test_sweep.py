"""A SWEEP.yaml: what it means, and every mistake at its place."""

from pathlib import Path

import pytest

from cnnctl.config.sweep import MOST_CORNERS, Hyperband, Median, load_sweep
from cnnctl.errors import ConfigError
from cnnctl.sweeping.corners import check_corners

CONFIG = """\
data: {train: digits, validation: 0.3, image: {size: 8, channels: 1}}
model: [flatten, dense: {units: 8, activation: relu}]
"""
HEAD = "config: tiny.yaml\ntrials: 3\n"
SPACE = "space: {train.epochs: [1, 2]}\n"


@pytest.fixture
def write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    Path("tiny.yaml").write_text(CONFIG)
    return Path("sweep.yaml")


@pytest.mark.parametrize(
    ("text", "place", "path", "message", "hint"),
    [
        ("config: tiny.yml\ntrials: 3\n" + SPACE, "1:1", "config", "there is no config at tiny.yml", "configs there: "),
        ("config: tiny.yaml\ntrails: 3\n" + SPACE, "2:1", "trails", "there is no such key", "did you mean trials?"),
        (HEAD, "1:1", "space", "a required key is missing", "add it: space: {train.batch_size"),
        (HEAD + "space: {}\n", "3:1", "space", "expected at least one item", "for example space:"),
        (HEAD + "space: 3\n", "3:1", "space", "expected keys and values", "for example space:"),
        (HEAD + "space: {train.bs: [1, 2]}\n", "3:9", "train.bs", "there is no such key", "did you mean batch_size?"),
        (
            HEAD + "space: {'model[1].units': [1]}\n",
            "3:9",
            "model[1].units",
            "there is no such key",
            "did you mean model",
        ),
        (HEAD + "space: {'model[9].dense.units': [1]}\n", "3:9", "", "there is no item [9] to set", ""),
        (HEAD + "space: {'a b[': [1]}\n", "3:9", "a b[", "expected the path of a key", "for example train"),
        (
            HEAD + "space: {train.epochs: {from: 1}}\n",
            "3:9",
            "train.epochs.to",
            "a required key",
            "for example train.e",
        ),
        (HEAD + "space: {train.epochs: {from: 3, to: 1}}\n", "3:9", "train.epochs", "expected from to be less", ""),
        (HEAD + "space: {train.epochs: {from: x, to: 1}}\n", "3:24", "train.epochs.from", "expected a number", ""),
        (
            HEAD + "space: {train.epochs: {from: 1, to: 2, stp: 1}}\n",
            "3:40",
            "train.epochs.stp",
            "there is no",
            "did you",
        ),
        (HEAD + "space: {train.epochs: {from: 1, to: 9, step: 10}}\n", "3:9", "train.epochs", "expected a step", ""),
        (HEAD + "space: {train.ema: {from: 0, to: 0.9, log: true}}\n", "3:9", "train.ema", "log needs numbers", ""),
        (HEAD + "space: {train.ema: {from: 1, to: 9, log: true, step: 1}}\n", "3:9", "train.ema", "step and log", ""),
        (
            HEAD + "space: {train.epochs: 3}\n",
            "3:9",
            "train.epochs",
            "expected a list of values, or from",
            "for example",
        ),
        (HEAD + "space: {train.epochs: [3, 3]}\n", "3:9", "train.epochs", "expected values that differ", ""),
        (HEAD + "space: {train.epochs: {from: 1.0, to: 3}}\n", "3:9", "train.epochs", "expected a whole number", ""),
        (HEAD + "space: {extends: [a.yaml]}\n", "3:9", "extends", "it is read before anything is set", "write it"),
        (HEAD + "set: {train.epochs: 3}\n" + SPACE, "4:9", "train.epochs", "it is set and varied", "remove it"),
        (
            HEAD + "set: {train.epoch: 3}\n" + SPACE,
            "3:7",
            "train.epoch",
            "there is no such key",
            "did you mean epochs?",
        ),
        (HEAD + "set: {data.validation: 0}\n" + SPACE, "1:1", "metric", "there are no validation images", "set data.v"),
        (
            HEAD + "metric: val_acc\n" + SPACE,
            "3:1",
            "metric",
            "expected val_accuracy, val_loss,",
            "did you mean val_accu",
        ),
        (HEAD + "sampler: tpee\n" + SPACE, "3:1", "sampler", "expected tpe, random or grid", "did you mean tpe?"),
        (HEAD + "heartbeat: 0\n" + SPACE, "3:1", "heartbeat", "expected a number of at least 1", ""),
        (HEAD + "prune: medan\n" + SPACE, "3:1", "prune", "expected none, median or hyperband", "did you mean median?"),
        (
            HEAD + "prune: {median: {startup: 3}}\n" + SPACE,
            "3:18",
            "prune.median.startup",
            "there is no",
            "did you mean s",
        ),
        (
            HEAD + "storage: a.log\n" + SPACE,
            "3:1",
            "storage",
            "a journal and a gRPC proxy have no heartbeat",
            "leave it",
        ),
        (
            HEAD + "storage: 'grpc://x:1'\n" + SPACE,
            "3:1",
            "storage",
            "a journal and a gRPC proxy have no h",
            "leave it",
        ),
        (HEAD + "storage: 'redis://x'\n" + SPACE, "3:1", "storage", "a journal and a gRPC proxy have no h", "leave it"),
        (
            HEAD + "storage: 'sqlite://'\n" + SPACE,
            "3:1",
            "storage",
            "SQLite in memory ends with its worker",
            "leave it",
        ),
        (HEAD + "storage: here\n" + SPACE, "3:1", "storage", "expected the address of a PostgreSQL", "leave it out"),
    ],
)
def test_mistakes(write: Path, text: str, place: str, path: str, message: str, hint: str) -> None:
    write.write_text(text)
    with pytest.raises(ConfigError) as caught:
        check_corners(load_sweep(write))
    problem = next(one for one in caught.value.problems if one.path == path)
    assert str(problem.position) == f"sweep.yaml:{place}"
    assert problem.message.startswith(message)
    assert (problem.hint or "").startswith(hint)


def test_a_grid_needs_values_that_can_be_counted(write: Path) -> None:
    write.write_text(HEAD + "sampler: grid\nspace: {train.optimizer.adam.learning_rate: {from: 0.1, to: 1}}\n")
    with pytest.raises(ConfigError, match="a grid needs values that can be counted"):
        load_sweep(write)
    write.write_text(
        HEAD + "sampler: grid\nspace: {train.epochs: {from: 1, to: 3}, train.ema: {from: 0, to: 1, step: 0.4}}\n"
    )
    epochs, ema = load_sweep(write).dimensions
    assert epochs.grid == (1, 2, 3)
    assert ema.grid == (0, 0.4, 0.8)
    assert ema.ends == (0, 0.8)


def test_keys_inside_of_others_would_undo_them(write: Path) -> None:
    write.write_text(HEAD + "space: {train.optimizer: [adam, sgd], train.optimizer.adam.learning_rate: [0.1, 0.2]}\n")
    with pytest.raises(ConfigError) as caught:
        load_sweep(write)
    (problem,) = caught.value.problems
    assert problem.path == "train.optimizer.adam.learning_rate"
    assert problem.message == "train.optimizer, which holds it, is varied too"


def test_a_range_is_of_whole_numbers_where_the_config_takes_only_those(write: Path) -> None:
    text = "space: {'model[1].dense.units': {from: 8, to: 64}, train.optimizer.adam.learning_rate: {from: 1, to: 2}}\n"
    write.write_text(HEAD + text)
    units, rate = load_sweep(write).dimensions
    assert (units.is_whole, rate.is_whole) == (True, False)


def test_the_config_and_its_paths_are_relative_to_the_file(write: Path) -> None:
    Path("sub").mkdir()
    Path("sub/sweep.yaml").write_text(
        "config: ../tiny.yaml\ntrials: 1\nset: {data.validation: more}\nspace: {data.train: [one, digits]}\n"
    )
    data = load_sweep(Path("sub/sweep.yaml")).loaded({"data.train": "one"}).need().data
    assert (data.train, data.validation) == (str(Path("sub/one").absolute()), str(Path("sub/more").absolute()))


def test_pruners(write: Path) -> None:
    found = []
    for text in ("median", "{median: {warmup_epochs: 2}}", "none", "{hyperband: {reduction_factor: 4}}"):
        write.write_text(HEAD + f"prune: {text}\n" + SPACE)
        found.append(load_sweep(write).settings.prune)
    assert found == [Median(), Median(warmup_epochs=2), None, Hyperband(reduction_factor=4)]


def test_corners_are_all_of_few_and_some_of_many(write: Path) -> None:
    write.write_text(HEAD + "space: {train.epochs: [1, 2, 3], train.batch_size: {from: 1, to: 9}}\n")
    assert len(list(load_sweep(write).corners())) == 6
    keys = [f"train.optimizer.adam.{name}" for name in ("learning_rate", "beta_1", "beta_2", "epsilon")]
    keys += ["train.epochs", "train.batch_size", "seed", "model[1].dense.units", "data.validation"]
    write.write_text(HEAD + "space:\n" + "".join(f"  {key}: [0.1, 0.2]\n" for key in keys))
    found = list(load_sweep(write).corners())
    assert len(found) == MOST_CORNERS
    assert all({corner[key] for corner in found} == {0.1, 0.2} for key in keys)
