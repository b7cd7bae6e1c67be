"""Pages: everything escaped, nothing fetched."""

import re

import pytest

from cnnctl.explaining.sections import Section, Shown
from cnnctl.pictures.page import picture, render

EVIL = "<script>alert('&')</script> \" onload=x"


def test_whatever_is_written_is_escaped_and_nothing_is_fetched():
    shown = Shown("a.png", EVIL, EVIL, b"\x89PNG")
    html = render(
        "explanation.html", heading=EVIL, subtitle=EVIL, answer=EVIL, sections=[Section(EVIL, EVIL, (shown,))]
    )
    assert "<script" not in html
    assert html.count("&lt;script&gt;") == 8
    assert 'src="data:image/png;base64,iVBORw=="' in html
    assert not re.search(r"(?:src|href)=\"(?!data:|#)", html)
    assert "default-src 'none'" in html
    assert html.startswith("<!doctype html>")


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("caf\u00e9 \u732b", "caf\u00e9 \u732b"),
        ("a\u00a0b\nc\td", "a\u00a0b\nc\td"),
        ("\U0001f468\u200d\U0001f469", "\U0001f468\u200d\U0001f469"),
        ("\u202ecat", "\ufffdcat"),
        ("\ud800\udcff", "\ufffd\ufffd"),
        ("bell\x07", "bell\ufffd"),
    ],
)
def test_text_keeps_its_direction_and_is_utf_8(text, shown):
    html = render("explanation.html", heading=text, subtitle="", answer="", sections=[])
    assert f"<h1>{shown}</h1>" in html
    html.encode("utf-8")


def test_a_picture_is_its_bytes():
    assert picture(b"abc") == "data:image/png;base64,YWJj"
