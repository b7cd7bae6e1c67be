"""Text that fits, and a style that no matplotlibrc changes."""

import matplotlib as mpl
import pytest

from cnnctl.pictures import style
from tests.evaluation.plots.build import ODD


@pytest.mark.parametrize("text", ODD)
@pytest.mark.parametrize("keep_end", [False, True])
def test_any_text_fits_on_one_line(text, keep_end):
    for inches in (0.0, 0.3, 2.0):
        shown = style.fitted(text, inches, 9, keep_end)
        assert shown in ("…", "") or style.width_of(shown, 9) <= inches
        assert shown.isprintable()
    assert style.fitted("cat", 2.0) == "cat"


def test_what_is_cut():
    assert style.fitted("a long name of a photo.jpeg", 1.2, 9).startswith("a long name of")
    assert style.fitted("a long name of a photo.jpeg", 1.2, 9, keep_end=True).endswith(".jpeg")


def test_a_users_settings_change_nothing_and_are_left_alone():
    def picture():
        with style.drawing():
            figure = style.new_figure(6, 2)
            style.heading(figure, "What", "costs $5 and $6", "facts")
            style.panel(figure, 0.5, 0.3, 5, 0.5).plot([1, 2])
            return style.png(figure)

    before = picture()
    with mpl.rc_context({"axes.facecolor": "black", "font.size": 20.0, "savefig.dpi": 30.0, "text.color": "red"}):
        assert picture() == before
        assert mpl.rcParams["font.size"] == 20
