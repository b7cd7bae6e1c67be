"""Batches for Keras' fit: each a pure function of (epoch, index), from uint8 pixels that lie in the cache."""

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cnnctl.data.batches import count_batches, epoch_order
from cnnctl.data.images import Image

Vary = Callable[[Image, int, int], Image]


@dataclass(frozen=True)
class Examples:
    """The images of one split.

    Attributes:
        pixels: uint8 (images of all splits, height, width, channels).
        rows: int64 (images,): the rows of `pixels` that belong to the split.
        targets: What the loss compares with, by image of the split: int32 (images,), or float32 (images, 1).
        weights: float32 (images,), the factor of each in the loss; None for 1.
    """

    pixels: Image
    rows: NDArray[np.int64]
    targets: NDArray[Any]
    weights: NDArray[np.float32] | None = None

    def __len__(self) -> int:
        return len(self.rows)


@dataclass
class Feed:
    """The batches of one split, of the epoch that `epoch` says.

    Attributes:
        examples: The split.
        batch_size: Images in a batch; the last one may be smaller.
        seed: Decides the order of each epoch; None keeps the order of the rows.
        vary: The augmentation, or None.
        epoch: Set at the beginning of each epoch.
    """

    examples: Examples
    batch_size: int
    seed: int | None = None
    vary: Vary | None = None
    epoch: int = 0

    def __post_init__(self) -> None:
        self._ordered_for: int | None = None
        self._order = np.arange(len(self.examples))
        self._pool = ThreadPoolExecutor(os.cpu_count()) if self.vary is not None else None

    def __len__(self) -> int:
        return count_batches(len(self.examples), self.batch_size)

    def batch(self, index: int) -> tuple[Any, ...]:
        """(pixels, targets) or (pixels, targets, weights) of batch `index` of the epoch."""
        chosen = self._epoch_order()[index * self.batch_size : (index + 1) * self.batch_size]
        examples = self.examples
        pixels = examples.pixels[examples.rows[chosen]]
        if self.vary is not None and self._pool is not None:
            vary, epoch = self.vary, self.epoch
            step = -(-len(chosen) // (os.cpu_count() or 1))

            def work(start: int) -> None:
                for place in range(start, min(start + step, len(chosen))):
                    pixels[place] = vary(pixels[place], epoch, int(chosen[place]))

            list(self._pool.map(work, range(0, len(chosen), step)))
        batch = (np.asarray(pixels), examples.targets[chosen])
        return batch if examples.weights is None else (*batch, examples.weights[chosen])

    def _epoch_order(self) -> NDArray[np.int64]:
        if self.seed is not None and self._ordered_for != self.epoch:
            self._order = epoch_order(len(self.examples), self.seed, self.epoch)
            self._ordered_for = self.epoch
        return self._order


def as_keras_dataset(feed: Feed) -> Any:
    """A keras.utils.PyDataset over a feed."""
    import keras

    class Dataset(keras.utils.PyDataset):  # type: ignore[misc]
        def __len__(self) -> int:
            return len(feed)

        def __getitem__(self, index: int) -> tuple[Any, ...]:
            return feed.batch(index)

    return Dataset()


def channel_statistics(pixels: Image, rows: NDArray[np.int64]) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Mean and standard deviation of each channel over some images, in pixel values 0..255.

    Args:
        pixels: uint8 (images, height, width, channels).
        rows: The images to take.
    """
    total = np.zeros(pixels.shape[-1])
    squares = np.zeros(pixels.shape[-1])
    for start in range(0, len(rows), 512):
        values = pixels[rows[start : start + 512]].reshape(-1, pixels.shape[-1]).astype(np.float64)
        total += values.sum(axis=0)
        squares += np.square(values).sum(axis=0)
    count = len(rows) * int(np.prod(pixels.shape[1:3]))
    mean = total / count
    deviation = np.sqrt(np.maximum(squares / count - mean**2, 1e-12))
    return tuple(mean.tolist()), tuple(np.maximum(deviation, 1.0).tolist())
