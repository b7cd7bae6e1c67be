"""Every layer and activation that a config can have, in every form, against Keras."""

import numpy as np
import pytest

from cnnctl.data.decoder.images import ImageSpec
from cnnctl.exporting.formats import FLOAT16, INT8, LITERT, ONNX, SAVEDMODEL
from cnnctl.exporting.runtimes import open_exported
from cnnctl.exporting.writers import write_litert, write_onnx, write_savedmodel
from cnnctl.inference.model import METADATA_KEY
from cnnctl.models.save import Answering, save_onnx
from cnnctl.runs import Run
from tests.exporting.build import MODERN
from tests.models.test_build import NETWORKS, WIDE
from tests.models.test_save import randomise
from tests.training.build import network, pixels

ALL = {
    **NETWORKS,
    "modern": MODERN,
}
CLASSES = ("007", "größer", "no")


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    """Each network with random weights, its images, what Keras answers, and its model.onnx."""
    made = {}
    bright = pixels(24, WIDE) // np.arange(1, 25, dtype=np.uint8)[:, None, None, None]
    images = np.where(np.arange(24)[:, None, None, None] % 2, bright, 255 - bright)
    for name, items in ALL.items():
        model, plan = network(*items, shape=WIDE)
        randomise(model)
        spread(model, images)
        run = Run(tmp_path_factory.mktemp("layers"))
        save_onnx(Answering(model, plan), run, ImageSpec(*WIDE), CLASSES, images, np.arange(24), "validation")
        made[name] = model, images, np.asarray(model.predict_on_batch(images)), run.onnx_model
    return made


def spread(model, images):
    """Let the classes be about equally likely, and the images differ: else agreeing says nothing."""
    import keras

    kernel, bias = model.layers[-1].get_weights()
    logits = np.asarray(keras.Sequential(model.layers[:-1])(images)) @ kernel + bias
    scale = 0.3 / (logits - logits.mean(axis=0)).std()
    model.layers[-1].set_weights([kernel * scale, (bias - logits.mean(axis=0)) * scale])


def opened(form, quantization, made, path):
    """A network in a form, opened in its runtime."""
    model, images, _, source = made
    batches = iter([images[:20], images[20:]])
    if form == ONNX:
        write_onnx(source.read_bytes(), path, quantization, batches, "{}")
    elif form == LITERT:
        write_litert(model, path, quantization, batches, "{}")
    else:
        write_savedmodel(model, path, "{}")
        assert (path / "assets.extra" / f"{METADATA_KEY}.json").read_text() == "{}\n"
    found = open_exported(path, form)
    assert (found.input_shape[1:], found.output_shape[1:]) == (WIDE, (3,))
    return found


FLOATS = [
    *((ONNX, FLOAT16, name) for name in NETWORKS),
    *((LITERT, None, name) for name in NETWORKS),
    (LITERT, FLOAT16, "the others"),
    (SAVEDMODEL, None, "poolings"),
]


@pytest.mark.parametrize(
    ("form", "quantization", "name"), FLOATS, ids=[f"{form.name} {kind} {name}" for form, kind, name in FLOATS]
)
def test_floats_answer_as_keras_does(form, quantization, name, models, tmp_path):
    _, images, expected, _ = models[name]
    got = opened(form, quantization, models[name], tmp_path / f"it{form.ending}").predict(images)
    assert np.ptp(expected, axis=0).max() > 0.2
    enlarged = (
        2 if name == "the others" else 1
    )  # `spread` has enlarged its rounding thirty times, here more, there less
    np.testing.assert_allclose(got, expected, atol=enlarged * 1e-2 if quantization else 1e-4)


@pytest.mark.parametrize("name", ALL)
@pytest.mark.parametrize("form", [ONNX, LITERT], ids=lambda form: form.name)
def test_integers_answer_nearly_as_keras_does(form, name, models, tmp_path):
    _, images, expected, _ = models[name]
    got = opened(form, INT8, models[name], tmp_path / f"it{form.ending}").predict(images)
    if name in ("the others", "activations"):  # `spread` has enlarged their rounding thirty times and more
        together = np.corrcoef((got - got.mean(axis=0)).ravel(), (expected - expected.mean(axis=0)).ravel())
        assert together[0, 1] > 0.5
    else:
        np.testing.assert_allclose(got, expected, atol=0.06)
