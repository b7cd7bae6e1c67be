"""Arithmetic as text: matrices, sums and softmax, within the width of the terminal."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from cnnctl.formatting import number
from cnnctl.layers.compute import Values, exponent_shift
from cnnctl.terminal.render import LEFT, RIGHT, print_table, print_text, say, screen_width

_MOST_CLASSES = 12
_INDENT = "  "


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


def print_grid(values: Values) -> None:
    """A matrix; where it is wider than the terminal, some of its columns after the others."""
    lines = grid(values)
    columns = values.shape[1]
    if len(_INDENT) + len(lines[0]) <= screen_width() or columns == 1:
        say("\n".join(_INDENT + line for line in lines))
        return
    longest = max(len(number(float(value))) for value in values.ravel()) + 1
    most = max(1, (screen_width() - len(_INDENT)) // longest)
    for first in range(0, columns, most):
        last = min(first + most, columns) - 1
        say(f"{_INDENT}columns {first} to {last}" if last > first else f"{_INDENT}column {first}")
        say("\n".join(_INDENT + line for line in grid(values[:, first : last + 1])))


def print_product(patch: Values, weights: Values, inside: NDArray[np.bool_] | None = None) -> None:
    """`patch * kernel = products`, side by side, or below each other where that is wider than the terminal."""
    columns = (
        ["patch", *grid(patch, inside)],
        ["kernel", *grid(weights)],
        ["products", *grid(patch * weights)],
    )
    widths = [max(map(len, column)) for column in columns]
    if sum(widths) + 10 + len(_INDENT) > screen_width():
        for column in columns:
            say("\n".join(_INDENT + line.rstrip() for line in column))
        return
    for row, cells in enumerate(zip(*columns, strict=True)):
        times, equals = ("  *  ", "  =  ") if row == (patch.shape[0] + 1) // 2 else (" " * 5,) * 2
        first, second, third = (cell.rjust(width) for cell, width in zip(cells, widths, strict=True))
        say(f"{_INDENT}{first}{times}{second}{equals}{third}".rstrip())


def print_sum(values: Sequence[float] | Values, more: Sequence[str], result: str) -> None:
    """`308 - 498 + 164 + bias 1 = -25`; `more` are terms with their signs."""
    first, *others = (float(value) for value in values)
    print_wrapped([number(first), *(signed(value) for value in others), *more, f"= {result}"])


def print_wrapped(parts: Sequence[str]) -> None:
    """Parts on one line, or on several where that is wider than the terminal; each stays whole."""
    line = ""
    for part in parts:
        if line and len(line) + 1 + len(part) > screen_width():
            say(line)
            line = ""
        line += f" {part}" if line else (_INDENT + part if part is parts[0] else 2 * _INDENT + part)
    say(line)


def print_sentence(text: str) -> None:
    """A sentence, broken between words; its further lines are indented as the arithmetic is."""
    print_text(text, hang=len(_INDENT))


def print_softmax(names: Sequence[str], values: Sequence[float], what: str, value: str) -> None:
    """Softmax by hand: exp of each value, their sum, and the quotients; of very many names the largest.

    `what` and `value` are the headings of the names and the values.
    """
    logits = np.array(values, np.float64)
    shift = exponent_shift(logits)
    exponentials = np.exp(logits - shift)
    total = float(exponentials.sum())
    order = np.argsort(-logits, kind="stable")
    shown, rest = (order, order[:0]) if len(order) <= _MOST_CLASSES else np.split(order, [_MOST_CLASSES - 2])
    rows = [
        (names[at], number(logits[at]), number(exponentials[at]), number(exponentials[at] / total))
        for at in (sorted(shown) if not len(rest) else shown)
    ]
    if len(rest):
        left = float(exponentials[rest].sum())
        rows.append((f"{len(rest):,} others", "", number(left), number(left / total)))
    rows.append(("sum", "", number(total), "1"))
    exponent = f"exp({value} - {number(shift)})" if shift > 0 else f"exp({value} + {number(-shift)})"
    header = (what, value, exponent if shift else f"exp({value})", "exp / sum")
    print_table(header, rows, (LEFT, RIGHT, RIGHT, RIGHT))


def signed(value: float, name: str = "") -> str:
    """`+ 164`, or `- bias 1`."""
    return f"{'-' if value < 0 else '+'} {name}{number(abs(value))}"
