"""Tables and JSON on any stream."""

import io
import json
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cnnctl.formatting import printable, shortened, visible
from cnnctl.system.streams import FALLBACK
from cnnctl.terminal.layout import Block, cells_of
from cnnctl.terminal.render import LEFT, RIGHT, _folded_lines, _plain_lines, print_json, print_table

NASTY = {"\x1b[31mred": "\x9b2J\x7f", "\u202e": "é\n\r", "caf\udce9": "日🐱\U000e0041"}


@pytest.mark.parametrize("encoding", ["utf-8", "latin-1", "ascii"])
def test_json_is_the_same_value_everywhere_and_moves_no_cursor(encoding: str, monkeypatch: pytest.MonkeyPatch) -> None:
    written = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(written, encoding=encoding, write_through=True))
    print_json(NASTY)
    text = written.getvalue().decode(encoding)
    assert json.loads(text) == NASTY
    assert all(line.isprintable() for line in text.split("\n"))


def test_columns_stand_below_each_other_in_ascii() -> None:
    stream = io.TextIOWrapper(written := io.BytesIO(), encoding="ascii", errors=FALLBACK, write_through=True)
    print_table(("class\x1b", "images"), [("é…\x1b[1m", "1"), ("b", "22")], (LEFT, RIGHT), stream)
    head, line, *rows = written.getvalue().decode("ascii").splitlines()
    assert set(line) == {"-"}
    assert len({len(one) for one in (head, line, *rows)}) == 1
    assert rows[0].startswith("\\xe9...\\x1b[1m ")
    assert head.startswith("class\\x1b ")


def test_text_of_several_lines_keeps_them() -> None:
    assert visible("a\n\tb\x1b\r") == "a\n\tb\\x1b\\r"
    assert printable("a\n\tb\x1b\r") == "a\\n\\tb\\x1b\\r"
    assert printable("é 日 🐱") == "é 日 🐱"


def test_words_that_fill_screens_are_cut() -> None:
    path = "a/" * 400
    assert shortened(f"no file {path}") == f"no file {path}"
    assert shortened("no file data:" + "A" * 5000 + " there") == f"no file data:{'A' * 195}... (5,005 characters) there"


TEXTS = st.text(st.sampled_from("ab 1-日é🐱\u0301[]:/"), max_size=12)


@given(st.lists(st.tuples(TEXTS, TEXTS, TEXTS), min_size=1, max_size=4), st.integers(2, 3))
def test_a_table_that_fits_is_what_rich_would_make_of_it(rows: list[tuple[str, str, str]], gap: int) -> None:
    widths = {place: max(1, *(cells_of(row[place]) for row in rows)) for place in range(3)}
    arguments = rows, (LEFT, RIGHT, LEFT), Block(widths, gap)
    plain, folded = _plain_lines(*arguments), _folded_lines(*arguments)
    assert [line.rstrip() for line in plain] == [line.rstrip() for line in folded]
