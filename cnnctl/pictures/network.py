"""A plan as a picture: one volume for each layer that makes new values, to scale, from left to right.

The convention is that of LeNet's and VGG's drawings: height and depth of a box are rows and columns, its thickness the
channels; a vector is a bar. Layers that keep the shape are named under the volume that they act upon.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from cnnctl.architecture import Plan
from cnnctl.layers.notation import Shape, format_shape
from cnnctl.pictures import style

_SIDE, _THICK, _BAR = 1.5, 0.8, 0.1
"""Inches: the longest side and the longest bar, the most channels, and the thickness of a bar."""
_THINNEST = 0.04
_SLANT = 0.354
"""Of a column's length, across and up: half a length at 45 degrees, the cabinet projection."""
_GAP, _FONT, _LINE = 0.26, 7.5, 0.15
_WIDEST = 13.0
MOST_VOLUMES = 160
_MOST_LINES = 12

_OTHER = "#999999"
_COLOURS = {
    "backbone": style.BLUE,
    "convolution": style.BLUE,
    "pooling": style.RED,
    "dense": style.GREEN,
    "reshaping": _OTHER,
}
"""Of the families whose layers are volumes of their own."""

Point = tuple[float, float]


@dataclass
class _Volume:
    """A box or bar, with what is written under it: (text, colour), the name first."""

    shape: Shape
    colour: str
    lines: list[tuple[str, str]]
    box: tuple[float, float, float] = (0.0, 0.0, 0.0)
    """Inches: thickness, height, slant."""

    @property
    def width(self) -> float:
        """Inches that it takes with its text."""
        texts = max(style.width_of(text, _FONT) for text, _ in self.lines)
        return max(texts, self.box[0] + self.box[2])


def network_figure(plan: Plan, title: str) -> Any:
    """The network of a plan without problems; of more than MOST_VOLUMES volumes the middle ones are left out."""
    volumes = _volumes(plan)
    facts = f"{plan.total_params:,} parameters; {plan.multiply_adds:,} multiply-adds an image"
    scale = _scale(volumes)
    if len(volumes) > MOST_VOLUMES:
        half = MOST_VOLUMES // 2
        between = _Volume((1,), _OTHER, [(f"… {len(volumes) - 2 * half:,} volumes", style.GREY)])
        volumes = [*volumes[:half], between, *volumes[-half:]]
    rows = _wrapped(volumes)
    widest = max(sum(one.width + _GAP for one in row) for row in rows) - _GAP
    width = max(style.NARROWEST + 2.0, widest + 2 * style.MARGIN)
    heights = [_height(row) for row in rows]
    figure = style.new_figure(width, style.HEAD + sum(heights) + 0.3)
    total = float(figure.get_size_inches()[1])
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set_axis_off()
    axes.set_xlim(0, width)
    axes.set_ylim(0, total)
    top = total - style.HEAD
    for place, (row, height) in enumerate(zip(rows, heights, strict=True)):
        _draw_row(axes, row, top, goes_on=place + 1 < len(rows))
        top -= height
    axes.text(style.MARGIN, 0.12, scale, fontsize=_FONT, color=style.GREY, va="bottom")
    style.heading(figure, "Network", title, facts)
    return figure


def _volumes(plan: Plan) -> list[_Volume]:
    """The input, then every layer that makes new values; the others as lines of the volume before them."""
    found = [_Volume(plan.input_shape, _OTHER, [("image", "black"), (format_shape(plan.input_shape), "black")])]
    for row in plan.layers:
        colour, text = _COLOURS.get(row.layer.family), row.layer.picture_text()
        words = [text] if text else []
        if colour is None:  # it acts upon the volume before it, which names the first of many
            lines = found[-1].lines
            if len(lines) <= _MOST_LINES:
                line = " ".join((row.kind, *words)) if len(lines) < _MOST_LINES else "… and more"
                lines.append((line, style.GREY))
            continue
        shape = format_shape(row.output_shape)
        lines = [(row.kind, colour), *((word, "black") for word in words), (shape, "black")]
        if row.params:
            lines.append((f"{row.params:,} parameters", style.GREY))
        found.append(_Volume(row.output_shape, colour, lines))
    sides = max(side for one in found if len(one.shape) == 3 for side in one.shape[:2])
    channels = max(one.shape[2] for one in found if len(one.shape) == 3)
    units = max((one.shape[0] for one in found if len(one.shape) == 1), default=1)
    for one in found:
        if len(one.shape) == 3:
            high, deep = (max(_THINNEST, _SIDE * side / sides) for side in one.shape[:2])
            one.box = (max(_THINNEST, _THICK * one.shape[2] / channels), high, _SLANT * deep)
        else:
            one.box = (_BAR, max(_BAR, _SIDE * one.shape[0] / units), 0.0)
    return found


def _scale(volumes: Sequence[_Volume]) -> str:
    """What the lengths mean."""
    channels = max(one.shape[2] for one in volumes if len(one.shape) == 3)
    said = f"To scale: height and depth (rows and columns), thickness (channels, at most {channels:,})"
    units = max((one.shape[0] for one in volumes if len(one.shape) == 1), default=0)
    return said + (f", bars (values, at most {units:,})" if units else "")


def _wrapped(volumes: Sequence[_Volume]) -> list[list[_Volume]]:
    rows: list[list[_Volume]] = [[]]
    taken = 0.0
    for one in volumes:
        if rows[-1] and taken + one.width > _WIDEST:
            rows.append([])
            taken = 0.0
        rows[-1].append(one)
        taken += one.width + _GAP
    return rows


def _height(row: Sequence[_Volume]) -> float:
    """Inches of a row: its highest box, its longest text, and some air."""
    return max(one.box[1] + one.box[2] for one in row) + _LINE * max(len(one.lines) for one in row) + 0.45


def _draw_row(axes: Any, row: Sequence[_Volume], top: float, goes_on: bool) -> None:
    """Boxes with their middles at one height, arrows between them, and the texts under the lowest."""
    highest = max(one.box[1] + one.box[2] for one in row)
    foot, middle, left = top - highest, top - highest / 2, style.MARGIN
    end: float | None = None
    for one in row:
        thick, high, slant = one.box
        start = left + (one.width - thick - slant) / 2
        if end is not None:
            _arrow(axes, end + 0.03, start - 0.03, middle)
        _draw_box(axes, one, start, middle - (high + slant) / 2)
        for place, (text, colour) in enumerate(one.lines):
            options = {"ha": "center", "va": "top", "fontsize": _FONT, "color": colour}
            weight = "bold" if place == 0 and colour != style.GREY else "normal"
            axes.text(left + one.width / 2, foot - 0.1 - place * _LINE, text, fontweight=weight, **options)
        end = start + thick + slant
        left += one.width + _GAP
    if goes_on and end is not None:
        _arrow(axes, end + 0.03, end + 0.2, middle)


def _arrow(axes: Any, start: float, end: float, height: float) -> None:
    if end - start < 0.05:
        return
    look = {"arrowstyle": "-|>", "color": style.GREY, "linewidth": 0.6, "mutation_scale": 6, "shrinkA": 0, "shrinkB": 0}
    axes.annotate("", (end, height), (start, height), arrowprops=look)


def _draw_box(axes: Any, one: _Volume, left: float, bottom: float) -> None:
    """The front, the top and the right side, each in its own shade."""
    thick, high, slant = one.box
    right, upper = left + thick, bottom + high
    front: list[Point] = [(left, bottom), (right, bottom), (right, upper), (left, upper)]
    _face(axes, front, one.colour, 0.55)
    if slant:
        back = [(x + slant, y + slant) for x, y in front]
        _face(axes, [front[3], front[2], back[2], back[3]], one.colour, 0.35)
        _face(axes, [front[1], back[1], back[2], front[2]], one.colour, 0.2)


def _face(axes: Any, corners: Sequence[Point], colour: str, strength: float) -> None:
    from matplotlib.colors import to_rgb
    from matplotlib.patches import Polygon

    shade = tuple(1 - strength * (1 - part) for part in to_rgb(colour))
    axes.add_patch(Polygon(corners, closed=True, facecolor=shade, edgecolor=colour, linewidth=0.6, joinstyle="round"))
