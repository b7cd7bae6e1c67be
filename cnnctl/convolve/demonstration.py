"""A picture, a kernel and the options of a filter -> what the filter makes of it, or an error that says why not."""

from dataclasses import dataclass

from cnnctl.convolve.convolution import (
    Filter,
    Pair,
    Pooling,
    Stages,
    Values,
    formula,
    map_size,
    run_filter,
    strides_text,
)
from cnnctl.convolve.kernels import ACTIVATIONS
from cnnctl.convolve.options import parse_padding, parse_pooling, parse_strides
from cnnctl.convolve.sources import Kernel, Picture
from cnnctl.errors import DataError, UsageError
from cnnctl.formatting import number
from cnnctl.layers.notation import format_shape

_MOST_PIXELS = 2**22
_MOST_MULTIPLICATIONS = 300_000_000
_LARGEST_BIAS = 1e9
_DEFAULT_POOLING = "max:2"


@dataclass(frozen=True)
class Map:
    """A map (rows, columns), the step that made it, and how many rows and columns at each edge see padding."""

    name: str
    values: Values
    border: Pair


@dataclass(frozen=True)
class Demonstration:
    """A picture, what is done to it by which kernel, what comes of it, and a sentence for each thing left out.

    `padding` is as it was typed.
    """

    picture: Picture
    kernel: str
    padding: str
    filter: Filter
    stages: Stages
    warnings: tuple[str, ...]

    @property
    def description(self) -> str:
        """`kernel edge 3x3x1, strides 1, padding same, bias 0`."""
        size = format_shape(self.filter.kernel.shape)
        strides, bias = strides_text(self.filter.strides), number(self.filter.bias)
        return f"kernel {self.kernel} {size}, strides {strides}, padding {self.padding}, bias {bias}"

    @property
    def maps(self) -> list[Map]:
        """The feature map and what is made of it in turn."""
        pooling, strides = self.filter.pooling, self.filter.strides
        rows, columns = (-(-max(zeros) // step) for zeros, step in zip(self.filter.zeros, strides, strict=True))
        maps = [
            Map("feature map", self.stages.feature_map, (rows, columns)),
            Map(self.filter.activation, self.stages.activated, (rows, columns)),
        ]
        if pooling is not None and self.stages.pooled is not None:
            border = (rows // pooling.strides[0] + 1, columns // pooling.strides[1] + 1)
            maps.append(Map(str(pooling), self.stages.pooled, border))
        return maps


def demonstrate(
    picture: Picture, kernel: Kernel, strides: str, padding: str, bias: float, activation: str, pooling: str | None
) -> Demonstration:
    """Apply a filter, whose options are as they were typed; `pooling` None is 2x2 max pooling where that fits.

    Raises:
        UsageError: an option is none that is known, or does not fit the picture.
        DataError: the picture is too large for a demonstration.
    """
    height, width, channels = picture.pixels.shape
    if height * width > _MOST_PIXELS:
        raise DataError(
            f"{picture.name} has {height:,} x {width:,} pixels; the limit of convolve is {_MOST_PIXELS:,}",
            "resize it with --size 300, or crop it with --crop 0,0,300,300",
        )
    steps = parse_strides(strides)
    size: Pair = (kernel.matrices.shape[0], kernel.matrices.shape[1])
    zeros = parse_padding(padding, (height, width), size, steps)
    if not abs(bias) <= _LARGEST_BIAS:
        raise UsageError(f"--bias is a number up to {_LARGEST_BIAS:g}; received: {bias:g}", "for example --bias 1")
    if activation not in ACTIVATIONS:
        raise UsageError(f"there is no activation {activation} here", f"activations are {', '.join(ACTIVATIONS)}")
    weights = kernel.over(channels)

    rows, columns = map_size((height, width), size, steps, zeros)
    if min(rows, columns) < 1:
        axis = 0 if rows < 1 else 1
        reason = formula((height, width)[axis], size[axis], steps[axis], sum(zeros[axis]))
        raise UsageError(
            f"the kernel of {size[0]}x{size[1]} does not fit the picture of {height}x{width}: "
            f"{('height', 'width')[axis]} {reason}",
            "use a smaller kernel, a larger picture or --padding same",
        )
    if (height + sum(zeros[0])) * (width + sum(zeros[1])) > 4 * _MOST_PIXELS:
        raise UsageError(f"--padding {padding} makes the picture too large", "use less padding")
    if rows * columns * weights.size > _MOST_MULTIPLICATIONS:
        raise UsageError(
            f"that takes {rows * columns * weights.size:,} multiplications; the limit of convolve is "
            f"{_MOST_MULTIPLICATIONS:,}",
            "use a smaller kernel, a smaller picture (--size 300) or larger strides",
        )
    window, warnings = _fit_pooling(pooling, (rows, columns))
    what = Filter(weights, steps, zeros, bias, activation, window)
    return Demonstration(picture, kernel.name, padding, what, run_filter(picture.pixels, what), warnings)


def _fit_pooling(text: str | None, size: Pair) -> tuple[Pooling | None, tuple[str, ...]]:
    """The pooling of a map of so many rows and columns, and a warning of what it leaves out."""
    pooling = parse_pooling(_DEFAULT_POOLING if text is None else text)
    if pooling is None:
        return None, ()
    (height, width), (rows, columns) = pooling.window, size
    if height > rows or width > columns:
        misfit = f"a pooling window of {height}x{width} does not fit the map of {rows}x{columns}"
        if text is not None:
            raise UsageError(misfit, "use a smaller window, or --pool none")
        return None, (f"no pooling: {misfit}",)

    unused = (rows - height) % pooling.strides[0], (columns - width) % pooling.strides[1]
    names = [
        f"the last {name}" if count == 1 else f"the last {count} {name}s"
        for name, count in zip(("row", "column"), unused, strict=True)
        if count
    ]
    return pooling, (f"{' and '.join(names)} of the map of {rows}x{columns}: in no pooling window",) if names else ()
