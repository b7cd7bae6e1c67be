"""Layers that begin with images or are not trained: whole trainings, resumed, evaluated and explained."""

import csv
import itertools
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from cnnctl.architecture.planner import plan_of
from cnnctl.data.decoder.images import ImageSpec, read_image
from cnnctl.data.prepare import Prepared
from cnnctl.errors import InterruptedTrainingError
from cnnctl.explaining.numbers import numbers_of_run
from cnnctl.inference.model import load_classifier
from cnnctl.layers import convolution
from cnnctl.runs import Run
from cnnctl.training import network as network_module
from cnnctl.training.feeding import Feed
from cnnctl.training.network import sample
from tests.config.build import config
from tests.training.build import Listener, examples, fitted, network, settings, train_here

CONFIG = """\
seed: 4
output: {{use_bias: false}}
data: {{train: {photos}, validation: 0.25, test: 0.15, image: {{size: 12, scaling: standardize}}}}
augment: [random_flip: {{mode: horizontal}}]
model:
  - rescaling: {{scale: [0.5, 0.25, 1], offset: 0.125}}
  - conv2d: {{filters: 24, kernel_size: 2, padding: 1, kernel_initializer: whitening, trainable: false}}
  - activation: {{activation: gelu}}
  - conv2d: {{filters: 30, kernel_size: 3, kernel_initializer: dirac, padding: same, use_bias: false}}
  - max_pooling2d: {{pool_size: 2}}
  - batch_normalization: {{momentum: 0.5, scale: false}}
  - activation: {{activation: gelu}}
  - depthwise_conv2d: {{kernel_size: 3, trainable: false}}
  - flatten
  - rescaling: {{scale: 0.1111111}}
train: {{epochs: 2, batch_size: 8, optimizer: {{sgd: {{learning_rate: 0.5, momentum: 0.9, weight_decay: 0.1}}}},
  ema: 0.5, precision: float32, device: cpu}}
"""
SPEC = ImageSpec(12, 12)


@pytest.fixture(scope="module")
def text(small_photos):
    return CONFIG.format(photos=small_photos)


@pytest.fixture(scope="module")
def trained(text, tmp_path_factory, keras):
    """The run, and what was told of it."""
    listener = Listener()
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path_factory.mktemp("whitened"))
        return train_here(text, output=Path("run").absolute(), watcher=listener).run, listener.notes


def images_of(run: Run, split: str) -> np.ndarray:
    with run.split.open(newline="") as file:
        return np.stack([read_image(row["path"], SPEC) for row in csv.DictReader(file) if row["split"] == split])


def by_hand(images: np.ndarray) -> np.ndarray:
    """The whitening filters, (2, 2, 3, 24) up to the sign of each pair, of patches that loops collect."""
    flat = images.reshape(-1, 3).astype(np.float64)
    seen = (images - flat.mean(axis=0)) / flat.std(axis=0) * [0.5, 0.25, 1] + 0.125
    places = itertools.product(range(11), range(11))
    patches = np.concatenate([seen[:, y : y + 2, x : x + 2].reshape(len(seen), 12) for y, x in places])
    eigenvalues, vectors = np.linalg.eigh(np.cov(patches.T))
    filters = (vectors / np.sqrt(eigenvalues + 5e-4))[:, ::-1]
    return np.concatenate([filters, -filters], axis=1).reshape(2, 2, 3, 24)


def test_the_first_layer_is_whitening_and_stays_so(trained, keras):
    """Through two epochs of large steps, weight decay and averaging: the weights in the file are those by hand."""
    run, notes = trained
    images = images_of(run, "train")
    model = keras.saving.load_model(run.keras_model)
    kernel, bias = model.get_layer("conv2d").get_weights()
    expected = by_hand(images)
    signs = np.sign((kernel * expected).sum(axis=(0, 1, 2)))
    assert (signs[:12] == signs[12:]).all()
    np.testing.assert_allclose(kernel, expected * signs, atol=1e-4)
    assert (bias == 0).all()
    assert f"conv2d: its first weights are from {len(images)} training images" in notes
    other = by_hand(images_of(run, "validation"))
    assert np.abs(np.abs(kernel) - np.abs(other)).max() > 0.01


def test_what_is_not_trained_stays_and_the_rest_moves(trained, text, keras, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    still = "train.optimizer={sgd: {learning_rate: 1.0e-30, weight_decay: 0}}"
    begun = train_here(text, still, "train.calibrate=none", output=Path("still")).run
    first, last = (keras.saving.load_model(run.keras_model) for run in (begun, trained[0]))
    for name in ("conv2d", "depthwise_conv2d"):
        layers = [model.get_layer(name) for model in (first, last)]
        assert not any(layer.trainable for layer in layers)
        for one, other in zip(*[layer.get_weights() for layer in layers], strict=True):
            np.testing.assert_array_equal(one, other)
    middle = first.get_layer("conv2d_1").get_weights()[0]
    assert (middle[1, 1, range(24), range(24)] == 1).all()
    assert (np.abs(middle[..., :24]) > 1e-9).sum() == 24
    assert (np.abs(middle[..., 24:]) > 1e-9).all()
    for name in ("conv2d_1", "batch_normalization", "probabilities"):
        one, other = (model.get_layer(name).get_weights()[0] for model in (first, last))
        assert np.abs(one - other).max() > 1e-4, name
    assert len(last.layers[-1].get_weights()) == 1


def test_a_resumed_training_is_the_same_and_looks_at_no_images_again(trained, text, keras, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InterruptedTrainingError):
        train_here(text, output=Path("part"), watcher=Listener(stops_after=1))
    monkeypatch.setattr(convolution.Conv2D, "fitted_weights", None)  # not called
    listener = Listener()
    again = train_here(text, output=Path("part"), watcher=listener, resume=True).run
    assert not any("first weights" in note for note in listener.notes)
    for name in ("history.csv", "metrics.json", "predictions.csv"):
        assert (again.path / name).read_bytes() == (trained[0].path / name).read_bytes()
    weights = [keras.saving.load_model(run.keras_model).get_weights() for run in (again, trained[0])]
    assert all((one == other).all() for one, other in zip(*weights, strict=True))


def test_onnx_and_explanations_agree(trained, keras):
    run = trained[0]
    with run.split.open(newline="") as file:
        path = next(row["path"] for row in csv.DictReader(file) if row["split"] == "test")
    shipped = load_classifier(run).probabilities(read_image(path, SPEC)[np.newaxis])[0]
    found = numbers_of_run(run, Path(path), None, None)
    np.testing.assert_allclose(found.output.probabilities, shipped, atol=1e-5)
    assert (found.output.biases == 0).all()
    assert found.unit.layer.name == "conv2d"
    assert {"rescaling", "rescaling_1"} <= {one.row.name for one in found.layers}


def test_initial_weights_are_not_overwritten(trained, text, keras, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(convolution.Conv2D, "fitted_weights", None)  # not called
    run = train_here(text, f"train.initial_weights={trained[0].path}", "train.epochs=1", output=Path("tuned")).run
    ours, theirs = (
        keras.saving.load_model(one.keras_model).get_layer("conv2d").get_weights() for one in (run, trained[0])
    )
    np.testing.assert_array_equal(ours[0], theirs[0])


def built(text: str, images: np.ndarray, splits: list[str], precision: str = "float32", is_new: bool = True):
    """The network of a config before its training, and what was told of it; nothing is trained."""
    chosen = config(text)
    everything, names = np.arange(len(images)), np.array(splits, object)
    labels, digests = everything % 3, np.zeros((len(images), 16), np.uint8)
    prepared = Prepared(("a", "b", "c"), (), labels, names, everything, images, digests)
    listener, device = Listener(), SimpleNamespace(precision=precision)
    plan = plan_of(chosen, 3, "here")
    return network_module.build(chosen, plan, prepared, device, listener, is_new).model, listener.notes


@pytest.mark.parametrize("precision", ["float32", "mixed_bfloat16"])
def test_first_weights_are_of_the_training_images_alone(precision, keras, monkeypatch):
    images = np.random.default_rng(3).integers(0, 256, (40, 12, 12, 3)).astype(np.uint8)
    images[20:] //= 4  # those of the other splits
    splits = ["train"] * 20 + ["validation"] * 10 + ["test"] * 10
    text = CONFIG.format(photos="photos")
    model, notes = built(text, images, splits, precision)
    kernel, bias = model.get_layer("conv2d").get_weights()
    expected = by_hand(images[:20])
    np.testing.assert_allclose(kernel, expected * np.sign((kernel * expected).sum(axis=(0, 1, 2))), atol=1e-4)
    assert (bias == 0).all()
    assert notes == ["conv2d: its first weights are from 20 training images"]
    float32, _ = built(text, images, splits)
    np.testing.assert_array_equal(kernel, float32.get_layer("conv2d").get_weights()[0])

    monkeypatch.setattr(convolution.Conv2D, "fitted_weights", None)  # not called
    resumed, notes = built(text, images, splits, precision, is_new=False)
    assert np.abs(resumed.get_layer("conv2d").get_weights()[0] - kernel).max() > 0.1
    tuned, _ = built(f"{text[:-2]}, initial_weights: some.keras}}\n", images, splits, precision)
    assert notes == []
    np.testing.assert_array_equal(*[one.get_layer("conv2d").get_weights()[0] for one in (resumed, tuned)])


@pytest.mark.parametrize("kind", ["sgd", "adamw", "rmsprop"])
def test_an_optimizer_leaves_alone_what_is_not_trained(kind, tmp_path):
    """Weight decay, averages and penalties too: after two epochs of large steps."""
    items = (
        "conv2d: {filters: 4, kernel_size: 2, kernel_regularizer: l2, bias_initializer: ones, trainable: false}",
        "batch_normalization: {momentum: 0.5, trainable: false}",
        "layer_normalization: {trainable: false}",
        "flatten",
        "dense: {units: 4, activation: gelu}",
    )
    model, plan = network(*items, trains=True)
    before = {layer.name: layer.get_weights() for layer in model.layers}
    decay = "" if kind == "rmsprop" else ", weight_decay: 0.5"
    chosen = settings(f"epochs: 2, batch_size: 8, ema: 0.5, optimizer: {{{kind}: {{learning_rate: 0.5{decay}}}}}")
    record = fitted(model, chosen, Feed(examples(24), 8, seed=0), None, tmp_path)
    kept, _ = network(*items)
    kept.set_weights(record.best_weights)
    for layer in kept.layers:
        same = [np.array_equal(*pair) for pair in zip(layer.get_weights(), before[layer.name], strict=True)]
        assert all(same) or (layer.name in ("dense", "probabilities") and not any(same))
    slots = [variable for variable in model.optimizer.variables if len(variable.shape) == 4]
    assert slots == []
    assert plan.trainable_params == sum(weight.size for name in ("dense", "probabilities") for weight in before[name])


def test_the_images_are_drawn_by_the_seed_and_fewer_of_large_ones(monkeypatch):
    assert (sample(100, (8, 8, 3), 1) == np.arange(100)).all()
    many = sample(60_000, (32, 32, 3), 1)
    assert len(set(many)) == 5000
    assert (many == sample(60_000, (32, 32, 3), 1)).all()
    assert (many != sample(60_000, (32, 32, 3), 2)).any()
    assert abs(many.mean() - 30_000) < 1500
    assert len(sample(60_000, (224, 224, 3), 1)) == 102
    monkeypatch.setattr(network_module, "MOST_PIXELS", 1)
    assert len(sample(60_000, (224, 224, 3), 1)) == 1
