"""What `init` saw, chose and wrote."""

from pathlib import Path
from typing import TYPE_CHECKING

from cnnctl.formatting import printable
from cnnctl.terminal.render import LEFT, RIGHT, print_table

if TYPE_CHECKING:
    from cnnctl.init.choose import Choices
    from cnnctl.init.examples import Example
    from cnnctl.init.look import DatasetSummary

_MOST_CLASSES = 12


def print_copied(example: "Example", path: Path) -> None:
    """What a ready config is for, and its lines to fill in."""
    print(f"{example.about}\n")
    for blank in example.blanks:
        print(f"line {blank.line} is to be filled in: {blank.text}  <- {blank.what}")
    _print_next(path)


def print_written(seen: "DatasetSummary", choices: "Choices", path: Path) -> None:
    """The classes, what is odd of the images, and the reasons of the choices."""
    from cnnctl.data.listing import describe_left_out

    rows = sorted(seen.counts.items(), key=lambda item: (-item[1], item[0]))
    print_table(("class", "images"), [(name, f"{count:,}") for name, count in rows[:_MOST_CLASSES]], (LEFT, RIGHT))
    if len(rows) > _MOST_CLASSES:
        rest = rows[_MOST_CLASSES:]
        print(f"... and {len(rest):,} classes more, with {rest[-1][1]:,} to {rest[0][1]:,} images")
    print()
    left_out = describe_left_out(seen.left_out)
    if left_out:
        print(left_out)
    for unreadable, reason in seen.unreadable[:5]:
        print(f"cannot be opened: {printable(unreadable)}: {reason}")
    if len(seen.unreadable) > 5:
        print(f"... and {len(seen.unreadable) - 5:,} more of the {seen.opened:,} that were opened")
    for what, reason in choices.reasons.items():
        print(f"{what}: {reason}")
    print()
    _print_next(path)


def _print_next(path: Path) -> None:
    print(f"written: {printable(str(path))}\nnext  cnnctl train {printable(str(path))}")
