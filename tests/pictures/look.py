"""What can be said of any picture."""

import itertools
from typing import Any

from matplotlib.text import Text

from cnnctl.pictures.style import png


def assert_all_inside(figure: Any) -> None:
    """No text and no axis reaches beyond the picture's edges, and no two texts lie over each other."""
    png(figure)
    ticks = {id(label) for axes in figure.axes for label in (*axes.get_xticklabels(), *axes.get_yticklabels())}
    texts = [one for one in figure.findobj(Text) if one.get_text() and id(one) not in ticks]
    boxes = [(one, one.get_window_extent()) for one in texts]
    boxes += [(one, one.get_tightbbox()) for one in figure.axes if one.axison]
    assert boxes
    lines = [(one.get_text(), box) for one, box in boxes if isinstance(one, Text)]
    for (text, one), (_, other) in itertools.combinations(lines, 2):
        across = min(one.x1, other.x1) - max(one.x0, other.x0)
        up = min(one.y1, other.y1) - max(one.y0, other.y0)
        assert across <= 1 or up <= 2, f"{text} lies over another text"
    for one, box in boxes:
        assert box.x0 >= -1, one
        assert box.y0 >= -1, one
        assert box.x1 <= figure.bbox.x1 + 1, one
        assert box.y1 <= figure.bbox.y1 + 1, one
