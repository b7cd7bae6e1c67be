"""What the train section says is what Keras does."""

import csv
import math
import re

import numpy as np
import pytest

from cnnctl.errors import DivergedError
from cnnctl.runs import Run
from cnnctl.system.interrupts import Interrupts
from cnnctl.training.feeding import Examples, Feed, Feeds
from cnnctl.training.fit import fit_model, steps_at_once
from cnnctl.training.objective import make_objective
from cnnctl.training.record import TrainingRecord
from tests.training.build import Listener, cross_entropy, examples, fitted, network, only_phase, pixels, settings

DENSE = ("flatten", "dense: {units: 16, activation: relu}")


def history_of(folder):
    with (folder / "history.csv").open() as file:
        return list(csv.DictReader(file))


def test_one_step_of_sgd_by_hand(tmp_path):
    """A softmax regression: the gradient of its loss is x^T (p - y) / N."""
    these = examples(6, shape=(2, 2, 1))
    model, _ = network("flatten", shape=(2, 2, 1))
    kernel, bias = model.get_weights()
    x = these.pixels.reshape(6, 4) / 255
    expected_loss = cross_entropy(model, these).mean()
    slope = (model.predict_on_batch(these.pixels) - np.eye(3)[these.labels]) / 6
    chosen = settings("epochs: 1, batch_size: 8, optimizer: {sgd: {learning_rate: 0.5}}")
    record = fitted(model, chosen, Feed(these, 8, seed=0), None, tmp_path)
    assert record.history[0]["loss"] == pytest.approx(expected_loss, rel=1e-5)
    assert record.history[0]["learning_rate"] == 0.5
    after = model.get_weights()
    np.testing.assert_allclose(after[0], kernel - 0.5 * x.T @ slope, atol=1e-6)
    np.testing.assert_allclose(after[1], bias - 0.5 * slope.sum(axis=0), atol=1e-6)


def test_figures_of_an_epoch_are_means_over_its_images(tmp_path):
    """Whatever the last batch's size and the steps that Keras takes at once; sgd stands still."""
    training, validation = examples(67, seed=1), examples(13, seed=2)
    model, _ = network(*DENSE)
    chosen = settings("epochs: 2, batch_size: 4, optimizer: {sgd: {learning_rate: 1.0e-12}}")
    record = fitted(model, chosen, Feed(training, 4, seed=0), Feed(validation, 4), tmp_path)
    assert model.steps_per_execution == 4
    for figures in record.history:
        for these, prefix in ((training, ""), (validation, "val_")):
            answers = model.predict_on_batch(these.pixels).argmax(axis=1)
            assert figures[f"{prefix}loss"] == pytest.approx(cross_entropy(model, these).mean(), rel=1e-5)
            assert figures[f"{prefix}accuracy"] == pytest.approx((answers == these.labels).mean())


STOPPING = [
    ("{monitor: val_loss, patience: 2}", 3),
    ("{monitor: accuracy, patience: 0, min_delta: 0.5}", 2),
    ("none", 6),
]


@pytest.mark.parametrize(("stopping", "epochs"), STOPPING)
def test_early_stopping_of_a_training_that_stands_still(stopping, epochs, tmp_path):
    model, _ = network("flatten")
    still = "optimizer: {sgd: {learning_rate: 1.0e-12}}"
    chosen = settings(f"epochs: 6, batch_size: 9, {still}, early_stopping: {stopping}")
    these = examples(9)
    record = fitted(model, chosen, Feed(these, 9), Feed(these, 9), tmp_path)
    assert len(record.history) == len(history_of(tmp_path)) == epochs


def test_early_stopping_lets_a_training_go_on_that_gets_better(tmp_path):
    model, _ = network(*DENSE)
    chosen = settings("epochs: 5, batch_size: 9, early_stopping: {monitor: loss, patience: 1}")
    record = fitted(model, chosen, Feed(examples(9), 9, seed=0), None, tmp_path)
    assert len(record.history) == 5


@pytest.mark.parametrize(("best", "choose"), [("val_loss", np.argmin), ("val_accuracy", np.argmax)])
def test_the_weights_of_the_best_epoch_are_kept(best, choose, tmp_path):
    model, _ = network(*DENSE)
    training, validation = examples(24, seed=1), examples(24, seed=2)
    chosen = settings(f"epochs: 8, batch_size: 8, best: {best}, optimizer: {{adam: {{learning_rate: 0.05}}}}")
    listener = Listener()
    record = fitted(model, chosen, Feed(training, 8, seed=0), Feed(validation, 24), tmp_path, listener)
    figures = [row[best] for row in record.history]
    assert record.best_epoch == choose(figures) + 1 < 8
    assert record.best_value == figures[record.best_epoch - 1]
    assert [epoch.number for epoch in listener.epochs if epoch.is_best][-1] == record.best_epoch
    assert any((kept != last).any() for kept, last in zip(record.best_weights, model.get_weights(), strict=True))
    model.set_weights(record.best_weights)
    assert cross_entropy(model, validation).mean() == pytest.approx(
        record.history[record.best_epoch - 1]["val_loss"], rel=1e-5
    )


def test_without_validation_the_last_epoch_is_the_best(tmp_path):
    model, _ = network(*DENSE)
    chosen = settings("epochs: 3, batch_size: 8, optimizer: {adam: {learning_rate: 0.5}}")
    record = fitted(model, chosen, Feed(examples(24), 8, seed=0), None, tmp_path)
    assert record.best_epoch == 3
    assert math.isnan(record.best_value)
    assert all((kept == last).all() for kept, last in zip(record.best_weights, model.get_weights(), strict=True))
    assert list(history_of(tmp_path)[0]) == ["epoch", "accuracy", "loss", "learning_rate"]


BETTER = [
    ("val_loss", [(2.0, True), (1.0, True), (1.0, False), (1.5, False), (math.nan, False), (0.5, True)]),
    ("val_loss", [(math.nan, False), (math.inf, False), (9.0, True)]),
    ("val_accuracy", [(0.0, True), (0.5, True), (0.5, False), (0.4, False), (0.6, True)]),
    (None, [(2.0, True), (3.0, True), (math.nan, False), (1.0, True)]),
]


@pytest.mark.parametrize(("monitor", "epochs"), BETTER)
def test_which_epoch_is_better(monitor, epochs, tmp_path):
    record = TrainingRecord(Run(tmp_path), monitor)
    best = 0
    for number, (value, better) in enumerate(epochs, start=1):
        assert record.add_epoch({monitor or "loss": value}, 0.1, [number]) is better
        best = number if better else best
        assert record.best_epoch == best
        assert record.best_weights == ([best] if best else [])


def test_a_training_that_diverges_at_once_is_an_error_that_names_the_epoch(tmp_path):
    model, _ = network(*DENSE)
    chosen = settings("epochs: 6, batch_size: 2, optimizer: {sgd: {learning_rate: 1.0e+30}}")
    with pytest.raises(DivergedError) as caught:
        fitted(model, chosen, Feed(examples(24), 2, seed=0), Feed(examples(8, seed=2), 8), tmp_path)
    assert caught.value.exit_code == 6
    assert re.fullmatch(r"training diverged: the loss is nan in epoch 1, by step \d+ of 12", caught.value.message)
    assert "learning_rate" in caught.value.hint
    assert not (tmp_path / "history.csv").exists()


class Spoilt(Feed):
    """A feed whose weights are NaN from the third epoch on."""

    def batch(self, index):
        pixels, targets = super().batch(index)
        return pixels, targets, np.full(len(targets), np.nan if self.epoch >= 2 else 1.0, np.float32)


def test_a_training_that_diverges_later_keeps_what_was_good_and_says_so(tmp_path):
    model, _ = network(*DENSE)
    listener = Listener()
    chosen = settings("epochs: 6, batch_size: 8")
    record = TrainingRecord(Run(tmp_path), "val_loss")
    feeds = Feeds(Spoilt(examples(24), 8, seed=0), Feed(examples(8), 8))
    with pytest.raises(DivergedError, match=r"the loss is nan in epoch 3, by step [123] of 3"):
        fit_model(only_phase(model, chosen, feeds), record, listener, Interrupts())
    assert len(record.history) == len(listener.epochs) == len(history_of(tmp_path)) == 2
    assert record.best_epoch in (1, 2)
    assert all(np.isfinite(weight).all() for weight in record.best_weights)


@pytest.mark.parametrize(
    ("policy", "output"), [("float32", "sigmoid"), ("mixed_bfloat16", "softmax"), ("mixed_float16", "sigmoid")]
)
def test_every_precision_and_output_learns(policy, output, tmp_path):
    """Bright images are of the second class."""
    images = (pixels(32) // 4 + np.arange(32, dtype=np.uint8)[:, None, None, None] % 2 * 150).astype(np.uint8)
    labels = np.arange(32) % 2
    model, _ = network(*DENSE, classes=2, output=output, policy=policy)
    chosen = settings(
        "epochs: 12, batch_size: 8, optimizer: {adam: {learning_rate: 0.02}}",
        rest=f"output: {output}\n",
    )
    these = Examples(images, np.arange(32), labels, make_objective(chosen, 2))
    listener = Listener()
    record = fitted(model, chosen, Feed(these, 8, seed=0), Feed(these, 8), tmp_path, listener)
    assert record.history[-1]["val_accuracy"] == 1
    assert record.history[-1]["loss"] < record.history[0]["loss"]
    assert {weight.dtype.name for weight in record.best_weights} == {"float32"}
    assert [epoch.learning_rate for epoch in listener.epochs] == pytest.approx([0.02] * 12)
    assert [(epoch.number, epoch.total) for epoch in listener.epochs] == [(number, 12) for number in range(1, 13)]


def test_history_reads_back_to_the_same_numbers(tmp_path):
    model, _ = network("flatten")
    record = fitted(model, settings("epochs: 2"), Feed(examples(9), 4, seed=0), Feed(examples(5), 4), tmp_path)
    rows = history_of(tmp_path)
    assert [row.pop("epoch") for row in rows] == ["1", "2"]
    assert [{name: float(value) for name, value in row.items()} for row in rows] == record.history
    assert set(rows[0]) == {"loss", "accuracy", "val_loss", "val_accuracy", "learning_rate"}


@pytest.mark.parametrize(
    ("multiply_adds", "batch_size", "steps", "expected"),
    [
        (10_585_344, 128, 352, 30),  # configs/cifar10.yaml
        (200_000_000, 128, 352, 1),  # a step takes long enough by itself
        (1_000, 64, 1_000, 32),
        (1_000, 64, 10, 2),  # a quarter of the epoch
        (0, 1, 1, 1),
    ],
)
def test_steps_at_once_are_half_a_second_and_a_quarter_of_an_epoch_at_most(multiply_adds, batch_size, steps, expected):
    assert steps_at_once(multiply_adds, batch_size, steps) == expected
