"""Options as they were typed -> numbers, or an error that says what was expected."""

import re
from dataclasses import replace

from cnnctl.convolve.convolution import Pair, Pooling, Sides, same_zeros
from cnnctl.convolve.kernels import POOLINGS
from cnnctl.convolve.sources import Picture
from cnnctl.errors import UsageError

_MOST_SIDE = 2048
_ZEROS = r"\s*(0+|[1-9][0-9]{0,3})\s*"
_TWO_ZEROS = rf"\s*\[{_ZEROS},{_ZEROS}\]\s*"


def parse_strides(text: str) -> Pair:
    """`2` as (2, 2), `2,1` as (2, 1): rows and columns, whole numbers from 1."""
    strides = _pair(text)
    if strides is None:
        wanted = f"--strides is a whole number from 1, or two of them (ROWS,COLUMNS); received: {text}"
        raise UsageError(wanted, "for example --strides 2")
    return strides


def parse_size(text: str) -> Pair | None:
    """`300` as (300, 300), `200x300` as (200, 300), `own` as None."""
    if text.strip() == "own":
        return None
    sides = _pair(text)
    if sides is None or max(sides) > _MOST_SIDE:
        wanted = f"--size is a side in pixels from 1 to {_MOST_SIDE:,}, HEIGHTxWIDTH, or own; received: {text}"
        raise UsageError(wanted, "for example --size 300")
    return sides


def parse_padding(text: str, size: Pair, kernel: Pair, strides: Pair) -> Sides:
    """The zeros around a picture that `valid`, `same`, a number or `[[top, bottom], [left, right]]` stand for."""
    word = "0" if text.strip() == "valid" else text.strip()
    if word == "same":
        return same_zeros(size, kernel, strides)
    if re.fullmatch("[0-9]{1,4}", word):
        return (int(word), int(word)), (int(word), int(word))
    found = re.fullmatch(rf"\[{_TWO_ZEROS},{_TWO_ZEROS},?\s*\]", word)
    if found is None:
        hint = "padding is valid, same, a number of pixels or [[top, bottom], [left, right]]"
        raise UsageError(f"there is no padding {text}", hint)
    top, bottom, left, right = map(int, found.groups())
    return (top, bottom), (left, right)


def parse_pooling(text: str) -> Pooling | None:
    """`max:2`, `average:3x2`, or with strides of its own `max:3:2`; `none` is None. Strides are else the window's."""
    if text.strip() == "none":
        return None
    kind, *numbers = text.strip().split(":")
    sides = [_pair(number) for number in numbers]
    if kind not in POOLINGS or len(sides) not in (1, 2) or sides[0] is None or sides[-1] is None:
        hint = "pooling is max:2, average:2 or l2:2 (the window's side), max:3:2 with strides of 2, or none"
        raise UsageError(f"there is no pooling {text}", hint)
    return Pooling(kind, sides[0], sides[-1])


def parse_place(text: str, size: Pair) -> Pair:
    """`ROW,COLUMN` of a map of so many rows and columns; both count from 0."""
    numbers = _whole_numbers(text)
    if len(numbers) != 2:
        raise UsageError(f"--at is ROW,COLUMN, counted from 0; received: {text}", "for example --at 0,0")
    row, column = numbers
    if row >= size[0] or column >= size[1]:
        raise UsageError(
            f"there is no row {row}, column {column} in the feature map of {size[0]}x{size[1]}",
            f"rows go from 0 to {size[0] - 1}, columns from 0 to {size[1] - 1}",
        )
    return row, column


def crop(picture: Picture, text: str) -> Picture:
    """The piece `ROW,COLUMN,HEIGHT,WIDTH` of a picture."""
    numbers = _whole_numbers(text)
    if len(numbers) != 4 or 0 in numbers[2:]:
        wanted = f"--crop is ROW,COLUMN,HEIGHT,WIDTH, counted from 0; received: {text}"
        raise UsageError(wanted, "for example --crop 10,20,6,6")
    row, column, height, width = numbers
    rows, columns, _ = picture.pixels.shape
    if row + height > rows or column + width > columns:
        raise UsageError(
            f"a piece of {height}x{width} at row {row}, column {column} is not inside the picture of {rows}x{columns}",
            f"keep ROW + HEIGHT up to {rows} and COLUMN + WIDTH up to {columns}",
        )
    pixels = picture.pixels[row : row + height, column : column + width]
    return replace(picture, pixels=pixels, change=", then ".join([*filter(None, [picture.change]), "cropped"]))


def _pair(text: str) -> Pair | None:
    """`2` as (2, 2), `2,1` or `2x1` as (2, 1); None for what is no number from 1 to 999999."""
    numbers = _whole_numbers(text, "[,x]")
    return (numbers[0], numbers[-1]) if len(numbers) in (1, 2) and all(numbers) else None


def _whole_numbers(text: str, separator: str = ",") -> list[int]:
    """The numbers from 0 to 999999 in a text; none where anything else is there."""
    cells = [cell.strip() for cell in re.split(separator, text)]
    return [int(cell) for cell in cells] if all(re.fullmatch("[0-9]{1,6}", cell) for cell in cells) else []
