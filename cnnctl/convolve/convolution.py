"""One filter over one picture: convolution, activation and pooling in plain numpy, for a person to follow.

No files, no drawing, no Keras; results equal Keras' layers of the same settings in float64. As in every CNN library,
'convolution' is cross-correlation: the kernel is not flipped.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cnnctl.layers.arithmetic import output_size, same_padding
from cnnctl.layers.compute import LEAKY_SLOPE, Values, activate

Pair = tuple[int, int]
Sides = tuple[Pair, Pair]
"""((top, bottom), (left, right)): rows and columns of zeros around a picture."""


@dataclass(frozen=True)
class Pooling:
    """A pooling with valid padding: one of `kernels.POOLINGS`, a window (height, width), strides (rows, columns)."""

    kind: str
    window: Pair
    strides: Pair

    def __str__(self) -> str:
        return f"{self.window[0]}x{self.window[1]} {self.kind} pooling, strides {strides_text(self.strides)}"


@dataclass(frozen=True)
class Filter:
    """What is done to the picture; a kernel is (height, width, channels), as Keras lays out a filter's weights.

    Strides are (rows, columns), `bias` is added to every sum, and `activation` is one of `kernels.ACTIVATIONS`;
    `negative_slope` is that of `leaky_relu`.
    """

    kernel: Values
    strides: Pair = (1, 1)
    zeros: Sides = ((0, 0), (0, 0))
    bias: float = 0.0
    activation: str = "linear"
    pooling: Pooling | None = None
    negative_slope: float = LEAKY_SLOPE


@dataclass(frozen=True)
class Stages:
    """A picture (height, width, channels) on its way through a filter; the maps have the shape (rows, columns).

    The bias is in the feature map; `pooled` is None where nothing is pooled.
    """

    picture: Values
    feature_map: Values
    activated: Values
    pooled: Values | None


@dataclass(frozen=True)
class WindowSum:
    """How the value at a row and a column of the feature map, counted from 0, comes about.

    The patch (height, width, channels) begins at row `top` and column `left` of the picture, negative in the padding;
    there it is 0 and `inside` (height, width) is False. `products` are patch times kernel, `channel_sums` (channels,)
    their sums, and `value` is the sum of these and the bias.
    """

    row: int
    column: int
    top: int
    left: int
    patch: Values
    inside: NDArray[np.bool_]
    products: Values
    channel_sums: Values
    value: float


def strides_text(strides: Pair) -> str:
    """(2, 2) as `2`, (2, 1) as `2x1`."""
    return str(strides[0]) if strides[0] == strides[1] else f"{strides[0]}x{strides[1]}"


def same_zeros(size: Pair, kernel: Pair, strides: Pair) -> Sides:
    """The zeros of `padding: same` as TensorFlow and Keras place them: the odd one at the bottom and right.

    Example: `same_zeros((4, 5), (3, 2), (2, 1)) == ((0, 1), (0, 1))`.
    """
    high, wide = map(same_padding, size, kernel, strides)
    return (high // 2, high - high // 2), (wide // 2, wide - wide // 2)


def map_size(size: Pair, kernel: Pair, strides: Pair, zeros: Sides = ((0, 0), (0, 0))) -> Pair:
    """Rows and columns of the feature map; 0 or less where the kernel does not fit."""
    rows, columns = map(output_size, size, kernel, strides, map(sum, zeros))
    return rows, columns


def formula(size: int, kernel: int, stride: int, padding: int) -> str:
    """The output size with its numbers: `floor((3 - 2 + 0) / 1) + 1 = 2`."""
    return f"floor(({size} - {kernel} + {padding}) / {stride}) + 1 = {output_size(size, kernel, stride, padding)}"


def run_filters(picture: Values, filters: Sequence[Filter]) -> list[Stages]:
    """Convolution, bias, activation and pooling of a picture of shape (height, width, channels) by each filter.

    They are those of one layer: `softmax` is over them all, place by place, as over the channels of Keras' layer. For
    it their maps must have one size.
    """
    maps = [convolve(picture, what) for what in filters]
    if filters[0].activation == "softmax":
        activated = list(np.moveaxis(activate(np.stack(maps, axis=2), "softmax"), 2, 0))
    else:
        activated = [
            activate(feature_map, what.activation, what.negative_slope)
            for what, feature_map in zip(filters, maps, strict=True)
        ]
    return [
        Stages(picture, feature_map, values, None if what.pooling is None else pool(values, what.pooling))
        for what, feature_map, values in zip(filters, maps, activated, strict=True)
    ]


def convolve(picture: Values, what: Filter) -> Values:
    """The feature map of a picture (height, width, channels), no smaller with its padding than the kernel.

    Each value is the sum of patch times kernel over all channels, and the bias.

    Returns:
        (rows, columns), each side `floor((W - F + P) / S) + 1`.

    Example: the kernel [[0, 1], [2, 3]] over [[0, 1, 2], [3, 4, 5], [6, 7, 8]] gives [[19, 25], [37, 43]].
    """
    padded = _pad(picture, what.zeros)
    height, width, _ = what.kernel.shape
    down, right = padded.shape[0] - height + 1, padded.shape[1] - width + 1
    total: Values = np.zeros(map_size((padded.shape[0], padded.shape[1]), (height, width), what.strides))
    for row in range(height):
        for column in range(width):  # every output at once, a tap of the kernel at a time
            seen = padded[row : row + down : what.strides[0], column : column + right : what.strides[1]]
            total += seen @ what.kernel[row, column]
    return total + what.bias


def explain(picture: Values, what: Filter, row: int, column: int) -> WindowSum:
    """The patch, the products and the sums behind `convolve(picture, what)[row, column]`."""
    height, width, _ = what.kernel.shape
    top, left = row * what.strides[0], column * what.strides[1]
    window = (slice(top, top + height), slice(left, left + width))
    patch = _pad(picture, what.zeros)[window]
    inside = _pad(np.ones((*picture.shape[:2], 1)), what.zeros)[window][:, :, 0] > 0
    products = patch * what.kernel
    sums = products.sum(axis=(0, 1))
    begin = (top - what.zeros[0][0], left - what.zeros[1][0])
    return WindowSum(row, column, *begin, patch, inside, products, sums, float(sums.sum()) + what.bias)


def _pad(picture: Values, zeros: Sides) -> Values:
    return np.pad(picture, (*zeros, (0, 0)))


_POOLINGS: dict[str, Callable[[Values], Values]] = {
    "max": lambda windows: windows.max(axis=(2, 3)),
    "average": lambda windows: windows.mean(axis=(2, 3)),
    "l2": lambda windows: np.sqrt(np.square(windows).sum(axis=(2, 3))),
}


def pool(values: Values, pooling: Pooling) -> Values:
    """Pool a map of shape (rows, columns) with valid padding: each side `floor((W - F) / S) + 1`.

    Every window is full, so the mean divides by all its values. `l2` is sqrt(sum of squares), without an epsilon.
    The window is no larger than the map.
    """
    if pooling.kind not in _POOLINGS:
        raise ValueError(pooling.kind)
    windows = np.lib.stride_tricks.sliding_window_view(values, pooling.window)
    return _POOLINGS[pooling.kind](windows[:: pooling.strides[0], :: pooling.strides[1]])
