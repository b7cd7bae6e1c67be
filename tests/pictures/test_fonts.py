"""Writing that DejaVu Sans lacks is drawn with a font of the system, and one warning tells of what no font has."""

import io
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import typer
from fontTools.fontBuilder import FontBuilder
from fontTools.pens.ttGlyphPen import TTGlyphPen
from matplotlib import font_manager
from PIL import Image

from cnnctl.cli.app import guarded
from cnnctl.evaluation.plots.classes import confusion_figure, f1_figure
from cnnctl.evaluation.plots.mistakes import mistakes_figure
from cnnctl.evaluation.plots.probabilities import precision_recall_figure, roc_figure
from cnnctl.pictures import fonts, style
from tests.evaluation.plots.build import made_up

CAT, DOG, HINDI = "猫", "개", "कु"
BLOCK = 2.0
"""Ems: the width of every letter of the made fonts, which is a black block as wide and one em high."""


def make_font(path: Path, letters: str) -> str:
    """A font in which every letter is a black block; its path."""
    pen = TTGlyphPen(None)
    for place in ((0, 0), (0, 1000), (2000, 1000), (2000, 0)):
        (pen.moveTo if place == (0, 0) else pen.lineTo)(place)
    pen.closePath()
    block = pen.glyph()
    names = [f"block{number}" for number in range(len(letters))]
    builder = FontBuilder(1000, isTTF=True)
    builder.setupGlyphOrder([".notdef", *names])
    builder.setupCharacterMap({ord(letter): name for letter, name in zip(letters, names, strict=True)})
    builder.setupGlyf(dict.fromkeys([".notdef", *names], block))
    builder.setupHorizontalMetrics({name: (round(1000 * BLOCK), 0) for name in [".notdef", *names]})
    builder.setupHorizontalHeader(ascent=1000, descent=0)
    builder.setupNameTable({"familyName": path.stem, "styleName": "Regular"})
    builder.setupOS2()
    builder.setupPost()
    builder.save(path)
    return str(path)


@pytest.fixture
def system(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """The font files of the system, none at first; what was found before and in the test is forgotten."""
    files: list[str] = []
    monkeypatch.setattr(font_manager, "findSystemFonts", lambda: list(files))
    monkeypatch.setattr(fonts, "_found", {})
    monkeypatch.setattr(fonts, "_unsaid", [])
    known = list(font_manager.fontManager.ttflist)
    fonts.families.cache_clear()
    with style.drawing():
        yield files
    fonts.families.cache_clear()
    font_manager.fontManager.ttflist[:] = known


def darkness(text: str) -> float:
    """How many square inches a text of 72 points blackens."""
    figure = style.new_figure(6, 2)
    figure.text(0.1, 0.3, text, fontsize=72)
    pixels = np.asarray(Image.open(io.BytesIO(style.png(figure))).convert("L"))
    return float((pixels < 128).sum()) / style.DPI**2


def test_most_texts_need_no_other_font_and_look_for_none(monkeypatch: pytest.MonkeyPatch) -> None:
    def look() -> list[str]:
        raise AssertionError("fonts were looked for")

    monkeypatch.setattr(font_manager, "findSystemFonts", look)
    for text in ("cat", "Zürich → 5 °C", "кошка", "γάτα", "قطة", "\N{LEFT-TO-RIGHT MARK}a\n\tb", ""):
        assert fonts.families(text) == (fonts.FAMILY,)
        with style.drawing():
            assert style.width_of(text.split("\n")[0], 9) >= 0


def test_a_letter_is_drawn_and_measured_by_a_font_that_has_it(system: list[str], tmp_path: Path) -> None:
    system.append(make_font(tmp_path / "blocks.ttf", CAT))
    assert style.width_of(CAT, 72) == pytest.approx(BLOCK, abs=0.05)
    assert darkness(CAT) == pytest.approx(BLOCK, abs=0.1)
    assert darkness("a" + CAT) > darkness("a") + 1.8
    assert fonts.without_font() == ""


def test_without_a_font_there_are_boxes_and_one_warning(system: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert 0 < darkness(CAT) < 0.5

    @guarded
    def command() -> None:
        darkness(CAT + DOG)

    for expected in (
        f"warning: pictures show boxes: no font of this system has {DOG} {CAT}\n"
        "  hint: install one that has them, for example Noto Sans: apt install fonts-noto-cjk fonts-noto-core\n",
        "",
    ):
        with pytest.raises(typer.Exit) as done:
            command()
        assert done.value.exit_code == 0
        said = capsys.readouterr().err
        assert sorted(said) == sorted(expected)


def test_several_fonts_share_the_letters_and_what_is_no_font_is_passed_over(system: list[str], tmp_path: Path) -> None:
    (tmp_path / "damaged.ttf").write_bytes(b"\0\1\0\0 no font")
    system += [str(tmp_path / "damaged.ttf"), str(tmp_path / "gone.ttf")]
    system.append(make_font(tmp_path / "a.ttf", CAT))
    system.append(make_font(tmp_path / "b.ttf", CAT + DOG))
    system.append(make_font(tmp_path / "lohit.ttf", HINDI))
    assert fonts.families(CAT + DOG + HINDI) == (fonts.FAMILY, "b of cnnctl", "lohit of cnnctl")
    assert fonts.without_font() == ""


def test_fonts_that_have_boxes_for_all_letters_are_not_taken(system: list[str], tmp_path: Path) -> None:
    system.append(make_font(tmp_path / "LastResort.ttf", CAT))
    system.append(make_font(tmp_path / "serif.ttf", CAT))
    system.append(make_font(tmp_path / "NotoSansCJK-Bold.ttc.ttf", CAT))
    system.append(make_font(tmp_path / "NotoSansCJK-Regular.ttc.ttf", CAT))
    assert fonts.families(CAT) == (fonts.FAMILY, "NotoSansCJK-Regular.ttc of cnnctl")


@pytest.mark.parametrize(
    "draw",
    [
        lambda scored: confusion_figure(scored.metrics, scored.title, normalised=True),
        lambda scored: f1_figure(scored.metrics, scored.title),
        mistakes_figure,
        roc_figure,
        precision_recall_figure,
    ],
    ids=["confusion", "f1", "mistakes", "roc", "precision_recall"],
)
def test_class_names_of_pictures(draw, system: list[str], tmp_path: Path) -> None:
    names = (CAT * 3, DOG * 3)
    scored = made_up(names)
    figure = draw(scored)
    without = style.png(figure)
    fonts.families.cache_clear()
    fonts._found.clear()
    system.append(make_font(tmp_path / "blocks.ttf", CAT + DOG))
    figure = draw(scored)
    texts = figure.findobj(lambda one: hasattr(one, "get_fontfamily"))
    found = [text for text in texts if {*text.get_text()} & {CAT, DOG}]
    assert style.png(figure) != without
    assert found
    assert all(text.get_fontfamily() == [fonts.FAMILY, "blocks of cnnctl"] for text in found)
