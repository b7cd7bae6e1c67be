"""Whole trainings in-process: the run directory, repeatability, the pixels, and what an interruption leaves."""

import csv
import gc
import io
import json
import shutil
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from cnnctl.config import load
from cnnctl.config.schema import CsvColumns
from cnnctl.data.catalog import Catalog
from cnnctl.data.decoder import images
from cnnctl.data.decoder.images import ImageSpec, read_image
from cnnctl.data.prepare import Prepared
from cnnctl.errors import EXIT_INTERRUPTED, DivergedError, InterruptedTrainingError, MachineError, RunError
from cnnctl.evaluation.evaluate import evaluate_data, evaluate_split
from cnnctl.inference.answers import Answer
from cnnctl.inference.model import Classifier, load_classifier, open_session
from cnnctl.inference.stream import classify
from cnnctl.inference.unknown import read_familiar
from cnnctl.models import save
from cnnctl.runs import Run, find_run
from cnnctl.training import fit as fit_module
from cnnctl.training.feeding import Feed
from tests.images import picture
from tests.training.build import SMALL, Listener, train_here, uncalibrated_loss

CLASSES = ["007", "1e3", "no"]
PLOTS = ("confusion_matrix", "confusion_matrix_normalised", "f1", "mistakes", "reliability")


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def nothing(done: int, total: int) -> None:
    """Nobody watches."""


@pytest.fixture
def here(tmp_path, monkeypatch):
    """An empty working folder."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture(scope="module")
def first(small_photos, tmp_path_factory, keras):
    """A training of two epochs of seed 0, and who watched it."""
    folder = tmp_path_factory.mktemp("first")
    listener = Listener()
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        trained = train_here(SMALL.format(photos=small_photos), watcher=listener)
        return Run(trained.run.path.absolute()), trained, listener


def test_a_run_has_every_file(first):
    run, _, _ = first
    assert run.path.parts[-3:] == ("runs", "small", "1")
    found = {str(path.relative_to(run.path)) for path in run.path.rglob("*") if path.is_file()}
    assert found == {
        "config.yaml",
        "classes.json",
        "split.csv",
        "model.keras",
        "model.onnx",
        "history.csv",
        "metrics.json",
        "predictions.csv",
        "prediction_sets.json",
        "unknown.json",
        "environment.json",
        "log.txt",
        "plots/curves.png",
        *(f"plots/{name}.png" for name in PLOTS),
        "checkpoints/epoch-0001.npz",
        "checkpoints/epoch-0002.npz",
        "checkpoints/digests.bin",
        "evaluations/validation/predictions.csv",
    }
    latest = run.path.parent.parent / "latest"
    assert latest.resolve() == run.path.resolve()


def test_inputs_are_written_resolved(first, small_photos):
    run, _, _ = first
    config = load(run.config)
    assert config.data.train == str(small_photos)
    assert (config.name, config.data.image.height, config.train.optimizer.learning_rate) == ("small", 12, 0.001)
    assert json.loads(run.classes.read_text()) == CLASSES
    split = rows(run.split)
    assert list(split[0]) == ["path", "label", "split"]
    counts = {name: sum(row["split"] == name for row in split) for name in ("train", "validation", "test")}
    assert counts == {"train": 36, "validation": 12, "test": 12}
    assert all(Path(row["path"]).parent.name == row["label"] for row in split)


def test_history_and_the_watcher_agree(first):
    run, trained, listener = first
    history = rows(run.history)
    assert list(history[0]) == ["epoch", "accuracy", "loss", "val_accuracy", "val_loss", "learning_rate"]
    assert [float(row["val_loss"]) for row in history] == [epoch.figures["val_loss"] for epoch in listener.epochs]
    assert trained.record.best_epoch == np.argmin([float(row["val_loss"]) for row in history]) + 1
    told = [note.partition(":")[0] for note in listener.notes if not note.startswith("warning: ")]
    assert told[:6] == ["train", "validation", "test", "network", "device", "precision"]
    assert "precision: float32 (set in the config)" in listener.notes


def test_metrics_are_those_of_the_test_images(first):
    run, trained, _ = first
    metrics = json.loads(run.metrics.read_text())
    assert metrics == trained.evaluation.content
    assert (metrics["split"], metrics["images"], metrics["classes"]) == ("test", 12, CLASSES)
    assert metrics["onnx"] == {
        "largest_difference": trained.parity.largest_difference,
        "limit": 1e-3,
        "images": 12,
        "split": "validation",
        "written": True,
    }
    best = rows(run.history)[trained.record.best_epoch - 1]
    assert uncalibrated_loss(run) == pytest.approx(float(best["val_loss"]), rel=1e-4)
    assert (metrics["calibration"]["split"], metrics["calibration"]["images"]) == ("validation", 12)
    known = read_familiar(run)
    assert metrics["unknown"] == known.summary() | {"split": "validation", "images": 12, "training_images": 36}
    assert metrics["validation"]["unknown_share"] == 0  # of 12 images 1% is none
    assert metrics["unknown_share"] == np.mean([one.prediction.unknown for one in classified(run, "test")])
    assert metrics["validation"]["accuracy"] == pytest.approx(float(best["val_accuracy"]))
    predictions = rows(run.predictions)
    assert list(predictions[0]) == ["path", "label", "predicted", "probability", "correct"]
    assert np.mean([row["correct"] == "true" for row in predictions]) == pytest.approx(metrics["accuracy"])
    assert {row["path"] for row in predictions} == {row["path"] for row in rows(run.split) if row["split"] == "test"}
    assert {row["label"] for row in predictions} == set(CLASSES)


def classified(run: Run, split: str) -> list[Answer]:
    """What `predict` says of a split's images."""
    return list(classify(load_classifier(run, tells_unknown=True), run.read_split(split)[0]))


def test_what_is_known_are_the_training_images_as_they_are(first):
    """Each is among those that are kept: there are fewer than a hundred, and the nearest of each is itself."""
    run, _, _ = first
    known, classifier = read_familiar(run), load_classifier(run)
    pixels = np.stack([read_image(path, ImageSpec(12, 12)) for path in run.read_split("train")[0]])
    assert (known.points.shape, known.neighbours, known.axes) == ((36, 100), 1, None)
    np.testing.assert_allclose(known.scores(classifier.features(pixels)), 0, atol=0.02)
    validation = np.stack([read_image(path, ImageSpec(12, 12)) for path in run.read_split("validation")[0]])
    scores = known.scores(classifier.features(validation))
    assert min(scores) > 0.02
    assert max(scores) == pytest.approx(known.threshold, abs=1e-5)


def test_the_environment_says_what_a_repetition_needs(first):
    run, trained, _ = first
    said = json.loads(run.environment.read_text())
    assert (said["seed"], said["epochs"], said["best_epoch"]) == (0, 2, trained.record.best_epoch)
    assert (said["backend"], said["device"]["kind"], said["precision"]["policy"]) == ("tensorflow", "cpu", "float32")
    assert said["deterministic"] is True
    assert {"python", "keras", "tensorflow", "numpy", "onnxruntime"} <= set(said["versions"])
    assert len(said["data_hash"]) == len(said["config_hash"]) == 32
    assert said["started"] <= said["finished"]


def test_the_saved_network_is_bare(first, keras):
    run, _, _ = first
    model = keras.saving.load_model(run.keras_model)
    assert [layer.name for layer in model.layers] == ["scaling", "conv2d", "flatten", "probabilities"]
    assert model.inputs[0].dtype == "uint8"
    assert model.dtype_policy.name == "float32"
    images = np.stack([read_image(row["path"], ImageSpec(12, 12)) for row in rows(run.split)])
    np.testing.assert_allclose(model.predict_on_batch(images), load_classifier(run).probabilities(images), atol=1e-5)


def weights(run, keras):
    return keras.saving.load_model(run.keras_model).get_weights()


def test_the_seed_decides_everything(first, here, small_photos, keras):
    run, _, _ = first
    text = SMALL.format(photos=small_photos)
    same, other = train_here(text, output=here / "same").run, train_here(text, "seed=1", output=here / "other").run
    for name in ("history.csv", "split.csv", "metrics.json", "predictions.csv"):
        assert (same.path / name).read_bytes() == (run.path / name).read_bytes()
        assert (other.path / name).read_bytes() != (run.path / name).read_bytes()
    assert all((a == b).all() for a, b in zip(weights(same, keras), weights(run, keras), strict=True))
    assert any((a != b).any() for a, b in zip(weights(other, keras), weights(run, keras), strict=True))
    assert find_run(None).path.resolve() == other.path.resolve()


def two_classes(folder: Path) -> Path:
    """Dark and bright pictures, four of each, one of them lying on its side as its EXIF says."""
    for name, share in (("dark", 0.3), ("light", 1.0)):
        (folder / name).mkdir(parents=True)
        for number in range(4):
            image = picture(30 + number, 41).point(lambda value, share=share: int(value * share))
            image.save(folder / name / f"{number}.png")
    exif = Image.Exif()
    exif[0x0112] = 6
    stream = io.BytesIO()
    picture(40, 64).save(stream, "JPEG", exif=exif)
    (folder / "light" / "turned.jpg").write_bytes(stream.getvalue())
    return folder


def test_training_evaluation_and_prediction_see_the_same_pixels(here, monkeypatch):
    photos = two_classes(here / "photos")
    turned = str(photos / "light" / "turned.jpg")
    seen: dict[str, list[np.ndarray]] = {"training": [], "inference": []}
    feed, probabilities = Feed.batch, Classifier.probabilities

    def batch(self, index):
        found = feed(self, index)
        seen["training"] += list(found[0].copy())
        return found

    def answer(self, images):
        seen["inference"] += list(images.copy())
        return probabilities(self, images)

    def opened(path):
        session = open_session(path)

        def run(outputs, given):
            seen["inference"] += [image for images in given.values() for image in images.copy()]
            return session.run(outputs, given)

        return SimpleNamespace(get_inputs=session.get_inputs, run=run)

    monkeypatch.setattr(Feed, "batch", batch)
    monkeypatch.setattr(Classifier, "probabilities", answer)
    monkeypatch.setattr(save, "open_session", opened)
    trained = train_here(
        SMALL.format(photos=photos),
        "data.validation=0",
        "data.test=none",
        "train.epochs=1",
        "data.image={height: 12, width: 10}",
    )
    assert trained.evaluation.split == "train"
    assert (trained.evaluation.metrics.images, trained.parity.split) == (9, "train")
    (row,) = [at for at, one in enumerate(rows(trained.run.split)) if one["path"] == turned]
    at_the_end = seen["inference"][row]
    expected = read_image(turned, ImageSpec(12, 10))
    upright = np.asarray(
        Image.open(turned).transpose(Image.Transpose.ROTATE_270).resize((10, 12), Image.Resampling.BOX)
    )
    assert np.abs(expected.astype(int) - upright.astype(int)).mean() < 8
    seen["inference"].clear()
    evaluate_split(trained.run, "train", nothing)
    judged = seen["inference"][row]
    seen["inference"].clear()
    evaluate_data(trained.run, str(photos), CsvColumns(), nothing)
    judged_again = seen["inference"][row]
    seen["inference"].clear()
    (answered,) = classify(load_classifier(trained.run), [turned])
    assert answered.error is None
    (predicted,) = seen["inference"]
    for image in (at_the_end, judged, judged_again, predicted):
        np.testing.assert_array_equal(image, expected)
    assert any(np.array_equal(image, expected) for image in seen["training"])


def test_after_the_first_epoch_nothing_is_decoded_built_or_traced(here, small_photos, monkeypatch, keras):
    """Nor by validation, which comes after each epoch."""
    listener = Listener()
    events: list[tuple[str, int]] = []

    def noting(what, function):
        def noted(*arguments, **named):
            events.append((what, len(listener.epochs)))
            return function(*arguments, **named)

        return noted

    monkeypatch.setattr(images, "_decode", noting("decode", images._decode))
    monkeypatch.setattr(fit_module, "as_keras_dataset", noting("build", fit_module.as_keras_dataset))
    monkeypatch.setattr(keras.Model, "compute_loss", noting("trace", keras.Model.compute_loss))
    chosen = ("data.cache=cache", "train.epochs=3", "train.ema=0.9", "augment=[random_rotation: {factor: 0.1}]")
    train_here(SMALL.format(photos=small_photos), *chosen, watcher=listener)
    assert [one.number for one in listener.epochs] == [1, 2, 3]
    before = [what for what, epochs in events if epochs == 0]
    assert (before.count("decode"), before.count("build")) == (60, 2)
    assert before.count("trace") >= 2
    assert [event for event in events if 0 < event[1] < 3] == []


class Nameless(Listener):
    """Looks for the names of images that are in memory while a network trains, at the end of each epoch."""

    def epoch(self, epoch):
        super().epoch(epoch)
        gc.collect()
        everything = gc.get_objects()
        lists = [one.paths for one in everything if isinstance(one, Prepared)]
        lists += [one.frame.path for one in everything if isinstance(one, Catalog)]
        names = [path for paths in lists for path in paths]
        assert not [path for path in names if path.startswith(str(Path.cwd()))]


def test_while_a_network_trains_the_names_of_the_images_take_no_memory(here, small_photos):
    shutil.copytree(small_photos, "photos")
    listener = Nameless()
    trained = train_here(SMALL.format(photos=here / "photos"), watcher=listener)
    assert [one.number for one in listener.epochs] == [1, 2]
    assert all(row["path"].startswith(str(here)) for row in rows(trained.run.split))


def test_sigmoid_weights_standardized_pixels_and_bad_images_together(here, keras):
    photos = two_classes(here / "photos")
    (photos / "dark" / "broken.png").write_bytes(b"not an image")
    trained = train_here(
        SMALL.format(photos=photos),
        "output=sigmoid",
        "data.image.scaling=standardize",
        "data.on_bad_image=skip",
        "data.max_bad_images=0.2",
        "train.class_weight={dark: 2}",
        "train.optimizer={adam: {learning_rate: 0.01}}",
        "train.epochs=12",
        "augment=[random_flip]",
        output=Path("signed"),
    )
    split = rows(trained.run.split)
    assert len(split) == 9
    assert not any("broken" in row["path"] for row in split)
    classifier = load_classifier(trained.run)
    assert classifier.classes == ("dark", "light")
    answers = list(classify(classifier, [row["path"] for row in split]))
    model = keras.saving.load_model(trained.run.keras_model)
    for row, answer in zip(split, answers, strict=True):
        assert answer.probabilities.shape == (2,)
        image = read_image(row["path"], ImageSpec(12, 12))
        (light,) = model.predict_on_batch(image[None])[0]  # the positive class is the second
        assert answer.probabilities == pytest.approx([1 - light, light], abs=1e-5)
        assert ("dark", "light")[answer.probabilities.argmax()] == row["label"]
    fitted = [read_image(row["path"], ImageSpec(12, 12)) for row in split if row["split"] == "train"]
    scaled = np.asarray(model.get_layer("scaling")(np.stack(fitted)))
    np.testing.assert_allclose(scaled.mean(axis=(0, 1, 2)), 0, atol=1e-4)
    np.testing.assert_allclose(scaled.std(axis=(0, 1, 2)), 1, rtol=1e-4)


def test_a_model_onnx_that_disagrees_is_told_and_kept_out(here, small_photos, monkeypatch, first):
    monkeypatch.setattr(save, "LIMIT", -1.0)
    trained = train_here(SMALL.format(photos=small_photos), output=Path("unfit"))
    assert not trained.run.onnx_model.exists()
    metrics = json.loads(trained.run.metrics.read_text())
    assert metrics["onnx"]["written"] is False
    honest = json.loads(first[0].metrics.read_text())
    assert metrics["confusion_matrix"] == honest["confusion_matrix"]
    assert metrics["loss"] == pytest.approx(honest["loss"], rel=1e-5)
    assert metrics["validation"]["loss"] == pytest.approx(honest["validation"]["loss"], rel=1e-5)
    assert find_run(None).path.resolve() == trained.run.path.resolve()
    with pytest.raises(RunError, match="-1 is the limit") as caught:
        load_classifier(trained.run)
    assert caught.value.exit_code == 4


@pytest.mark.parametrize(("after", "of"), [(1, 3), (2, 2)])
def test_an_interruption_keeps_the_epochs_before(after, of, here, small_photos, keras):
    listener = Listener(stops_after=after)
    with pytest.raises(InterruptedTrainingError) as caught:
        train_here(SMALL.format(photos=small_photos), f"train.epochs={of}", watcher=listener)
    assert caught.value.exit_code == EXIT_INTERRUPTED == 130
    best = next(epoch for epoch in reversed(listener.epochs) if epoch.is_best)
    run = Run(here / "runs" / "small" / "1")
    line = f"cnnctl train --resume {Path('runs/small/1')}"
    assert caught.value.hint == f"resume with: {line}"
    assert not run.metrics.exists()
    assert not run.lock.exists()
    assert not (here / "runs" / "latest").exists()
    if after == of:
        assert caught.value.message == "interrupted after the last epoch, before the run was complete"
        return
    assert caught.value.message == (
        f"interrupted in epoch {after + 1} of {of}, which will be repeated; "
        f"the weights of epoch {best.number}, the best so far, are in {Path('runs/small/1/model.keras')}"
    )
    assert len(rows(run.history)) == after
    model = keras.saving.load_model(run.keras_model)
    images = [row for row in rows(run.split) if row["split"] == "validation"]
    stacked = np.stack([read_image(row["path"], ImageSpec(12, 12)) for row in images])
    chances = model.predict_on_batch(stacked)[np.arange(len(images)), [CLASSES.index(row["label"]) for row in images]]
    assert -np.log(chances).mean() == pytest.approx(best.figures["val_loss"], rel=1e-4)


def interrupt(*_):
    raise KeyboardInterrupt


def test_latest_stays_with_the_last_complete_run(here, small_photos, monkeypatch):
    text = SMALL.format(photos=small_photos)
    complete = train_here(text, "train.epochs=1").run
    diverging = "train.optimizer={sgd: {learning_rate: 1.0e+30}}"
    with pytest.raises(DivergedError, match="diverged"):
        train_here(text, diverging)
    assert (here / "runs" / "small" / "2" / "config.yaml").is_file()
    monkeypatch.setattr(fit_module, "fit_model", interrupt)
    with pytest.raises(InterruptedTrainingError, match="interrupted in epoch 1 of 2, which will be repeated\n"):
        train_here(text)
    assert not (here / "runs" / "small" / "3" / "model.keras").exists()
    assert find_run(None).path.resolve() == complete.path.resolve()
    assert find_run(Path("runs/small")).path.resolve() == complete.path.resolve()


def test_what_diverges_later_keeps_the_best_weights_before(here, small_photos, monkeypatch):
    honest = fit_module.fit_model

    def diverge(*arguments):
        honest(*arguments)
        raise DivergedError("training diverged: the loss is nan in epoch 2, by step 8 of 9", "lower it")

    monkeypatch.setattr(fit_module, "fit_model", diverge)
    with pytest.raises(DivergedError) as caught:
        train_here(SMALL.format(photos=small_photos), "train.epochs=1")
    kept = Path("runs/small/1/model.keras")
    assert caught.value.message == (
        "training diverged: the loss is nan in epoch 2, by step 8 of 9; "
        f"the weights of epoch 1, the best so far, are in {kept}"
    )
    assert (caught.value.hint, caught.value.exit_code) == ("lower it", 6)
    assert (here / kept).is_file()
    assert not (here / "runs" / "latest").exists()


def test_running_out_of_memory_names_the_batch_size(here, small_photos, monkeypatch):
    def exhaust(*_):
        raise MemoryError

    monkeypatch.setattr(fit_module, "fit_model", exhaust)
    with pytest.raises(MachineError, match="out of memory with train") as caught:
        train_here(SMALL.format(photos=small_photos))
    assert "train.batch_size: " in caught.value.hint
