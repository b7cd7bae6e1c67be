"""Source that says what is meant, in the form that ruff leaves alone."""

import ast
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cnnctl.ejecting.source import COLUMNS, Code, call, comment, fold, literal, text
from tests.ejecting.build import insist_on_ruff

NASTY = ["", '"', "'", "\\", "'\"", "\"'); import os", '"""', "\n# \r\x00", "naïve", "犬" * 50, "\u202eevil", "\udcff"]


@given(st.text(st.characters()))
@settings(max_examples=300, deadline=None)
def test_any_text_reads_back_as_itself(value):
    assert ast.literal_eval(text(value)) == value
    assert text(value).isprintable()


@pytest.mark.parametrize("value", NASTY)
def test_nasty_texts_read_back_as_themselves(value):
    assert ast.literal_eval(text(value)) == value


@pytest.mark.parametrize(
    "value",
    [1, 0.05, 1e-7, 1e-05, True, None, -0.5, (1,), (1, 2), ((0, 1), (2, 3)), ("a", 1), [], [1, "a"], {}, {"a": [1]}],
)
def test_literals_read_back_as_themselves(value):
    assert ast.literal_eval(literal(value)) == value


@given(st.text(st.characters(), max_size=300))
@settings(max_examples=300, deadline=None)
def test_no_text_gets_out_of_a_comment(sentence):
    made = comment(sentence, first="- ", rest="  ")
    for line in made.split("\n") if made else []:
        assert line.startswith("# ")
        assert line.splitlines() == [line]
    assert ast.parse(comment(sentence)).body == []


def test_comments_are_folded_between_words():
    assert comment("one two " * 12, first="- ", rest="  ").splitlines() == [
        "# - one two one two one two one two one two one two one two one two one two one two one",
        "#   two one two",
    ]


def test_only_source_stays_unquoted():
    assert call("f", "1", Code("g()"), b=(Code("1 / 255"), None)) == 'f("1", g(), b=(1 / 255, None))'
    with pytest.raises(TypeError, match="no literal of Python"):
        literal(Path("a"))


def test_what_fits_into_a_line_stays_in_one():
    for line in ("    return f(1, b=2)", "f(\n    a=1,\n)", "f()", 'f("a, b)", 1)', "x" * 100, f"{'x' * 100}()"):
        assert fold(line) == line


def test_what_is_too_wide_is_folded_from_the_outside():
    wide = Code("x" * 40)
    found = fold(f"a = {call('f', [wide, wide, wide], key=call('g', wide))}").splitlines()
    assert found == [
        "a = f(",
        "    [",
        *[f"        {wide}," for _ in range(3)],
        "    ],",
        f"    key=g({wide}),",
        ")",
    ]
    assert fold(call("f", [wide, wide, wide])).splitlines()[-2:] == ["    ]", ")"]
    assert fold(f"# f({wide}, {wide}, {wide})") == f"# f({wide}, {wide}, {wide})"


def test_ruff_leaves_everything_alone(tmp_path: Path):
    """Of every width around the limit, nested in every way."""
    found = []
    for width in range(COLUMNS - 40, COLUMNS + 8):
        name = "x" * (width // 2)
        for node in (
            call("f", name, name),
            call("f", call("g", name + name)),
            call("f", [name], key=[name, 1]),
            literal([call("f", name, key={name: 1})]),
            literal({name: (1, 2), "b": [name, "犬" * (width // 4)]}),
            call("f", a=call("g", b=call("h", name, name))),
        ):
            found += ["if a:", f"    b = {node}", f"c = {node}"]
    texts = [f"c = {literal([value, value * 30])}" for value in NASTY]
    source = fold("\n".join(["a = f = g = h = 1", *found, *texts]) + "\n")
    (tmp_path / "made.py").write_text(source, encoding="utf-8")
    insist_on_ruff(tmp_path)
