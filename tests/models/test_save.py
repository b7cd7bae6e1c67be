"""model.keras and model.onnx of the same network answer alike, or model.onnx is not kept."""

import json
import subprocess
import sys

import numpy as np
import onnx
import onnxruntime
import pytest
from scipy.special import softmax

from cnnctl.data.decoder.images import ImageSpec
from cnnctl.errors import EXIT_RUN, RunError
from cnnctl.inference.model import FEATURES, METADATA_KEY, load_classifier, metadata
from cnnctl.models import save
from cnnctl.models.save import Answering, Parity, save_keras, save_onnx
from cnnctl.runs import Run
from cnnctl.system import files
from tests.models.test_build import NETWORKS, WIDE
from tests.training.build import SHAPE, network, pixels

SPEC = ImageSpec(SHAPE[0], SHAPE[1])
CLASSES = ("007", "größer", "no")


def exported(model, plan, tmp_path, shape=SHAPE, classes=CLASSES, count=9):
    """What save_onnx says of a model, and the run that it wrote to."""
    run = Run(tmp_path)
    rows = np.arange(count, dtype=np.int64)
    parity, probabilities, _ = save_onnx(
        Answering(model, plan), run, ImageSpec(*shape), classes, pixels(count, shape), rows, "validation"
    )
    return run, parity, probabilities


@pytest.mark.parametrize("name", NETWORKS)
def test_onnx_runtime_answers_as_keras_does(name, tmp_path):
    model, plan = network(*NETWORKS[name], shape=WIDE)
    randomise(model)
    run, parity, probabilities = exported(model, plan, tmp_path, WIDE)
    assert (parity.images, parity.split, parity.written) == (9, "validation", True)
    assert parity.largest_difference < 1e-5
    session = onnxruntime.InferenceSession(str(run.onnx_model), providers=["CPUExecutionProvider"])
    (inputs,), (outputs, features) = session.get_inputs(), session.get_outputs()
    assert (inputs.type, inputs.shape[1:]) == ("tensor(uint8)", list(WIDE))
    assert outputs.shape[1:] == [3]
    assert features.name == FEATURES
    kernel, bias = model.layers[-1].get_weights()
    for count in (1, 7):
        images = pixels(count, WIDE, seed=count)
        ours, inner = session.run(None, {inputs.name: images})
        np.testing.assert_allclose(ours, model.predict_on_batch(images), atol=1e-5)
        np.testing.assert_allclose(softmax(inner @ kernel + bias, axis=1), ours, atol=1e-5)
    assert probabilities.shape == (9, 3)
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, rtol=1e-5)
    assert len(np.unique(probabilities[:, 0])) > 1  # the network tells images apart, so that agreeing says something


def randomise(model):
    """Weights that are nowhere 0 or 1, moving averages included, so that a forgotten one shows."""
    generator = np.random.default_rng(3)
    model.set_weights(
        [
            generator.uniform(0.5, 1.5, weight.shape) if weight.ndim == 1 else weight * 1.5
            for weight in model.get_weights()
        ]
    )


def test_gelu_is_what_every_onnx_has(tmp_path):
    run, _, _ = exported(*network("conv2d: {filters: 2, kernel_size: 1, activation: gelu}", "flatten"), tmp_path)
    kinds = {node.op_type for node in onnx.load(str(run.onnx_model)).graph.node}
    assert "Erf" in kinds
    assert "Erfc" not in kinds


def test_the_file_alone_says_how_to_use_it(tmp_path):
    run, _, _ = exported(*network("flatten"), tmp_path)
    (entry,) = onnx.load(str(run.onnx_model)).metadata_props
    assert entry.key == METADATA_KEY
    assert json.loads(entry.value) == {
        "image": {
            "height": 5,
            "width": 4,
            "channels": 3,
            "fit": "stretch",
            "background": [0, 0, 0],
            "max_pixels": 64 * 2**20,
            "max_bytes": 100_000_000,
        },
        "classes": list(CLASSES),
    }
    assert entry.value == metadata(SPEC, CLASSES)
    files.write_json(run.classes, list(CLASSES))
    classifier = load_classifier(run)
    assert (classifier.classes, classifier.spec) == (CLASSES, SPEC)


def test_sigmoid_expands_to_two_classes(tmp_path):
    model, plan = network("flatten", classes=2, output="sigmoid")
    run, parity, probabilities = exported(model, plan, tmp_path, classes=("cat", "dog"))
    assert parity.written
    files.write_json(run.classes, ["cat", "dog"])
    np.testing.assert_allclose(load_classifier(run).probabilities(pixels(9)), probabilities, atol=1e-5)
    second = np.asarray(model.predict_on_batch(pixels(9)))[:, 0]
    np.testing.assert_allclose(probabilities, np.stack([1 - second, second], axis=1), atol=1e-6)


class Disagreeing:
    """A session whose answers are doctored."""

    def __init__(self, session, doctor):
        self._session, self._doctor = session, doctor

    def get_inputs(self):
        return self._session.get_inputs()

    def run(self, names, feed):
        output, features = self._session.run(names, feed)
        return [self._doctor(output.copy()), features]


def shifted(output):
    output[-1, 0] += 0.002
    return output


def spoilt(output):
    output[0, 0] = np.nan
    return output


DISAGREEMENTS = [
    (shifted, pytest.approx(0.002, rel=0.01), "differed from model.keras by up to 0.002, and 0.001 is the limit"),
    (spoilt, None, "were NaN or infinite, and 0.001 is the limit"),
]


@pytest.mark.parametrize(("doctor", "difference", "reason"), DISAGREEMENTS, ids=["too far", "NaN"])
def test_a_model_that_disagrees_is_not_kept(doctor, difference, reason, tmp_path, monkeypatch):
    honest = save.open_session
    monkeypatch.setattr(save, "open_session", lambda path: Disagreeing(honest(path), doctor))
    run, parity, probabilities = exported(*network("flatten"), tmp_path)
    assert not parity.written
    assert not run.onnx_model.exists()
    assert np.isfinite(probabilities).all()
    files.write_json(run.metrics, {"onnx": parity.to_json()})
    said = run.read_metrics()["onnx"]
    assert said == {
        "largest_difference": difference,
        "limit": 1e-3,
        "images": 9,
        "split": "validation",
        "written": False,
    }
    with pytest.raises(RunError) as caught:
        load_classifier(run)
    assert caught.value.exit_code == EXIT_RUN == 4
    assert reason in caught.value.message
    assert caught.value.hint is not None


def test_the_worst_batch_decides(tmp_path, monkeypatch):
    honest = save.open_session
    calls = []

    def doctor(output):
        calls.append(len(output))
        return spoilt(output) if len(calls) == 1 else output

    monkeypatch.setattr(save, "open_session", lambda path: Disagreeing(honest(path), doctor))
    monkeypatch.setattr(save, "images_at_once", lambda shape: 4)
    _, parity, probabilities = exported(*network("flatten"), tmp_path)
    assert calls == [4, 4, 1]
    assert not parity.written
    assert probabilities.shape == (9, 3)


@pytest.mark.parametrize(("work", "compared"), [(0, 2), (1200, 4), (10**9, 9)])
def test_of_a_large_network_some_images_are_compared(work, compared, tmp_path, monkeypatch):
    """As many as the work allows, at least two here, the last one among them; all get their answers."""
    monkeypatch.setattr(save, "_MOST_WORK", work)
    monkeypatch.setattr(save, "_LEAST_COMPARED", 2)
    honest = save.open_session
    model, plan = network("flatten", "dense: {units: 4, use_bias: false}")
    assert plan.multiply_adds == 60 * 4 + 4 * 3
    _, parity, probabilities = exported(model, plan, tmp_path)
    assert (parity.images, parity.written) == (compared, True)
    np.testing.assert_allclose(probabilities, model.predict_on_batch(pixels(9)), atol=1e-5)
    monkeypatch.setattr(save, "open_session", lambda path: Disagreeing(honest(path), shifted))
    _, parity, probabilities = exported(model, plan, tmp_path)
    assert (parity.images, parity.written) == (compared, False)
    np.testing.assert_array_equal(probabilities, model.predict_on_batch(pixels(9)))


def test_features_that_take_too_much_memory_are_not_kept(tmp_path, monkeypatch):
    model, plan = network("flatten")
    monkeypatch.setattr(save, "_MOST_FEATURES", 9 * 60)
    for images, is_kept in ((9, True), (10, False)):
        rows, run = np.arange(images), Run(tmp_path)
        made = save_onnx(Answering(model, plan), run, SPEC, CLASSES, pixels(images), rows, "validation")
        assert (made.features is not None) == is_kept
        assert len(made.probabilities) == images


def test_the_limit_itself_is_kept(tmp_path, monkeypatch):
    monkeypatch.setattr(save, "LIMIT", -1.0)
    run, parity, _ = exported(*network("flatten"), tmp_path)
    assert not parity.written
    monkeypatch.setattr(save, "LIMIT", parity.largest_difference)
    assert exported(*network("flatten"), tmp_path)[1] == Parity(parity.largest_difference, 9, "validation", True)
    assert run.onnx_model.is_file()


PLAIN_KERAS = """\
import sys
import numpy as np
import keras
model = keras.saving.load_model(sys.argv[1], safe_mode=True)
assert model.inputs[0].dtype == "uint8" and model.dtype_policy.name == "float32"
np.save(sys.argv[3], model.predict(np.load(sys.argv[2]), verbose=0))
assert not any(name.startswith("cnnctl") for name in sys.modules)
"""


def test_plain_keras_opens_what_was_trained_in_bfloat16(tmp_path):
    layers = ("conv2d: {filters: 3, kernel_size: 3, padding: 1, activation: relu}", "batch_normalization", "flatten")
    trained, _ = network(*layers, policy="mixed_bfloat16")
    randomise(trained)
    bare, _ = network(*layers, seed=None)
    bare.set_weights(trained.get_weights())
    run = Run(tmp_path)
    save_keras(bare, run)
    assert [path.name for path in tmp_path.iterdir()] == ["model.keras"]
    np.save(tmp_path / "in.npy", pixels(4))
    command = [sys.executable, "-c", PLAIN_KERAS, run.keras_model, tmp_path / "in.npy", tmp_path / "out.npy"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    np.testing.assert_allclose(np.load(tmp_path / "out.npy"), bare.predict_on_batch(pixels(4)), atol=1e-6)
    np.testing.assert_allclose(np.load(tmp_path / "out.npy"), trained.predict_on_batch(pixels(4)), atol=0.05)
