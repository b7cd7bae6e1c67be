"""Flips and shifts by whole pixels, for many images at once: where each row and each column comes from.

They are what `augmenter` does to each image alone. A device that has the images can move them by these numbers, which
are few, where Python could not move the images themselves fast enough.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cnnctl.config.augmentations import AugmentationStep, RandomFlip, RandomTranslation
from cnnctl.data.augment.affine import epoch_of_draws, mirrored
from cnnctl.data.augment.chain import KEY
from cnnctl.data.augment.draws import first_draws

OUTSIDE = -1
"""In place of a row or column: it is outside of the image, and filled with a value."""


@dataclass(frozen=True)
class Moves:
    """The moves of images of `height` x `width`; `fill_value` (0..255) is what stands at OUTSIDE."""

    steps: Sequence[RandomFlip | RandomTranslation]
    seed: int
    height: int
    width: int
    fill_mode: str
    fill_value: int

    def sources(self, numbers: NDArray[np.int64], epoch: int) -> tuple[NDArray[np.int16], NDArray[np.int16]]:
        """The rows (images, height) and the columns (images, width) that the moved image of each number shows."""
        count = len(numbers)
        signs, offsets = np.ones((2, count)), np.zeros((2, count))  # down and across: source = sign * place + offset
        for index, step in enumerate(self.steps):
            draws = first_draws((self.seed, KEY), epoch_of_draws(step, epoch), numbers, index)
            for axis, (sign, offset) in enumerate(self._step(step, draws, epoch)):
                offsets[axis] += signs[axis] * offset
                signs[axis] *= sign
        return self._places(signs[0], offsets[0], self.height), self._places(signs[1], offsets[1], self.width)

    def _step(
        self, step: RandomFlip | RandomTranslation, draws: NDArray[np.float64], epoch: int
    ) -> tuple[tuple[NDArray[np.float64], NDArray[np.float64]], ...]:
        """Sign and offset of a step for each image, down and across."""
        sizes = self.height, self.width
        if isinstance(step, RandomFlip):
            across, down = mirrored(step, draws[:, :2].T, epoch)
            return tuple(
                (np.where(flips, -1.0, 1.0), np.where(flips, size - 1.0, 0.0))
                for flips, size in zip((down, across), sizes, strict=True)
            )
        ones = np.ones(len(draws))
        factors = (step.height_factor, step.width_factor)
        return tuple(
            (ones, -(lower + (upper - lower) * draws[:, axis]) * size)
            for axis, ((lower, upper), size) in enumerate(zip(factors, sizes, strict=True))
        )

    def _places(self, signs: NDArray[np.float64], offsets: NDArray[np.float64], size: int) -> NDArray[np.int16]:
        """OpenCV 5 rounds float32 numbers, halves to even ones; OpenCV 4 may differ close to a half."""
        places = signs.astype(np.float32)[:, None] * np.arange(size, dtype=np.float32)
        whole = np.rint(places + offsets.astype(np.float32)[:, None]).astype(np.int64)
        return _inside(whole, size, self.fill_mode).astype(np.int16)


def _inside(places: NDArray[np.int64], size: int, fill_mode: str) -> NDArray[np.int64]:
    """What stands in for the places outside of 0..size-1, as in OpenCV."""
    match fill_mode:
        case "constant":
            return np.where((places >= 0) & (places < size), places, OUTSIDE)
        case "wrap":
            return places % size
        case "reflect":
            folded = places % (2 * size)
            return np.minimum(folded, 2 * size - 1 - folded)
        case "mirror":
            period = max(2 * size - 2, 1)
            folded = places % period
            return np.minimum(folded, period - folded)
    return np.clip(places, 0, size - 1)


def whole_moves(steps: Sequence[AugmentationStep], seed: int, height: int, width: int) -> Moves | None:
    """The moves that some steps are; None where one of them is more than that."""
    moving = [step for step in steps if isinstance(step, RandomFlip | RandomTranslation)]
    shifts = [step for step in moving if isinstance(step, RandomTranslation)]
    borders = {(one.interpolation, one.fill_mode, round(one.fill_value)) for one in shifts}
    if len(moving) < len(steps) or len(borders) > 1 or max(height, width) > np.iinfo(np.int16).max:
        return None
    interpolation, fill_mode, fill_value = borders.pop() if borders else ("nearest", "reflect", 0)
    return Moves(moving, seed, height, width, fill_mode, fill_value) if interpolation == "nearest" else None
