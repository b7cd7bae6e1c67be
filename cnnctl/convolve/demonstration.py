"""A picture, a kernel and the options of a filter -> what the filter makes of it, or an error that says why not."""

from collections.abc import Sequence
from dataclasses import dataclass

from cnnctl.convolve.convolution import (
    Filter,
    Pair,
    Pooling,
    Stages,
    formula,
    map_size,
    run_filters,
    strides_text,
)
from cnnctl.convolve.kernels import ACTIVATIONS
from cnnctl.convolve.options import parse_padding, parse_pooling, parse_strides
from cnnctl.convolve.sources import Kernel, Picture
from cnnctl.errors import DataError, UsageError
from cnnctl.formatting import number
from cnnctl.layers.compute import LEAKY_SLOPE, Values
from cnnctl.layers.notation import format_shape

_MOST_PIXELS = 2**22
_MOST_MULTIPLICATIONS = 300_000_000
_LARGEST_BIAS = 1e9
_LARGEST_SLOPE = 1e6
MOST_KERNELS = 16
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

    `padding` is as it was typed, and `together` is how many kernels there are.
    """

    picture: Picture
    kernel: str
    padding: str
    filter: Filter
    stages: Stages
    warnings: tuple[str, ...]
    together: int = 1

    @property
    def activation(self) -> str:
        """The activation in words: `relu`, `leaky_relu with slope 0.2`, `softmax over 3 kernels`."""
        name = self.filter.activation
        if name == "leaky_relu":
            return f"{name} with slope {number(self.filter.negative_slope)}"
        return f"{name} over {self.together} kernel{'s' if self.together > 1 else ''}" if name == "softmax" else name

    @property
    def description(self) -> str:
        """`kernel edge 3x3x1, strides 1, padding same, bias 0`."""
        return f"kernel {self.kernel} {format_shape(self.filter.kernel.shape)}, {self.settings}"

    @property
    def settings(self) -> str:
        """What all kernels have in common: `strides 1, padding same, bias 0`."""
        strides, bias = strides_text(self.filter.strides), number(self.filter.bias)
        return f"strides {strides}, padding {self.padding}, bias {bias}"

    @property
    def maps(self) -> list[Map]:
        """The feature map and what is made of it in turn."""
        pooling, strides = self.filter.pooling, self.filter.strides
        rows, columns = (-(-max(zeros) // step) for zeros, step in zip(self.filter.zeros, strides, strict=True))
        maps = [
            Map("feature map", self.stages.feature_map, (rows, columns)),
            Map(self.activation, self.stages.activated, (rows, columns)),
        ]
        if pooling is not None and self.stages.pooled is not None:
            border = (rows // pooling.strides[0] + 1, columns // pooling.strides[1] + 1)
            maps.append(Map(str(pooling), self.stages.pooled, border))
        return maps


@dataclass(frozen=True)
class Wanted:
    """The options of a filter as they were typed; `pooling` None is 2x2 max pooling where that fits.

    `negative_slope` None is Keras' slope of leaky_relu.
    """

    strides: str = "1"
    padding: str = "valid"
    bias: float = 0.0
    activation: str = "relu"
    pooling: str | None = None
    negative_slope: float | None = None


def demonstrate(picture: Picture, kernels: Sequence[Kernel], wanted: Wanted) -> list[Demonstration]:
    """Apply a filter of each kernel to a picture, as one layer with so many filters would.

    Raises:
        UsageError: an option is none that is known, or does not fit the picture.
        DataError: the picture is too large for a demonstration.
    """
    height, width, _ = picture.pixels.shape
    if height * width > _MOST_PIXELS:
        raise DataError(
            f"{picture.name} has {height:,} x {width:,} pixels; the limit of convolve is {_MOST_PIXELS:,}",
            "resize it with --size 300, or crop it with --crop 0,0,300,300",
        )
    if len(kernels) > MOST_KERNELS:
        raise UsageError(f"convolve takes up to {MOST_KERNELS} kernels; received: {len(kernels)}", "leave some out")
    slope = _check_activation(wanted)
    if not abs(wanted.bias) <= _LARGEST_BIAS:
        raise UsageError(
            f"--bias is a number up to {_LARGEST_BIAS:g}; received: {wanted.bias:g}", "for example --bias 1"
        )
    fitted = [_fit(picture, kernel, wanted, slope) for kernel in kernels]
    _check_together([what for what, _ in fitted], picture, wanted)
    stages = run_filters(picture.pixels, [what for what, _ in fitted])
    return [
        Demonstration(picture, kernel.name, wanted.padding, what, made, warnings, len(kernels))
        for kernel, (what, warnings), made in zip(kernels, fitted, stages, strict=True)
    ]


def _check_activation(wanted: Wanted) -> float:
    """The slope of leaky_relu.

    Raises:
        UsageError: there is no such activation, or a slope that it does not take.
    """
    name, slope = wanted.activation, wanted.negative_slope
    if name not in ACTIVATIONS:
        raise UsageError(f"there is no activation {name} here", f"activations are {', '.join(ACTIVATIONS)}")
    if slope is None:
        return LEAKY_SLOPE
    if name != "leaky_relu":
        raise UsageError(f"--negative-slope is for leaky_relu, not for {name}", "add --activation leaky_relu")
    if not 0 <= slope <= _LARGEST_SLOPE:
        message = f"--negative-slope is a number from 0 to {_LARGEST_SLOPE:g}; received: {slope:g}"
        raise UsageError(message, "for example --negative-slope 0.3")
    return slope


def _fit(picture: Picture, kernel: Kernel, wanted: Wanted, slope: float) -> tuple[Filter, tuple[str, ...]]:
    """The filter of a kernel, and a warning of what its pooling leaves out."""
    height, width, channels = picture.pixels.shape
    steps = parse_strides(wanted.strides)
    size: Pair = (kernel.matrices.shape[0], kernel.matrices.shape[1])
    zeros = parse_padding(wanted.padding, (height, width), size, steps)
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
        raise UsageError(f"--padding {wanted.padding} makes the picture too large", "use less padding")
    window, warnings = _fit_pooling(wanted.pooling, (rows, columns))
    return Filter(weights, steps, zeros, wanted.bias, wanted.activation, window, slope), warnings


def _check_together(filters: Sequence[Filter], picture: Picture, wanted: Wanted) -> None:
    height, width, _ = picture.pixels.shape
    sizes = [
        map_size((height, width), (what.kernel.shape[0], what.kernel.shape[1]), what.strides, what.zeros)
        for what in filters
    ]
    products = sum(rows * columns * what.kernel.size for (rows, columns), what in zip(sizes, filters, strict=True))
    if products > _MOST_MULTIPLICATIONS:
        raise UsageError(
            f"that takes {products:,} multiplications; the limit of convolve is {_MOST_MULTIPLICATIONS:,}",
            "use a smaller kernel, a smaller picture (--size 300) or larger strides",
        )
    if wanted.activation == "softmax" and len(set(sizes)) > 1:
        different = ", ".join(f"{rows}x{columns}" for rows, columns in sizes)
        raise UsageError(
            f"softmax is over the kernels at each place, but their maps differ in size: {different}",
            "use --padding same, or kernels of one size",
        )


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
