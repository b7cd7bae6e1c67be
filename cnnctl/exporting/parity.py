"""Whether an exported file is still the run's model: the two answer the same images."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cnnctl.data.decoder.images import ImageSpec
from cnnctl.exporting.formats import FLOAT16, INT8
from cnnctl.exporting.images import Labelled, decoded
from cnnctl.formatting import percent
from cnnctl.inference.model import expand
from cnnctl.models.save import LIMIT

Predict = Callable[[NDArray[np.uint8]], NDArray[np.float32]]
"""uint8 (N, height, width, channels) -> float32 (N, classes), or (N, 1) of a sigmoid."""

FLOAT16_LIMIT = 1e-2
"""Largest difference in probability that float16, with its three digits, may make."""

_CHANCE = 0.05


@dataclass(frozen=True)
class Limits:
    """What an exported file must keep to; None where it does not matter.

    Attributes:
        largest_difference: In probability.
        accuracy_drop: Share of the images: how much less of them may be right.
        different_answers: Share of the images.
    """

    largest_difference: float | None = None
    accuracy_drop: float | None = None
    different_answers: float | None = None


@dataclass(frozen=True)
class Parity:
    """How far an exported file is from the model that it was made of.

    Attributes:
        reference: The file that it was compared with.
        split: Which images of the run.
        images: How many.
        largest_difference: In probability, over all images and classes; NaN where one of the two is.
        equal_answers: Share of the images that both call the same class.
        reference_accuracy: Share of the images that the reference has right.
        accuracy: The same of the exported file.
        limits: What it must keep to.
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
            "reference": self.reference,
            "split": self.split,
            "images": self.images,
            "largest_difference": self.largest_difference,
            "equal_answers": self.equal_answers,
            "reference_accuracy": self.reference_accuracy,
            "accuracy": self.accuracy,
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

    Args:
        quantization: `float16`, `int8` or None.
        images: How many it is evaluated on.
        max_drop: Percentage points of accuracy that int8 may cost.
    """
    if quantization == INT8:
        share = max_drop / 100
        return Limits(None, _most(images, share) / images, _most(images, min(1.0, 2 * share)) / images)
    return Limits(FLOAT16_LIMIT if quantization == FLOAT16 else LIMIT)


def _most(images: int, share: float) -> int:
    """The 95% quantile of the binomial distribution: how many of `images` a true share seldom exceeds."""
    if share in (0, 1):
        return round(share * images)
    below = 0.0
    for count in range(images + 1):
        choices = math.lgamma(images + 1) - math.lgamma(count + 1) - math.lgamma(images - count + 1)
        below += math.exp(choices + count * math.log(share) + (images - count) * math.log1p(-share))
        if below >= 1 - _CHANCE:
            return count
    return images


def compare(
    reference: Predict,
    exported: Predict,
    labelled: Labelled,
    spec: ImageSpec,
    name: str,
    limits: Limits,
    progress: Callable[[int, int], None],
) -> Parity:
    """Let two models answer the same images.

    Args:
        reference: The run's model.
        exported: The file, in its own runtime.
        labelled: The images.
        spec: What they are made to be.
        name: Of the reference.
        limits: Go into the result.
        progress: Called with (images done, images in all).

    Raises:
        DataError: an image is gone or damaged.
    """
    largest = 0.0
    done = same = right = right_before = 0
    for batch in decoded(labelled.paths, spec):
        ours, theirs = expand(reference(batch)), expand(exported(batch))
        truth = labelled.truth[done : done + len(batch)]
        largest = float(np.maximum(largest, np.abs(ours - theirs).max()))  # NaN stays NaN
        same += int((ours.argmax(axis=1) == theirs.argmax(axis=1)).sum())
        right_before += int((ours.argmax(axis=1) == truth).sum())
        right += int((theirs.argmax(axis=1) == truth).sum())
        done += len(batch)
        progress(done, len(labelled.paths))
    return Parity(name, labelled.split, done, largest, same / done, right_before / done, right / done, limits)
