"""An answer as programs read it: the rows of `predict --format json`, and what `serve` answers."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

DEFAULT_TOP = 3
"""Classes that are named unless told otherwise."""


@dataclass(frozen=True)
class Row:
    """One input's answer: the predicted class first in `top`; none where it could not be read."""

    path: str
    top: tuple[tuple[str, float], ...]
    error: str | None = None

    def to_json(self) -> dict[str, Any]:
        """The form of `--format json`; `error` only where it failed."""
        label, probability = self.top[0] if self.top else (None, None)
        top = [{"label": name, "probability": chance} for name, chance in self.top]
        value = {"path": self.path, "label": label, "probability": probability, "top": top}
        return value if self.error is None else {**value, "error": self.error}


def make_row(path: str, probabilities: "NDArray[np.float32]", classes: Sequence[str], top: int) -> Row:
    """The row of an input that could be read; see `likeliest`."""
    return Row(path, likeliest(probabilities, classes, top))


def likeliest(probabilities: "NDArray[np.float32]", classes: Sequence[str], top: int) -> tuple[tuple[str, float], ...]:
    """The `top` likeliest classes with their probabilities, the likeliest first; of equals, the first in label order.

    Args:
        probabilities: (classes,).
        classes: Names in label order.
        top: How many.
    """
    best = (-probabilities).argsort(kind="stable")[:top]
    return tuple((classes[at], float(probabilities[at])) for at in best)
