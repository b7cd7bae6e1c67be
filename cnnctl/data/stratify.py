"""Images with several labels, spread over subsets so that each has its share of every label.

Iterative stratification: Sechidis, Tsoumakas and Vlahavas 2011, "On the Stratification of Multi-Label Data",
https://doi.org/10.1007/978-3-642-23808-6_10, algorithm 1. The images of the rarest label are dealt out first, each to
the subset that lacks most images of that label; of these to the one that lacks most images; ties are broken at random.
"""

import numpy as np
from numpy.typing import NDArray


def iterative(
    labels: NDArray[np.uint8], wanted: NDArray[np.float64], sizes: NDArray[np.float64], seed: int
) -> NDArray[np.int64]:
    """The subset of each image.

    Args:
        labels: uint8 (images, classes), 1 for those that an image has.
        wanted: (subsets, classes), how many images of each class a subset is to have.
        sizes: (subsets,), how many images it is to have.
        seed: Of the order of the images, and of ties.

    Returns:
        int64 (images,).
    """
    generator = np.random.default_rng(seed)
    lacking, room = wanted.astype(float), sizes.astype(float)
    chosen = np.full(len(labels), -1, np.int64)
    order = generator.permutation(len(labels))
    left = labels.sum(axis=0, dtype=np.int64)
    held = [np.flatnonzero(row) for row in labels]

    def give(image: int, scores: NDArray[np.float64]) -> None:
        """To the subset with the highest score."""
        best = np.flatnonzero(scores == scores.max())
        best = best[room[best] == room[best].max()]
        subset = int(best[0] if len(best) == 1 else generator.choice(best))
        chosen[image] = subset
        lacking[subset, held[image]] -= 1
        room[subset] -= 1
        left[held[image]] -= 1

    while (left > 0).any():
        rarest = int(np.where(left > 0, left, len(labels) + 1).argmin())
        for image in order[(labels[order, rarest] > 0) & (chosen[order] < 0)].tolist():
            give(image, lacking[:, rarest])
    for image in order[chosen[order] < 0].tolist():  # those without a label
        give(image, room)
    return chosen
