"""`${env:NAME}` in the values of a config."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

import cnnctl
from cnnctl.config import load, load_recorded, source
from cnnctl.config.dump import to_yaml
from cnnctl.config.reference import json_schema
from cnnctl.config.scalars import MAX_EXPANDED, escape, expand
from cnnctl.errors import ConfigError
from tests.config.build import SMALLEST

ENVIRONMENT = {
    "N": "3",
    "RATE": "1e-3",
    "WORD": "cat",
    "EMPTY": "",
    "ZERO": "010",
    "LIST": "[1, 2]",
    "ITSELF": "${env:N}",
}


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in ENVIRONMENT.items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("UNSET", raising=False)


def value(text: str) -> object:
    return source.parse(f"a: {text}\n", "c.yaml").data["a"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("${env:N}", 3),
        ("${env:RATE}", 0.001),
        ("${env:WORD}", "cat"),
        ("${env:EMPTY}", None),
        ("'${env:N}'", "3"),
        ('"${env:N}"', "3"),
        ("photos/${env:WORD}/${env:N}", "photos/cat/3"),
        ("${env:N}${env:N}", 33),
        ("${env:UNSET:7}", 7),
        ("${env:UNSET:}", None),
        ("${env:UNSET:C:/photos}", "C:/photos"),
        ("${env:N:7}", 3),
        ("${env:EMPTY:7}", None),
        ("${env:UNSET:true}", True),
        ("${env:LIST}", "[1, 2]"),
        ("${env:ITSELF}", "${env:N}"),
        ("{b: ${env:N}, c: [${env:N}, '${env:N}']}", {"b": 3, "c": [3, "3"]}),
        ("{b: ${env:UNSET:0.5}}", {"b": 0.5}),
        ("$${env:N}", "${env:N}"),
        ("$${anything}", "${anything}"),
        ("'$$${env:N}'", "$${env:N}"),
        ("$N", "$N"),
        ("${N}", "${N}"),
        ("$$", "$$"),
        ("env:N", "env:N"),
    ],
)
def test_values_are_typed_as_scalars_are(text: str, expected: object) -> None:
    assert value(text) == expected


def test_keys_and_comments_are_left_alone() -> None:
    assert source.parse("'${env:N}': 1  # ${env:UNSET}\n", "c.yaml").data == {"${env:N}": 1}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("${env:UNSET}", "c.yaml:1:4: the environment has no variable UNSET"),
        ("[1, 'x${env:UNSET}']", "c.yaml:1:8: the environment has no variable UNSET"),
        ("${env:}", "c.yaml:1:4: expected ${env:NAME} or ${env:NAME:default}"),
        ("${env:1X}", "expected ${env:NAME}"),
        ("'${env:N'", "expected ${env:NAME}"),
        ("${env:ZERO}", "a number must not begin with 0"),
        ("${env:BELL}", "the variable BELL holds no printable text"),
    ],
)
def test_what_cannot_be_filled_in_is_named_by_its_line(text: str, said: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BELL", "\a")
    with pytest.raises(ConfigError) as refused:
        value(text)
    assert said in str(refused.value)


def test_all_missing_variables_are_named_at_once() -> None:
    with pytest.raises(ConfigError) as refused:
        source.parse("a: ${env:UNSET}\nb: ${env:UNSET_TOO}\n", "c.yaml")
    assert [one.position.line for one in refused.value.problems] == [1, 2]
    assert refused.value.problems[0].hint == "set it, or give a default: ${env:UNSET:value}"


def test_columns_are_those_of_the_file() -> None:
    document = source.parse("a: {b: ${env:N}, c: 1}\n", "c.yaml")
    assert document.positions[("a", "c")].column == 18
    assert document.positions[("a", "c")].text == "a: {b: ${env:N}, c: 1}"


def test_they_do_not_fill_the_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LONG", "x" * 10_000)
    with pytest.raises(ConfigError, match=f"at most {MAX_EXPANDED:,} characters once variables are filled in"):
        value("'" + "${env:LONG}" * 101 + "'")


def test_in_set_in_a_base_and_in_python(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "cat.yaml").write_text(SMALLEST.replace("train: photos", "train: '${env:WORD}'"))
    (tmp_path / "top.yaml").write_text("extends: ${env:WORD}.yaml\ntrain: {epochs: ${env:N}}\n")
    config = load(tmp_path / "top.yaml", ["seed=${env:N}"])
    assert (config.seed, config.train.epochs, config.data.train) == (3, 3, str(tmp_path / "cat"))
    monkeypatch.chdir(tmp_path)
    mapping = {"data": {"train": "${env:WORD}"}, "model": ["flatten"], "train": {"epochs": "${env:N}"}}
    config = cnnctl.load_config(mapping, {"seed": "${env:N}", "data.test": "$${env:N}"})
    assert (config.seed, config.train.epochs, config.data.train) == (3, 3, str(tmp_path / "cat"))
    assert config.data.test == str(tmp_path / "${env:N}")
    assert cnnctl.load_config(config) == config
    with pytest.raises(ConfigError, match=r"train\.epochs: the environment has no variable UNSET"):
        cnnctl.load_config({**mapping, "train": {"epochs": "${env:UNSET}"}})


def test_a_run_needs_no_environment_and_is_told_nothing_of_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "c.yaml").write_text(SMALLEST.replace("train: photos", "train: '${env:WORD}/$${env:N}'"))
    config = load(tmp_path / "c.yaml")
    (tmp_path / "config.yaml").write_text(to_yaml(config))
    monkeypatch.delenv("WORD")
    assert config.data.train == str(tmp_path / "cat" / "${env:N}")
    assert (
        load_recorded(tmp_path / "config.yaml", (tmp_path / "config.yaml").read_bytes())
        == load(tmp_path / "config.yaml")
        == config
    )
    (tmp_path / "config.yaml").write_text(SMALLEST.replace("train: photos", "train: /${env:N}"))
    assert load_recorded(tmp_path / "config.yaml", (tmp_path / "config.yaml").read_bytes()).data.train == "/${env:N}"


@given(st.text(st.sampled_from("${}env:NX "), max_size=20))
def test_any_text_can_be_written(text: str) -> None:
    assert expand(escape(text), {}) == text
    assert expand(escape(text), None) == text


def test_editors_know_them() -> None:
    validator = Draft202012Validator(json_schema())
    text = SMALLEST + "name: ${env:A}\nseed: '${env:A}'\ntrain: {epochs: '${env:A:3}', optimizer: '${env:O}'}\n"
    document = source.parse(text, "c.yaml", environment=None)
    assert validator.is_valid(document.data)
    assert not validator.is_valid({**document.data, "seed": "${en:A}"})
