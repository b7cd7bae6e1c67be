"""Two images and their labels made into one: MixUp and CutMix, as Keras' layers do it."""

from typing import assert_never

import numpy as np

from cnnctl.config.augmentations import CutMix, MixingStep, MixUp
from cnnctl.data.augment.pixels import Box, random_box
from cnnctl.data.decoder.images import Image, opencv


def mix(step: MixingStep, image: Image, partner: Image, generator: np.random.Generator) -> tuple[Image, float]:
    """The mixture, and the share of the label that stays `image`'s.

    MixUp draws the share from Beta(alpha, alpha), CutMix too, with an alpha drawn from its factor; then the share is
    that of the pixels which were really pasted. Both images are uint8 (height, width, channels) of one shape.
    """
    height, width = image.shape[:2]
    match step:
        case MixUp():
            share = generator.beta(step.alpha, step.alpha)
            return mix_up(image, partner, share), share
        case CutMix():
            box = random_cut(step, generator, height, width)
            rows, columns = box.pixels()
            pasted = len(range(height)[rows]) * len(range(width)[columns])
            return cut_mix(image, partner, box), 1 - pasted / (height * width)
        case _:
            assert_never(step)


def random_cut(step: CutMix, generator: np.random.Generator, height: int, width: int) -> Box:
    """The rectangle that CutMix pastes: with the proportions of the image, and anywhere in it.

    Its sides are rounded to float32 as Keras' are: else one that lacks a billionth of the image lacks a row of it.
    """
    alpha = generator.uniform(*step.factor) + 1e-6
    side = float(np.sqrt(np.float32(1 - generator.beta(alpha, alpha))))
    return random_box(side, side, generator, height, width)


def mix_up(image: Image, partner: Image, share: float) -> Image:
    """`share` of the image and the rest of the partner."""
    return np.asarray(opencv().addWeighted(image, share, partner, 1 - share, 0)).reshape(image.shape)


def cut_mix(image: Image, partner: Image, box: Box) -> Image:
    """The image with the partner's pixels inside the box."""
    mixed = image.copy()
    mixed[box.pixels()] = partner[box.pixels()]
    return mixed
