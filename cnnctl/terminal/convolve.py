"""A demonstration of `convolve` as text and as JSON."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cnnctl.convolve.convolution import Values, WindowSum, formula
from cnnctl.convolve.demonstration import Demonstration
from cnnctl.convolve.kernels import CHANNELS
from cnnctl.formatting import number, printable
from cnnctl.layers.notation import format_shape
from cnnctl.terminal.render import LEFT, RIGHT, print_table

_MOST_SHOWN = 16
_MOST_TERMS = 9


def to_json(demo: Demonstration, explained: WindowSum | None) -> dict[str, Any]:
    """The form of `convolve --json`, with an explained output that of `--numbers` too.

    Matrices are lists of rows, those of several channels lists of matrices.
    """
    what, stages = demo.filter, demo.stages
    value = {
        "picture": demo.picture.name,
        "kernel": demo.kernel,
        "strides": what.strides,
        "padding": what.zeros,
        "bias": what.bias,
        "activation": what.activation,
        "pooling": None if what.pooling is None else asdict(what.pooling),
        "picture_shape": stages.picture.shape,
        "feature_map_shape": stages.feature_map.shape,
        "pooled_shape": None if stages.pooled is None else stages.pooled.shape,
    }
    if explained is None:
        return value
    return value | {
        "at": [explained.row, explained.column],
        "kernel_values": _plain(np.moveaxis(what.kernel, 2, 0)),
        "patch": _plain(np.moveaxis(explained.patch, 2, 0)),
        "products": _plain(np.moveaxis(explained.products, 2, 0)),
        "channel_sums": _plain(explained.channel_sums),
        "sum": _plain(np.array(explained.value)),
        "feature_map": _plain(stages.feature_map),
        "activated": _plain(stages.activated),
        "pooled": None if stages.pooled is None else _plain(stages.pooled),
    }


def _plain(values: Values) -> Any:
    """Lists of numbers, whole ones without a decimal point."""
    return values.astype(np.int64).tolist() if (values == np.rint(values)).all() else values.tolist()


def print_demonstration(demo: Demonstration, explained: WindowSum | None) -> None:
    """What is done to which picture, then a table of the steps, or the arithmetic of one output and every map."""
    (height, width, channels), own = demo.picture.pixels.shape, demo.picture.own_size
    kind = "grey" if channels == 1 else "red, green and blue"
    whole = "" if (height, width) == own else f", of an image of {own[0]}x{own[1]}"
    print(f"{printable(demo.picture.name)}: {height}x{width}x{channels} ({kind}){whole}")
    print(printable(demo.description))
    if explained is not None:
        _print_numbers(demo, explained)
        return
    steps = [("picture", demo.stages.picture), *((step.name, step.values) for step in demo.maps)]
    rows = [
        (name, format_shape(values.shape), number(float(values.min())), number(float(values.max())))
        for name, values in steps
    ]
    print()
    print_table(("step", "shape", "smallest", "largest"), rows, (LEFT, RIGHT, RIGHT, RIGHT))


def _print_numbers(demo: Demonstration, explained: WindowSum) -> None:
    """The picture, the sum behind one output, and every map of at most 16x16."""
    picture, what = demo.stages.picture, demo.filter
    names = ("",) if picture.shape[2] == 1 else CHANNELS
    for channel, name in enumerate(names):
        _print_map(f"picture{name and f', {name}'}", picture[:, :, channel])
    _print_sum(demo, explained, names)
    sizes = zip(("height", "width"), picture.shape, what.kernel.shape, what.strides, map(sum, what.zeros), strict=False)
    formulas = ", ".join(f"{name} {formula(*numbers)}" for name, *numbers in sizes)
    _print_map("feature map", demo.stages.feature_map, f": {formulas}")
    for step in demo.maps[1:]:
        if step.name != "linear":
            _print_map(f"after {step.name}", step.values)


def _print_map(title: str, values: Values, note: str = "") -> None:
    rows, columns = values.shape
    print(f"\n{title}, {rows}x{columns}{note}")
    if max(rows, columns) > _MOST_SHOWN:
        print(f"  not printed above {_MOST_SHOWN}x{_MOST_SHOWN}: use --crop or --json")
    else:
        print("\n".join(f"  {line}" for line in grid(values)))


def _print_sum(demo: Demonstration, explained: WindowSum, names: Sequence[str]) -> None:
    what, value = demo.filter, number(explained.value)
    height, width, _ = what.kernel.shape
    print(
        f"\nfeature map, row {explained.row}, column {explained.column}: "
        f"rows {explained.top} to {explained.top + height - 1} and "
        f"columns {explained.left} to {explained.left + width - 1} of the picture"
        f"{'' if explained.inside.all() else '; (0) is padding'}"
    )
    for channel, name in enumerate(names):
        products = explained.products[:, :, channel]
        if name:
            print(f"\n  {name}")
        if max(height, width) <= _MOST_SHOWN:
            patch = grid(explained.patch[:, :, channel], explained.inside)
            lines = _beside(patch, grid(what.kernel[:, :, channel]), grid(products))
            print("\n".join(f"  {line}".rstrip() for line in lines))
        terms = _joined(products.ravel()) if products.size <= _MOST_TERMS else f"sum of {products.size} products"
        print(f"  {terms} = {number(float(explained.channel_sums[channel]))}")
    print(f"\n  {_joined(explained.channel_sums)} {_signed(what.bias, 'bias ')} = {value}")
    if what.activation != "linear":
        after = float(demo.stages.activated[explained.row, explained.column])
        print(f"  {what.activation}({value}) = {number(after)}")


def grid(rows: Sequence[Sequence[float]] | Values, inside: NDArray[np.bool_] | None = None) -> list[str]:
    """A matrix as lines of right-aligned numbers, those in the padding in parentheses."""
    cells = [[number(float(value)) for value in row] for row in rows]
    if inside is not None and not inside.all():  # a blank where there is no parenthesis keeps digits below digits
        cells = [
            [f"{cell} " if within else f"({cell})" for cell, within in zip(line, mask, strict=True)]
            for line, mask in zip(cells, inside, strict=True)
        ]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    return [" ".join(cell.rjust(width) for cell, width in zip(line, widths, strict=True)) for line in cells]


def _beside(patch: list[str], kernel: list[str], products: list[str]) -> list[str]:
    """`patch * kernel = products`, the signs in the middle line, headings above."""
    columns = (["patch", *patch], ["kernel", *kernel], ["products", *products])
    widths = [max(map(len, column)) for column in columns]
    lines = []
    for row, cells in enumerate(zip(*columns, strict=True)):
        times, equals = ("  *  ", "  =  ") if row == (len(patch) + 1) // 2 else (" " * 5,) * 2
        first, second, third = (cell.rjust(width) for cell, width in zip(cells, widths, strict=True))
        lines.append(f"{first}{times}{second}{equals}{third}")
    return lines


def _joined(values: Values) -> str:
    """`308 - 498 + 164`."""
    first, *others = (float(value) for value in values)
    return " ".join([number(first), *(_signed(value) for value in others)])


def _signed(value: float, name: str = "") -> str:
    return f"{'-' if value < 0 else '+'} {name}{number(abs(value))}"
