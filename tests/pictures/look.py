"""What can be said of any picture."""

from typing import Any

from matplotlib.text import Text

from cnnctl.pictures.style import png


def assert_all_inside(figure: Any) -> None:
    """No text and no axis reaches beyond the picture's edges."""
    png(figure)
    ticks = {id(label) for axes in figure.axes for label in (*axes.get_xticklabels(), *axes.get_yticklabels())}
    texts = [one for one in figure.findobj(Text) if one.get_text() and id(one) not in ticks]
    boxes = [(one, one.get_window_extent()) for one in texts]
    boxes += [(one, one.get_tightbbox()) for one in figure.axes if one.axison]
    assert boxes
    for one, box in boxes:
        assert box.x0 >= -1, one
        assert box.y0 >= -1, one
        assert box.x1 <= figure.bbox.x1 + 1, one
        assert box.y1 <= figure.bbox.y1 + 1, one
