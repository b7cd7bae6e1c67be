"""Batches for Keras' fit: each a pure function of (epoch, index), from uint8 pixels that lie in the cache."""

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cnnctl.config import Config
from cnnctl.config.schema import PARTS
from cnnctl.data.augment import Varied, augmenter
from cnnctl.data.augment.moves import whole_moves
from cnnctl.data.batches import count_batches, dealt_order, epoch_order
from cnnctl.data.decoder.images import Image
from cnnctl.data.labels import Labels
from cnnctl.data.prepare import Prepared, Split
from cnnctl.data.split import TRAIN, VALIDATION
from cnnctl.models.backend import TENSORFLOW
from cnnctl.models.devices import Device
from cnnctl.models.on_device import has_room, on_device
from cnnctl.system.cores import available_cores
from cnnctl.training.objective import Objective, class_weights, make_objective

Vary = Callable[[int, int], Varied]
Take = Callable[[NDArray[np.int64], int], Any]
_AHEAD = 4
"""Batches that are made while the one before them trains."""


@dataclass(frozen=True)
class Examples:
    """The images of one split.

    `pixels` are uint8 (images of all splits, height, width, channels), or what the stem of a network makes of them:
    float32 (images of all splits, ...). The int64 `rows` are those of the split.
    `labels` are those of the split, `weights` float32 factors in the loss, as `class_weights` gives them; None is 1.
    `objective` is the form of the labels that the loss takes.
    """

    pixels: NDArray[Any]
    rows: NDArray[np.int64]
    labels: Labels
    objective: Objective
    weights: NDArray[np.float32] | None = None

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def size(self) -> int:
        """Bytes of the inputs."""
        return len(self) * int(np.prod(self.pixels.shape[1:])) * self.pixels.itemsize

    def inputs(self, numbers: NDArray[np.int64] | slice = slice(None)) -> NDArray[Any]:
        """Images or features, by their numbers in the split."""
        return np.asarray(self.pixels[self.rows[numbers]])

    def image(self, number: int) -> Image:
        """Image `number` of the split."""
        chosen: Image = self.pixels[self.rows[number]]
        return chosen


@dataclass
class Feed:
    """The batches of one split, of one epoch after the other; the next few are made in advance by a thread.

    The last batch may be smaller than `batch_size`. `seed` decides the order of each epoch; None keeps the order of the
    rows. `vary` is the augmentation, None for none. `take` makes the inputs of a batch, of (numbers of the examples,
    epoch), where they lie on a device; it varies them by itself. `device` says how many devices share each batch, and
    which part of it this process makes; images that they cannot share evenly are left out of the epoch, others in the
    next one. With `parts`, those that the examples were dealt into, each batch has as many images of each part, and all
    are whole. `epoch` is that of which `batch` gives the batches;
    `begin_epoch` says so. `waited` is how many seconds `batch` has waited for a batch that was not ready.
    """

    examples: Examples
    batch_size: int
    seed: int | None = None
    vary: Vary | None = None
    take: Take | None = None
    device: Device | None = None
    parts: NDArray[np.int64] | None = None
    epoch: int = field(default=0, init=False)
    waited: float = field(default=0.0, init=False)
    _ready: dict[tuple[int, int], "Future[tuple[Any, ...]]"] = field(default_factory=dict, init=False)

    def __post_init__(self) -> None:
        self._lock = threading.Lock()
        self._ordered_for: int | None = None
        self._order = np.arange(len(self.examples))
        self._ahead = ThreadPoolExecutor(1, "batches")
        self._pool = ThreadPoolExecutor(available_cores(), "variations")  # without threads until it has work

    def __len__(self) -> int:
        return count_batches(self.images, self.batch_size)

    @property
    def images(self) -> int:
        """How many images an epoch has: as many as the devices can share evenly, or as parts have for whole batches."""
        if self.parts is not None:
            least = int(np.bincount(self.parts, minlength=PARTS).min())
            return least * PARTS // self.batch_size * self.batch_size
        return len(self.examples) - (0 if self.device is None else len(self.examples) % self.device.total)

    def begin_epoch(self, epoch: int) -> None:
        """From here on, `batch` gives the batches of this epoch, from 0."""
        self.epoch = epoch

    def batch(self, index: int) -> tuple[Any, ...]:
        """(pixels, targets) or (pixels, targets, weights) of batch `index` of the epoch."""
        epoch = self.epoch
        wanted = [(epoch, place) for place in range(index, min(index + _AHEAD + 1, len(self)))]
        with self._lock:  # Keras builds a spare iterator at the end of an epoch
            self._ready = {key: self._ready.get(key) or self._ahead.submit(self.make, *key) for key in wanted}
            future = self._ready[wanted[0]]
        begun = time.perf_counter()
        made = future.result()
        self.waited += time.perf_counter() - begun
        return made

    def make(self, epoch: int, index: int) -> tuple[Any, ...]:
        """Batch `index` of an epoch, made on the spot; called by one thread at a time."""
        chosen = self._part(self._epoch_order(epoch)[: self.images], index)
        examples, objective = self.examples, self.examples.objective
        if self.vary is None:
            inputs = examples.inputs(chosen) if self.take is None else self.take(chosen, epoch)
            batch = (inputs, objective.encode(examples.labels[chosen]))
            return batch if examples.weights is None else (*batch, examples.weights[chosen])
        varied = self._vary(self.vary, chosen, epoch)
        pixels = np.stack([one.image for one in varied])
        if objective.form == "number":
            targets = objective.encode(examples.labels[chosen])
        else:
            targets = objective.encode_mixed(examples.labels, [one.shares for one in varied])
        if examples.weights is None:
            return pixels, targets
        factors = [sum(share * examples.weights[number] for number, share in one.shares) for one in varied]
        return pixels, targets, np.array(factors, np.float32)

    def _part(self, order: NDArray[np.int64], index: int) -> NDArray[np.int64]:
        """The examples of batch `index` that this process makes."""
        chosen = order[index * self.batch_size : (index + 1) * self.batch_size]
        if self.device is None or self.device.processes == 1:
            return chosen
        size = len(chosen) // self.device.processes
        return chosen[self.device.process * size : (self.device.process + 1) * size]

    def _vary(self, vary: Vary, chosen: NDArray[np.int64], epoch: int) -> list[Varied]:
        step = -(-len(chosen) // available_cores())
        parts = [chosen[start : start + step].tolist() for start in range(0, len(chosen), step)]
        made = self._pool.map(lambda numbers: [vary(number, epoch) for number in numbers], parts)
        return [one for part in made for one in part]

    def _epoch_order(self, epoch: int) -> NDArray[np.int64]:
        if self.seed is not None and self._ordered_for != epoch:
            if self.parts is None:
                self._order = epoch_order(len(self.examples), self.seed, epoch)
            else:
                self._order = dealt_order(self.parts, self.batch_size, self.seed, epoch)
            self._ordered_for = epoch
        return self._order

    def close(self) -> None:
        """Let go of the threads; batches that were begun are finished."""
        self._ahead.shutdown(cancel_futures=True)
        self._pool.shutdown()


@dataclass(frozen=True)
class Feeds:
    """What a training is fed with; `validation` is None where there are no validation images."""

    training: Feed
    validation: Feed | None = None

    def close(self) -> None:
        """Let go of their threads."""
        self.training.close()
        if self.validation is not None:
            self.validation.close()


def make_feeds(
    config: Config, prepared: Prepared, device: Device, features: NDArray[np.float32] | None = None
) -> Feeds:
    """The batches of the training images, and of the validation images where there are any.

    With `features`, (images of all splits, ...), they are those of what the stem makes of the images, not varied.
    """
    settings, classes = config.train, prepared.classes
    objective = make_objective(config, len(classes))
    inputs = prepared.pixels if features is None else features

    def examples(split: Split, weighted: bool) -> Examples:
        weights = class_weights(settings.class_weight, classes, split.labels) if weighted else None
        return Examples(inputs, split.rows, split.labels, objective, weights)

    learned, held_out = prepared.split(TRAIN), prepared.split(VALIDATION)
    assert learned is not None
    training = examples(learned, weighted=True)
    validation = None if held_out is None else examples(held_out, weighted=False)
    steps = config.augment if features is None else ()
    moves = whole_moves(steps, config.seed, *prepared.pixels.shape[1:3]) if steps else None
    size = training.size + (0 if validation is None else validation.size)
    vary = learn = judge = None
    if (moves is not None or not steps) and has_room(device, size):
        learn = on_device(training.inputs(), moves)
        judge = None if validation is None else on_device(validation.inputs())
    else:
        among = None if learned.parts is None else _of_the_same_part(learned.parts)
        vary = augmenter(steps, config.seed, training.image, len(training), among)
    return Feeds(
        Feed(training, settings.batch_size, config.seed, vary, learn, device, learned.parts),
        None if validation is None else Feed(validation, settings.batch_size, take=judge, device=device),
    )


def _of_the_same_part(parts: NDArray[np.int64]) -> Callable[[int], NDArray[np.int64]]:
    """Which examples a process has that has a given one."""
    members = [np.flatnonzero(parts == part) for part in range(PARTS)]
    return lambda number: members[parts[number]]


def as_keras_dataset(feed: Feed) -> Any:
    """A feed in the form that fit() takes: a tf.data.Dataset on TensorFlow, else a keras.utils.PyDataset."""
    import keras

    if keras.backend.backend() == TENSORFLOW:
        return _tensorflow_dataset(feed)

    class Dataset(keras.utils.PyDataset):  # type: ignore[misc]
        def __len__(self) -> int:
            return len(feed)

        def __getitem__(self, index: int) -> tuple[Any, ...]:
            return feed.batch(index)

    return Dataset()


def _tensorflow_dataset(feed: Feed) -> Any:
    """What Keras makes of a PyDataset, without autotuning: at the end of an epoch it often waits 10 s for its thread.

    (Model::OptimizeLoop of TensorFlow 2.21 misses the call that ends it and sleeps on while ~Iterator joins it.)
    """
    import tensorflow as tf

    def batches() -> Iterator[tuple[Any, ...]]:
        return (feed.batch(index) for index in range(len(feed)))

    signature = tuple(tf.TensorSpec((None, *part.shape[1:]), part.dtype) for part in feed.batch(0))
    dataset = tf.data.Dataset.from_generator(batches, output_signature=signature)
    options = tf.data.Options()
    options.autotune.enabled = False
    return dataset.apply(tf.data.experimental.assert_cardinality(len(feed))).prefetch(2).with_options(options)
