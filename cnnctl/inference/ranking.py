"""The classes that an answer names."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray


def likeliest(probabilities: NDArray[np.float32], classes: Sequence[str], top: int) -> tuple[tuple[str, float], ...]:
    """The `top` likeliest classes with their probabilities, the likeliest first; of equals, the first in label order.

    Args:
        probabilities: (classes,).
        classes: Names in label order.
        top: How many.
    """
    best = (-probabilities).argsort(kind="stable")[:top]
    return tuple((classes[index], float(probabilities[index])) for index in best)
