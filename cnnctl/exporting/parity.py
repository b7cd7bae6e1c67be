"""Whether an exported file is still the run's model: the two answer the same images."""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cnnctl.data.decoder.images import Image, ImageError, ImageSpec, read_image
from cnnctl.data.decoder.parallel import batches
from cnnctl.data.labels import Labels, are_several, encode
from cnnctl.data.split import TEST, TRAIN, VALIDATION
from cnnctl.errors import DataError, RunError
from cnnctl.exporting.formats import FLOAT16, INT8
from cnnctl.formatting import percent
from cnnctl.inference.model import expand
from cnnctl.inference.stream import batch_size_for
from cnnctl.inference.thresholds import given
from cnnctl.models.save import LIMIT
from cnnctl.runs import Run

Predict = Callable[[NDArray[np.uint8]], NDArray[np.float32]]
"""uint8 (N, height, width, channels) -> float32 (N, classes), or (N, 1) of a sigmoid."""

FLOAT16_LIMIT = 1e-2
"""Largest difference in probability that float16, with its three digits, may make."""

CALIBRATION_IMAGES = 256
"""Training images that show a quantizer which values occur."""


@dataclass(frozen=True)
class Labelled:
    """Images that two models are compared on, and their labels.

    Where they may have several, `thresholds`, (classes,), say from which probability on they get them.
    """

    split: str
    paths: tuple[str, ...]
    truth: Labels
    thresholds: NDArray[np.float32] | None = None

    def answers(self, probabilities: NDArray[np.float32]) -> Labels:
        """Those of images whose probabilities are (images, classes), in the form of the labels."""
        if self.thresholds is None:
            likeliest: Labels = probabilities.argmax(axis=1)
            return likeliest
        return given(probabilities, self.thresholds).astype(np.uint8)


def images_to_compare_on(run: Run, classes: Sequence[str], thresholds: NDArray[np.float32] | None = None) -> Labelled:
    """The validation images of a run; its test images where it has none, else those it was trained on.

    Raises:
        RunError: it has none at all.
        DataError: one is of a class that the run does not know.
    """
    for split in (VALIDATION, TEST, TRAIN):
        paths, labels = run.read_split(split)
        if paths:
            truth = encode(labels, classes, str(run.split), thresholds is not None)
            return Labelled(split, tuple(paths), truth, thresholds)
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


@dataclass(frozen=True)
class Limits:
    """What an exported file must keep to, in probability and in shares of the images; None where it does not matter."""

    largest_difference: float | None = None
    accuracy_drop: float | None = None
    different_answers: float | None = None


@dataclass(frozen=True)
class Parity:
    """How far an exported file is from the model that it was made of.

    `largest_difference` is in probability, over all images and classes, and NaN where one of the two is. The rest are
    shares of the images: those that both call the same class, and those that each has right.
    """

    reference: str
    split: str
    images: int
    largest_difference: float
    equal_answers: float
    reference_accuracy: float
    accuracy: float
    limits: Limits

    @property
    def accuracy_change(self) -> float:
        """Below 0 where the exported file is worse."""
        return self.accuracy - self.reference_accuracy

    def fault(self) -> str | None:
        """Why the file must not be used; None where it keeps to its limits."""
        limits = self.limits
        where = f"on {self.images:,} {self.split} images"
        if not math.isfinite(self.largest_difference):
            return f"{where} its probabilities are NaN or infinite"
        if limits.largest_difference is not None and self.largest_difference > limits.largest_difference:
            return (
                f"{where} its probabilities differ from those of {self.reference} by up to "
                f"{self.largest_difference:.3g}, and {limits.largest_difference:g} is the limit"
            )
        if limits.accuracy_drop is not None and _exceeds(-self.accuracy_change, limits.accuracy_drop, self.images):
            return (
                f"{where} its accuracy is {percent(self.accuracy)}, that of {self.reference} "
                f"{percent(self.reference_accuracy)}, and {100 * limits.accuracy_drop:.2g} points are the limit"
            )
        if limits.different_answers is not None and _exceeds(
            1 - self.equal_answers, limits.different_answers, self.images
        ):
            return (
                f"{where} it agrees with {self.reference} on {percent(self.equal_answers)}, "
                f"and {percent(1 - limits.different_answers)} is the limit"
            )
        return None

    def to_json(self) -> dict[str, Any]:
        """The `parity` part of the description; shares are 0 to 1."""
        limits = self.limits
        return {
            **{name: value for name, value in vars(self).items() if name != "limits"},
            "accuracy_change": self.accuracy_change,
            "limits": {
                "largest_difference": limits.largest_difference,
                "equal_answers": None if limits.different_answers is None else 1 - limits.different_answers,
                "accuracy_change": None if limits.accuracy_drop is None else -limits.accuracy_drop,
            },
        }


def _exceeds(share: float, limit: float, images: int) -> bool:
    """Whether a share of images is more of them than a limit: compared as counts, which are whole."""
    return round(share * images) > round(limit * images)


def limits_for(quantization: str | None, images: int, max_drop: float) -> Limits:
    """What a file of a quantization must keep to on so many images.

    On few images an honest int8 model can lose more by chance than in truth. So its limits are the largest counts that
    a true loss of `max_drop` points, and a true share of different answers of twice that, would not exceed in 95 of
    100 draws of as many images: 1 point is 1.17 on 10,000 images and 2.4 on 168.
    """
    if quantization == INT8:
        from scipy.stats import binom

        wrong, different = binom.ppf(0.95, images, [max_drop / 100, min(1.0, 2 * max_drop / 100)]) / images
        return Limits(None, float(wrong), float(different))
    return Limits(FLOAT16_LIMIT if quantization == FLOAT16 else LIMIT)


def _equal(one: Labels, other: Labels) -> int:
    """How many images have the same labels."""
    equal = one == other
    return int((equal.all(axis=1) if are_several(one) else equal).sum())


def compare(
    reference: Predict,
    exported: Predict,
    labelled: Labelled,
    spec: ImageSpec,
    name: str,
    limits: Limits,
    progress: Callable[[int, int], None],
) -> Parity:
    """Let two models answer the same images; `name` is the reference's, `progress` gets (images done, images in all).

    Raises:
        DataError: an image is gone or damaged.
    """
    largest = 0.0
    done = same = right = right_before = 0
    for batch in decoded(labelled.paths, spec):
        ours, theirs = expand(reference(batch)), expand(exported(batch))
        truth = labelled.truth[done : done + len(batch)]
        largest = float(np.maximum(largest, np.abs(ours - theirs).max()))  # NaN stays NaN
        before, now = labelled.answers(ours), labelled.answers(theirs)
        same += _equal(before, now)
        right_before += _equal(before, truth)
        right += _equal(now, truth)
        done += len(batch)
        progress(done, len(labelled.paths))
    return Parity(name, labelled.split, done, largest, same / done, right_before / done, right / done, limits)
