"""How every picture looks: type, colours, a heading, lengths in inches; and text that fits, whatever it holds.

Nothing is laid out by trial: texts are measured and margins added up, which costs a third of matplotlib's own layout.
"""

import io
import logging
import unicodedata
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cnnctl.pictures.fonts import FAMILY, families
from cnnctl.system.home import lend_folders
from cnnctl.system.packages import insist_on

BLUE, RED, GREEN = "#0072B2", "#D55E00", "#009E73"
"""Of the palette of Okabe and Ito (2008), which the colour-blind can tell apart."""
GREY, PALE = "#5f5f5f", "#e6e6e6"

DPI = 110
TEXT = 9.0
SMALL = 8.0
HEAD = 0.92
"""Inches that the heading takes at the top of a figure."""
MARGIN = 0.25
NARROWEST = 6.0
"""Inches of width that leave room for most headings."""

_SETTINGS = {
    "axes.axisbelow": True,
    "axes.edgecolor": GREY,
    "axes.grid": False,
    "axes.labelcolor": "black",
    "axes.labelsize": TEXT,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "font.family": [FAMILY],
    "font.size": TEXT,
    "grid.color": PALE,
    "legend.fontsize": SMALL,
    "legend.frameon": False,
    "text.parse_math": False,  # a $ is a $
    "xtick.color": GREY,
    "xtick.labelcolor": "black",
    "xtick.labelsize": SMALL,
    "ytick.color": GREY,
    "ytick.labelcolor": "black",
    "ytick.labelsize": SMALL,
}


@contextmanager
def drawing() -> Iterator[None]:
    """A block in which figures are made, measured and saved: in this style, whatever the user's matplotlibrc says.

    Raises:
        MachineError: matplotlib is not installed.
    """
    insist_on("matplotlib")
    logging.getLogger("matplotlib").setLevel(logging.ERROR)
    lend_folders()
    import matplotlib as mpl

    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph .* missing from", UserWarning)  # a box stands for it
        with mpl.rc_context():
            mpl.rcdefaults()
            mpl.rcParams.update(_SETTINGS)
            yield


def new_figure(width: float, height: float) -> Any:
    """An empty figure of so many inches."""
    from matplotlib.figure import Figure

    return Figure(figsize=(width, height), dpi=DPI)


def png(figure: Any) -> bytes:
    """A figure as the bytes of a PNG file; the same for the same figure."""
    from matplotlib.text import Text

    for text in figure.findobj(Text):
        if not text.get_text().isascii():
            text.set_fontfamily(list(families(text.get_text())))
    content = io.BytesIO()
    quick = {"compress_level": 3}  # a third of the time of 6, for a few percent of the size
    figure.savefig(content, format="png", metadata={"Software": None}, pil_kwargs=quick)
    return content.getvalue()


def heading(figure: Any, what: str, of: str, facts: str) -> None:
    """Three lines at the top left: what is shown, of which run and images, and its figures in words."""
    width, height = figure.get_size_inches()
    lines = ((what, 12.0, "bold", "black"), (of, 9.5, "normal", "black"), (facts, TEXT, "normal", GREY))
    top = 0.18
    for text, size, weight, colour in lines:
        shown = fitted(text, width - 2 * MARGIN, size, keep_end=True)
        options = {"fontsize": size, "fontweight": weight, "color": colour}
        figure.text(MARGIN / width, 1 - top / height, shown, ha="left", va="top", **options)
        top += 1.55 * size / 72
    figure.set_label(f"{what}: {one_line(of)}")


def panel(figure: Any, left: float, bottom: float, width: float, height: float) -> Any:
    """Axes of so many inches, so many inches from the lower left corner of their figure."""
    across, up = figure.get_size_inches()
    return figure.add_axes((left / across, bottom / up, width / across, height / up))


def fitted(text: str, inches: float, size: float = TEXT, keep_end: bool = False) -> str:
    """Text on one line that is no wider than so many inches at a font size in points; … stands for what is left out.

    With `keep_end` that is the middle instead of the end, as for file names.
    """
    line = one_line(text)[:1000]
    if width_of(line, size) <= inches:
        return line
    low, high = 0, len(line)
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if width_of(_cut(line, middle, keep_end), size) <= inches else (low, middle)
    return _cut(line, low, keep_end)


def _cut(line: str, length: int, keep_end: bool) -> str:
    end = length // 2 if keep_end else 0
    return line[: length - end].rstrip() + "…" + (line[len(line) - end :].lstrip() if end else "")


def width_of(text: str, size: float) -> float:
    """Inches that a line takes at a font size in points, measured by what will draw it."""
    from matplotlib.font_manager import FontProperties

    if not text:
        return 0.0
    look = FontProperties(family=list(families(text)), size=size)
    width, _, _ = _renderer().get_text_width_height_descent(text, look, ismath=False)
    return float(width) / DPI


@cache
def _renderer() -> Any:
    from matplotlib.backends.backend_agg import RendererAgg

    return RendererAgg(1, 1, DPI)


def one_line(text: str) -> str:
    """Text without line breaks, tabs, and what cannot be printed or would turn the writing round."""
    line = " ".join(text.split())
    return "".join(char if char.isprintable() else "\N{REPLACEMENT CHARACTER}" for char in line)


def labels(names: Sequence[str], inches: float, size: float) -> tuple[list[str], float]:
    """Names that are no wider than so many inches each, and the width of the widest."""
    shown = [fitted(name, inches, size) for name in names]
    return shown, max(width_of(name, size) for name in shown)


def legend_below(figure: Any, axes: Any) -> None:
    """What the marks in a panel mean, under it at the foot of the figure, where it can hide nothing."""
    handles, names = axes.get_legend_handles_labels()
    box, height = axes.get_position(), figure.get_size_inches()[1]
    place = ((box.x0 + box.x1) / 2, 0.08 / height)
    figure.legend(handles, names, loc="lower center", bbox_to_anchor=place, ncols=max(1, len(names)))


def left_to_right(text: str) -> str:
    """Text that may be Arabic or Hebrew, so that it does not turn round what is written beside it."""
    turns = any(unicodedata.bidirectional(char) in ("R", "AL", "AN") for char in text)
    return f"\N{LEFT-TO-RIGHT MARK}{text}\N{LEFT-TO-RIGHT MARK}" if turns else text


def plain(axis: Any, percent: bool = False) -> None:
    """Numbers along an axis as people write them, with no power of ten left at its end."""
    from matplotlib.ticker import FuncFormatter

    say: Callable[[float, int], str] = lambda value, _: f"{value * 100:g}%" if percent else f"{value:g}"  # noqa: E731
    axis.set_major_formatter(FuncFormatter(say))


def finite(values: Sequence[float]) -> NDArray[np.float64]:
    """Values with NaN for what has no place in a picture."""
    numbers = np.array(values, np.float64)
    return np.where(np.isfinite(numbers), numbers, np.nan)
