"""Evaluations of made-up probabilities, to be drawn."""

from collections.abc import Sequence

import numpy as np

from cnnctl.data.decoder.images import ImageSpec
from cnnctl.evaluation.score import ScoredSplit

ODD = (
    "costs $5 and $6",
    "$\\frac{$",
    "\\$",
    "two\nlines\tand a tab",
    "a very long name " * 20,
    "größer",
    "猫",
    "🐈",
    "_under^score_",
    "",
    "no",
    "bell\x07",
    "no utf-8 \udcff",
    "\u202eturned",
    "مرحبا",
)


def numbered(count: int) -> tuple[str, ...]:
    """So many class names."""
    return tuple(f"class {number}" for number in range(count))


def made_up(
    names: Sequence[str],
    images: int = 400,
    title: str = "made-up 1, test images",
    absent: int | None = None,
    paths: Sequence[str] = ("gone/image.png",),
    spec: ImageSpec | None = None,
) -> ScoredSplit:
    """Random answers, right more often than not, to images of all classes but one.

    Args:
        names: The classes.
        images: How many.
        title: Of the pictures.
        absent: The number of a class without images.
        paths: Of the images, in turn.
        spec: Of the images.
    """
    generator = np.random.default_rng(0)
    truth = generator.integers(0, len(names), images)
    truth[truth == absent] = 0 if absent else 1
    chances = generator.dirichlet(np.full(len(names), 0.4), images)
    chances[np.arange(images), truth] += 0.5 * generator.random(images)
    probabilities = (chances / chances.sum(axis=1, keepdims=True)).astype(np.float32)
    places = [paths[place % len(paths)] for place in range(images)]
    return ScoredSplit(title, tuple(names), places, truth, probabilities, spec or ImageSpec(8, 8))
