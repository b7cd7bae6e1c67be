"""The arithmetic of one convolution as text and as JSON, for `convolve --numbers`."""

from collections.abc import Sequence
from itertools import zip_longest
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cnnctl.convolve.convolution import Filter, Stages, Sum, Values
from cnnctl.convolve.lesson import describe_pooling, formula, show
from cnnctl.convolve.sources import CHANNELS

_MOST_SHOWN = 16
_MOST_TERMS = 9


def grid(rows: Sequence[Sequence[float]] | Values, inside: NDArray[np.bool_] | None = None) -> list[str]:
    """A matrix as lines of right-aligned numbers, those in the padding in parentheses."""
    cells = [[show(float(value)) for value in row] for row in rows]
    if inside is not None and not inside.all():  # a blank where there is no parenthesis keeps digits below digits
        cells = [
            [f"{cell} " if within else f"({cell})" for cell, within in zip(line, mask, strict=True)]
            for line, mask in zip(cells, inside, strict=True)
        ]
    widths = [max(len(line[column]) for line in cells) for column in range(len(cells[0]))]
    return [" ".join(cell.rjust(width) for cell, width in zip(line, widths, strict=True)) for line in cells]


def print_numbers(stages: Stages, what: Filter, total: Sum) -> None:
    """The picture, the sum behind one output, and every map of at most 16x16."""
    channels = stages.picture.shape[2]
    names = ("",) if channels == 1 else CHANNELS
    for channel, name in enumerate(names):
        _print_map(f"picture{f', {name}' if name else ''}", stages.picture[:, :, channel])
    _print_sum(stages, what, total, names)
    _print_map("feature map", stages.feature_map, _sizes(stages, what))
    if what.activation != "linear":
        _print_map(f"after {what.activation}", stages.activated)
    if what.pooling is not None and stages.pooled is not None:
        _print_map(f"after {describe_pooling(what.pooling)}", stages.pooled)


def _sizes(stages: Stages, what: Filter) -> str:
    lines = []
    for axis, name in enumerate(("height", "width")):
        zeros = sum(what.zeros[axis])
        lines.append(
            f"{name} {formula(stages.picture.shape[axis], what.kernel.shape[axis], what.strides[axis], zeros)}"
        )
    return ", ".join(lines)


def _print_map(title: str, values: Values, note: str = "") -> None:
    rows, columns = values.shape
    print(f"\n{title}, {rows}x{columns}{f': {note}' if note else ''}")
    if max(rows, columns) > _MOST_SHOWN:
        print(f"  not printed beyond {_MOST_SHOWN}x{_MOST_SHOWN}: cut a piece out with --crop, or take --json")
        return
    print("\n".join(f"  {line}" for line in grid(values)))


def _print_sum(stages: Stages, what: Filter, total: Sum, names: Sequence[str]) -> None:
    high, wide, _ = what.kernel.shape
    print(
        f"\nfeature map, row {total.row}, column {total.column}: rows {total.top} to {total.top + high - 1} and "
        f"columns {total.left} to {total.left + wide - 1} of the picture"
        f"{'' if total.inside.all() else '; (0) is padding'}"
    )
    for channel, name in enumerate(names):
        products = total.products[:, :, channel]
        if name:
            print(f"\n  {name}")
        if max(high, wide) <= _MOST_SHOWN:
            matrices = (total.patch[:, :, channel], what.kernel[:, :, channel], products)
            print("\n".join(f"  {line}".rstrip() for line in _beside(*matrices, total.inside)))
        print(f"  {_addition(products.ravel(), float(total.channel_sums[channel]))}")
    print()
    several = f"{_joined(total.channel_sums)}" if len(names) > 1 else show(float(total.channel_sums[0]))
    print(f"  {several} {_signed(what.bias, 'bias ')} = {show(total.value)}")
    if what.activation != "linear":
        after = float(stages.activated[total.row, total.column])
        print(f"  {what.activation}({show(total.value)}) = {show(after)}")


def _beside(patch: Values, kernel: Values, products: Values, inside: NDArray[np.bool_]) -> list[str]:
    """`patch * kernel = products`, the signs in the middle line, headings above."""
    parts = [("patch", grid(patch, inside)), ("kernel", grid(kernel)), ("products", grid(products))]
    middle = (len(patch) - 1) // 2
    columns = [[heading, *lines] for heading, lines in parts]
    widths = [max(map(len, column)) for column in columns]
    text = []
    for number, cells in enumerate(zip_longest(*columns), -1):
        signs = ("  *  ", "  =  ") if number == middle else ("     ", "     ")
        first, second, third = (cell.rjust(width) for cell, width in zip(cells, widths, strict=True))
        text.append(f"{first}{signs[0]}{second}{signs[1]}{third}")
    return text


def _addition(values: Values, total: float) -> str:
    if len(values) > _MOST_TERMS:
        return f"sum of {len(values)} products = {show(total)}"
    return f"{_joined(values)} = {show(total)}"


def _joined(values: Values) -> str:
    """`308 - 498 + 164`."""
    first, *others = (float(value) for value in values)
    return " ".join([show(first), *(_signed(value) for value in others)])


def _signed(value: float, name: str = "") -> str:
    return f"{'-' if value < 0 else '+'} {name}{show(abs(value))}"


def numbers_json(stages: Stages, what: Filter, total: Sum) -> dict[str, Any]:
    """What `--numbers` prints, for programs; matrices are lists of rows, those of channels lists of matrices."""
    return {
        "at": [total.row, total.column],
        "kernel_values": _channels(what.kernel),
        "patch": _channels(total.patch),
        "products": _channels(total.products),
        "channel_sums": _plain(total.channel_sums),
        "sum": _plain(np.array(total.value)),
        "feature_map": _plain(stages.feature_map),
        "activated": _plain(stages.activated),
        "pooled": None if stages.pooled is None else _plain(stages.pooled),
    }


def _channels(values: Values) -> Any:
    return _plain(np.moveaxis(values, 2, 0))


def _plain(values: Values) -> Any:
    """Lists of numbers, whole ones without a decimal point."""
    return values.astype(np.int64).tolist() if (values == np.rint(values)).all() else values.tolist()
