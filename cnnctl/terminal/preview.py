"""The images of a preview in a table, and as JSON."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cnnctl.formatting import percent, printable
from cnnctl.terminal.render import LEFT, RIGHT, print_table

if TYPE_CHECKING:
    from cnnctl.pictures.preview import Sample


def to_json(one: "Sample") -> dict[str, Any]:
    """One image in the form of `preview --json`; `kept` is the share of its area that a crop leaves."""
    value: dict[str, Any] = {"path": one.path, "label": one.label, "size": one.size, "kept": one.kept}
    return value if one.error is None else {**value, "kept": None, "error": one.error}


def print_samples(samples: "Sequence[Sample]", path: Path) -> None:
    """The images, and the picture that they were drawn into."""
    print_table(("image", "class", "size", "kept"), [_row(one) for one in samples], (LEFT, LEFT, RIGHT, RIGHT))
    print(f"\ndrawn into {printable(str(path))}")


def _row(one: "Sample") -> tuple[str, str, str, str]:
    size = one.error or "x".join(map(str, one.size or ()))
    return (one.path, one.label, size, percent(one.kept, 0) if one.error is None else "")
