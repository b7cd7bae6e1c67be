"""The steps of the augment section in their order, and the random numbers of each image.

Keras' layers of the same names define what each setting means.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import assert_never

import numpy as np
from numpy.typing import NDArray

from cnnctl.config import augmentations
from cnnctl.config.augmentations import AffineStep, AugmentationStep, MixingStep, PixelStep
from cnnctl.data.augment import pixels
from cnnctl.data.augment.affine import Border, epoch_of_draws, random_matrix, random_window
from cnnctl.data.augment.canvas import Canvas
from cnnctl.data.augment.mixing import mix
from cnnctl.data.augment.pixels import Box, random_box
from cnnctl.data.augment.rand_augment import rand_augment
from cnnctl.data.decoder.images import Image

KEY = 0xA06
"""The second number of Philox's key; the first is the seed."""


@dataclass(frozen=True)
class Varied:
    """One random variation of an image.

    `image` is uint8 (height, width, channels), an array of its own. `shares` are (image number, share of its label) and
    sum to 1; without mixing they are ((number, 1.0),).
    """

    image: Image
    shares: tuple[tuple[int, float], ...]


def augmenter(
    steps: Sequence[AugmentationStep],
    seed: int,
    image_of: Callable[[int], Image],
    count: int,
    among: Callable[[int], NDArray[np.int64]] | None = None,
) -> Callable[[int, int], Varied] | None:
    """A function of (image number, epoch), a pure one that threads may share; None where there is nothing to do.

    mix_up and cut_mix draw their partner from all images, or from those that `among` names for an image. It takes part
    as what it itself is in that epoch after the steps before the mixing step; the steps after it apply to the mixture.

    Images are numbered from 0 to count - 1. `image_of` gives the image of a number, uint8 (height, width, channels),
    all of one shape; it is never written to.
    """

    def after(place: int, number: int, epoch: int) -> Varied:
        canvas = Canvas(np.asarray(image_of(number)))
        shares: tuple[tuple[int, float], ...] = ((number, 1.0),)
        for index, step in enumerate(steps[:place]):
            generator = random_generator(seed, epoch_of_draws(step, epoch), number, index)
            if isinstance(step, MixingStep):
                others = range(count) if among is None else among(number)
                partner = after(index, int(others[generator.integers(len(others))]), epoch)
                mixed, own = mix(step, canvas.image(), partner.image, generator)
                canvas = Canvas(mixed)
                shares = (
                    *((which, share * own) for which, share in shares),
                    *((which, share * (1 - own)) for which, share in partner.shares),
                )
            else:
                _vary(canvas, step, generator, epoch)
        return Varied(canvas.result(), shares)

    return partial(after, len(steps)) if steps else None


def mixes(steps: Sequence[AugmentationStep]) -> bool:
    """Whether labels are mixed too, so that the loss needs a share of each class."""
    return any(isinstance(step, MixingStep) for step in steps)


def random_generator(seed: int, epoch: int, image: int, step: int) -> np.random.Generator:
    """The random numbers of one step for one image in one epoch.

    Philox, counter-based: no state is carried from image to image or from step to step.
    """
    counter = np.array([0, step, image, epoch], np.uint64)
    philox = np.random.Philox(_Key(seed), counter=counter)  # type: ignore[arg-type]  # numpy takes any ISeedSequence
    return np.random.Generator(philox)


class _Key(np.random.bit_generator.ISeedSequence):
    """Philox's key, which is these two numbers themselves: as its argument `key`, but numpy then also asks the
    system for a random seed that is not used, which takes longer than all the rest.
    """

    def __init__(self, seed: int) -> None:
        self._seed = seed

    def generate_state(self, n_words: int, dtype: object = np.uint64) -> NDArray[np.uint64]:
        return np.array([self._seed, KEY], np.uint64)


def _vary(canvas: Canvas, step: AffineStep | PixelStep, generator: np.random.Generator, epoch: int) -> None:
    height, width = canvas.height, canvas.width
    match step:
        case augmentations.RandomFlip():
            canvas.move(random_matrix(step, generator, height, width, epoch), None)
        case augmentations.RandomRotation() | augmentations.RandomTranslation() | augmentations.RandomZoom():
            border = Border(step.fill_mode, step.fill_value, step.interpolation)
            canvas.move(random_matrix(step, generator, height, width), border)
        case augmentations.RandomCrop():
            canvas.crop(random_window(step, generator, height, width))
        case augmentations.RandomBrightness():
            canvas.paint(partial(pixels.brighten, share=generator.uniform(*step.factor)), pointwise=True)
        case augmentations.RandomContrast():
            lower, upper = step.factor
            canvas.paint(partial(pixels.change_contrast, factor=generator.uniform(1 - lower, 1 + upper)))
        case augmentations.RandomErasing():
            box = random_erasure(step, generator, height, width)
            if box is not None:
                canvas.paint(partial(pixels.erase, box=box, fill_value=step.fill_value, generator=generator))
        case augmentations.RandAugment():
            rand_augment(canvas, step, generator)
        case _:
            assert_never(step)


def random_erasure(
    step: augmentations.RandomErasing, generator: np.random.Generator, height: int, width: int
) -> Box | None:
    """The rectangle that RandomErasing covers; None for no change."""
    down, across = (math.sqrt(share) for share in generator.uniform(*step.scale, 2))
    box = random_box(down, across, generator, height, width)
    chance = generator.uniform(*step.factor)
    return box if generator.random() < chance else None
