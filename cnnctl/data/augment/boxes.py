"""Random rectangles, as Keras' RandomErasing and CutMix draw them."""

import math
from typing import NamedTuple

import numpy as np


class Box(NamedTuple):
    """A rectangle, in pixels and parts of pixels."""

    top: float
    left: float
    height: float
    width: float

    def pixels(self) -> tuple[slice, slice]:
        """The (rows, columns) whose numbers lie in it, its far edges left out."""
        bottom, right = self.top + self.height, self.left + self.width
        return (
            slice(math.ceil(self.top), math.ceil(bottom)),
            slice(math.ceil(self.left), math.ceil(right)),
        )


def random_box(down: float, across: float, generator: np.random.Generator, height: int, width: int) -> Box:
    """A rectangle of these shares of an image's sides, anywhere in it."""
    box_height, box_width = down * height, across * width
    top, left = generator.random() * (height - box_height), generator.random() * (width - box_width)
    return Box(top, left, box_height, box_width)
