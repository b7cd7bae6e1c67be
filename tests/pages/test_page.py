"""Pages: everything escaped, nothing fetched."""

import re

from cnnctl.explaining.sections import Section, Shown
from cnnctl.pages.page import picture, render

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


def test_a_picture_is_its_bytes():
    assert picture(b"abc") == "data:image/png;base64,YWJj"
