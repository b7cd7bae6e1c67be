"""Which image is in which batch of which epoch: a pure function of (seed, epoch), whoever makes the batches."""

import numpy as np
from numpy.typing import NDArray

from cnnctl.config.schema import PARTS

THE_DEAL = 2**63
"""In the place of an epoch, which has no such number: the order in which images are dealt."""


def epoch_order(count: int, seed: int, epoch: int) -> NDArray[np.int64]:
    """The order in which an epoch (from 0) sees `count` images: a permutation, int64.

    Example: `epoch_order(3, seed=0, epoch=0)` is some order of 0, 1 and 2, the same at every call.
    """
    generator = np.random.Generator(np.random.Philox(key=np.array([seed, epoch], np.uint64)))
    return generator.permutation(count)


def count_batches(count: int, batch_size: int) -> int:
    """Batches of an epoch; the last one may be smaller."""
    return -(-count // batch_size)


def dealt_order(parts: NDArray[np.int64], batch_size: int, seed: int, epoch: int) -> NDArray[np.int64]:
    """The order of an epoch whose batches have as many images of each part, part after part.

    `parts` are those of the images, int64 (images,), `batch_size` is a multiple of PARTS. There are whole batches only:
    what is left over, an image or two of a part with more than the others among it, is in other epochs.
    """
    shuffled = epoch_order(len(parts), seed, epoch)
    by_part = shuffled[np.argsort(parts[shuffled], kind="stable")]
    counts, each = np.bincount(parts, minlength=PARTS), batch_size // PARTS
    first, batches = np.cumsum(counts) - counts, counts.min() // each
    places = first + each * np.arange(batches)[:, None]
    order: NDArray[np.int64] = by_part[(places[..., None] + np.arange(each)).ravel()]
    return order


def parts_of(process: int, processes: int) -> range:
    """The parts that are in the slice that a process makes of each batch; two share one that lies across their border.

    Example: of 64 parts, the second of 3 processes has 21 to 42, and the third 42 to 63.
    """
    return range(process * PARTS // processes, -(-(process + 1) * PARTS // processes))
