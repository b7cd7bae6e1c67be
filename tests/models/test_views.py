"""Views around a network: their mean logits by hand, in Keras, in every form of export, and in a whole run."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from scipy.special import expit, softmax

from cnnctl.config.schema import TestTime
from cnnctl.data.decoder.images import ImageSpec
from cnnctl.explaining.explain import agreed, given_and_answered
from cnnctl.explaining.numbers import numbers_of_run
from cnnctl.exporting.formats import INT8, LITERT, SAVEDMODEL
from cnnctl.exporting.runtimes import open_exported
from cnnctl.exporting.writers import write_litert, write_savedmodel
from cnnctl.inference.model import expand, load_classifier
from cnnctl.inference.operators import refuse_foreign_operators
from cnnctl.models.of_run import load_network
from cnnctl.models.save import Answering, save_onnx
from cnnctl.models.views import with_views
from cnnctl.network_source import subject_of_run
from cnnctl.runs import Run
from cnnctl.terminal.summary import to_json
from cnnctl.training.calibrate import calibrate
from tests.config.build import config, problem
from tests.training.build import SMALL, network, pixels, train_here

SHAPE = (7, 6, 3)
ITEMS = (
    "conv2d: {filters: 4, kernel_size: 3, strides: 2, activation: relu}",
    "batch_normalization",
    "flatten",
    "dense: {units: 8, activation: silu}",
)
CHOICES = [TestTime(flip=True), TestTime(shift=1), TestTime(flip=True, shift=2)]


def made(output="softmax", classes=3):
    return made_with_plan(output, classes)[0]


def made_with_plan(output="softmax", classes=3):
    model, plan = network(*ITEMS, shape=SHAPE, output=output, classes=classes)
    draws = np.random.default_rng(3)
    model.set_weights([np.abs(draws.normal(0, 0.6, one.shape)) * np.sign(one + 0.01) for one in model.get_weights()])
    logits = logits_of(model, pixels(40, SHAPE))
    kernel, bias = model.layers[-1].get_weights()
    scale = 1 / (logits - logits.mean(axis=0)).std()  # so that images differ, and no class is sure
    model.layers[-1].set_weights([kernel * scale, (bias - logits.mean(axis=0)) * scale])
    return model, plan


def logits_of(model, images):
    """What goes into the last activation, from Keras' probabilities of float64."""
    import keras

    hidden = keras.Model(model.inputs, model.layers[-1].input).predict_on_batch(images)
    return hidden.astype(np.float64) @ model.layers[-1].get_weights()[0] + model.layers[-1].get_weights()[1]


def mean_logits(model, images, chosen):
    """As published: half of the image and its mirror image, half of the two shifted ones and theirs."""

    def seen(these):
        mirrored = logits_of(model, np.ascontiguousarray(these[:, :, ::-1]))
        return (logits_of(model, these) + mirrored) / 2 if chosen.flip else logits_of(model, these)

    if not chosen.shift:
        return seen(images)
    by, (height, width) = chosen.shift, images.shape[1:3]
    padded = np.pad(images, ((0, 0), (by, by), (by, by), (0, 0)), mode="reflect")
    shifted = [padded[:, :height, :width], padded[:, 2 * by : 2 * by + height, 2 * by : 2 * by + width]]
    return 0.5 * seen(images) + 0.5 * (seen(shifted[0].copy()) + seen(shifted[1].copy())) / 2


@pytest.mark.parametrize("chosen", CHOICES, ids=str)
@pytest.mark.parametrize("output", ["softmax", "sigmoid"])
def test_the_answer_is_the_mean_of_the_logits(output, chosen, keras, tmp_path):
    model, plan = made_with_plan(output, 3 if output == "softmax" else 2)
    images = pixels(20, SHAPE)
    act = expit if output == "sigmoid" else lambda logits: softmax(logits, axis=1)
    expected = act(mean_logits(model, images, chosen))
    asked = with_views(model, chosen)
    found = asked.predict_on_batch(images)
    np.testing.assert_allclose(found, expected, atol=1e-5)
    assert np.abs(found - model.predict_on_batch(images)).max() > 0.01
    assert sum(weight for *_, weight in chosen.seen) == 1

    run = Run(tmp_path)
    names = ("a", "b", "c")[: 3 if output == "softmax" else 2]
    answering, rows = Answering(model, plan, chosen), np.arange(20)
    parity, *_ = save_onnx(answering, run, ImageSpec(*SHAPE), names, images, rows, "validation")
    assert parity.written
    refuse_foreign_operators(run.onnx_model.read_bytes(), run.onnx_model)
    run.write_json(run.classes, list(names))
    classifier = load_classifier(run)
    np.testing.assert_allclose(classifier.probabilities(images), expand(expected), atol=1e-5)
    kernel, bias = model.layers[-1].get_weights()
    features = classifier.features(images)
    np.testing.assert_allclose(features @ kernel + bias, mean_logits(model, images, chosen), atol=1e-4)


@pytest.mark.parametrize(("form", "quantization"), [(LITERT, None), (LITERT, INT8), (SAVEDMODEL, None)])
def test_every_form_has_the_views(form, quantization, keras, tmp_path):
    model, images, chosen = made(), pixels(40, SHAPE), CHOICES[2]
    path = tmp_path / f"it{form.ending}"
    asked = with_views(model, chosen, "float32" if quantization else "uint8")
    if form == LITERT:
        write_litert(asked, path, quantization, iter([images]), "{}")
    else:
        write_savedmodel(asked, path, "{}")
    expected = softmax(mean_logits(model, images, chosen), axis=1)
    np.testing.assert_allclose(open_exported(path, form).predict(images), expected, atol=0.1 if quantization else 1e-4)


def test_the_weights_are_there_once(keras, tmp_path):
    model, plan = network("flatten", "dense: {units: 400}", shape=SHAPE)
    sizes = []
    for place, one in enumerate((Answering(model, plan), Answering(model, plan, CHOICES[2]))):
        run = Run(tmp_path / str(place))
        run.path.mkdir()
        save_onnx(one, run, ImageSpec(*SHAPE), "abc", pixels(4, SHAPE), np.arange(4), "validation")
        sizes.append(run.onnx_model.stat().st_size)
    assert sizes[1] < 1.2 * sizes[0]


def test_the_temperature_is_that_of_the_mean(keras):
    images, chosen = pixels(80, SHAPE), CHOICES[2]
    model, other = made(), made()
    truth = np.arange(80) % 3
    logits = mean_logits(model, images, chosen)
    found = calibrate(model, [images[:50], images[50:]], truth, "validation", chosen)
    plain = calibrate(other, [images], truth, "validation")
    assert found.temperature != pytest.approx(plain.temperature, rel=1e-3)
    expected = softmax(logits / found.temperature, axis=1)
    np.testing.assert_allclose(with_views(model, chosen).predict_on_batch(images), expected, atol=1e-5)


def test_the_shift_is_less_than_the_image():
    text = "data: {train: photos, image: {size: 7}}\nmodel: [flatten]\ntest_time: {shift: %d}\n"
    assert config(text % 6).test_time.shift == 6
    found = problem(text % 7)
    assert (found.path, found.message) == ("test_time", "shift is 7, which is not less than the image's sides")


def test_a_run_answers_by_its_views_everywhere(keras, small_photos, tmp_path, monkeypatch):
    """What was trained is the plain network, in model.keras too; answers and explanations are those of all views."""
    monkeypatch.chdir(tmp_path)
    text = SMALL.format(photos=small_photos) + "test_time: {flip: true, shift: 1}\n"
    run = train_here(text, output=Path("seen")).run
    plain = train_here(text, "test_time=none", output=Path("plain")).run
    assert run.history.read_bytes() == plain.history.read_bytes()
    kept, other = (keras.saving.load_model(one.keras_model) for one in (run, plain))
    assert [(type(one), one.name) for one in kept.layers] == [(type(one), one.name) for one in other.layers]

    classifier, found = load_classifier(run), load_network(run)
    row = run.read_split("test")[0][0]
    answered = given_and_answered(run, Path(row))
    pixels, shipped = answered.image, answered.probabilities
    model = found.model
    expected = softmax(mean_logits(model, pixels[None], TestTime(flip=True, shift=1)), axis=1)
    np.testing.assert_allclose(classifier.probabilities(pixels[None]), expected, atol=1e-4)
    np.testing.assert_allclose(shipped, expected[0], atol=1e-4)
    assert np.abs(model.predict_on_batch(pixels[None]) - expected).max() > 1e-4
    np.testing.assert_allclose(agreed(found, pixels, shipped), expected[0], atol=1e-4)
    shown = numbers_of_run(run, Path(row), None, None)
    assert shown.views == 6
    np.testing.assert_allclose(shown.output.probabilities, model.predict_on_batch(pixels[None])[0], atol=1e-4)
    subject = subject_of_run(run.path)
    assert subject.views == 6
    assert to_json(subject, False)["prediction_multiply_adds"] == 6 * subject.plan.multiply_adds
    assert "views" not in to_json(subject_of_run(plain.path), False)


ON_JAX = """
import keras
import numpy as np
from pathlib import Path
from cnnctl.data.decoder.images import ImageSpec
from cnnctl.models.of_run import load_network
from cnnctl.inference.operators import refuse_foreign_operators
from cnnctl.models.save import Answering, save_onnx
from cnnctl.network_source import subject_of_run
from cnnctl.runs import Run
from cnnctl.terminal.summary import to_json
from scipy.special import softmax
from tests.models.test_views import CHOICES, SHAPE, made_with_plan, mean_logits, pixels

assert keras.backend.backend() == "jax"
(model, plan), images, chosen = made_with_plan(), pixels(20, SHAPE), CHOICES[2]
run, rows, answering = Run(Path(".")), np.arange(20), Answering(model, plan, chosen)
parity, found, features = save_onnx(answering, run, ImageSpec(*SHAPE), "abc", images, rows, "validation")
assert parity.written
refuse_foreign_operators(Path("model.onnx").read_bytes(), Path("model.onnx"))
np.testing.assert_allclose(found, softmax(mean_logits(model, images, chosen), axis=1), atol=1e-5)
kernel, bias = model.layers[-1].get_weights()
np.testing.assert_allclose(features @ kernel + bias, mean_logits(model, images, chosen), atol=1e-4)
"""


def test_jax_sees_the_same(tmp_path):
    here = {"KERAS_BACKEND": "jax", "JAX_PLATFORMS": "cpu", "PYTHONPATH": str(Path.cwd())}
    command = [sys.executable, "-c", ON_JAX]
    done = subprocess.run(command, cwd=tmp_path, env=os.environ | here, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
