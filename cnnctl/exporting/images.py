"""Images of a run's split.csv, decoded in batches."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cnnctl.data.decoder.images import Image, ImageError, ImageSpec, read_image
from cnnctl.data.decoder.parallel import batches
from cnnctl.data.labels import label_numbers
from cnnctl.data.split import TEST, TRAIN, VALIDATION
from cnnctl.errors import DataError, RunError
from cnnctl.inference.stream import batch_size_for
from cnnctl.runs import Run

CALIBRATION_IMAGES = 256
"""Training images that show a quantizer which values occur."""


@dataclass(frozen=True)
class Labelled:
    """Images that two models are compared on.

    Attributes:
        split: What they are called.
        paths: Image files.
        truth: int64 (images,), class numbers.
    """

    split: str
    paths: tuple[str, ...]
    truth: NDArray[np.int64]


def images_to_compare_on(run: Run, classes: Sequence[str]) -> Labelled:
    """The validation images of a run; its test images where it has none, else those it was trained on.

    Raises:
        RunError: it has none at all.
        DataError: one is of a class that the run does not know.
    """
    for split in (VALIDATION, TEST, TRAIN):
        paths, labels = run.read_split(split)
        if paths:
            return Labelled(split, tuple(paths), label_numbers(labels, classes, str(run.split)))
    raise RunError(f"{run.split} names no images", "train it again")


def calibration_paths(run: Run) -> list[str]:
    """At most CALIBRATION_IMAGES training images, evenly from split.csv, so that every class is among them.

    Raises:
        RunError: the run has none.
    """
    paths, _ = run.read_split(TRAIN)
    if not paths:
        raise RunError(f"{run.split} names no training images", "train it again")
    chosen = np.linspace(0, len(paths) - 1, min(len(paths), CALIBRATION_IMAGES)).round().astype(int)
    return [paths[place] for place in chosen]


def decoded(paths: Sequence[str], spec: ImageSpec) -> Iterator[NDArray[np.uint8]]:
    """Batches of uint8 (N, height, width, channels), in the order given.

    Raises:
        DataError: an image is gone or damaged.
    """
    return batches(lambda path: _read(path, spec), paths, batch_size_for(spec))


def _read(path: str, spec: ImageSpec) -> Image:
    try:
        return read_image(path, spec)
    except ImageError as error:
        raise DataError(f"{path}: {error.message}", error.hint) from None
