"""Text -> a matrix.

A matrix is written `[[0, 1], [2, 3]]`, or in a file as rows of numbers between commas, semicolons or blanks; `1/9` is
a number, and so is `0,5` where semicolons or blanks are between the numbers. Three matrices,
`[[[...]], [[...]], [[...]]]` or with an empty line between them in a file, are one for each channel: red, green, blue.
"""

import ast
import re
import warnings
from typing import Any

import numpy as np

from cnnctl.layers.compute import Values

HINT = "a matrix is written [[0, 1], [2, 3]], or in a file as rows of numbers between commas or semicolons"
_LARGEST = 1e9
_NUMBER = r"[-+]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][-+]?[0-9]+)?"
_COMMA = r"[-+]?[0-9]*,[0-9]+(?:[eE][-+]?[0-9]+)?"
_FRACTION = re.compile(rf"(?<![0-9.])({_NUMBER})\s*/\s*({_NUMBER})")
_WITH_COMMA = re.compile(rf"(?:{_COMMA}|{_NUMBER})(?:\s*/\s*(?:{_COMMA}|{_NUMBER}))?")
_FOREIGN = re.compile(r"[^-+.,/0-9\seE\[\]]")


class MatrixError(Exception):
    """A text that is no matrix; `str()` is the reason."""


def parse_matrix(text: str) -> Values:
    """A matrix, or one for each channel, in the forms that this module's docstring names.

    Returns:
        (height, width, channels).

    Raises:
        MatrixError: with the reason.
    """
    nested = _parse_brackets(text) if text.lstrip().startswith("[") else _parse_rows(text)
    depth = _depth(nested)
    if depth not in (2, 3):
        raise MatrixError("expected rows of numbers" if depth < 2 else "expected a matrix, or one for each channel")

    matrices = nested if depth == 3 else [nested]
    sizes = sorted({_size(matrix) for matrix in matrices})
    if len(sizes) > 1:
        different = ", ".join(f"{height}x{width}" for height, width in sizes)
        raise MatrixError(f"its matrices differ in size: {different}")
    return np.moveaxis(np.array(matrices, np.float64), 0, 2)


def _size(matrix: Any) -> tuple[int, int]:
    """(height, width) of rows of numbers; whatever else is refused."""
    if not isinstance(matrix, list) or not matrix or not all(isinstance(row, list) and row for row in matrix):
        raise MatrixError("expected rows of numbers, none of them empty")
    widths = [len(row) for row in matrix]
    if len(set(widths)) > 1:
        raise MatrixError(f"rows differ in length: {', '.join(map(str, widths[:8]))}")
    for value in (value for row in matrix for value in row):
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise MatrixError("expected numbers in every row")
        if not abs(value) <= _LARGEST:
            raise MatrixError(f"expected numbers from {-_LARGEST:g} to {_LARGEST:g}, received: {str(value)[:20]}")
    return len(matrix), widths[0]


def _depth(value: Any) -> int:
    return 1 + (_depth(value[0]) if value else 0) if isinstance(value, list) else 0


def _parse_brackets(text: str) -> Any:
    foreign = _FOREIGN.search(text)
    if foreign:
        raise MatrixError(f"expected numbers, commas and brackets, received: {foreign.group()}")
    if re.search(r"\[\s*\[\s*\[\s*\[", text):
        raise MatrixError("expected a matrix, or one for each channel")
    literal = _FRACTION.sub(lambda found: repr(_divide(*found.groups())), text.strip())
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", SyntaxWarning)  # [1[2]] is no matrix either way
            return ast.literal_eval(literal)
    except (ValueError, SyntaxError, RecursionError, MemoryError, TypeError):
        raise MatrixError("its brackets, commas or numbers do not match") from None


def _parse_rows(text: str) -> list[list[list[float]]]:
    """Rows of numbers; an empty line begins the next channel's. What follows a # is a comment."""
    lines = [(line, line.partition("#")[0].strip().rstrip(",;")) for line in text.splitlines()]
    separator, has_commas = _separator([content for _, content in lines])
    matrices: list[list[list[float]]] = [[]]
    for number, (line, content) in enumerate(lines, 1):
        if content:
            cells = [cell.strip() for cell in re.split(separator, content)]
            matrices[-1].append([_number(_with_point(cell, number) if has_commas else cell, number) for cell in cells])
        elif not line.strip() and matrices[-1]:
            matrices.append([])
    found = [matrix for matrix in matrices if matrix]
    if not found:
        raise MatrixError("it contains no numbers")
    return found


def _separator(lines: list[str]) -> tuple[str, bool]:
    """What is between the numbers, as a pattern, and whether a comma in a number stands for its decimal point."""
    text = "\n".join(lines)
    if ";" in text:
        return ";", "," in text
    if "," not in text:
        return r"\s+", False
    is_decimal = all(_WITH_COMMA.fullmatch(cell) for cell in text.split())
    return (r"\s+", True) if is_decimal and any(len(line.split()) > 1 for line in lines) else (",", False)


def _with_point(cell: str, line: int) -> str:
    """A number with a decimal comma as one with a point."""
    if "." in cell:
        raise MatrixError(f"line {line}: expected a decimal comma as in the other numbers, received: {cell}")
    if "," in cell and not _WITH_COMMA.fullmatch(cell):
        raise MatrixError(f"line {line}: expected a number between the separators, received: {cell}")
    return cell.replace(",", ".")


def _number(cell: str, line: int) -> float:
    fraction = _FRACTION.fullmatch(cell)
    if fraction:
        return _divide(*fraction.groups())
    if not re.fullmatch(_NUMBER, cell):
        raise MatrixError(f"line {line}: expected a number, received: {cell if cell else 'nothing'}")
    return float(cell)


def _divide(above: str, below: str) -> float:
    if float(below) == 0:
        raise MatrixError(f"{above}/{below} is not a number")
    return float(above) / float(below)
