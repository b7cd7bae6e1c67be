"""`load_config` and `summarize`."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import cnnctl
from cnnctl.config import load
from tests.cli.command import succeed
from tests.config.build import FULL, SMALLEST
from tests.conftest import CONFIGS, Trained

VALUES: dict[str, Any] = {
    "data": {"train": "photos"},
    "model": [{"conv2d": {"filters": 8, "kernel_size": 3}}, "flatten"],
}


@pytest.fixture
def written(tmp_path: Path) -> Path:
    path = tmp_path / "mine.yaml"
    path.write_text(FULL)
    return path


def test_a_file_is_what_the_command_reads(written: Path) -> None:
    config = cnnctl.load_config(str(written))
    assert config == load(written)
    assert isinstance(config, cnnctl.Config)
    assert config.data.train == str(written.parent / "photos/train")


def test_a_mapping_is_the_same_as_its_text(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "config.yaml").write_text(SMALLEST)
    values = {
        "data": {"train": Path("photos")},
        "model": ({"conv2d": {"filters": np.int64(32), "kernel_size": 3}}, "flatten"),
    }
    assert cnnctl.load_config(values) == cnnctl.load_config("config.yaml")
    assert cnnctl.load_config(values).name == "config"


def test_overrides_replace_values(written: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir("/")
    overrides = {
        "train.epochs": np.int32(5),
        "train.optimizer": {"adam": {"learning_rate": np.float32(0.5)}},
        "model[0].repeat.times": 3,
        "data.train": "elsewhere/日本😀",
        "train.class_weight": {"no": 2, "12": 1.5},
        "train.early_stopping": None,
    }
    config = cnnctl.load_config(written, overrides)
    assert (config.train.epochs, config.train.optimizer.learning_rate) == (5, 0.5)
    assert (config.model[0].times, config.train.early_stopping) == (3, None)
    assert config.data.train == "/elsewhere/日本😀"
    assert config.train.class_weight == {"no": 2.0, "12": 1.5}
    assert cnnctl.load_config(config, {"seed": 8}).model_copy(update={"seed": 7}) == config


def test_every_mistake_comes_at_once(written: Path) -> None:
    written.write_text(FULL.replace("epochs:", "epoch:").replace("times: 2", "times: two"))
    with pytest.raises(cnnctl.ConfigError) as caught:
        cnnctl.load_config(written, {"seed": -1})
    places = [str(problem.position) for problem in caught.value.problems]
    assert places == ["overrides:1:1", f"{written}:19:7", f"{written}:28:3"]
    with pytest.raises(cnnctl.ConfigError) as caught:
        cnnctl.load_config({**VALUES, "train": {"epoch": 3}, "seed": "x"})
    assert [problem.path for problem in caught.value.problems] == ["seed", "train.epoch"]
    assert str(caught.value).startswith("error: seed: expected a whole number\nreceived: seed=x\n")


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"data": {"train": object()}}, "received: a value of type object"),
        ({**VALUES, "train": {"class_weight": {"cat": 1 + 2j}}}, "received: a value of type complex"),
        ({**VALUES, "train": {"label_smoothing": float("nan")}}, "train.label_smoothing: "),
        ({}, "data: a required key is missing"),
    ],
)
def test_values_that_no_config_has(values: Any, said: str) -> None:
    with pytest.raises(cnnctl.ConfigError) as caught:
        cnnctl.load_config(values)
    assert said in str(caught.value)


def test_values_without_an_end() -> None:
    endless: dict[str, Any] = {}
    endless["data"] = endless
    with pytest.raises(cnnctl.ConfigError, match="at most 40 levels"):
        cnnctl.load_config(endless)


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(cnnctl.UsageError, match="there is no config at"):
        cnnctl.load_config(tmp_path / "nothing.yaml")


def test_a_summary_is_that_of_the_command(tmp_path: Path) -> None:
    digits = CONFIGS / "digits.yaml"
    summary = cnnctl.summarize(digits, {"train.batch_size": 8})
    options = ("--set", "train.batch_size=8")
    shown, said = str(summary).splitlines(), succeed("summary", digits, *options, cwd=tmp_path).splitlines()
    types = slice(said[2].index("type"), said[2].index("settings"))
    assert shown[2:12] == [line[: types.start] + line[types.stop :] for line in said[2:12]]
    assert (shown[12], said[12].endswith(" (151,306 trained, 0 not)")) == ("parameters         151,306", True)
    assert shown[13:] == said[13:]
    assert summary.to_dict() == json.loads(succeed("summary", digits, *options, "--json", cwd=tmp_path))
    assert summary.total_params == summary.trainable_params == sum(layer.params for layer in summary.layers) == 151306
    assert summary.input_shape == (8, 8, 1)
    assert [layer.output_shape for layer in summary.layers][-1] == (10,)
    assert repr(summary) == "<Summary of digits: 7 layers, 151,306 parameters>"
    assert "formulas" in summary.to_dict(formulas=True)["layers"][0]


def test_a_summary_of_a_run_a_model_and_values(digits_run: Trained) -> None:
    expected = cnnctl.summarize(CONFIGS / "digits.yaml").total_params
    run = cnnctl.summarize(digits_run.run)
    assert (run.total_params, run.subject.train is not None) == (expected, True)
    assert cnnctl.summarize(digits_run.run / "model.keras").total_params == expected
    assert cnnctl.summarize(VALUES, classes=5).layers[-1].output_shape == (5,)
    assert cnnctl.summarize(cnnctl.load_config({**VALUES, "classes": 4})).layers[-1].output_shape == (4,)
    with pytest.raises(cnnctl.UsageError, match="it has no keys to override"):
        cnnctl.summarize(digits_run.run, classes=5)


def test_a_summary_counts_what_is_not_trained() -> None:
    frozen = {**VALUES, "classes": 2, "model": ["batch_normalization", "flatten"]}
    assert " trained, 6 not)" in str(cnnctl.summarize(frozen))


def test_a_summary_in_a_notebook_is_a_table_in_which_nothing_is_html() -> None:
    values = {**VALUES, "model": ["flatten"]}
    shown = cnnctl.summarize(cnnctl.load_config(values), classes=2)
    shown.subject.plan.layers[0].__dict__["name"] = "<script>"
    assert "&lt;script&gt;" in shown._repr_html_()
    assert "<script>" not in shown._repr_html_()
    assert shown._repr_html_().count("<table ") == 2
    assert ">config: input 64x64x3</pre>" in shown._repr_html_()


@pytest.mark.parametrize(
    ("values", "kind", "said"),
    [
        (VALUES, cnnctl.DataError, "add `classes: 10`"),
        ({**VALUES, "classes": 2, "data": {"train": "x", "image": {"size": 2}}}, cnnctl.ConfigError, "would be empty"),
        ({**VALUES, "modle": []}, cnnctl.ConfigError, "did you mean model?"),
        ("gone", cnnctl.UsageError, "there is no config at gone"),
        ("gone.keras", cnnctl.RunError, "gone.keras"),
    ],
)
def test_what_cannot_be_summed_up(values: Any, kind: Any, said: str) -> None:
    with pytest.raises(kind) as caught:
        cnnctl.summarize(values)
    assert said in str(caught.value)
