"""Every setting of the train and augment sections in one config, trained to a complete run."""

import csv
import json
import math
import shutil
from pathlib import Path

import numpy as np
import pytest

from cnnctl.config import load
from cnnctl.config.schema import AUGMENTATIONS
from cnnctl.data.decoder.images import ImageSpec, read_image
from cnnctl.inference.model import load_classifier
from cnnctl.runs import Run
from cnnctl.runs.directory import is_complete
from cnnctl.training.feeding import Feed
from tests.training.build import Listener, train_here

CONFIG = """\
seed: 3
data: {{train: {photos}, validation: 0.25, test: 0.15, image: {{size: 16, scaling: standardize}}}}
model:
  - conv2d: {{filters: 6, kernel_size: 3, use_bias: false, kernel_initializer: he_normal, kernel_regularizer: l2}}
  - batch_normalization: {{momentum: 0.5}}
  - max_pooling2d: {{pool_size: 2}}
  - activation: {{activation: relu}}
  - flatten
  - dropout: {{rate: 0.2}}
train: {{epochs: 1, batch_size: 4, precision: float32, device: cpu}}
"""
AUGMENT = """\
augment:
  - random_flip: {mode: horizontal}
  - random_rotation: {factor: 0.05}
  - random_translation: {height_factor: 0.1, width_factor: 0.1}
  - random_zoom: {height_factor: 0.1}
  - random_crop: {height: 14, width: 15}
  - random_brightness: {factor: 0.1}
  - random_contrast: {factor: 0.2}
  - rand_augment: {num_ops: 1, factor: 0.3}
  - random_erasing: {factor: 0.5, scale: [0.02, 0.1]}
  - mix_up: {alpha: 0.2}
  - cut_mix: {factor: 0.5}
"""
TRAIN = """\
train:
  epochs: 3
  batch_size: 4
  optimizer: {{adamw: {{learning_rate: 0.01, weight_decay: 0.01, global_clipnorm: 1}}}}
  schedule: {{cosine: {{warmup_epochs: 0.5}}}}
  label_smoothing: 0.1
  class_weight: balanced
  ema: 0.8
  early_stopping: {{monitor: val_loss, patience: 3}}
  best: val_accuracy
  initial_weights: {start}
  precision: float32
  device: cpu
"""
COUNTS = {"007": 12, "1e3": 20, "no": 16}
HIDDEN = "conv2d, batch_normalization"


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


@pytest.fixture(scope="module")
def trained(small_photos, tmp_path_factory, keras):
    """The run, who watched it, the run whose weights it began with, the same training once more, and the batches of
    the first of the two: ((feed, epoch), what was made).
    """
    folder = tmp_path_factory.mktemp("everything")
    for name, count in COUNTS.items():
        (folder / "photos" / name).mkdir(parents=True)
        for image in sorted((small_photos / name).iterdir())[:count]:
            shutil.copy(image, folder / "photos" / name)
    listener = Listener()
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        plain = CONFIG.format(photos=folder / "photos")
        start = train_here(plain, output=folder / "start")
        text = plain.partition("train: {epochs")[0] + AUGMENT + TRAIN.format(start=start.run.path)
        batches, make = [], Feed.make

        def make_and_keep(feed, epoch, index):
            made = make(feed, epoch, index)
            batches.append(((feed, epoch), made))
            return made

        with pytest.MonkeyPatch.context() as watch:
            watch.setattr(Feed, "make", make_and_keep)
            one = train_here(text, output=folder / "one", watcher=listener)
        two = train_here(text, output=folder / "two")
    return one, listener, start, two, batches


def test_the_run_is_complete(trained):
    run = trained[0].run
    assert is_complete(run)
    names = {path.name for path in run.path.iterdir()}
    assert names >= {"model.keras", "model.onnx", "history.csv", "metrics.json", "predictions.csv", "environment.json"}
    config = load(run.config)
    assert {step.kind for step in config.augment} == set(AUGMENTATIONS)
    assert config.train.initial_weights == str(trained[2].run.keras_model)


def test_it_began_with_the_weights_of_the_other_run(trained):
    notes = trained[1].notes
    start = trained[2].run
    assert f"initial weights: {HIDDEN}, probabilities from {start.keras_model}" in notes


def test_training_batches_are_varied_mixed_and_weighted_and_validation_is_not(trained):
    """A mixed image's factor is that of its label: the share of each class times n / (3 n of the class)."""
    split = rows(trained[0].run.split)
    learned = [row["label"] for row in split if row["split"] == "train"]
    factors = np.array([len(learned) / (3 * learned.count(name)) for name in sorted(COUNTS)])
    assert len(set(factors)) == 3
    originals = {feed.examples.pixels[row].tobytes() for (feed, _), _ in trained[4] for row in feed.examples.rows}
    seen: dict[int, set[bytes]] = {}
    for (feed, epoch), (images, labels, *weights) in trained[4]:
        np.testing.assert_allclose(labels.sum(axis=1), 1, atol=1e-6)
        if feed.seed is None:
            assert not weights
            assert {image.tobytes() for image in images} <= originals
            assert set(labels.ravel()) == {0, 1}
        else:
            np.testing.assert_allclose(weights[0], labels @ factors, rtol=1e-5)
            seen.setdefault(epoch, set()).update(image.tobytes() for image in images)
    assert sorted(seen) == [0, 1, 2]
    assert sum(len(images) for images in seen.values()) == len(set.union(*seen.values())) == 3 * len(learned)
    assert not set.union(*seen.values()) & originals
    soft = [label for (feed, _), (_, labels, *_) in trained[4] for label in labels if feed.seed is not None]
    assert sum(0 < max(label) < 1 for label in soft) > len(soft) / 3


def test_the_history_is_finite_and_its_rates_are_the_plan(trained):
    run = trained[0].run
    history = rows(run.history)
    assert len(history) == 3
    assert all(math.isfinite(float(value)) for row in history for value in row.values())
    steps = -(-sum(row["split"] == "train" for row in rows(run.split)) // 4)
    warmup = round(steps / 2)
    for epoch, row in enumerate(history, start=1):
        share = (epoch * steps - 1 - warmup) / (3 * steps - warmup)
        assert float(row["learning_rate"]) == pytest.approx(0.005 * (1 + math.cos(math.pi * share)), rel=1e-5)


def test_the_best_epoch_is_what_was_kept_and_evaluated(trained):
    one = trained[0]
    history = rows(one.run.history)
    accuracies = [float(row["val_accuracy"]) for row in history]
    assert one.record.best_epoch == np.argmax(accuracies) + 1
    metrics = json.loads(one.run.metrics.read_text())
    assert metrics["validation"]["accuracy"] == pytest.approx(max(accuracies))
    assert metrics["split"] == "test"
    assert math.isfinite(metrics["loss"])
    assert metrics["onnx"]["written"]
    assert metrics["onnx"]["largest_difference"] < 1e-5


def test_the_saved_network_is_bare_and_answers_as_model_onnx(trained, keras):
    run = trained[0].run
    model = keras.saving.load_model(run.keras_model)
    expected = "scaling conv2d batch_normalization max_pooling2d activation flatten dropout probabilities"
    assert [layer.name for layer in model.layers] == expected.split()
    assert type(model.get_layer("batch_normalization")) is keras.layers.BatchNormalization
    paths = [row["path"] for row in rows(run.split) if row["split"] == "test"]
    images = np.stack([read_image(path, ImageSpec(16, 16)) for path in paths])
    classifier = load_classifier(Run(run.path))
    np.testing.assert_allclose(model.predict_on_batch(images), classifier.probabilities(images), atol=1e-5)


def test_the_same_config_gives_the_same_run_whatever_the_threads_did(trained, keras):
    one, two = trained[0].run, trained[3].run
    for name in ("history.csv", "split.csv", "metrics.json", "predictions.csv"):
        assert (one.path / name).read_bytes() == (two.path / name).read_bytes()
    ours, theirs = (keras.saving.load_model(run.keras_model).get_weights() for run in (one, two))
    assert all((array == other).all() for array, other in zip(ours, theirs, strict=True))
