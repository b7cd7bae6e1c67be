from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cnnctl.config import Config, load, source
from cnnctl.config.dump import to_yaml
from cnnctl.config.load import bind
from cnnctl.formatting import name_form
from tests.config.build import EVERY_LAYER, FULL, SMALLEST, config, layer_item, with_model

WORDS = [
    "no", "yes", "on", "1e3", "010", "007", "0x1F", "0o17", "1_000", "1:30", "NA", "null", "~", "true", ".inf", "3",
    "3.0", "=", "<<", "-", "- a", "a: b", "a #b", "#", "?", "!x", "&a", "*a", "@", "%", "`", "'", '"', "it's",
    'say "x"', "{", "[", "a,b", "a ", " a", "a\nb", "a\n", "\n", "a\tb", "\\", "é", "日本", "😀", "\x1b", "\x85",
    "\u2028", "\ufeff", "2020-01-01", "x " * 90, "none", "balanced", "k" * 200,
]  # fmt: skip


def reread(text: str, folder: str = "/elsewhere") -> Config:
    loaded = bind(source.parse(text, "resolved.yaml"), Path(folder) / "resolved.yaml")
    assert loaded.problems == ()
    return loaded.config


OPTIONS = [
    "padding: same, activation: gelu",
    "padding: 0, use_bias: false",
    "padding: [[0, 1], [2, 3]], strides: [2, 1], kernel_initializer: he_normal",
    "dilation_rate: [1, 2], groups: 3, kernel_regularizer: {l1: 1e-7, l2: 1e20}",
]
TEXTS = {
    "smallest": SMALLEST,
    "full": FULL,
    "every layer": with_model(*(layer_item(*item) for item in EVERY_LAYER.items())),
    "convolutions": with_model(*(f"conv2d: {{filters: 3, kernel_size: [1, 3], {more}}}" for more in OPTIONS)),
    "nested repeats": with_model("repeat: {times: 2, layers: [flatten, repeat: {times: 3, layers: [flatten]}]}"),
    "amsgrad": with_model("flatten", rest="train: {optimizer: {adam: {amsgrad: true, epsilon: 1e-30}}}\n"),
    "deterministic": with_model("flatten", rest="deterministic: false\nclasses: 2\noutput: sigmoid\n"),
    "balanced": with_model("flatten", rest="train: {class_weight: balanced}\n"),
}


@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS)
def test_a_dumped_config_reads_back_equal(text):
    before = config(text)
    dumped = to_yaml(before)
    assert reread(dumped) == before
    assert to_yaml(reread(dumped)) == dumped


def test_every_default_is_written_out(tmp_path):
    (tmp_path / "small.yaml").write_text(SMALLEST)
    written = source.parse(to_yaml(load(tmp_path / "small.yaml")), "c.yaml").data
    assert set(written) == set(Config.model_fields)
    assert written["name"] == "small"
    assert written["data"]["train"] == str(tmp_path / "photos")
    assert written["train"]["optimizer"]["adam"]["learning_rate"] == 0.001
    assert written["model"][0]["conv2d"]["padding"] == "valid"
    assert written["model"][1] == "flatten"


def with_texts(texts: list[str]) -> Config:
    plain = config(SMALLEST)
    train = plain.train.model_copy(update={"class_weight": dict.fromkeys(map(name_form, texts), 1.5)})
    csv = plain.data.csv.model_copy(update={"label": texts[0], "group": texts[-1] + "."})
    return plain.model_copy(update={"train": train, "data": plain.data.model_copy(update={"csv": csv})})


@pytest.mark.parametrize("word", WORDS)
def test_a_text_reads_back_as_the_same_text(word):
    before = with_texts([word])
    assert reread(to_yaml(before)) == before


@given(
    st.lists(
        st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1), min_size=1, max_size=4
    )
)
def test_any_texts_read_back_as_the_same_texts(texts):
    before = with_texts(texts)
    assert reread(to_yaml(before)) == before


@given(st.floats(min_value=0, exclude_min=True, allow_infinity=False))
def test_any_number_reads_back_as_the_same_number(number):
    plain = config(SMALLEST)
    optimizer = plain.train.optimizer.model_copy(update={"learning_rate": number})
    before = plain.model_copy(update={"train": plain.train.model_copy(update={"optimizer": optimizer})})
    assert reread(to_yaml(before)) == before


@pytest.mark.parametrize("folder", ["it's", 'say "x"', "😀 日本", "no", "a: b", "#", "x " * 80 + "x"])
def test_paths_read_back_as_the_same_paths(tmp_path, folder):
    place = tmp_path / folder
    place.mkdir()
    (place / "c.yaml").write_text(SMALLEST)
    before = load(place / "c.yaml")
    assert before.data.train == str(place / "photos")
    assert reread(to_yaml(before)) == before
