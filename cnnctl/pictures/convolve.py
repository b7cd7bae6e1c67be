"""The picture, the kernel, the feature map, the activation and the pooled map of a convolution side by side."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cnnctl.formatting import number
from cnnctl.layers.notation import format_shape
from cnnctl.pictures import style

Values = NDArray[np.float64]

_Box = tuple[float, float, float, float]
"""Left, bottom, width and height in inches."""
_Ends = tuple[float, float]
"""The values at the ends of the colours."""

_PANEL, _STACKED, _GAP, _BETWEEN = 3.2, 4.2, 0.4, 0.12
_TITLES, _BARS = 0.45, 0.75
"""In inches: a panel's side, alone and beside a stack of three; room between two, and within a stack; above, below."""
_SHARE = 99.0
"""Per cent of a large map's values, away from padding, that lie inside its colours: extremes would fade the others."""
_FEW = 400
_WRITTEN = 9
_SIGNED, _GREY = "RdBu_r", "gray"
_INTERPOLATION = "antialiased"
"""Squares where pixels are enlarged much or a whole number of times, else smooth: uneven squares look like edges."""


@dataclass(frozen=True)
class Panel:
    """A picture or a kernel (height, width, channels) of 1 or 3 channels, or a map (rows, columns), and its title.

    `border`: rows and columns at each edge of a map that see padding: zeros beside pixels look like strong edges. The
    colours of shares go from 0 to 1.
    """

    title: str
    values: Values
    border: tuple[int, int] = (0, 0)
    are_shares: bool = False


@dataclass(frozen=True)
class KernelRow:
    """A kernel and the maps that it makes of the picture, in turn."""

    kernel: Panel
    maps: Sequence[Panel]


def convolution_figure(heading: tuple[str, str, str], picture: Panel, is_image: bool, rows: Sequence[KernelRow]) -> Any:
    """The picture, and a row of panels for each kernel, under the three lines of a heading.

    The values of an image are pixels of 0 to 255. Maps with negative values are coloured from blue over white (zero) to
    red, others from black to white; each has its colour bar, whose pointed ends stand for what lies beyond. Values are
    written into matrices of up to 9x9. The channels of a picture are matrices of their own where numbers can be read,
    or are no colours; of the kernels, where they differ in one.
    """
    pixels = picture.values
    three = pixels.shape[2] == 3
    in_stack = three and (max(pixels.shape) <= _WRITTEN or not is_image)
    kernels_in_stack = any(_differs(row.kernel.values) for row in rows)
    side = _STACKED if in_stack or kernels_in_stack else _PANEL
    height = side * min(1.6, max(0.6, pixels.shape[0] / pixels.shape[1]))
    most = max(len(row.maps) for row in rows)
    widths = [side / 3 if stacked else side for stacked in (in_stack, kernels_in_stack)] + [side] * most
    across = sum(widths) + _GAP * (len(widths) - 1) + 2 * style.MARGIN
    each = height + _BARS + _TITLES
    figure = style.new_figure(across, each * len(rows) + style.HEAD)
    style.heading(figure, *heading)

    lefts = [style.MARGIN + sum(widths[:place]) + _GAP * place for place in range(len(widths))]
    for place, row in enumerate(rows):
        bottom = _BARS + each * (len(rows) - 1 - place)
        boxes = [(left, bottom, width, height) for left, width in zip(lefts, widths, strict=True)]
        if place == 0:
            _draw_picture(figure, boxes[0], picture, is_image, in_stack)
        _draw_kernel(figure, boxes[1], row.kernel, kernels_in_stack)
        for box, one in zip(boxes[2:], row.maps, strict=False):
            _draw_map(figure, box, one)
    return figure


def _differs(weights: Values) -> bool:
    """Whether a kernel has different weights for the channels."""
    return bool((weights != weights[:, :, :1]).any())


def _draw_picture(figure: Any, box: _Box, picture: Panel, is_image: bool, in_stack: bool) -> None:
    pixels = picture.values
    ends = (0.0, 255.0) if is_image else (float(pixels.min()), float(pixels.max()))
    title = f"{picture.title}\n{format_shape(pixels.shape)}"
    if in_stack:
        _draw_matrices(figure, box, title, pixels, ("Reds_r", "Greens_r", "Blues_r"), ends)
    elif pixels.shape[2] == 3:
        axes = _panel(figure, box, title, "red, green and blue, 0 to 255")
        axes.imshow(pixels / 255, interpolation=_INTERPOLATION)
    else:
        _draw_bar(figure, box, _draw_matrices(figure, box, title, pixels, (_GREY,), ends))


def _draw_kernel(figure: Any, box: _Box, kernel: Panel, stacked: bool) -> None:
    weights = kernel.values
    most = float(np.abs(weights).max()) or 1.0
    three = weights.shape[2] == 3
    channels = ", the same for each channel" if three and not stacked else "x3" if three else ""
    title = f"{kernel.title}\n{weights.shape[0]}x{weights.shape[1]}{channels}"
    _draw_matrices(figure, box, title, weights if stacked else weights[:, :, :1], (_SIGNED,) * 3, (-most, most))


def _panel(figure: Any, box: _Box, title: str, note: str = "") -> Any:
    axes = style.panel(figure, *box)
    axes.set(xticks=[], yticks=[], anchor="N")
    axes.spines[:].set(visible=True, color="black")
    axes.set_title("\n".join(style.fitted(line, box[2] + 0.8 * _GAP) for line in title.split("\n")), size=style.TEXT)
    axes.set_xlabel(note, size=style.SMALL)
    return axes


def _draw_matrices(
    figure: Any, box: _Box, title: str, values: Values, colours: Sequence[str], ends: _Ends, note: str = ""
) -> Any:
    """A matrix for each channel, from top to bottom; the last one's image."""
    (left, bottom, width, height), count = box, values.shape[2]
    each = (height + _BETWEEN) / count - _BETWEEN
    for channel in range(count):
        low = bottom + (count - 1 - channel) * (each + _BETWEEN)
        axes = _panel(figure, (left, low, width, each), "" if channel else title, note)
        image = _draw_values(axes, values[:, :, channel], colours[channel], ends)
        if count > 1:
            axes.set_ylabel(("red", "green", "blue")[channel], size=style.SMALL)
    return image


def _draw_map(figure: Any, box: _Box, one: Panel) -> None:
    lowest, highest = float(one.values.min()), float(one.values.max())
    most = 1.0 if one.are_shares else _largest(one.values, one.border) or max(abs(lowest), abs(highest)) or 1.0
    colours, ends = (_SIGNED, (-most, most)) if lowest < 0 else (_GREY, (0.0, most))
    beyond = {(True, True): "both", (True, False): "min", (False, True): "max", (False, False): "neither"}
    extend = beyond[lowest < ends[0], highest > ends[1]]
    covers = "" if extend == "neither" else ", some beyond the bar"
    note = f"values {number(lowest)} to {number(highest)}{covers}"
    title = f"{one.title}\n{format_shape(one.values.shape)}"
    image = _draw_matrices(figure, box, title, one.values[:, :, np.newaxis], (colours,), ends, note)
    _draw_bar(figure, box, image, extend)


def _draw_bar(figure: Any, box: _Box, image: Any, extend: str = "neither") -> None:
    axes = style.panel(figure, box[0], box[1] - _BARS + 0.3, box[2], 0.13)
    figure.colorbar(image, cax=axes, orientation="horizontal", extend=extend).ax.locator_params(nbins=5)


def _largest(values: Values, border: tuple[int, int]) -> float:
    """The distance from zero at which the colours of a map end."""
    if values.size <= _FEW:
        return float(np.abs(values).max())
    rows, columns = values.shape
    inner = values[border[0] : max(rows - border[0], 0), border[1] : max(columns - border[1], 0)]
    return float(np.percentile(np.abs(inner if inner.size else values), _SHARE))


def _draw_values(axes: Any, values: Values, colours: str, ends: _Ends) -> Any:
    """A matrix in colours, with its numbers written in where there are few."""
    image = axes.imshow(values, cmap=colours, vmin=ends[0], vmax=ends[1], interpolation=_INTERPOLATION)
    if max(values.shape) > _WRITTEN:
        return image
    texts = {place: number(float(value)) for place, value in np.ndenumerate(values)}
    width, height = axes.get_position().size * axes.figure.get_size_inches() * 72
    cell = min(width / values.shape[1], height / values.shape[0])
    font = min(12.0, 0.6 * cell, 1.25 * cell / max(map(len, texts.values())))
    for (row, column), text in texts.items():
        red, green, blue, _ = image.cmap(image.norm(values[row, column]))
        colour = "black" if 0.299 * red + 0.587 * green + 0.114 * blue > 0.5 else "white"
        axes.text(column, row, text, ha="center", va="center", color=colour, fontsize=font)
    return image
