"""The picture, the kernel, the feature map, the activation and the pooled map side by side, as one PNG file."""

import io
import logging
import warnings
from typing import Any

import numpy as np

from cnnctl.convolve.convolution import Filter, Pair, Stages, Values
from cnnctl.convolve.lesson import describe_pooling, show
from cnnctl.convolve.sources import CHANNELS, Picture

_DPI = 110
_PANEL, _STACKED, _GAP = 3.2, 4.2, 0.4
_TITLES, _BARS = 0.95, 0.75
"""In inches: a panel's side, alone and beside a stack of three; the room between two, above and below them."""
_SHARE = 99.0
"""Per cent of a large map's values, away from padding, that lie inside its colours: extremes would fade the others."""
_FEW = 400
_WRITTEN = 9
_SIGNED, _GREY = "RdBu_r", "gray"


def stages_png(picture: Picture, kernel: str, what: Filter, stages: Stages, title: str) -> bytes:
    """Four panels, or five with pooling.

    Maps with negative values are coloured from blue over white (zero) to red, others from black to white; each has its
    colour bar, whose pointed ends stand for what lies beyond. Values are written into matrices of up to 9x9.

    Args:
        picture: What the stages began with; one channel is drawn grey, three as red, green and blue.
        kernel: The kernel's name.
        what: The filter.
        stages: What came of it.
        title: What is written over the panels.

    Returns:
        A PNG file.
    """
    logging.getLogger("matplotlib").setLevel(logging.ERROR)
    stacks = _is_stack(picture), not _same_for_each(what.kernel)
    sheet = _Sheet(stacks, 4 if stages.pooled is None else 5, picture.pixels.shape[0] / picture.pixels.shape[1])
    sheet.figure.suptitle(title, fontsize=11, y=1 - 0.15 / sheet.height, va="top", parse_math=False)
    _draw_picture(sheet, picture)
    _draw_kernel(sheet, kernel, what.kernel)
    border = _border(what)
    _draw_map(sheet, 2, f"feature map{_bias(what.bias)}", stages.feature_map, border)
    _draw_map(sheet, 3, f"after {what.activation}", stages.activated, border)
    if what.pooling is not None and stages.pooled is not None:
        down, right = what.pooling.strides
        _draw_map(
            sheet,
            4,
            f"after {describe_pooling(what.pooling)}",
            stages.pooled,
            (border[0] // down + 1, border[1] // right + 1),
        )
    return _png(sheet.figure)


def _png(figure: Any) -> bytes:
    """A figure, cut to what is drawn on it, as the bytes of a PNG file."""
    content = io.BytesIO()
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph .* missing from font", UserWarning)  # a box stands for it
        figure.savefig(content, format="png", bbox_inches="tight", metadata={"Software": None})
    return content.getvalue()


class _Sheet:
    """A figure of panels in a row, each with room for a title above and a colour bar below.

    Args:
        stacks: Whether the first panels are stacks of three matrices, which are narrow.
        panels: How many there are.
        ratio: Height of the picture by its width.
    """

    def __init__(self, stacks: tuple[bool, ...], panels: int, ratio: float) -> None:
        from matplotlib.figure import Figure

        side = _STACKED if any(stacks) else _PANEL
        self._high = side * min(1.6, max(0.6, ratio))
        self._widths = [side / 3 if place < len(stacks) and stacks[place] else side for place in range(panels)]
        self.width = sum(self._widths) + _GAP * (panels + 1)
        self.height = self._high + _TITLES + _BARS
        self.figure: Any = Figure(figsize=(self.width, self.height), dpi=_DPI)

    def panel(self, place: int, part: int = 0, parts: int = 1) -> Any:
        """The axes of a panel, or of one of the parts that it is divided into from top to bottom."""
        gap = 0.12 if parts > 1 else 0.0
        high = (self._high - gap * (parts - 1)) / parts
        axes = self._axes(place, _BARS + self._high - high - part * (high + gap), high)
        axes.set_xticks([])
        axes.set_yticks([])
        axes.set_anchor("N")
        return axes

    def bar(self, place: int, image: Any, extend: str) -> None:
        """The colour bar of a panel."""
        bar = self.figure.colorbar(image, cax=self._axes(place, 0.3, 0.13), orientation="horizontal", extend=extend)
        bar.ax.tick_params(labelsize=8)
        bar.ax.locator_params(nbins=5)

    def _axes(self, place: int, bottom: float, height: float) -> Any:
        left = sum(self._widths[:place]) + _GAP * (place + 1)
        return self.figure.add_axes(
            (left / self.width, bottom / self.height, self._widths[place] / self.width, height / self.height)
        )


def _title(axes: Any, text: str) -> None:
    axes.set_title(text, fontsize=10, parse_math=False)


def _note(axes: Any, text: str) -> None:
    axes.set_xlabel(text, fontsize=8)


def _bias(bias: float) -> str:
    return f", bias {show(bias)} added" if bias else ""


def _shape(values: Values) -> str:
    return "x".join(map(str, values.shape))


def _is_stack(picture: Picture) -> bool:
    """Whether each channel is drawn as a matrix of its own: where numbers can be read, or are no colours."""
    pixels = picture.pixels
    return pixels.shape[2] == 3 and (max(pixels.shape) <= _WRITTEN or not picture.is_image)


def _same_for_each(kernel: Values) -> bool:
    return bool((kernel == kernel[:, :, :1]).all())


def _draw_picture(sheet: _Sheet, picture: Picture) -> None:
    pixels = picture.pixels
    scale = (0.0, 255.0) if picture.is_image else (float(pixels.min()), float(pixels.max()))
    title = f"{picture.name}\n{_shape(pixels)}"
    if _is_stack(picture):
        for channel, name in enumerate(CHANNELS):
            axes = sheet.panel(0, channel, 3)
            _draw_values(axes, pixels[:, :, channel], f"{name.capitalize()}s_r", *scale)
            axes.set_ylabel(name, fontsize=8)
            if channel == 0:
                _title(axes, title)
        return
    axes = sheet.panel(0)
    _title(axes, title)
    if pixels.shape[2] == 3:
        axes.imshow(pixels / 255, interpolation=_interpolation(pixels))
        _note(axes, "red, green and blue, 0 to 255")
        return
    image = _draw_values(axes, pixels[:, :, 0], _GREY, *scale)
    sheet.bar(0, image, "neither")


def _draw_kernel(sheet: _Sheet, name: str, kernel: Values) -> None:
    """One matrix, or one for each channel where they differ."""
    channels = kernel.shape[2]
    same = _same_for_each(kernel)
    shown = 1 if same else channels
    most = float(np.abs(kernel).max()) or 1.0
    for channel in range(shown):
        axes = sheet.panel(1, channel, shown)
        _draw_values(axes, kernel[:, :, channel], _SIGNED, -most, most)
        if not same:
            axes.set_ylabel(CHANNELS[channel], fontsize=8)
        if channel == 0:
            many = "" if channels == 1 else ", the same for each channel" if same else f"x{channels}"
            _title(axes, f"kernel {name}\n{kernel.shape[0]}x{kernel.shape[1]}{many}")


def _draw_map(sheet: _Sheet, place: int, title: str, values: Values, border: Pair) -> None:
    axes = sheet.panel(place)
    _title(axes, f"{title}\n{_shape(values)}")
    lowest, highest = float(values.min()), float(values.max())
    colours, low, high = _colours(values, border)
    extend = {(True, True): "both", (True, False): "min", (False, True): "max"}
    pointed = extend.get((lowest < low, highest > high), "neither")
    covers = "" if pointed == "neither" else ", some beyond the bar"
    _note(axes, f"values {show(lowest)} to {show(highest)}{covers}")
    sheet.bar(place, _draw_values(axes, values, colours, low, high), pointed)


def _border(what: Filter) -> Pair:
    """Rows and columns at each edge of the feature map that see padding: zeros beside pixels look like strong edges."""
    (top, bottom), (left, right) = what.zeros
    return -(-max(top, bottom) // what.strides[0]), -(-max(left, right) // what.strides[1])


def _colours(values: Values, border: Pair) -> tuple[str, float, float]:
    """A colour map and the values at its ends; zero is white where there are values below it."""
    lowest, highest = float(values.min()), float(values.max())
    most = max(abs(lowest), abs(highest)) or 1.0
    if values.size > _FEW:
        rows, columns = values.shape
        inner = values[border[0] : max(rows - border[0], 0), border[1] : max(columns - border[1], 0)]
        most = float(np.percentile(np.abs(inner if inner.size else values), _SHARE)) or most
    return (_SIGNED, -most, most) if lowest < 0 else (_GREY, 0.0, most)


def _draw_values(axes: Any, values: Values, colours: str, low: float, high: float) -> Any:
    """A matrix in colours, with its numbers written in where there are few."""
    image = axes.imshow(values, cmap=colours, vmin=low, vmax=high, interpolation=_interpolation(values))
    if max(values.shape) > _WRITTEN:
        return image
    texts = [[show(float(value)) for value in row] for row in values]
    longest = max(len(text) for row in texts for text in row)
    box = axes.get_position().size * axes.figure.get_size_inches() * 72
    cell = min(box[0] / values.shape[1], box[1] / values.shape[0])
    font = min(12.0, 0.6 * cell, 1.25 * cell / longest)
    for row, line in enumerate(texts):
        for column, text in enumerate(line):
            red, green, blue, _ = image.cmap(image.norm(values[row, column]))
            colour = "black" if 0.299 * red + 0.587 * green + 0.114 * blue > 0.5 else "white"
            axes.text(column, row, text, ha="center", va="center", color=colour, fontsize=font)
    return image


def _interpolation(values: Values) -> str:
    return "nearest" if max(values.shape[:2]) <= _PANEL * _DPI else "antialiased"
