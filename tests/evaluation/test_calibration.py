"""The temperature that suits images best: from labels of a known one, by hand, and where there is little to go by."""

import numpy as np
import pytest
from scipy.special import expit, softmax

from cnnctl.evaluation.calibration import calibration, fit_temperature, probabilities_at


def drawn(temperature: float, images: int, classes: int) -> tuple[np.ndarray, np.ndarray]:
    """Logits, and truths that come true as often as softmax(logits / temperature) says."""
    draws = np.random.default_rng(0)
    units = 1 if classes == 2 else classes
    logits = draws.normal(0, 3, (images, units)).astype(np.float32)
    chances = probabilities_at(logits, temperature)
    return logits, (chances.cumsum(axis=1) < draws.random((images, 1))).sum(axis=1).clip(max=classes - 1)


@pytest.mark.parametrize("temperature", [0.3, 1.0, 2.5])
@pytest.mark.parametrize("classes", [2, 3, 10])
def test_the_temperature_of_the_labels_is_found(temperature, classes):
    logits, truth = drawn(temperature, 20_000, classes)
    found = fit_temperature(logits, truth)
    assert found == pytest.approx(temperature, rel=0.04)
    assert calibration(probabilities_at(logits, found), truth).expected_error < 0.015


def test_it_is_where_cross_entropy_and_prior_are_least():
    logits, truth = drawn(1.7, 50, 4)

    def by_hand(temperature: float) -> float:
        own = softmax(logits.astype(float) / temperature, axis=1)[np.arange(50), truth]
        return -np.log(own).sum() + np.log(temperature) ** 2 / (2 * 0.4**2)

    grid = np.exp(np.linspace(-3, 3, 60_001))
    assert fit_temperature(logits, truth) == pytest.approx(min(grid, key=by_hand), rel=1e-3)


def test_few_images_without_a_mistake_make_nothing_certain():
    logits = np.eye(3, dtype=np.float32)[[0, 1, 2, 0, 1]] * 4
    found = fit_temperature(logits, np.array([0, 1, 2, 0, 1]))
    assert 0.7 < found < 1
    assert probabilities_at(logits, found).max() < 0.999


def test_all_wrong_is_less_sure():
    logits = np.eye(3, dtype=np.float32)[[0, 1, 2]] * 4
    assert fit_temperature(logits, np.array([1, 2, 0])) > 1.3


def test_logits_that_say_nothing_stay():
    assert fit_temperature(np.zeros((9, 3), np.float32), np.zeros(9, int)) == pytest.approx(1, abs=1e-3)


def test_probabilities_are_those_of_softmax_and_sigmoid():
    logits = np.array([[1.0, -2.0, 300.0], [0.5, 0.25, 0.0]], np.float32)
    np.testing.assert_allclose(probabilities_at(logits, 2.0), softmax(logits / 2, axis=1), rtol=1e-6)
    one = np.array([[-200.0], [0.3]], np.float32)
    np.testing.assert_allclose(probabilities_at(one, 0.5)[:, 1:], expit(one / 0.5), rtol=1e-6)
