"""The planned learning rates, and that each step of a fit uses its own."""

import math

import hypothesis
import numpy as np
import pytest
from hypothesis import strategies as st

from cnnctl.architecture.scaling import Scaling
from cnnctl.config.schedules import Constant, Cosine, Exponential, OneCycle, ReduceOnPlateau
from cnnctl.training.feeding import Feed
from cnnctl.training.optimizers import make_optimizer
from cnnctl.training.schedules import learning_rates
from tests.training.build import Steered, examples, fitted, network, noted, settings
from tests.training.test_fit import history_of

HIGH, LOW = 0.4 + 0.4 * math.sqrt(0.5), 0.4 - 0.4 * math.sqrt(0.5)
"""0.8 (1 + cos(45 degrees)) / 2, and of 135 degrees."""
BY_HAND = {
    "constant": (Constant(), 2, 3, [0.8] * 6),
    "a plateau is not planned": (ReduceOnPlateau(factor=0.5), 2, 2, [0.8] * 4),
    "cosine": (Cosine(), 2, 2, [0.8, HIGH, 0.4, LOW]),
    "cosine, an epoch up": (Cosine(warmup_epochs=1), 3, 2, [0.4, 0.8, 0.8, HIGH, 0.4, LOW]),
    "cosine, an epoch and a half up": (
        Cosine(warmup_epochs=1.5),
        5,
        2,
        [0.8 / 3, 1.6 / 3, 0.8, *(0.4 + 0.4 * math.cos(math.pi * step / 7) for step in range(7))],
    ),
    "cosine, a quarter of an epoch up": (
        Cosine(warmup_epochs=0.25),
        1,
        8,
        [0.4, 0.8, 0.8, None, None, 0.4, None, None],
    ),
    "cosine, nearly everything up": (Cosine(warmup_epochs=0.99), 1, 5, [0.2, 0.4, 0.6, 0.8, 0.8]),
    "cosine of a single step": (Cosine(warmup_epochs=0.9), 1, 1, [0.8]),
    "exponential": (Exponential(decay_per_epoch=0.25), 3, 2, [0.8, 0.4, 0.2, 0.1, 0.05, 0.025]),
    "exponential that keeps all": (Exponential(decay_per_epoch=1), 1, 3, [0.8] * 3),
    "one_cycle of a single step": (OneCycle(), 1, 1, [0.8]),
    "one_cycle": (OneCycle(warmup_fraction=0.5), 1, 10, [0.032, None, 0.416, None, 0.8, *[None] * 4, 3.2e-6]),
    "one_cycle from and to other shares": (
        OneCycle(warmup_fraction=0.5, begin=0.5, end=0.25),
        1,
        10,
        [0.4, None, 0.6, None, 0.8, None, 0.2 + 0.6 * (1 + math.cos(math.pi * 0.4)) / 2, None, None, 0.2],
    ),
    "one_cycle in straight lines": (
        OneCycle(warmup_fraction=0.5, begin=0.5, end=0.25, shape="linear"),
        2,
        5,
        [0.4, 0.5, 0.6, 0.7, 0.8, 0.68, 0.56, 0.44, 0.32, 0.2],
    ),
    "one_cycle from zero to zero": (
        OneCycle(warmup_fraction=0.5, begin=0, end=0, shape="linear"),
        1,
        6,
        [0, 0.4, 0.8, 1.6 / 3, 0.8 / 3, 0],
    ),
}


@pytest.mark.parametrize(("schedule", "epochs", "steps", "expected"), BY_HAND.values(), ids=BY_HAND)
def test_rates_by_hand(schedule, epochs, steps, expected):
    rates = learning_rates(schedule, 0.8, epochs, steps)
    assert (rates.dtype, len(rates)) == (np.float32, epochs * steps)
    for rate, by_hand in zip(rates, expected, strict=True):
        assert by_hand is None or rate == pytest.approx(by_hand, rel=1e-6)


def torch_one_cycle(highest, total, share):
    """torch.optim.lr_scheduler.OneCycleLR, written out with its defaults, three_phase=False and anneal_strategy=cos."""
    first = highest / 25
    last = first / 1e4
    phases = [(share * total - 1, first, highest), (total - 1, highest, last)]
    for step in range(total):
        begin = 0
        for number, (end, start, stop) in enumerate(phases):
            if step <= end or number == len(phases) - 1:
                part = (step - begin) / (end - begin)
                yield stop + (start - stop) / 2 * (math.cos(math.pi * part) + 1)
                break
            begin = end


@pytest.mark.parametrize("share", [0.1, 0.25, 0.3, 0.37, 0.9])
@pytest.mark.parametrize(("epochs", "steps"), [(1, 20), (3, 7), (12, 352)])
def test_one_cycle_is_torchs(share, epochs, steps):
    rates = learning_rates(OneCycle(warmup_fraction=share), 0.01, epochs, steps)
    np.testing.assert_allclose(rates, list(torch_one_cycle(0.01, epochs * steps, share)), rtol=1e-5, atol=1e-12)


SCHEDULES = st.one_of(
    st.just(Constant()),
    st.floats(0, 4.99).map(lambda epochs: Cosine(warmup_epochs=epochs)),
    st.builds(OneCycle, warmup_fraction=st.floats(0.001, 0.999)),
    st.builds(
        OneCycle,
        warmup_fraction=st.floats(0.001, 0.999),
        begin=st.floats(0.001, 1),
        end=st.floats(0.001, 1),
        shape=st.sampled_from(["cosine", "linear"]),
    ),
    st.floats(0.001, 1).map(lambda decay: Exponential(decay_per_epoch=decay)),
)


@hypothesis.settings(deadline=None, derandomize=True)
@hypothesis.given(schedule=SCHEDULES, epochs=st.integers(5, 9), steps=st.integers(1, 40))
def test_every_rate_is_above_zero_and_none_above_the_optimizers(schedule, epochs, steps):
    rates = learning_rates(schedule, 0.5, epochs, steps)
    assert len(rates) == epochs * steps
    assert (rates > 0).all()
    assert (rates <= 0.5).all()
    assert rates.max() > 0.3


PLANS = {
    "constant": "constant",
    "cosine": "{cosine: {warmup_epochs: 0.5}}",
    "one_cycle": "one_cycle",
    "one_cycle in straight lines": "{one_cycle: {begin: 0.2, end: 0.07, warmup_fraction: 0.23, shape: linear}}",
    "exponential": "{exponential: {decay_per_epoch: 0.3}}",
}


@pytest.mark.parametrize("plan", PLANS.values(), ids=PLANS)
def test_every_step_of_a_fit_uses_the_rate_that_was_planned_for_it(plan, tmp_path, monkeypatch):
    """Two steps in a call of Keras', nine in an epoch: a call holds steps of one epoch only, the last holds one."""
    steps = noted(monkeypatch)
    chosen = settings(f"epochs: 3, batch_size: 2, optimizer: {{sgd: {{learning_rate: 0.1}}}}, schedule: {plan}")
    model, _ = network("flatten")
    record = fitted(model, chosen, Feed(examples(18), 2, seed=0), None, tmp_path)
    assert model.steps_per_execution == 2
    table = learning_rates(chosen.train.schedule, 0.1, 3, 9)
    assert steps.rates == table.tolist()
    assert [row["learning_rate"] for row in record.history] == table[8::9].tolist()
    assert [float(row["learning_rate"]) for row in history_of(tmp_path)] == table[8::9].tolist()


def test_a_step_that_float16_skips_uses_up_no_rate(tmp_path, monkeypatch):
    """Pixels up to 255 let the scaled gradients overflow, until the scale has come down."""
    steps = noted(monkeypatch)
    chosen = settings(f"epochs: 3, batch_size: 2, optimizer: sgd, schedule: {PLANS['exponential']}")
    raw = Scaling((1.0,), (0.0,))
    model, _ = network("flatten", "dense: {units: 4, activation: relu}", policy="mixed_float16", scaling=raw)
    record = fitted(model, chosen, Feed(examples(18), 2, seed=0), None, tmp_path)
    assert 9 < len(steps.rates) < 27
    assert steps.rates == learning_rates(chosen.train.schedule, 0.01, 3, 9)[: len(steps.rates)].tolist()
    skipped = 27 - len(steps.rates)
    assert [row["learning_rate"] for row in record.history] == [steps.rates[end - skipped - 1] for end in (9, 18, 27)]


def test_a_softmax_regression_under_a_schedule_by_hand(tmp_path):
    """w <- w - rate x^T (p - y) / N, three epochs of four steps, with the rates of the formula."""
    these = examples(8, shape=(2, 2, 1))
    feed = Feed(these, 2, seed=5)
    model, _ = network("flatten", shape=(2, 2, 1))
    kernel, bias = (array.astype(np.float64) for array in model.get_weights())
    begun = kernel
    for step in range(12):
        rate = 3 * (step + 1) / 6 if step < 6 else 1.5 * (1 + math.cos(math.pi * (step - 6) / 6))
        images, labels = feed.make(*divmod(step, 4))
        x = images.reshape(2, 4) / 255
        scores = np.exp(x @ kernel + bias)
        slope = (scores / scores.sum(axis=1, keepdims=True) - np.eye(3)[labels]) / 2
        kernel, bias = kernel - rate * x.T @ slope, bias - rate * slope.sum(axis=0)
    plan = "optimizer: {sgd: {learning_rate: 3}}, schedule: {cosine: {warmup_epochs: 1.5}}"
    fitted(model, settings(f"epochs: 3, batch_size: 2, {plan}"), feed, None, tmp_path)
    assert np.abs(kernel - begun).max() > 0.5
    for ours, expected in zip(model.get_weights(), (kernel, bias), strict=True):
        np.testing.assert_allclose(ours, expected, atol=1e-5)


def test_steps_beyond_the_plan_keep_the_last_rate(keras):
    rates = learning_rates(Exponential(decay_per_epoch=0.5), 1.0, 2, 2)
    optimizer = make_optimizer(settings("schedule: {exponential: {decay_per_epoch: 0.5}}").train, rates)
    for step, expected in enumerate([*rates, *[rates[-1]] * 3]):
        optimizer.iterations.assign(step)
        assert float(optimizer.learning_rate) == expected
    assert rates[-1] < rates[-2]


STILL = "optimizer: {sgd: {learning_rate: 1.0e-12}}"
PLATEAUS = [
    ("{patience: 2, factor: 0.5}", [4, 4, 4, 4, 4, 4, 4], [1, 1, 1, 0.5, 0.5, 0.25, 0.25]),
    ("{patience: 1, factor: 0.1}", [4, 3, 5, 5, 6, 6, 6], [1, 1, 0.1, 0.1, 0.01, 0.01, 0.001]),
    ("{patience: 2, factor: 0.5, monitor: val_accuracy}", [4, 3, 3, 4, 3, 5, 5], [1, 1, 1, 0.5, 0.5, 0.25, 0.25]),
    ("{patience: 1, factor: 0.5, monitor: val_accuracy}", [1, 2, 3, 4, 5, 6, 6], [1, 1, 1, 1, 1, 1, 1]),
    ("{patience: 3, factor: 0.5, monitor: loss}", [4, 4, 4, 4, 4, 4, 4], [1, 1, 1, 1, 0.5, 0.5, 0.5]),
]


@pytest.mark.parametrize(("plateau", "right", "shares"), PLATEAUS)
def test_a_plateau_lowers_the_rate_of_the_epochs_after_it(plateau, right, shares, tmp_path, monkeypatch):
    """The training stands still, and the validation labels agree with `right` of eight answers."""
    steps = noted(monkeypatch)
    model, _ = network("flatten")
    training = Feed(examples(6), 3, seed=0)
    validation = Steered(examples(8, seed=1), 8).steer(model, training, right)
    chosen = settings(f"epochs: 7, batch_size: 3, {STILL}, schedule: {{reduce_on_plateau: {plateau}}}")
    record = fitted(model, chosen, training, validation, tmp_path)
    assert [row["val_accuracy"] for row in record.history] == [count / 8 for count in right]
    expected = [1e-12 * share for share in shares]
    assert [float(row["learning_rate"]) for row in history_of(tmp_path)] == pytest.approx(expected, rel=1e-5, abs=0)
    assert steps.rates == pytest.approx([rate for rate in expected for _ in range(2)], rel=1e-5, abs=0)
