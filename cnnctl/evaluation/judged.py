"""What an evaluation is made from, and its figures."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cnnctl.data.decoder.images import ImageSpec
from cnnctl.evaluation.metrics import Metrics


@dataclass(frozen=True)
class ScoredSplit:
    """Images, the truth, and what a model says of them.

    Attributes:
        title: Which run and which images, such as `digits 3, test images`.
        metrics: The figures.
        paths: The images.
        truth: (images,) class numbers.
        probabilities: float32 (images, classes).
        spec: What the model's images are made to be.
    """

    title: str
    metrics: Metrics
    paths: Sequence[str]
    truth: NDArray[np.int64]
    probabilities: NDArray[np.float32]
    spec: ImageSpec
