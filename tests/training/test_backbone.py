"""A backbone in training: its features once, its head, and then the whole of it."""

import json
import os
import shutil
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cnnctl.config import load
from cnnctl.errors import InterruptedTrainingError, RunError, UsageError
from cnnctl.evaluation.metrics import Metrics
from cnnctl.runs import Run
from cnnctl.runs.listing import look
from cnnctl.training import features
from cnnctl.training.train import Trained
from tests.training.build import Listener, train_here
from tests.training.test_resume import assert_same, weights_hash

CONFIG = """\
seed: 5
data: {{train: {photos}, validation: 0.25, cache: {cache}, image: {{size: 12}}}}
augment: [random_flip: {{mode: horizontal}}, mix_up]
model:
  - backbone: {{file: {file}}}
  - global_average_pooling2d
  - dropout: {{rate: 0.3}}
  - dense: {{units: 4, activation: relu}}
train:
  epochs: 3
  batch_size: 8
  optimizer: {{adam: {{learning_rate: 0.02}}}}
  fine_tune: {{epochs: 2, learning_rate: 0.002, schedule: {{cosine: {{warmup_epochs: 1}}}}}}
  device: cpu
"""


@pytest.fixture(scope="module")
def file(keras: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A backbone with a skip connection, batch normalization and dropout, as somebody else saved it."""
    keras.utils.set_random_seed(3)
    layers = keras.layers
    image = layers.Input((None, None, 3))
    values = layers.Rescaling(1 / 255)(image)
    values = layers.Conv2D(6, 3, strides=2, padding="same", use_bias=False, name="first")(values)
    values = layers.BatchNormalization(name="normal")(values)
    kept = layers.ReLU()(values)
    values = layers.DepthwiseConv2D(3, padding="same", name="second")(kept)
    values = layers.Dropout(0.5)(values)
    values = layers.Add()([kept, values])
    model = keras.Model(image, values, name="small")
    normal = model.get_layer("normal")
    normal.set_weights([array + np.linspace(0.1, 0.6, 6, dtype=np.float32) for array in normal.get_weights()])
    path = tmp_path_factory.mktemp("backbone") / "small.keras"
    model.save(path)
    return path


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty working folder."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture(scope="module")
def text(small_photos: Path, file: Path, tmp_path_factory: pytest.TempPathFactory) -> str:
    return CONFIG.format(photos=small_photos, file=file, cache=tmp_path_factory.mktemp("cache"))


@pytest.fixture(scope="module")
def whole(text: str, tmp_path_factory: pytest.TempPathFactory) -> Trained:
    """Both phases, never interrupted."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path_factory.mktemp("whole"))
        trained = train_here(text, output=Path("whole").absolute())
        assert isinstance(trained, Trained)
        return trained


def backbone_of(path: Path) -> dict[str, list[np.ndarray]]:
    """The arrays of the layers of a backbone in a .keras file, by name."""
    model = import_module("keras").saving.load_model(path)
    inner = next((layer for layer in model.layers if hasattr(layer, "layers")), model)
    return {layer.name: layer.get_weights() for layer in inner.layers if layer.weights}


def same(one: Sequence[np.ndarray], other: Sequence[np.ndarray]) -> bool:
    return all(np.array_equal(a, b) for a, b in zip(one, other, strict=True))


def test_a_frozen_training_leaves_the_backbone_bit_for_bit(text: str, file: Path, here: Path) -> None:
    trained = train_here(text, "train.fine_tune=none", output=Path("head"))
    before, after = backbone_of(file), backbone_of(trained.run.keras_model)
    assert before.keys() == after.keys() == {"first", "normal", "second"}
    assert all(same(before[name], after[name]) for name in before)
    environment = json.loads(trained.run.environment.read_text())
    assert environment["backbone"]["path"] == str(file)
    assert len(environment["backbone"]["sha256"]) == 64
    assert trained.parity.written
    assert isinstance(trained.evaluation.metrics, Metrics)


def test_features_give_what_the_whole_network_gives(text: str, here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Cached against uncached steps: the same order, the same losses."""
    settings = ("train.fine_tune=none", "augment=[]", "train.epochs=2")
    cached = train_here(text, *settings, output=Path("cached"))
    monkeypatch.setattr(train_module(), "with_stem", lambda network: network)
    uncached = train_here(text, *settings, output=Path("uncached"))
    for one, other in zip(cached.record.history, uncached.record.history, strict=True):
        assert one == pytest.approx(other, rel=1e-4, abs=1e-6)
    for a, b in zip(cached.record.best_weights[-4:], uncached.record.best_weights[-4:], strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-3, atol=1e-5)
    one, other = (run.run.read_metrics()["calibration"] for run in (cached, uncached))
    assert one["temperature"] == pytest.approx(other["temperature"], rel=1e-3)


def train_module() -> Any:
    return import_module("cnnctl.training.train")


def test_features_are_computed_once(text: str, here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where the head is another one; and anew where the backbone is."""
    computed: list[int] = []
    honest = features._in_batches

    def counting(network: Any, size: int) -> Any:
        compute = honest(network, size)
        return lambda pixels: (computed.append(len(pixels)), compute(pixels))[1]

    monkeypatch.setattr(features, "_in_batches", counting)
    settings = (f"data.cache={here / 'cache'}", "train.fine_tune=none", "train.epochs=1")
    first = train_here(text, *settings, output=Path("first"))
    images = sum(computed)
    assert images == sum(1 for row in (here / "first" / "split.csv").read_text().splitlines()) - 1
    again = train_here(text, *settings, output=Path("again"))
    assert_same(first.run.path, again.run.path)
    train_here(text, *settings, "model[3].dense.units=7", output=Path("other"))
    assert sum(computed) == images
    train_here(text, *settings, "data.cache=off", output=Path("off"))
    assert sum(computed) == 2 * images
    assert_same(first.run.path, here / "off")
    for left in (here / "cache").rglob("features-*"):
        os.truncate(left, left.stat().st_size // 2)
    train_here(text, *settings, output=Path("truncated"))
    assert sum(computed) == 3 * images
    assert_same(first.run.path, here / "truncated")


def test_fine_tuning_is_a_second_phase_of_the_same_run(whole: Trained, file: Path) -> None:
    run, record = whole.run, whole.record
    assert len(record.history) == 5
    rates = [epoch["learning_rate"] for epoch in record.history]
    assert rates[:3] == pytest.approx([0.02] * 3)
    assert rates[3:] == pytest.approx([0.002, 0.0], abs=5e-4)
    before, after = backbone_of(file), backbone_of(run.keras_model)
    assert same(before["normal"][2:], after["normal"][2:])  # the stored statistics
    changed = record.best_epoch > 3
    for name, part in (("first", slice(0, 1)), ("second", slice(0, 1)), ("normal", slice(0, 2))):
        assert same(before[name][part], after[name][part]) is not changed
    assert look(run).status == "complete"
    assert (look(run).epochs, look(run).planned) == (5, 5)
    assert load(run.config).train.all_epochs == 5


def test_the_best_head_is_where_fine_tuning_begins(text: str, here: Path) -> None:
    """With a learning rate that moves nothing, the losses stay those of the best epoch of the first phase."""
    still = ("train.fine_tune.learning_rate=1.0e-30", "train.optimizer.adam.learning_rate=0.2", "train.epochs=4")
    record = train_here(text, *still, output=Path("still")).record
    losses = [epoch["val_loss"] for epoch in record.history]
    assert record.best_epoch <= 4
    assert losses[4:] == pytest.approx([min(losses[:4])] * 2, rel=1e-4)


def test_the_last_layers_alone(text: str, file: Path, here: Path) -> None:
    settings = ("train.fine_tune.layers=2", "train.fine_tune.learning_rate=0.05", "train.best=val_loss")
    listener = Listener()
    trained = train_here(text, *settings, "train.epochs=1", output=Path("part"), watcher=listener)
    assert "fine-tuning the last 2 layers of the backbone, 2 epochs, from epoch 1" in listener.notes
    after = _last_checkpoint(trained.run, ("first", "second"), file)
    assert after == {"first": True, "second": False}  # the depthwise convolution and the sum


def _last_checkpoint(run: Run, names: Sequence[str], file: Path) -> dict[str, bool]:
    """Whether the kernels of layers are still those of the backbone's file."""
    from cnnctl.runs.checkpoints import newest

    checkpoint = newest(run, print)
    assert checkpoint is not None
    arrays, before = checkpoint.arrays["model"], backbone_of(file)
    return {name: any(np.array_equal(before[name][0], array) for array in arrays) for name in names}


@pytest.mark.parametrize("stops", [(1, 2), (3,), (4,), (2, 3, 4)], ids=str)
def test_interrupted_in_either_phase_or_between_them(
    stops: tuple[int, ...], whole: Trained, text: str, here: Path
) -> None:
    for after in stops:
        watcher = Listener(stops_after=after)
        with pytest.raises(InterruptedTrainingError):
            train_here(text, output=Path("part"), watcher=watcher, resume=True)
    listener = Listener()
    again = train_here(text, output=Path("part"), watcher=listener, resume=True)
    assert_same(whole.run.path, again.run.path)
    assert [epoch.number for epoch in listener.epochs] == list(range(stops[-1] + 1, 6))
    assert [epoch.total for epoch in listener.epochs] == [5] * (5 - stops[-1])
    assert f"resuming after epoch {stops[-1]} of 5, in part" in listener.notes


def test_the_first_phase_may_stop_early(text: str, here: Path) -> None:
    settings = ("train.epochs=9", "train.optimizer.adam.learning_rate=1.0e-30", "train.early_stopping={patience: 2}")
    whole = train_here(text, *settings, output=Path("whole"))
    assert len(whole.record.history) == 5
    with pytest.raises(InterruptedTrainingError, match="interrupted in epoch 5 of 5"):
        train_here(text, *settings, output=Path("part"), watcher=Listener(stops_after=4))
    again = train_here(text, *settings, output=Path("part"), resume=True)
    assert_same(whole.run.path, again.run.path)


def test_more_epochs_of_the_phase_that_runs(whole: Trained, text: str, here: Path) -> None:
    shutil.copytree(whole.run.path, "part")
    with pytest.raises(UsageError, match=r"train\.epochs: 3 there, 4 here") as refused:
        train_here(text, "train.epochs=4", output=Path("part"), resume=True)
    assert refused.value.hint.startswith("only train.fine_tune.epochs may be raised")
    listener = Listener()
    train_here(text, "train.fine_tune.epochs=3", output=Path("part"), watcher=listener, resume=True)
    assert [(epoch.number, epoch.total) for epoch in listener.epochs] == [(6, 6)]


def test_other_weights_of_the_backbone_are_no_resume(text: str, file: Path, here: Path, keras: Any) -> None:
    own = here / "own.keras"
    shutil.copyfile(file, own)
    named = f"model[0].backbone.file={own}"
    with pytest.raises(InterruptedTrainingError):
        train_here(text, named, output=Path("part"), watcher=Listener(stops_after=2))
    model = keras.saving.load_model(own)
    model.set_weights([array * 1.5 for array in model.get_weights()])
    model.save(own)
    with pytest.raises(RunError, match=r"the weights in .*own.keras are not those that part was trained with"):
        train_here(text, named, output=Path("part"), resume=True)


def test_initial_weights_change_the_stem(whole: Trained, text: str, here: Path) -> None:
    """The features are of the weights that the training begins with, also after a resume."""
    settings = (f"train.initial_weights={whole.run.path}", "train.epochs=2", "train.fine_tune=none")
    first = train_here(text, *settings, output=Path("first"))
    assert same(
        next(iter(backbone_of(first.run.keras_model).values())), next(iter(backbone_of(whole.run.keras_model).values()))
    )
    with pytest.raises(InterruptedTrainingError):
        train_here(text, *settings, output=Path("part"), watcher=Listener(stops_after=1))
    assert_same(first.run.path, train_here(text, *settings, output=Path("part"), resume=True).run.path)


def test_a_backbone_that_is_trained_from_the_beginning_has_one_phase(text: str, file: Path, here: Path) -> None:
    settings = ("model[0].backbone.trainable=true", "train.fine_tune=none", "train.epochs=2")
    with pytest.raises(InterruptedTrainingError):
        train_here(text, *settings, output=Path("part"), watcher=Listener(stops_after=1))
    whole = train_here(text, *settings, output=Path("whole"))
    assert not same(backbone_of(file)["first"], backbone_of(whole.run.keras_model)["first"])
    assert_same(whole.run.path, train_here(text, *settings, output=Path("part"), resume=True).run.path)
    assert weights_hash(whole.run.path)
