"""A demonstration of `convolve` as text and as JSON."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import numpy as np

from cnnctl.convolve.convolution import WindowSum, formula
from cnnctl.convolve.demonstration import Demonstration
from cnnctl.convolve.kernels import CHANNELS
from cnnctl.convolve.sources import Picture
from cnnctl.formatting import number, printable
from cnnctl.layers.compute import Values
from cnnctl.layers.notation import format_shape
from cnnctl.terminal.arithmetic import print_grid, print_product, print_sentence, print_softmax, print_sum, signed
from cnnctl.terminal.render import LEFT, RIGHT, print_table, screen_width

_MOST_SHOWN = 16
_MOST_TERMS = 9
_TITLE = 24
_OF_A_KERNEL = ("kernel", "padding", "pooling")
"""What kernels of different sizes differ in."""


def to_json(demos: Sequence[Demonstration], explained: Sequence[WindowSum]) -> dict[str, Any]:
    """The form of `convolve --json`, with explained outputs that of `--numbers` too.

    Matrices are lists of rows, those of several channels lists of matrices. What differs between several kernels is in
    `kernels`.
    """
    first = demos[0]
    what = first.filter
    value = {
        "picture": first.picture.name,
        "kernel": first.kernel,
        "strides": what.strides,
        "padding": what.zeros,
        "bias": what.bias,
        "activation": what.activation,
        "negative_slope": what.negative_slope if what.activation == "leaky_relu" else None,
        "pooling": None if what.pooling is None else asdict(what.pooling),
        "picture_shape": first.stages.picture.shape,
    }
    own = [_kernel_json(demo, explained[place] if explained else None) for place, demo in enumerate(demos)]
    if len(demos) == 1:
        return value | own[0]
    shared = {name: one for name, one in value.items() if name not in _OF_A_KERNEL}
    return shared | {"kernels": own}


def _kernel_json(demo: Demonstration, explained: WindowSum | None) -> dict[str, Any]:
    what, stages = demo.filter, demo.stages
    value = {
        "kernel": demo.kernel,
        "padding": what.zeros,
        "pooling": None if what.pooling is None else asdict(what.pooling),
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


def print_demonstrations(demos: Sequence[Demonstration], explained: Sequence[WindowSum]) -> None:
    """What is done to which picture, then a table of the steps, or the arithmetic of one output and every map."""
    picture = demos[0].picture
    kind = "grey" if picture.pixels.shape[2] == 1 else "red, green and blue"
    print_sentence(f"{printable(picture.name)}: {format_shape(picture.pixels.shape)} ({kind}){_origin(picture)}")
    for demo in demos:
        print_sentence(printable(demo.description))
    if explained:
        _print_numbers(demos, explained)
        return
    steps = [(demo.kernel, step.name, step.values) for demo in demos for step in demo.maps]
    rows = [
        (kernel, name, format_shape(values.shape), number(float(values.min())), number(float(values.max())))
        for kernel, name, values in [("", "picture", demos[0].stages.picture), *steps]
    ]
    skipped = 1 if len(demos) == 1 else 0
    header, sides = ("kernel", "step", "shape", "smallest", "largest"), (LEFT, LEFT, RIGHT, RIGHT, RIGHT)
    print()
    print_table(header[skipped:], [row[skipped:] for row in rows], sides[skipped:])


def _origin(picture: Picture) -> str:
    """What was done to an image file before: `, of an image of 376x499: each pixel is the mean of 2x2`."""
    if picture.pixels.shape[:2] == picture.own_size:
        return ""
    height, width = picture.own_size
    return f", of an image of {height}x{width}{picture.change and f': {picture.change}'}"


def _print_numbers(demos: Sequence[Demonstration], explained: Sequence[WindowSum]) -> None:
    """The picture, the sum behind one output of each kernel, and every map of at most 16x16."""
    picture = demos[0].stages.picture
    names = ("",) if picture.shape[2] == 1 else CHANNELS
    for channel, name in enumerate(names):
        _print_map(f"picture{name and f', {name}'}", picture[:, :, channel])
    for demo, one in zip(demos, explained, strict=True):
        title = f"kernel {printable(demo.kernel)}: " if len(demos) > 1 else ""
        _print_sum(demo, one, names, title)
    if demos[0].filter.activation == "softmax":
        _print_softmax(demos, explained[0])
    for demo in demos:
        title = f"kernel {printable(demo.kernel)}: " if len(demos) > 1 else ""
        _print_map(f"{title}feature map", demo.stages.feature_map, _sizes(demo))
        for step in demo.maps[1:]:
            if step.name != "linear":
                _print_map(f"{title}after {step.name}", step.values)


def _sizes(demo: Demonstration) -> str:
    """How the rows and columns of the feature map come about."""
    what = demo.filter
    sides = zip(
        ("height", "width"),
        demo.stages.picture.shape,
        what.kernel.shape,
        what.strides,
        map(sum, what.zeros),
        strict=False,
    )
    formulas = [f"{name} {formula(*numbers)}" for name, *numbers in sides]
    together = f": {', '.join(formulas)}"
    return together if len(together) + _TITLE <= screen_width() else "".join(f"\n  {line}" for line in formulas)


def _print_softmax(demos: Sequence[Demonstration], explained: WindowSum) -> None:
    """Softmax over the kernels at the explained place."""
    place = explained.row, explained.column
    print(f"\nsoftmax over the kernels, row {place[0]}, column {place[1]}")
    values = [float(demo.stages.feature_map[place]) for demo in demos]
    print_softmax([demo.kernel for demo in demos], values, "kernel", "value")


def _print_map(title: str, values: Values, note: str = "") -> None:
    rows, columns = values.shape
    print(f"\n{title}, {rows}x{columns}{note}")
    if max(rows, columns) > _MOST_SHOWN:
        print(f"  not printed above {_MOST_SHOWN}x{_MOST_SHOWN}: use --crop or --json")
    else:
        print_grid(values)


def _print_sum(demo: Demonstration, explained: WindowSum, names: Sequence[str], title: str) -> None:
    what, value = demo.filter, number(explained.value)
    height, width, _ = what.kernel.shape
    print()
    print_sentence(
        f"{title}feature map, row {explained.row}, column {explained.column}: "
        f"rows {explained.top} to {explained.top + height - 1} and "
        f"columns {explained.left} to {explained.left + width - 1} of the picture"
        f"{'' if explained.inside.all() else '; (0) is padding'}"
    )
    for channel, name in enumerate(names):
        products = explained.products[:, :, channel]
        if name:
            print(f"\n  {name}")
        if max(height, width) <= _MOST_SHOWN:
            print_product(explained.patch[:, :, channel], what.kernel[:, :, channel], explained.inside)
        total = number(float(explained.channel_sums[channel]))
        if products.size <= _MOST_TERMS:
            print_sum(products.ravel(), (), total)
        else:
            print(f"  sum of {products.size} products = {total}")
    print()
    print_sum(explained.channel_sums, [signed(what.bias, "bias ")], value)
    if what.activation not in ("linear", "softmax"):
        after = float(demo.stages.activated[explained.row, explained.column])
        is_steep = what.activation == "leaky_relu" and explained.value < 0
        steps = f"{number(what.negative_slope)} * {value} = " if is_steep else ""
        print(f"  {what.activation}({value}) = {steps}{number(after)}")
