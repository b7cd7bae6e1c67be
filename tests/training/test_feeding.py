"""Which pixels, labels and weights Keras sees, batch for batch and epoch for epoch, whoever made them and when."""

import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

import numpy as np
import pytest

from cnnctl.config import Config
from cnnctl.data.augment import Varied, augmenter
from cnnctl.data.batches import epoch_order
from cnnctl.models.devices import Device
from cnnctl.training import feeding
from cnnctl.training.feeding import Examples, Feed, as_keras_dataset
from tests.config.build import config, with_model
from tests.training.build import NUMBERS, Listener, examples, fitted, network, settings

AUGMENT = """\
augment:
  - random_flip
  - random_rotation: {factor: 0.2}
  - random_translation: {height_factor: 0.2, width_factor: 0.2}
"""
MIXING = AUGMENT + "  - random_brightness: {factor: 0.1}\n  - mix_up: {alpha: 0.5}\n  - cut_mix\n"


def numbered(count: int) -> Examples:
    """Images of 2x2 whose first pixel is their number among all, every third left to another split."""
    images = np.zeros((256, 2, 2, 3), np.uint8)
    images[:, 0, 0, 0] = np.arange(256)
    rows = np.array([row for row in range(256) if row % 3][:count])
    return Examples(images, rows, rows % 2, NUMBERS)


def in_batches(numbers, size):
    return [list(map(int, numbers[at : at + size])) for at in range(0, len(numbers), size)]


@pytest.fixture
def make():
    """Feed, closed at the end of the test."""
    made: list[Feed] = []

    def make(*args, **kwargs) -> Feed:
        made.append(Feed(*args, **kwargs))
        return made[-1]

    yield make
    for feed in made:
        feed.close()


@pytest.mark.parametrize(("count", "size"), [(1, 1), (10, 5), (11, 4), (3, 64)])
def test_batches_follow_the_order_of_the_epoch(count, size, make):
    these = numbered(count)
    feed = make(these, size, seed=5)
    for epoch in (0, 1, 7, 1):
        feed.begin_epoch(epoch)
        rows = these.rows[epoch_order(count, 5, epoch)]
        batches = [feed.batch(index) for index in range(len(feed))]
        assert [batch[0][:, 0, 0, 0].tolist() for batch in batches] == in_batches(rows, size)
        assert [batch[1].tolist() for batch in batches] == in_batches(rows % 2, size)


def test_without_a_seed_the_rows_keep_their_order(make):
    feed = make(numbered(7), 3)
    for epoch in (0, 4):
        feed.begin_epoch(epoch)
        assert [feed.batch(at)[0][:, 0, 0, 0].tolist() for at in range(3)] == in_batches(numbered(7).rows, 3)


def test_weights_go_with_their_images(make):
    weights = np.linspace(1, 2, 7).astype(np.float32)
    feed = make(replace(numbered(7), weights=weights), 3, seed=1)
    order = epoch_order(7, 1, 0)
    assert np.concatenate([feed.batch(at)[2] for at in range(3)]).tolist() == weights[order].tolist()
    assert len(make(numbered(7), 3).batch(0)) == 2


def test_an_image_is_one_of_the_split():
    these = numbered(7)
    assert [int(these.image(number)[0, 0, 0]) for number in range(7)] == these.rows.tolist() != list(range(7))


def test_a_batch_never_writes_to_the_cache(make):
    these = numbered(9)
    these.pixels.flags.writeable = False
    before = these.pixels.copy()
    chosen = config(with_model("flatten", rest=MIXING))
    for vary in (None, augmenter(chosen.augment, 0, these.image, 9)):
        make(replace(these, objective=NUMBERS), 4, seed=0, vary=vary).batch(0)
    np.testing.assert_array_equal(these.pixels, before)


def everything(seed: int = 3, augment: str = MIXING) -> tuple[Examples, Config]:
    """37 weighted images of three classes, and the config whose labels they have."""
    chosen = config(with_model("flatten", rest=augment))
    weights = np.linspace(0.5, 2, 37).astype(np.float32)
    return examples(37, shape=(9, 8, 3), chosen=chosen, weights=weights), chosen


def variations(make, batch_size, epoch, seed=3):
    """The varied images of an epoch by their number."""
    these, chosen = everything(augment=AUGMENT)
    vary = augmenter(chosen.augment, seed, these.image, len(these))
    feed = make(these, batch_size, seed, vary)
    feed.begin_epoch(epoch)
    varied = np.concatenate([feed.batch(index)[0] for index in range(len(feed))])
    return varied[np.argsort(epoch_order(37, seed, epoch))]


def test_a_variation_is_a_pure_function_of_seed_epoch_and_image(make):
    first = variations(make, 37, epoch=0)
    for size in (1, 5, 64):
        np.testing.assert_array_equal(variations(make, size, epoch=0), first)
    changed = [(first[at] != examples(37, shape=(9, 8, 3)).pixels[at]).any() for at in range(37)]
    assert sum(changed) > 30
    for other in (variations(make, 37, epoch=1), variations(make, 37, epoch=0, seed=4)):
        assert sum((first[at] != other[at]).any() for at in range(37)) > 30


def on_the_spot(these, size, vary, epoch):
    """The batches of an epoch by plain arithmetic, in one thread."""
    order = epoch_order(len(these), 3, epoch)
    batches = []
    for numbers in in_batches(order, size):
        varied = [vary(number, epoch) for number in numbers]
        labels = np.zeros((len(numbers), 3))
        factors = np.zeros(len(numbers))
        for row, one in enumerate(varied):
            for number, share in one.shares:
                labels[row, these.labels[number]] += share
                factors[row] += share * these.weights[number]
        batches.append((np.stack([one.image for one in varied]), labels, factors))
    return batches


def assert_same(batches, expected):
    for batch, other in zip(batches, expected, strict=True):
        np.testing.assert_array_equal(batch[0], other[0])
        np.testing.assert_allclose(batch[1], other[1], atol=1e-6)
        np.testing.assert_allclose(batch[2], other[2], rtol=1e-6)


ORDERS = {"in order": range(10), "backwards": range(9, -1, -1), "one twice": (3, 3, 0, 9, 4, 4, 1)}


@pytest.mark.parametrize("order", ORDERS.values(), ids=ORDERS)
def test_batches_made_ahead_are_those_made_on_the_spot(order, make):
    these, chosen = everything()
    vary = augmenter(chosen.augment, 3, these.image, len(these))
    feed = make(these, 4, 3, vary)
    for epoch in (0, 2):
        feed.begin_epoch(epoch)
        expected = on_the_spot(these, 4, vary, epoch)
        assert_same([feed.batch(index) for index in order], [expected[index] for index in order])


def test_batches_are_the_same_whichever_threads_ask(make):
    these, chosen = everything()
    vary = augmenter(chosen.augment, 3, these.image, len(these))
    feed = make(these, 2, 3, vary)
    wanted = np.random.default_rng(0).integers(len(feed), size=60).tolist()
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(feed.batch, wanted))
    expected = on_the_spot(these, 2, vary, 0)
    assert_same(found, [expected[index] for index in wanted])


def test_a_batch_that_two_ask_for_at_once_is_made_once(make):
    """The second asks while the first hands its work to the thread that makes batches."""
    feed = make(numbered(24), 4, seed=1)
    submit, submitted, answers = feed._ahead.submit, [], []
    second, let_in = ThreadPoolExecutor(1), threading.Event()

    def submit_slowly(work, *key):
        submitted.append(key)
        if len(submitted) == 1:
            answers.append(second.submit(feed.batch, 0))
            let_in.wait(0.2)
        elif threading.current_thread().name.startswith("ThreadPool"):
            let_in.set()
        return submit(work, *key)

    feed._ahead.submit = submit_slowly
    mine = feed.batch(0)
    assert answers[0].result(timeout=60)[0] is mine[0]
    assert submitted.count((0, 0)) == 1
    second.shutdown()


class Counted(Feed):
    """A feed that notes what it makes, and waits before each batch until it is let go."""

    def __post_init__(self) -> None:
        super().__post_init__()
        self.made: list[tuple[int, int]] = []
        self.begun = threading.Semaphore(0)
        self.let_go = threading.Semaphore(0)

    def make(self, epoch, index):
        self.made.append((epoch, index))
        self.begun.release()
        assert self.let_go.acquire(timeout=60)
        return super().make(epoch, index)

    def serve(self, index):
        """`batch`, with all of its work let go."""
        for _ in range(20):
            self.let_go.release()
        return self.batch(index)


def test_the_next_four_batches_are_made_while_the_first_trains():
    feed = Counted(numbered(40), 4, seed=1)
    feed.serve(0)
    for _ in range(5):
        assert feed.begun.acquire(timeout=60)
    assert not feed.begun.acquire(timeout=0.05)
    assert feed.made == [(0, place) for place in range(5)]
    feed.batch(1)
    assert feed.begun.acquire(timeout=60)
    assert feed.made[5:] == [(0, 5)]
    feed.close()


def test_the_last_batches_of_an_epoch_make_none_beyond_it():
    feed = Counted(numbered(10), 4, seed=1)
    feed.serve(2)
    feed.close()
    assert feed.made == [(0, 2)]


def test_another_epoch_discards_what_was_made_for_the_last():
    feed = Counted(numbered(24), 4, seed=1)
    feed.serve(0)
    feed.begin_epoch(1)
    order = epoch_order(24, 1, 1)
    first, second = feed.serve(0), feed.serve(1)
    for batch, numbers in ((first, order[:4]), (second, order[4:8])):
        assert batch[0][:, 0, 0, 0].tolist() == numbered(24).rows[numbers].tolist()
    feed.close()
    assert {epoch for epoch, _ in feed._ready} == {1}


def threads_of_feeds():
    return [one for one in threading.enumerate() if one.name.startswith(("batches", "variations"))]


def test_close_ends_the_threads(make):
    these, chosen = everything()
    before = threads_of_feeds()
    feed = make(these, 4, 3, augmenter(chosen.augment, 3, these.image, len(these)))
    feed.batch(0)
    assert len(threads_of_feeds()) > len(before)
    feed.close()
    assert threads_of_feeds() == before
    feed.close()


def test_a_fit_ends_the_threads_of_its_feeds_even_when_it_fails(tmp_path):
    before = threads_of_feeds()
    model, _ = network("flatten")
    feeds = Feed(examples(9), 4, seed=0), Feed(examples(9), 4)
    with pytest.raises(KeyboardInterrupt):
        fitted(model, settings("epochs: 2"), *feeds, tmp_path, Listener(stops_after=1))
    assert threads_of_feeds() == before


def test_waited_is_the_time_that_batches_were_not_ready(monkeypatch):
    """By a clock that lets the batch go once it has been looked at, and says what comes next."""
    feed = Counted(numbered(40), 4, seed=1)
    said = iter((100, 107, 200, 200.5))

    def clock():
        feed.let_go.release()
        return next(said)

    monkeypatch.setattr(feeding.time, "perf_counter", clock)
    assert feed.waited == 0
    feed.batch(0)
    assert feed.waited == 7
    feed.batch(0)
    assert feed.waited == 7.5
    for _ in range(20):
        feed.let_go.release()
    feed.close()


def test_what_fails_while_a_batch_is_made_is_raised_where_it_is_asked_for(make):
    def fail(number, epoch):
        raise MemoryError("too much")

    with pytest.raises(MemoryError, match="too much"):
        make(numbered(9), 4, seed=1, vary=fail).batch(0)


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


CASES = {"one batch": (7, 8, 5, 1), "two steps at once": (37, 4, 13, 2), "eight steps at once": (134, 4, 13, 8)}


@pytest.mark.parametrize(("count", "size", "others", "steps"), CASES.values(), ids=CASES)
def test_fit_shows_every_image_once_an_epoch_in_the_order_of_the_epoch(count, size, others, steps, tmp_path):
    seen: list[Seen] = []
    model = recording_network(seen)
    these, rest = numbered(count), numbered(others)

    def mark(number, epoch):
        image = these.image(number).copy()
        image[0, 0, 1] = 100 + epoch
        return Varied(image, ((number, 1.0),))

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


@pytest.mark.parametrize("count", [22, 24, 25, 3])
def test_devices_share_the_batches(count, make):
    """The parts of two processes with two devices each are the batches of one with four, which leave none behind."""
    these, one = numbered(count), Device("gpu", "", "float32", "", True)
    alone = make(these, 8, seed=5, device=replace(one, count=4))
    parts = [make(these, 8, seed=5, device=replace(one, count=2, process=p, processes=2)) for p in (0, 1)]
    left_out = set()
    for epoch in (0, 1, 6):
        order = epoch_order(count, 5, epoch)
        left_out |= set(order[count - count % 4 :].tolist())
        expected = in_batches(these.rows[order[: count - count % 4]], 8)
        assert len(alone) == len(parts[0]) == len(expected)
        for index, batch in enumerate(expected):
            images, labels = alone.make(epoch, index)
            assert images[:, 0, 0, 0].tolist() == batch
            assert labels.tolist() == [row % 2 for row in batch]
            shared = [part.make(epoch, index) for part in parts]
            assert [len(inputs) for inputs, _ in shared] == [len(batch) // 2] * 2
            np.testing.assert_array_equal(np.concatenate([inputs for inputs, _ in shared]), images)
            np.testing.assert_array_equal(np.concatenate([targets for _, targets in shared]), labels)
    assert alone.images == count - count % 4
    assert len(left_out) > count % 4 or count in (24, 3)


def test_tensorflow_gets_the_batches_of_each_epoch_without_autotuning(keras):
    """Autotuning has a thread that often keeps the end of an epoch waiting for 10 s."""
    feed = Feed(examples(22), 4, seed=3)
    dataset = as_keras_dataset(feed)
    assert dataset.options().autotune.enabled is False
    assert int(dataset.cardinality()) == len(feed) == 6
    for epoch in (0, 1, 5):
        feed.begin_epoch(epoch)
        seen = list(dataset.as_numpy_iterator())
        assert len(seen) == 6
        for index, (images, labels) in enumerate(seen):
            expected = feed.make(epoch, index)
            np.testing.assert_array_equal(images, expected[0])
            np.testing.assert_array_equal(labels, expected[1])
            assert (images.dtype, labels.dtype) == (expected[0].dtype, expected[1].dtype)
    feed.close()
