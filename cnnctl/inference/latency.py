"""How long a run's model takes for one image."""

import time
from statistics import median

import numpy as np

from cnnctl.inference.model import Classifier

_WARM_UP = 3
_TIMES = 30
_SECONDS = 2.0


def median_latency(classifier: Classifier) -> float:
    """Milliseconds for one image, from its pixels to its probabilities: the median of 30 times, or of two seconds."""
    image = np.zeros((1, *classifier.spec.shape), np.uint8)
    for _ in range(_WARM_UP):
        classifier.probabilities(image)
    taken: list[float] = []
    while len(taken) < _TIMES and sum(taken) < _SECONDS:
        begun = time.perf_counter()
        classifier.probabilities(image)
        taken.append(time.perf_counter() - begun)
    return 1000 * median(taken)
