"""The pictures of an explanation."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cnnctl.data.decoder.images import Image, opencv
from cnnctl.layers.window import Span
from cnnctl.models.of_run import MOST_MAPS, FeatureMaps, Values
from cnnctl.pictures import style
from cnnctl.pictures.canvas import Canvas, faded_around, resized, scaled_span

MOST_BARS = 10
_SMALLEST, _LARGEST = 0.5, 1.3
_ACROSS = 9.0
"""Inches of a grid."""
_GAP, _NUMBER, _NUMBER_FONT = 0.08, 0.15, 6.5
_PICTURE = 3.0
_PALE = 0.65
"""How much of white lies over what a unit cannot see."""
_SHARE = 99.5
"""Per cent of the values that lie inside the colours: single extremes would darken all the others."""
_POSITIVE, _SIGNED, _HEAT = "cividis", "RdBu_r", "inferno"


def probabilities_figure(
    names: Sequence[str],
    probabilities: NDArray[np.float32],
    title: str,
    thresholds: NDArray[np.float32] | None = None,
) -> Any:
    """A bar for each class, the likeliest first; of very many classes the likeliest ten.

    The answer is dark; where there are `thresholds`, (classes,), those classes that reach them, which are marked.
    """
    order = np.argsort(-probabilities, kind="stable")[:MOST_BARS]
    labels, widest = style.labels([names[at] for at in order], 2.2, style.TEXT)
    row, left, below = 0.34, style.MARGIN + 0.12 + widest, 0.6
    width = max(style.NARROWEST, left + 4.0 + 0.8)
    figure = style.new_figure(width, style.HEAD + row * len(order) + below)
    axes = style.panel(figure, left, below, width - left - 0.8, row * len(order))
    places = np.arange(len(order))
    is_answer = places == 0 if thresholds is None else probabilities[order] >= thresholds[order]
    axes.barh(places, probabilities[order], height=0.7, color=[style.BLUE if one else "#9ecae1" for one in is_answer])
    if thresholds is not None:
        ends = (places - 0.45, places + 0.45)
        axes.vlines(thresholds[order], *ends, color=style.RED, linewidth=1.5)
    for place, at in enumerate(order):
        beyond = probabilities[at] if thresholds is None else max(probabilities[at], thresholds[at])
        axes.text(beyond + 0.01, place, f"{probabilities[at]:.1%}", va="center_baseline")
    axes.set_yticks(places, labels, fontsize=style.TEXT)
    axes.set_ylim(len(order) - 0.4, -0.6)
    axes.set_xlim(0, 1)
    axes.tick_params(axis="y", length=0)
    axes.set_xlabel("probability")
    style.plain(axes.xaxis, percent=True)
    rest = f"the {len(order)} most probable of {len(names):,} classes" if len(names) > len(order) else "all classes"
    style.heading(figure, "The answer", title, rest)
    return figure


def maps_figure(maps: FeatureMaps, title: str) -> Any:
    """The feature maps of a layer in one grid with one scale of colours; the title says of which image and run."""
    height, width, channels = maps.row.output_shape
    facts = f"{channels:,} map{'s' if channels > 1 else ''} of {height}x{width}"
    facts += f", of which the first {MOST_MAPS} are shown" if channels > MOST_MAPS else ""
    facts += ", one scale of colours for all" if channels > 1 else ""
    tiles = [(maps.shown[:, :, channel], str(channel)) for channel in range(maps.shown.shape[2])]
    return _grid(f"Feature maps of {maps.row.name}", title, facts, tiles, _range(maps.shown), "value")


def kernels_figure(name: str, weights: Values, title: str) -> Any:
    """The kernels of a convolution: (height, width, channels, kernels), with one or three channels.

    They are colours where they look at red, green and blue, else from blue (below 0) to red.
    """
    height, width, channels, count = weights.shape
    most = float(np.abs(weights).max()) or 1.0
    facts = f"{count:,} kernel{'s' if count > 1 else ''} of {height}x{width}x{channels}"
    facts += f", of which the first {MOST_MAPS} are shown" if count > MOST_MAPS else ""
    if channels == 3:
        facts += f"; grey is 0, a full colour {most:.3g} of red, green or blue"
    tiles = [(weights[:, :, :, number], str(number)) for number in range(min(count, MOST_MAPS))]
    shown = [(tile if channels == 3 else tile[:, :, 0], text) for tile, text in tiles]
    return _grid(f"Kernels of {name}", title, facts, shown, (-most, most), "weight")


def cam_figure(picture: Image, maps: Sequence[tuple[str, Values]], features: str, what: str, title: str) -> Any:
    """The picture alone, then under the class activation map of each class, with the text that is written under it.

    The picture is RGB, its longer side of `picture_pixels()`.
    """
    shown = [(picture, "input of the network"), *((under_heat(picture, values), text) for text, values in maps)]
    facts = f"{features}; each class on its own scale: bright regions raise the score of the class"
    return _row(what, title, facts, shown)


def under_heat(picture: Image, values: Values) -> Image:
    """A picture in grey under a class activation map, bright where the map is height: RGB of the same size."""
    import matplotlib as mpl

    cv2 = opencv()
    height, width, _ = picture.shape
    heat = cv2.resize(values / (float(values.max()) or 1.0), (width, height), interpolation=cv2.INTER_LINEAR)
    heat = np.clip(heat, 0, 1)
    colours = mpl.colormaps[_HEAT](heat)[:, :, :3] * 255
    strength = 0.15 + 0.6 * heat[:, :, None]
    grey = picture.astype(np.float64).mean(axis=2, keepdims=True)
    mixed: Image = (grey * (1 - strength) + colours * strength).astype(np.uint8)
    return mixed


def field_figure(
    picture: Image, size: tuple[int, int], window: tuple[Span, Span], field: tuple[int, int], unit: str, title: str
) -> Any:
    """The pixels that one unit can see, framed on the picture (as of `cam_figure`) and by themselves.

    `window` is what `receptive_window` gives of an input of `size`, (height, width); `field` counts the padding too.
    """
    height, width, _ = picture.shape
    (top, bottom), (left, right) = window
    facts = f"its receptive field has {field[0]}x{field[1]} pixels"
    if top == bottom or left == right:
        pale = faded_around(picture, slice(0), slice(0), _PALE)
        return _row(f"The receptive field of {unit}", title, f"{facts}, all of them padding", [(pale, "nothing of it")])
    if (bottom - top, right - left) != field:
        facts += f", of which {bottom - top}x{right - left} lie in the picture; the rest is padding"
    rows, columns = scaled_span(top, bottom, height / size[0]), scaled_span(left, right, width / size[1])
    pale = faded_around(picture, rows, columns, _PALE)
    corners = (columns.start, rows.start), (columns.stop - 1, rows.stop - 1)
    framed = opencv().rectangle(pale, *corners, (213, 94, 0), 3)
    alone = resized(picture[rows, columns], max(height, width))
    words = [(framed, f"rows {top} to {bottom - 1}, columns {left} to {right - 1}"), (alone, "what it sees")]
    return _row(f"The receptive field of {unit}", title, facts, words)


def picture_pixels() -> int:
    """The longer side of the pictures in `cam_figure` and `field_figure`."""
    return round(_PICTURE * style.DPI)


def _range(values: Values) -> tuple[float, float]:
    """The ends of the colours: from 0, or as far below it as above where there are negative values."""
    most = float(np.percentile(np.abs(values), _SHARE)) or float(np.abs(values).max()) or 1.0
    return (-most, most) if float(values.min()) < 0 else (0.0, most)


def _grid(
    what: str, title: str, facts: str, tiles: Sequence[tuple[Values, str]], ends: tuple[float, float], unit: str
) -> Any:
    """Numbered tiles in rows, and the bar of their colours unless they are colours themselves."""
    import matplotlib as mpl
    from matplotlib.cm import ScalarMappable
    from matplotlib.colors import Normalize

    tile_height, tile_width = tiles[0][0].shape[:2]
    columns = min(len(tiles), max(4, min(16, int(np.ceil(np.sqrt(2 * len(tiles)))))))
    cell = min(_LARGEST, max(_SMALLEST, (_ACROSS - columns * _GAP) / columns))
    across, up = (cell * tile_width / max(tile_height, tile_width), cell * tile_height / max(tile_height, tile_width))
    rows = -(-len(tiles) // columns)
    step = max(across, style.width_of(tiles[-1][1], _NUMBER_FONT)) + _GAP
    width = max(style.NARROWEST, 2 * style.MARGIN + columns * step)
    coloured = tiles[0][0].ndim == 3
    foot = 0.2 if coloured else 0.75
    height = style.HEAD + rows * (up + _NUMBER + _GAP) + foot
    canvas = Canvas(width, height)
    colours = mpl.colormaps[_SIGNED if ends[0] < 0 else _POSITIVE]
    for place, (values, text) in enumerate(tiles):
        row, column = divmod(place, columns)
        middle, top = style.MARGIN + (column + 0.5) * step, style.HEAD + row * (up + _NUMBER + _GAP)
        share = np.clip((values - ends[0]) / (ends[1] - ends[0]), 0, 1)
        pixels = (np.asarray(share if coloured else colours(share)[:, :, :3]) * 255).round().astype(np.uint8)
        canvas.paste(_tile(pixels, across, up), middle, top)
        canvas.write(text, middle, top + up + 0.02, _NUMBER_FONT, style.GREY)
    if not coloured:
        bar = style.panel(canvas.figure, style.MARGIN, 0.42, min(3.5, width - 2 * style.MARGIN), 0.13)
        scale = canvas.figure.colorbar(ScalarMappable(Normalize(*ends), colours), cax=bar, orientation="horizontal")
        scale.outline.set_visible(False)
        scale.set_label(unit)
        scale.ax.locator_params(nbins=5)
    style.heading(canvas.figure, what, title, facts)
    return canvas.finish()


def _tile(pixels: Image, across: float, up: float) -> Image:
    """A tile of so many inches, its pixels as squares."""
    cv2 = opencv()
    width, height = max(1, round(across * style.DPI)), max(1, round(up * style.DPI))
    way = cv2.INTER_AREA if pixels.shape[0] > height else cv2.INTER_NEAREST
    tile: Image = cv2.resize(pixels, (width, height), interpolation=way)
    return tile


def _row(what: str, title: str, facts: str, pictures: Sequence[tuple[Image, str]]) -> Any:
    """Pictures side by side, each with a line under it."""
    gap, below, top = 0.25, 0.35, style.HEAD + 0.05
    width = max(style.NARROWEST, 2 * style.MARGIN + len(pictures) * (_PICTURE + gap) - gap)
    highest = max(picture.shape[0] for picture, _ in pictures) / style.DPI
    canvas = Canvas(width, top + highest + below)
    for place, (picture, text) in enumerate(pictures):
        middle = style.MARGIN + place * (_PICTURE + gap) + _PICTURE / 2
        fitted = style.left_to_right(style.fitted(text, _PICTURE + gap / 2, style.TEXT))
        canvas.paste(picture, middle, top)
        canvas.write(fitted, middle, top + highest + 0.06, style.TEXT)
    style.heading(canvas.figure, what, title, facts)
    return canvas.finish()
