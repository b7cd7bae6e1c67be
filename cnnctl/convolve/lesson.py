"""Options as they were typed -> a filter that fits its picture, or an error that says what does not fit."""

import ast
import math
import re
from dataclasses import dataclass, replace

from cnnctl.convolve.convolution import Filter, Pair, Pooling, Sides, same_zeros
from cnnctl.convolve.kernels import ACTIVATIONS, POOLINGS
from cnnctl.convolve.sources import Kernel, Picture
from cnnctl.errors import DataError, UsageError

MOST_PIXELS = 2**22
MOST_MULTIPLICATIONS = 300_000_000
_MOST_SIDE = 2048
_LARGEST_BIAS = 1e9
_DEFAULT_POOLING = "max:2"


@dataclass(frozen=True)
class Words:
    """The options of a filter as they were typed. `pooling` None: 2x2 max pooling where that fits."""

    strides: str = "1"
    padding: str = "same"
    bias: float = 0.0
    activation: str = "relu"
    pooling: str | None = None


@dataclass(frozen=True)
class Lesson:
    """A filter that fits its picture, and what there is to say about it.

    Attributes:
        filter: What is done.
        warnings: What was left out, a sentence each.
    """

    filter: Filter
    warnings: tuple[str, ...]


def make_lesson(picture: Picture, kernel: Kernel, words: Words) -> Lesson:
    """The filter for a picture.

    Raises:
        UsageError: an option is none that is known, or does not fit the picture.
        DataError: the picture is too large for a demonstration.
    """
    height, width, channels = picture.pixels.shape
    if height * width > MOST_PIXELS:
        raise DataError(
            f"{picture.name} has {height:,} x {width:,} pixels; a demonstration takes up to {MOST_PIXELS:,}",
            "make it smaller with --size 300, or cut a piece out with --crop 0,0,300,300",
        )
    strides = parse_strides(words.strides)
    size: Pair = (kernel.matrices.shape[0], kernel.matrices.shape[1])
    zeros = parse_padding(words.padding, (height, width), size, strides)
    if not abs(words.bias) <= _LARGEST_BIAS:
        raise UsageError(
            f"--bias is a number up to {_LARGEST_BIAS:g}; received: {words.bias:g}", "for example --bias 1"
        )
    if words.activation not in ACTIVATIONS:
        raise UsageError(f"there is no activation {words.activation} here", f"activations are {', '.join(ACTIVATIONS)}")
    weights = kernel.over(channels)
    rows, columns = _map_size((height, width), size, strides, zeros)
    if (height + sum(zeros[0])) * (width + sum(zeros[1])) > 4 * MOST_PIXELS:
        raise UsageError(f"--padding {words.padding} makes the picture too large for a demonstration", "take less")
    if rows * columns * weights.size > MOST_MULTIPLICATIONS:
        raise UsageError(
            f"that takes {rows * columns * weights.size:,} multiplications; a demonstration does up to "
            f"{MOST_MULTIPLICATIONS:,}",
            "take a smaller kernel, a smaller picture (--size 300) or larger strides",
        )
    warnings: list[str] = []
    pooling = _fit_pooling(words.pooling, (rows, columns), warnings)
    if pooling is not None:
        _warning_unused((rows, columns), pooling, warnings)
    return Lesson(Filter(weights, strides, zeros, words.bias, words.activation, pooling), tuple(warnings))


def _map_size(size: Pair, kernel: Pair, strides: Pair, zeros: Sides) -> Pair:
    """Rows and columns of the feature map."""
    sides = []
    for name, side, taps, step, (before, after) in zip(("height", "width"), size, kernel, strides, zeros, strict=True):
        if side + before + after < taps:
            raise UsageError(
                f"the kernel of {kernel[0]}x{kernel[1]} does not fit the picture of {size[0]}x{size[1]}: "
                f"{name} {formula(side, taps, step, before + after)}",
                "take a smaller kernel, a larger picture or --padding same",
            )
        sides.append((side + before + after - taps) // step + 1)
    return sides[0], sides[1]


def formula(size: int, kernel: int, stride: int, padding: int) -> str:
    """The output size with its numbers: `floor((3 - 2 + 0) / 1) + 1 = 2`."""
    return f"floor(({size} - {kernel} + {padding}) / {stride}) + 1 = {(size - kernel + padding) // stride + 1}"


def _fit_pooling(words: str | None, size: Pair, warnings: list[str]) -> Pooling | None:
    pooling = parse_pooling(_DEFAULT_POOLING if words is None else words)
    if pooling is None or (pooling.window[0] <= size[0] and pooling.window[1] <= size[1]):
        return pooling
    misfit = f"a pooling window of {pooling.window[0]}x{pooling.window[1]} does not fit the map of {size[0]}x{size[1]}"
    if words is not None:
        raise UsageError(misfit, "take a smaller window, or --pool none")
    warnings.append(f"no pooling: {misfit}")
    return None


def _warning_unused(size: Pair, pooling: Pooling, warnings: list[str]) -> None:
    names = []
    for name, side, window, step in zip(("row", "column"), size, pooling.window, pooling.strides, strict=True):
        unused = (side - window) % step
        if unused:
            names.append(f"the last {name}" if unused == 1 else f"the last {unused} {name}s")
    if names:
        warnings.append(f"{' and '.join(names)} of the map of {size[0]}x{size[1]}: in no pooling window")


def parse_strides(text: str) -> Pair:
    """`2` as (2, 2), `2,1` as (2, 1): rows and columns, whole numbers from 1."""
    strides = _pair(text)
    if strides is None:
        raise UsageError(
            f"--strides is a whole number from 1, or two of them (ROWS,COLUMNS); received: {text}",
            "for example --strides 2",
        )
    return strides


def parse_size(text: str) -> Pair | None:
    """`300` as (300, 300), `200x300` as (200, 300), `own` as None.

    Raises:
        UsageError: it is none of these.
    """
    if text.strip() == "own":
        return None
    sides = _pair(text)
    if sides is None or max(sides) > _MOST_SIDE:
        raise UsageError(
            f"--size is a side in pixels from 1 to {_MOST_SIDE:,}, HEIGHTxWIDTH, or own; received: {text}",
            "for example --size 300",
        )
    return sides


def _pair(text: str) -> Pair | None:
    """`2` as (2, 2), `2,1` or `2x1` as (2, 1); None for what is no number from 1 to 999999."""
    found = re.fullmatch(r"\s*(\d{1,6})\s*(?:[,x]\s*(\d{1,6})\s*)?", text, re.ASCII)
    if found is None:
        return None
    first, second = int(found[1]), int(found[2] or found[1])
    return (first, second) if first and second else None


def parse_padding(text: str, size: Pair, kernel: Pair, strides: Pair) -> Sides:
    """The zeros around a picture that `valid`, `same`, a number or `[[top, bottom], [left, right]]` stand for."""
    match text.strip():
        case "valid":
            return ((0, 0), (0, 0))
        case "same":
            return same_zeros(size, kernel, strides)
        case number if re.fullmatch(r"\d{1,4}", number):
            every = int(number)
            return ((every, every), (every, every))
        case sides if re.fullmatch(r"\[\s*(\[\s*\d{1,4}\s*,\s*\d{1,4}\s*\]\s*,?\s*){2}\]", sides):
            try:
                (top, bottom), (left, right) = ast.literal_eval(sides)
            except (SyntaxError, TypeError, ValueError):  # no comma between the two, or 01
                pass
            else:
                return ((top, bottom), (left, right))
    raise UsageError(
        f"there is no padding {text}", "padding is valid, same, a number of pixels or [[top, bottom], [left, right]]"
    )


def parse_pooling(text: str) -> Pooling | None:
    """`max:2`, `average:3x2`, or with strides of its own `max:3:2`; `none` is None. Strides are else the window's."""
    if text.strip() == "none":
        return None
    kind, *numbers = text.strip().split(":")
    sides = [_pair(number) for number in numbers]
    window = sides[0] if sides else None
    strides = sides[-1] if 1 <= len(sides) <= 2 else None
    if kind not in POOLINGS or window is None or strides is None:
        raise UsageError(
            f"there is no pooling {text}",
            "pooling is max:2, average:2 or l2:2 (the window's side), max:3:2 with strides of 2, or none",
        )
    return Pooling(kind, window, strides)


def parse_place(text: str, size: Pair) -> Pair:
    """`ROW,COLUMN` of a map of so many rows and columns; both count from 0."""
    numbers = _whole_numbers(text, 2)
    if numbers is None:
        raise UsageError(f"--at is ROW,COLUMN, counted from 0; received: {text}", "for example --at 0,0")
    row, column = numbers
    if row >= size[0] or column >= size[1]:
        raise UsageError(
            f"there is no row {row}, column {column} in the feature map of {size[0]}x{size[1]}",
            f"rows go from 0 to {size[0] - 1}, columns from 0 to {size[1] - 1}",
        )
    return row, column


def crop(picture: Picture, text: str) -> Picture:
    """The piece `ROW,COLUMN,HEIGHT,WIDTH` of a picture.

    Raises:
        UsageError: it is no such piece.
    """
    high, wide = picture.pixels.shape[:2]
    numbers = _whole_numbers(text, 4)
    if numbers is None or 0 in numbers[2:]:
        raise UsageError(
            f"--crop is ROW,COLUMN,HEIGHT,WIDTH, counted from 0; received: {text}", "for example --crop 10,20,6,6"
        )
    row, column, height, width = numbers
    if row + height > high or column + width > wide:
        raise UsageError(
            f"a piece of {height}x{width} at row {row}, column {column} is not inside the picture of {high}x{wide}",
            f"keep ROW + HEIGHT up to {high} and COLUMN + WIDTH up to {wide}",
        )
    return replace(picture, pixels=picture.pixels[row : row + height, column : column + width])


def _whole_numbers(text: str, count: int) -> list[int] | None:
    cells = [cell.strip() for cell in text.split(",")]
    if len(cells) != count or not all(re.fullmatch(r"\d{1,6}", cell, re.ASCII) for cell in cells):
        return None
    return [int(cell) for cell in cells]


def describe_pooling(pooling: Pooling) -> str:
    """`2x2 max pooling, strides 2`."""
    (high, wide), (down, right) = pooling.window, pooling.strides
    return f"{high}x{wide} {pooling.kind} pooling, strides {down if down == right else f'{down}x{right}'}"


def show(value: float) -> str:
    """A number as a person writes it: `19`, `-1`, `0.1111`, `1.5e-05`."""
    if value and abs(value) < 1e-4:
        return f"{value:.3g}"
    if not math.isfinite(value) or abs(value) >= 1e12:
        return f"{value:.6g}"
    text = f"{value:.4f}".rstrip("0").rstrip(".")
    return "0" if text == "-0" else text
