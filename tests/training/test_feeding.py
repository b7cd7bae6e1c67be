"""Which pixels, labels and weights Keras sees, batch for batch and epoch for epoch."""

from dataclasses import dataclass, replace

import numpy as np
import pytest

from cnnctl.data.augment import augmenter
from cnnctl.data.batches import epoch_order
from cnnctl.training.feeding import Examples, Feed, channel_statistics
from tests.config.build import config, with_model
from tests.training.build import examples, fitted, pixels, settings

AUGMENT = """\
augment:
  - random_flip
  - random_rotation: {factor: 0.2}
  - random_translation: {height_factor: 0.2, width_factor: 0.2}
"""


def numbered(count: int) -> Examples:
    """Images of 2x2 whose first pixel is their number among all, every third left to another split."""
    images = np.zeros((256, 2, 2, 3), np.uint8)
    images[:, 0, 0, 0] = np.arange(256)
    rows = np.array([row for row in range(256) if row % 3][:count])
    return Examples(images, rows, (rows % 2).astype(np.int32))


def in_batches(numbers, size):
    return [list(map(int, numbers[at : at + size])) for at in range(0, len(numbers), size)]


@pytest.mark.parametrize(("count", "size"), [(1, 1), (10, 5), (11, 4), (3, 64)])
def test_batches_follow_the_order_of_the_epoch(count, size):
    these = numbered(count)
    feed = Feed(these, size, seed=5)
    for epoch in (0, 1, 7, 1):
        feed.epoch = epoch
        rows = these.rows[epoch_order(count, 5, epoch)]
        batches = [feed.batch(index) for index in range(len(feed))]
        assert [batch[0][:, 0, 0, 0].tolist() for batch in batches] == in_batches(rows, size)
        assert [batch[1].tolist() for batch in batches] == in_batches(rows % 2, size)


def test_without_a_seed_the_rows_keep_their_order():
    feed = Feed(numbered(7), 3)
    for feed.epoch in (0, 4):
        assert [feed.batch(at)[0][:, 0, 0, 0].tolist() for at in range(3)] == in_batches(numbered(7).rows, 3)


def test_weights_go_with_their_images():
    weights = np.linspace(1, 2, 7).astype(np.float32)
    feed = Feed(replace(numbered(7), weights=weights), 3, seed=1)
    order = epoch_order(7, 1, 0)
    assert np.concatenate([feed.batch(at)[2] for at in range(3)]).tolist() == weights[order].tolist()
    assert len(Feed(numbered(7), 3).batch(0)) == 2


def test_a_batch_never_writes_to_the_cache():
    these = numbered(9)
    these.pixels.flags.writeable = False
    before = these.pixels.copy()
    Feed(these, 4, seed=0, vary=lambda image, epoch, number: image + 1).batch(0)
    np.testing.assert_array_equal(these.pixels, before)


def variations(batch_size, epoch, seed=3):
    """The varied images of an epoch by their number."""
    these = examples(37, shape=(9, 8, 3))
    chosen = config(with_model("flatten", rest=AUGMENT))
    feed = Feed(these, batch_size, seed, augmenter(chosen.augment, seed), epoch)
    varied = np.concatenate([feed.batch(index)[0] for index in range(len(feed))])
    return varied[np.argsort(epoch_order(37, seed, epoch))]


def test_a_variation_is_a_pure_function_of_seed_epoch_and_image():
    first = variations(37, epoch=0)
    for size in (1, 5, 64):
        np.testing.assert_array_equal(variations(size, epoch=0), first)
    changed = [(first[at] != examples(37, shape=(9, 8, 3)).pixels[at]).any() for at in range(37)]
    assert sum(changed) > 30
    for other in (variations(37, epoch=1), variations(37, epoch=0, seed=4)):
        assert sum((first[at] != other[at]).any() for at in range(37)) > 30


@dataclass
class Seen:
    """One batch that the network computed on."""

    training: bool
    numbers: list[int]
    marks: set[int]


def recording_network(seen):
    """A network of a single dense layer that notes which images pass through it, whoever fetched them."""
    import keras
    import tensorflow as tf

    class Recorder(keras.layers.Layer):
        def call(self, images, training=None):
            def note(values):
                seen.append(Seen(bool(training), values[:, 0, 0, 0].tolist(), set(values[:, 0, 0, 1].tolist())))
                return np.int32(0)

            tf.numpy_function(note, [images], tf.int32, stateful=True)
            return keras.ops.cast(images, "float32") / 255

    stack = [keras.Input((2, 2, 3), dtype="uint8"), Recorder(dtype="float32"), keras.layers.Flatten()]
    return keras.Sequential([*stack, keras.layers.Dense(2, activation="softmax")])


CASES = {"one batch": (7, 8, 5, 1), "two steps at once": (37, 4, 13, 2), "eight steps at once": (150, 4, 13, 8)}


@pytest.mark.parametrize(("count", "size", "others", "steps"), CASES.values(), ids=CASES)
def test_fit_shows_every_image_once_an_epoch_in_the_order_of_the_epoch(count, size, others, steps, tmp_path):
    seen: list[Seen] = []
    model = recording_network(seen)
    these, rest = numbered(count), numbered(others)

    def mark(image, epoch, number):
        image = image.copy()
        image[0, 0, 1] = 100 + epoch
        return image

    training, validation = Feed(these, size, seed=9, vary=mark), Feed(rest, size)
    record = fitted(model, settings(f"epochs: 3, batch_size: {size}"), training, validation, tmp_path)
    assert model.steps_per_execution == steps
    assert len(record.history) == 3
    expected = []
    for epoch in range(3):
        order = in_batches(these.rows[epoch_order(count, 9, epoch)], size)
        expected += [Seen(True, batch, {100 + epoch}) for batch in order]
        expected += [Seen(False, batch, {0}) for batch in in_batches(rest.rows, size)]
    assert seen == expected


@pytest.mark.parametrize(("count", "channels"), [(3, 1), (512, 3), (1100, 3)])
def test_channel_statistics_are_those_of_numpy(count, channels):
    images = pixels(count + 5, (3, 2, channels)) // np.arange(1, channels + 1, dtype=np.uint8)
    rows = np.random.default_rng(0).permutation(count + 5)[:count]
    mean, deviation = channel_statistics(images, rows)
    chosen = images[rows].astype(np.float64)
    np.testing.assert_allclose(mean, chosen.mean(axis=(0, 1, 2)), rtol=1e-9)
    np.testing.assert_allclose(deviation, chosen.std(axis=(0, 1, 2)), rtol=1e-9)


def test_a_channel_of_one_value_is_not_blown_up():
    mean, deviation = channel_statistics(np.full((4, 2, 2, 1), 200, np.uint8), np.arange(4))
    assert (mean, deviation) == ((200.0,), (1.0,))
