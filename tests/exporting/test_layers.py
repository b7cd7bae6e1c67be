"""Every layer and activation that a config can have, in every form, against Keras."""

import numpy as np
import pytest

from cnnctl.data.images import ImageSpec
from cnnctl.exporting.formats import FLOAT16, INT8, LITERT, ONNX, SAVEDMODEL
from cnnctl.exporting.litert_file import write_litert
from cnnctl.exporting.onnx_file import write_onnx
from cnnctl.exporting.runtimes import open_exported
from cnnctl.exporting.savedmodel_folder import write_savedmodel
from cnnctl.inference.model import METADATA_KEY
from cnnctl.runs import Run
from cnnctl.training.export import save_onnx
from tests.training.build import network, pixels
from tests.training.test_export import randomise
from tests.training.test_network import NETWORKS, WIDE

CLASSES = ("007", "größer", "no")


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    """Each network with random weights, its images, what Keras answers, and its model.onnx."""
    made = {}
    for name, items in NETWORKS.items():
        model, _ = network(*items, shape=WIDE)
        randomise(model)
        run = Run(tmp_path_factory.mktemp("layers"))
        images = pixels(24, WIDE)
        save_onnx(model, run, ImageSpec(*WIDE), CLASSES, images, np.arange(24), "validation")
        made[name] = model, images, np.asarray(model.predict_on_batch(images)), run.onnx_model
    return made


FORMS = [(ONNX, FLOAT16), (ONNX, INT8), (LITERT, None), (LITERT, FLOAT16), (LITERT, INT8), (SAVEDMODEL, None)]
FARTHEST = {None: 1e-4, FLOAT16: 1e-2, INT8: 0.1}


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize(("form", "quantization"), FORMS, ids=[f"{form.name} {kind}" for form, kind in FORMS])
def test_it_answers_as_keras_does(form, quantization, name, models, tmp_path):
    model, images, expected, source = models[name]
    path = tmp_path / f"it{form.ending}"
    batches = iter([images[:20], images[20:]])
    if form == ONNX:
        write_onnx(source, path, quantization, batches, "{}")
    elif form == LITERT:
        write_litert(model, path, quantization, batches, "{}")
    else:
        write_savedmodel(model, path, "{}")
        assert (path / "assets.extra" / f"{METADATA_KEY}.json").read_text() == "{}\n"
    opened = open_exported(path, form)
    assert opened.input_shape[1:] == WIDE
    assert opened.output_shape[1:] == (3,)
    np.testing.assert_allclose(opened.predict(images), expected, atol=FARTHEST[quantization])
    assert np.ptp(expected, axis=0).max() > 2 * FARTHEST[quantization] or quantization == INT8
