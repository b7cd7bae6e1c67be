"""Which image is in which batch of which epoch: a pure function of (seed, epoch)."""

import numpy as np
from numpy.typing import NDArray


def epoch_order(count: int, seed: int, epoch: int) -> NDArray[np.int64]:
    """The order in which an epoch (from 0) sees `count` images: a permutation, int64.

    Example: `epoch_order(3, seed=0, epoch=0)` is some order of 0, 1 and 2, the same at every call.
    """
    generator = np.random.Generator(np.random.Philox(key=np.array([seed, epoch], np.uint64)))
    return generator.permutation(count)


def count_batches(count: int, batch_size: int) -> int:
    """Batches of an epoch; the last one may be smaller."""
    return -(-count // batch_size)
