"""Source that says what is meant, in the form that ruff leaves alone."""

import ast
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cnnctl.ejecting.source import COLUMNS, array, call, comment, lines, literal, mapping, opened, text
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


@pytest.mark.parametrize("value", [1, 0.05, 1e-7, 1e-05, True, None, -0.5, (1,), (1, 2), ((0, 1), (2, 3)), ("a", 1)])
def test_literals_read_back_as_themselves(value):
    assert ast.literal_eval(literal(value)) == value


@given(st.text(st.characters(), max_size=300))
@settings(max_examples=300, deadline=None)
def test_no_text_gets_out_of_a_comment(sentence):
    for line in comment(sentence, first="- ", rest="  "):
        assert line.startswith("# ")
        assert line.splitlines() == [line]
    assert ast.parse("\n".join(comment(sentence))).body == []


def test_comments_are_folded_between_words():
    assert comment("one two " * 12, indent=4, first="- ", rest="  ") == [
        "    # - one two one two one two one two one two one two one two one two one two one two",
        "    #   one two one two",
    ]


def test_what_fits_into_a_line_stays_in_one():
    assert lines(call("f", "1", b="2"), 4, "return ") == ["    return f(1, b=2)"]
    assert lines(opened(call("f", a="1"))) == ["f(", "    a=1,", ")"]
    assert lines(call("f")) == ["f()"]


def test_what_is_too_wide_is_broken_from_the_outside():
    wide = "x" * 40
    found = lines(call("f", array([wide, wide, wide]), key=call("g", wide)), before="a = ")
    assert found == [
        "a = f(",
        "    [",
        *[f"        {wide}," for _ in range(3)],
        "    ],",
        f"    key=g({wide}),",
        ")",
    ]
    assert lines(call("f", array([wide, wide, wide])))[-2:] == ["    ]", ")"]


def test_ruff_leaves_everything_alone(tmp_path: Path):
    """Of every width around the limit, nested in every way."""
    found = []
    for width in range(COLUMNS - 40, COLUMNS + 8):
        name = "x" * (width // 2)
        for node in (
            call("f", text(name), text(name)),
            call("f", call("g", text(name + name))),
            call("f", array([text(name)]), key=array([text(name), "1"])),
            array([call("f", text(name), key=mapping({text(name): "1"}))]),
            mapping({text(name): literal((1, 2)), '"b"': array([text(name), text("犬" * (width // 4))])}),
            call("f", a=call("g", b=call("h", text(name), text(name)))),
        ):
            found += ["if a:", *lines(node, 4, "b = "), *lines(node, 0, "c = ")]
    texts = [line for value in NASTY for line in lines(array([text(value), text(value * 30)]), 0, "c = ")]
    (tmp_path / "made.py").write_text("\n".join(["a = f = g = h = 1", *found, *texts]) + "\n", encoding="utf-8")
    insist_on_ruff(tmp_path)
