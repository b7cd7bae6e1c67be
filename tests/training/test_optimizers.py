"""Every argument of an optimizer reaches Keras, and does to the weights what its name says, step by step."""

import math
import os
import subprocess
import sys

import numpy as np
import pytest

from cnnctl.config.schema import CHOICES
from cnnctl.config.training import TrainSettings
from cnnctl.training.optimizers import make_optimizer
from cnnctl.training.schedules import learning_rates
from tests.training.build import settings


def optimizer(text: str, rest: str = ""):
    """The Keras optimizer of a train section."""
    train = settings(f"optimizer: {text}{rest}").train
    return make_optimizer(train, learning_rates(train.schedule, train.optimizer.learning_rate, 2, 3))


ADAM = {"learning_rate": 0.001, "beta_1": 0.9, "beta_2": 0.999, "epsilon": 1e-7, "amsgrad": False}
OTHER_ADAM = {"learning_rate": 0.5, "beta_1": 0.25, "beta_2": 0.75, "epsilon": 0.125, "amsgrad": True}
RMSPROP = {"learning_rate": 0.001, "rho": 0.9, "momentum": 0.0, "epsilon": 1e-7, "centered": False}
OTHER_RMSPROP = {"learning_rate": 0.5, "rho": 0.25, "momentum": 0.75, "epsilon": 0.125, "centered": True}
SGD = {"learning_rate": 0.01, "momentum": 0.0, "nesterov": False}
OTHER_SGD = {"learning_rate": 0.5, "momentum": 0.25, "nesterov": True}
OURS = {"bias_factor"}
"""Arguments that Keras lacks."""
ARGUMENTS = [
    ("adam", "Adam", ADAM, {"weight_decay": None}),
    ("adam", "Adam", OTHER_ADAM, {"weight_decay": 0.25, "clipnorm": 2.0}),
    ("adamw", "AdamW", ADAM, {"weight_decay": 0.004}),
    ("adamw", "AdamW", OTHER_ADAM, {"weight_decay": 0.25, "global_clipnorm": 3.0}),
    ("sgd", "SGD", SGD, {"weight_decay": None}),
    ("sgd", "SGD", OTHER_SGD, {"weight_decay": 0.25, "clipvalue": 4.0}),
    ("rmsprop", "RMSprop", RMSPROP, {"weight_decay": None}),
    ("rmsprop", "RMSprop", OTHER_RMSPROP, {"weight_decay": 0.25, "clipnorm": 5.0}),
]
CLIPS = {"clipnorm": None, "global_clipnorm": None, "clipvalue": None}


def as_yaml(arguments):
    return "{" + ", ".join(f"{name}: {str(value).lower()}" for name, value in arguments.items()) + "}"


@pytest.mark.parametrize(("name", "kind", "own", "common"), ARGUMENTS)
def test_arguments_reach_keras(name, kind, own, common, keras):
    is_default = own in (ADAM, SGD, RMSPROP)
    made = optimizer(name if is_default else f"{{{name}: {as_yaml(own | common)}}}")
    assert isinstance(made, getattr(keras.optimizers, kind))
    assert type(made).__name__ == kind
    given = made.get_config()
    expected = own | CLIPS | common
    assert {key: given[key] for key in expected} == pytest.approx(expected)
    assert given["use_ema"] is False


def test_no_optimizer_and_no_argument_of_one_is_left_out():
    for name, kind in CHOICES["optimizer"].items():
        tried = [own.keys() | common.keys() for text, _, own, common in ARGUMENTS if text == name]
        assert kind.model_fields.keys() <= set.union(*map(set, tried)) | CLIPS.keys() | OURS


@pytest.mark.parametrize("clip", CLIPS)
@pytest.mark.parametrize("name", CHOICES["optimizer"])
def test_every_optimizer_clips(name, clip, keras):
    assert optimizer(f"{{{name}: {{{clip}: 0.5}}}}").get_config()[clip] == 0.5


def test_the_average_is_off_unless_asked_for(keras):
    assert optimizer("sgd", ", ema: 0.75").get_config()["use_ema"] is True
    assert optimizer("sgd", ", ema: 0.75").get_config()["ema_momentum"] == 0.75
    assert TrainSettings().ema is None


BEGIN = (np.array([[1.0, -2.0], [3.0, 0.5]]), np.array([0.25, -4.0]))
GRADIENTS = (np.array([[3.0, -1.0], [0.5, 2.0]]), np.array([-6.0, 0.25]))


def stepped(made, keras, times=1):
    """Two weights after some steps along the same gradients."""
    weights = [keras.Variable(array.astype(np.float32)) for array in BEGIN]
    for _ in range(times):
        made.apply([keras.ops.convert_to_tensor(array.astype(np.float32)) for array in GRADIENTS], weights)
    return [keras.ops.convert_to_numpy(weight) for weight in weights]


def assert_near(found, expected):
    for array, other in zip(found, expected, strict=True):
        np.testing.assert_allclose(array, other, rtol=1e-5, atol=1e-6)


def test_sgd_steps_against_the_gradient(keras):
    assert_near(
        stepped(optimizer("{sgd: {learning_rate: 0.5}}"), keras),
        [w - 0.5 * g for w, g in zip(BEGIN, GRADIENTS, strict=True)],
    )


def test_clipnorm_shortens_each_gradient_that_is_longer(keras):
    moved = stepped(optimizer("{sgd: {learning_rate: 0.5, clipnorm: 5.0}}"), keras)
    for before, after, gradient in zip(BEGIN, moved, GRADIENTS, strict=True):
        length = math.sqrt((gradient**2).sum())
        assert np.linalg.norm(after - before) == pytest.approx(0.5 * min(length, 5), rel=1e-5)
        np.testing.assert_allclose(after, before - 0.5 * gradient * min(1, 5 / length), rtol=1e-5)
    assert np.linalg.norm(GRADIENTS[0]) < 5 < np.linalg.norm(GRADIENTS[1])


@pytest.mark.parametrize("limit", [2.0, 100.0])
def test_global_clipnorm_shortens_all_gradients_by_the_same_factor(limit, keras):
    moved = stepped(optimizer(f"{{sgd: {{learning_rate: 0.5, global_clipnorm: {limit}}}}}"), keras)
    length = math.sqrt(sum((gradient**2).sum() for gradient in GRADIENTS))
    step = math.sqrt(sum(((after - before) ** 2).sum() for before, after in zip(BEGIN, moved, strict=True)))
    assert step == pytest.approx(0.5 * min(limit, length), rel=1e-5)
    factor = min(1, limit / length)
    assert_near(moved, [w - 0.5 * factor * g for w, g in zip(BEGIN, GRADIENTS, strict=True)])


def test_clipvalue_cuts_each_number(keras):
    moved = stepped(optimizer("{sgd: {learning_rate: 0.5, clipvalue: 1.5}}"), keras)
    cut = [np.array([[1.5, -1.0], [0.5, 1.5]]), np.array([-1.5, 0.25])]
    assert_near(moved, [w - 0.5 * g for w, g in zip(BEGIN, cut, strict=True)])


def test_weight_decay_of_sgd_takes_a_share_of_each_weight(keras):
    moved = stepped(optimizer("{sgd: {learning_rate: 0.5, weight_decay: 0.25}}"), keras)
    assert_near(moved, [w * (1 - 0.5 * 0.25) - 0.5 * g for w, g in zip(BEGIN, GRADIENTS, strict=True)])


def test_weight_decay_of_adamw_is_apart_from_the_gradient(keras):
    """The first step of Adam is rate * g / (|g| + epsilon'), whatever the gradient's size."""
    text = "{adamw: {learning_rate: 0.5, weight_decay: 0.25, beta_1: 0.5, beta_2: 0.75}}"
    expected = [w * (1 - 0.5 * 0.25) - 0.5 * np.sign(g) for w, g in zip(BEGIN, GRADIENTS, strict=True)]
    assert_near(stepped(optimizer(text), keras), expected)


def test_weight_decay_follows_the_planned_rate(keras):
    """Exponential by half an epoch of three steps: rates 0.5, 0.397, ..."""
    text = "{sgd: {learning_rate: 0.5, weight_decay: 0.25}}"
    made = optimizer(text, ", epochs: 2, schedule: {exponential: {decay_per_epoch: 0.5}}")
    expected = list(BEGIN)
    for rate in (0.5, 0.5 * 0.5 ** (1 / 3)):
        expected = [w * (1 - rate * 0.25) - rate * g for w, g in zip(expected, GRADIENTS, strict=True)]
    assert_near(stepped(made, keras, times=2), expected)


@pytest.mark.parametrize("amsgrad", [False, True])
def test_two_steps_of_adam_by_hand(amsgrad, keras):
    text = (
        f"{{adam: {{learning_rate: 0.5, beta_1: 0.25, beta_2: 0.75, epsilon: 0.125, amsgrad: {str(amsgrad).lower()}}}}}"
    )
    expected = []
    for weight, gradient in zip(BEGIN, GRADIENTS, strict=True):
        mean, square = 0.0, 0.0
        for step in (1, 2):
            mean, square = 0.25 * mean + 0.75 * gradient, 0.75 * square + 0.25 * gradient**2
            rate = 0.5 * math.sqrt(1 - 0.75**step) / (1 - 0.25**step)
            weight = weight - rate * mean / (np.sqrt(square) + 0.125)
        expected.append(weight)
    assert_near(stepped(optimizer(text), keras, times=2), expected)


@pytest.mark.parametrize(("momentum", "nesterov"), [(0.25, False), (0.25, True)])
def test_two_steps_of_sgd_with_momentum_by_hand(momentum, nesterov, keras):
    text = f"{{sgd: {{learning_rate: 0.5, momentum: {momentum}, nesterov: {str(nesterov).lower()}}}}}"
    expected = []
    for weight, gradient in zip(BEGIN, GRADIENTS, strict=True):
        velocity = 0.0
        for _ in range(2):
            velocity = momentum * velocity - 0.5 * gradient
            weight = weight + (momentum * velocity - 0.5 * gradient if nesterov else velocity)
        expected.append(weight)
    assert_near(stepped(optimizer(text), keras, times=2), expected)


@pytest.mark.parametrize("centered", [False, True])
def test_two_steps_of_rmsprop_by_hand(centered, keras):
    text = (
        f"{{rmsprop: {{learning_rate: 0.5, rho: 0.75, momentum: 0.25, epsilon: 0.125, "
        f"centered: {str(centered).lower()}}}}}"
    )
    expected = []
    for weight, gradient in zip(BEGIN, GRADIENTS, strict=True):
        mean, square, velocity = 0.0, 0.0, 0.0
        for _ in range(2):
            square = 0.75 * square + 0.25 * gradient**2
            mean = 0.75 * mean + 0.25 * gradient
            size = np.sqrt(square - mean**2 + 0.125) if centered else np.sqrt(square + 0.125)
            velocity = 0.25 * velocity + 0.5 * gradient / size
            weight = weight - velocity
        expected.append(weight)
    assert_near(stepped(optimizer(text), keras, times=2), expected)


NAMES = ("kernel", "beta", "gamma")
STEPS = 7


def test_the_biases_of_normalization_take_longer_steps(keras):
    """Seven steps by hand: longer along the gradient, and with it in the momentum; the weight decay is the same."""
    text = "{sgd: {learning_rate: 0.01, momentum: 0.5, nesterov: true, weight_decay: 0.25, bias_factor: 64}}"
    made = optimizer(text)
    assert type(made).__name__ == "SGD"
    begun, gradients = drawn()
    weights = [keras.Variable(array, name=name) for array, name in zip(begun, NAMES, strict=True)]
    for step in range(STEPS):
        made.apply([keras.ops.convert_to_tensor(one[step]) for one in gradients], weights)
    for name, weight, at, gradient in zip(NAMES, weights, begun, gradients, strict=True):
        rate, velocity = 0.01 * (64 if name == "beta" else 1), 0.0
        for step in range(STEPS):
            at = at - 0.01 * 0.25 * at
            velocity = 0.5 * velocity - rate * gradient[step]
            at = at + 0.5 * velocity - rate * gradient[step]
        np.testing.assert_allclose(np.asarray(weight), at, rtol=1e-5, atol=1e-6)


def drawn():
    """Three weights, and their gradients in each of the steps."""
    draws = np.random.default_rng(0)
    begun = [draws.normal(size=3).astype(np.float32) for _ in NAMES]
    return begun, [draws.normal(size=(STEPS, 3)).astype(np.float32) for _ in NAMES]


def by_hand(every, decay, power):
    """The weights after each step: those of SGD, pulled to the slow ones where they meet."""
    found = []
    begun, gradients = drawn()
    for at, gradient in zip(begun, gradients, strict=True):
        fast = slow = at.astype(np.float64)
        path = []
        for step in range(1, STEPS + 1):
            fast = fast - 0.5 * gradient[step - 1]
            if step % every == 0 or step == STEPS:
                kept = 1.0 if step == STEPS else decay * (step / STEPS) ** power
                slow = slow + (1 - kept) * (fast - slow)
                fast = slow
            path.append(fast)
        found.append(np.array(path))
    return found


LOOKAHEADS = [(3, 0.75, 2.0), (2, 0.5, 0.0), (1, 0.9, 3.0), (9, 0.5, 0.0)]


@pytest.mark.parametrize("settled", LOOKAHEADS)
def test_weights_meet_slow_ones_every_few_steps(settled, keras):
    import tensorflow as tf

    made = looking_ahead(*settled)
    begun, gradients = drawn()
    weights = [keras.Variable(array) for array in begun]
    made.build(weights)
    step = tf.function(lambda *given: made.apply(list(given), weights))
    for number, expected in enumerate(zip(*by_hand(*settled), strict=True)):
        step(*(tf.constant(one[number]) for one in gradients))
        assert_near([np.asarray(weight) for weight in weights], expected)
    every = settled[0]
    slow = [variable for variable in made.variables if "slow" in variable.path]
    assert len(slow) == 3
    assert_near([np.asarray(one) for one in slow], [np.asarray(weight) for weight in weights])
    if every > STEPS:
        assert_near([np.asarray(weight) for weight in weights], begun)


def looking_ahead(every, decay, power):
    rest = f"lookahead: {{every: {every}, decay: {decay}, power: {power}}}"
    train = settings(f"optimizer: {{sgd: {{learning_rate: 0.5}}}}, {rest}").train
    return make_optimizer(train, learning_rates(train.schedule, 0.5, 1, STEPS))


ON_JAX = """
import jax
import keras
import numpy as np
from tests.training.test_optimizers import LOOKAHEADS, STEPS, by_hand, drawn, looking_ahead, optimizer

assert keras.backend.backend() == "jax"
for settled in LOOKAHEADS:
    made = looking_ahead(*settled)
    begun, gradients = drawn()
    weights = [keras.Variable(array) for array in begun]
    made.build(weights)
    step = jax.jit(made.stateless_apply, donate_argnums=(0, 2))
    state, values = [one.value for one in made.variables], [one.value for one in weights]
    for number, expected in enumerate(zip(*by_hand(*settled), strict=True)):
        values, state = step(state, [one[number] for one in gradients], values)
        np.testing.assert_allclose(values, expected, rtol=1e-5, atol=1e-6)
made = optimizer("{sgd: {learning_rate: 0.01, weight_decay: 0.25, bias_factor: 64}}")
weights = [keras.Variable(begun[0], name=name) for name in ("kernel", "beta")]
made.build(weights)
step = jax.jit(made.stateless_apply)
values, _ = step([one.value for one in made.variables], [gradients[0][0]] * 2, [one.value for one in weights])
kept = begun[0] * (1 - 0.01 * 0.25)
for value, rate in zip(values, (0.01, 0.64), strict=True):
    np.testing.assert_allclose(value, kept - rate * gradients[0][0], rtol=1e-5, atol=1e-6)
"""


def test_jax_takes_the_same_steps():
    done = subprocess.run(
        [sys.executable, "-c", ON_JAX],
        env={**os.environ, "KERAS_BACKEND": "jax", "JAX_PLATFORMS": "cpu"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
