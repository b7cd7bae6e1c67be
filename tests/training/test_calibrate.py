"""The temperature in the output layer's weights: what the network says before and after, and what stays."""

import numpy as np
import pytest
from scipy.special import expit, softmax

from cnnctl.architecture import make_plan
from cnnctl.architecture.scaling import UNIT
from cnnctl.evaluation.calibration import calibration
from cnnctl.layers.output import OutputSettings
from cnnctl.models.build import build_network
from cnnctl.training.calibrate import calibrate
from tests.config.build import layers
from tests.training.build import SHAPE, network, pixels


def labels(model, images, share):
    """The answers of a network, but for a share of them, which is of the first class."""
    answers = model.predict_on_batch(images)
    found = answers.argmax(axis=1) if answers.shape[1] > 1 else (answers[:, 0] > 0.5).astype(int)
    found[: round(share * len(found))] = 0
    return found


@pytest.mark.parametrize("output", ["softmax", "sigmoid"])
def test_logits_are_divided_in_the_weights(output, keras, tmp_path):
    model, _ = network("flatten", "dense: {units: 4, activation: relu}", classes=2, output=output)
    model.layers[-1].set_weights([weight + 0.3 for weight in model.layers[-1].get_weights()])
    images = pixels(60)
    hidden = keras.Model(model.inputs, model.layers[-1].input).predict_on_batch(images)
    kernel, bias = model.layers[-1].get_weights()
    before, config = model.predict_on_batch(images), model.get_config()
    found = calibrate(model, iter([images[:32], images[32:]]), labels(model, images, 0.2), "validation")
    assert found.temperature != pytest.approx(1, abs=0.05)
    assert (found.split, found.images) == ("validation", 60)
    scaled = (hidden @ kernel + bias) / found.temperature
    expected = softmax(scaled, axis=1) if output == "softmax" else expit(scaled)
    after = model.predict_on_batch(images)
    np.testing.assert_allclose(after, expected, rtol=1e-5)
    assert (after.argmax(axis=1) == before.argmax(axis=1)).all()
    assert ((after > 0.5) == (before > 0.5)).all()
    assert model.get_config() == config
    model.save(tmp_path / "model.keras")
    np.testing.assert_array_equal(
        keras.saving.load_model(tmp_path / "model.keras").predict_on_batch(images), model.predict_on_batch(images)
    )


def test_without_a_bias_the_kernel_alone_is_divided():
    plan = make_plan(layers("flatten"), SHAPE, 3, OutputSettings(use_bias=False))
    model = build_network(plan, UNIT, "float32", seed=0)
    (kernel,) = model.layers[-1].get_weights()
    images = pixels(60)
    found = calibrate(model, [images], labels(model, images, 0.3), "validation")
    (after,) = model.layers[-1].get_weights()
    assert found.temperature != pytest.approx(1, abs=0.01)
    np.testing.assert_allclose(after, kernel / found.temperature, rtol=1e-5)


def test_the_errors_are_those_before_and_after():
    model, _ = network("flatten")
    model.layers[-1].set_weights([weight * 20 for weight in model.layers[-1].get_weights()])
    images = pixels(200)
    truth = labels(model, images, 0.4)
    before = calibration(model.predict_on_batch(images), truth).expected_error
    found = calibrate(model, [images], truth, "validation")
    after = calibration(model.predict_on_batch(images), truth).expected_error
    assert (found.error_before, found.error_after) == pytest.approx((before, after), abs=1e-4)
    assert after < before / 2
    assert found.to_json() == {
        "temperature": found.temperature,
        "split": "validation",
        "images": 200,
        "expected_calibration_error_before": found.error_before,
        "expected_calibration_error_after": found.error_after,
    }


def test_what_is_not_finite_is_left():
    model, _ = network("flatten")
    model.layers[-1].set_weights([weight * np.nan for weight in model.layers[-1].get_weights()])
    assert calibrate(model, [pixels(3)], np.array([0, 1, 2]), "validation") is None
    assert np.isnan(model.predict_on_batch(pixels(3))).all()
