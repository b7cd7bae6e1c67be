"""The moving average of the weights: recomputed from the weights of every step, scored, and kept as the model."""

import numpy as np
import pytest

from cnnctl.architecture.scaling import UNIT, Scaling
from cnnctl.training.feeding import Feed
from tests.training.build import cross_entropy, examples, fitted, network, noted, settings

DENSE = ("flatten", "dense: {units: 8, activation: relu}")
NORMALIZED = (
    "flatten",
    "dense: {units: 8, use_bias: false}",
    "batch_normalization: {momentum: 0.5}",
    "activation: {activation: relu}",
)
MOMENTUM = 0.75
STEPS = 9
"""In an epoch; Keras takes two at once."""


def config(rest: str = "", epochs: int = 3, optimizer: str = "adam: {learning_rate: 0.05}"):
    return settings(f"epochs: {epochs}, batch_size: 2, optimizer: {{{optimizer}}}, {rest}")


def averages(steps):
    """The average after each step: the first step's weights, then m * old + (1 - m) * new."""
    found = [[array.astype(np.float64) for array in steps.weights[0]]]
    for weights in steps.weights[1:]:
        found.append([MOMENTUM * old + (1 - MOMENTUM) * new for old, new in zip(found[-1], weights, strict=True)])
    return found


def farthest(some, others):
    return max(float(np.abs(one - other).max()) for one, other in zip(some, others, strict=True))


def with_weights(model, weights):
    model.set_weights(weights)
    return model


def test_what_is_kept_is_the_average_of_every_step(tmp_path, monkeypatch):
    """And the moving statistics as they are: they are no weights that train, and no average is taken of them."""
    steps = noted(monkeypatch)
    model, _ = network(*NORMALIZED)
    record = fitted(model, config(f"ema: {MOMENTUM}"), Feed(examples(18), 2, seed=0), None, tmp_path)
    assert model.steps_per_execution == 2
    assert len(steps.weights) == 3 * STEPS
    assert record.best_epoch == 3
    kept = dict(zip([weight.path for weight in model.weights], record.best_weights, strict=True))
    trained = [kept.pop(weight.path) for weight in model.trainable_weights]
    expected, last = averages(steps)[-1], steps.weights[-1]
    swapped = [(1 - MOMENTUM) * old + MOMENTUM * new for old, new in zip(averages(steps)[-2], last, strict=True)]
    assert farthest(trained, expected) < 1e-5
    assert min(farthest(last, expected), farthest(swapped, expected)) > 0.01
    assert len(kept) == 2
    for weight in model.non_trainable_weights:
        np.testing.assert_array_equal(kept[weight.path], np.asarray(weight))


def test_after_the_first_step_the_average_is_its_weights(tmp_path, monkeypatch):
    steps = noted(monkeypatch)
    model, _ = network(*DENSE)
    begun = model.get_weights()
    record = fitted(model, config(f"ema: {MOMENTUM}", epochs=1), Feed(examples(2), 2, seed=0), None, tmp_path)
    assert len(steps.weights) == 1
    assert farthest(record.best_weights, steps.weights[0]) < 1e-6
    assert farthest(record.best_weights, begun) > 0.01


@pytest.mark.parametrize("policy", ["float32", "mixed_float16"])
def test_validation_figures_are_those_of_the_average(policy, tmp_path, monkeypatch):
    steps = noted(monkeypatch)
    model, _ = network(*DENSE, policy=policy)
    training, validation = examples(18), examples(12, seed=2)
    record = fitted(model, config(f"ema: {MOMENTUM}"), Feed(training, 2, seed=0), Feed(validation, 5), tmp_path)
    assert len(steps.weights) == 3 * STEPS
    losses = []
    for epoch, figures in enumerate(record.history):
        average, raw = averages(steps)[(epoch + 1) * STEPS - 1], steps.weights[(epoch + 1) * STEPS - 1]
        losses.append(cross_entropy(with_weights(model, average), validation).mean())
        answers = model.predict_on_batch(validation.pixels).argmax(axis=1)
        assert figures["val_loss"] == pytest.approx(losses[-1], rel=1e-4)
        assert figures["val_accuracy"] == pytest.approx((answers == validation.labels).mean())
        assert abs(cross_entropy(with_weights(model, raw), validation).mean() / losses[-1] - 1) > 0.01
    assert record.best_epoch == np.argmin(losses) + 1
    assert farthest(record.best_weights, averages(steps)[record.best_epoch * STEPS - 1]) < 1e-5


def test_the_weights_that_train_are_not_disturbed(tmp_path, monkeypatch):
    steps = noted(monkeypatch)
    records, models = [], []
    for rest in (f"ema: {MOMENTUM}", "ema: none"):
        models.append(network(*NORMALIZED)[0])
        feeds = Feed(examples(18), 2, seed=0), Feed(examples(12, seed=2), 5)
        chosen = config(rest, optimizer="sgd: {learning_rate: 0.5, momentum: 0.5}")
        records.append(fitted(models[-1], chosen, *feeds, tmp_path))
    averaged, plain = steps.weights[: 3 * STEPS], steps.weights[3 * STEPS :]
    for ours, theirs in zip(averaged, plain, strict=True):
        assert farthest(ours, theirs) < 1e-4
    assert farthest(plain[0], plain[-1]) > 0.5
    for ours, theirs in zip(*(record.history for record in records), strict=True):
        assert ours["loss"] == pytest.approx(theirs["loss"], rel=1e-4)
    assert farthest(*([np.asarray(one) for one in model.non_trainable_weights] for model in models)) < 1e-4


@pytest.mark.parametrize("best", ["val_loss", "val_accuracy"])
def test_stopped_early_the_average_of_the_best_epoch_is_kept(best, tmp_path, monkeypatch):
    steps = noted(monkeypatch)
    model, _ = network(*DENSE)
    feeds = Feed(examples(18), 2, seed=0), Feed(examples(12, seed=2), 12)
    chosen = config(f"ema: {MOMENTUM}, best: {best}, early_stopping: {{monitor: {best}, patience: 2}}", epochs=40)
    record = fitted(model, chosen, *feeds, tmp_path)
    figures = [row[best] for row in record.history]
    assert len(record.history) == record.best_epoch + 2 < 40
    assert record.best_epoch == (np.argmin if best == "val_loss" else np.argmax)(figures) + 1
    assert farthest(record.best_weights, averages(steps)[record.best_epoch * STEPS - 1]) < 1e-5
    assert farthest(record.best_weights, averages(steps)[-1]) > 0.01


def test_a_step_that_float16_skips_is_in_no_average(tmp_path, monkeypatch):
    """Pixels up to 255 let the scaled gradients overflow, until the scale has come down."""
    steps = noted(monkeypatch)
    model, _ = network(*DENSE, policy="mixed_float16", scaling=Scaling((1.0,), UNIT.offset))
    record = fitted(model, config(f"ema: {MOMENTUM}"), Feed(examples(18), 2, seed=0), None, tmp_path)
    assert 5 < len(steps.weights) < 3 * STEPS
    assert farthest(record.best_weights, averages(steps)[-1]) < 1e-4
    assert farthest(record.best_weights, steps.weights[-1]) > 0.01
