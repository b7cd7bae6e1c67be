"""Shapes, padding and the output formula as people write them."""

from cnnctl.layers import arithmetic
from cnnctl.settings import Sides

Shape = tuple[int, ...]
"""Without the batch dimension: (height, width, channels) or (features,)."""

NO_SIDES: Sides = ((0, 0), (0, 0))


def format_shape(shape: Shape) -> str:
    """`(30, 30, 10)` as `30x30x10`."""
    return "x".join(str(side) for side in shape)


def format_pair(pair: tuple[int, int]) -> str:
    """`(2, 2)` as `2`, `(1, 2)` as `1x2`."""
    return str(pair[0]) if pair[0] == pair[1] else format_shape(pair)


def format_padding(padding: str | Sides) -> str:
    """`padding valid`, `padding 1`, or `padding [[0, 1], [0, 1]]`."""
    if isinstance(padding, str):
        return f"padding {padding}"
    (top, bottom), (left, right) = padding
    if top == bottom == left == right:
        return f"padding {top}"
    return f"padding [[{top}, {bottom}], [{left}, {right}]]"


def substitute(size: int, kernel: int, stride: int, padding: int, dilation: int) -> str:
    """The output formula with its numbers: `floor((32 - 3 + 0) / 1) + 1 = 30`; without `+ 0` where nothing fits."""
    result = arithmetic.output_size(size, kernel, stride, padding, dilation)
    span = arithmetic.effective_size(kernel, dilation)
    zeros = f" + {padding}" if result > 0 or padding else ""
    return f"floor(({size} - {span}{zeros}) / {stride}) + 1 = {result}"
