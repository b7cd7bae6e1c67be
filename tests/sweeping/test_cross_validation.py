"""Folds, and what is made of their runs; the trainings are copies of one run."""

import csv
import json
import math
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cnnctl import Predictor
from cnnctl.config import Config, parse_config
from cnnctl.data.catalog import make_catalog
from cnnctl.errors import DataError, InterruptedTrainingError, MachineError, UsageError
from cnnctl.evaluation.evaluate import evaluate_split
from cnnctl.inference import model
from cnnctl.inference.model import load_classifier
from cnnctl.runs import Run
from cnnctl.sweeping import cross_validation
from cnnctl.sweeping.cross_validation import CrossValidation, cross_validate, spread
from cnnctl.sweeping.folds import Pool, deal, make_folds, pool_of
from cnnctl.sweeping.process import Ended, Epoch
from cnnctl.system import files
from cnnctl.system.interrupts import Interrupt
from cnnctl.terminal.render import text_of
from cnnctl.terminal.sweep import print_cross_validation
from tests.conftest import CONFIGS, Trained
from tests.docs.test_commands import section


def test_each_class_is_spread_evenly_and_every_image_held_out_once() -> None:
    labels = ["a"] * 20 + ["b"] * 11 + ["c"] * 5
    pool = Pool([f"{row}.png" for row in range(36)], labels, ())
    dealt = deal(pool, 5, 0)
    for name, least in (("a", 4), ("b", 2), ("c", 1)):
        counts = np.bincount(dealt[np.array(labels) == name], minlength=5)
        assert counts.min() == least
        assert counts.max() - counts.min() <= 1
    assert (deal(pool, 5, 0) == dealt).all()
    assert (deal(pool, 5, 1) != dealt).any()
    with pytest.raises(DataError, match=r"the class c has 5 image\(s\) for 6 folds"):
        deal(pool, 6, 0)


def test_no_group_is_in_two_folds() -> None:
    labels = [name for name in "ab" for _ in range(24)]
    groups = [f"{name}{number // 3}" for name in "ab" for number in range(24)]
    pool = Pool([f"{row}.png" for row in range(48)], labels, groups)
    dealt = deal(pool, 4, 0)
    assert all(len({fold for fold, group in zip(dealt, groups, strict=True) if group == one}) == 1 for one in groups)
    assert np.bincount(dealt, minlength=4).tolist() == [12, 12, 12, 12]
    with pytest.raises(DataError, match="there are 16 groups for 17 folds"):
        deal(pool, 17, 0)
    alone = Pool(
        pool.paths, labels, ["one" if label == "a" else group for label, group in zip(labels, groups, strict=True)]
    )
    with pytest.raises(DataError, match="the class a has all its images in one fold"):
        deal(alone, 4, 0)


def grouped_config(folder: Path, small_photos: Path) -> Config:
    """A CSV with columns of other names, groups, and a test split that is drawn."""
    images = sorted(small_photos.rglob("*.*"))
    rows = [(path, path.parent.name, f"{path.parent.name}-{index // 2}") for index, path in enumerate(images)]
    with (folder / "list.csv").open("w", newline="") as file:
        csv.writer(file).writerows([("file", "kind", "who"), *rows])
    (folder / "c.yaml").write_text(
        "data: {train: list.csv, validation: 0.2, test: 0.2, image: {size: 16}, csv: {path: file, label: kind, "
        "group: who, folder: .}}\nmodel: [flatten]\n"
    )
    return parse_config(folder / "c.yaml").need()


def test_the_folds_of_a_config_are_configs(small_photos: Path, tmp_path: Path) -> None:
    config = grouped_config(tmp_path, small_photos)
    catalog = make_catalog(config.data, config.seed)
    pool = pool_of(config, catalog)
    kept_out = set(catalog.frame.path[catalog.frame.split == "test"])
    assert kept_out
    assert set(pool.paths) == set(catalog.frame.path) - kept_out

    folds = make_folds(config, pool, 3, 2, tmp_path)
    assert [(fold.number, fold.repetition, fold.fold) for fold in folds] == [
        *((1, 1, 1), (2, 1, 2), (3, 1, 3)),
        *((4, 2, 1), (5, 2, 2), (6, 2, 3)),
    ]
    assert [fold.config.seed for fold in folds] == [0, 0, 0, 1, 1, 1]
    group_of = dict(zip(pool.paths, pool.groups, strict=True))
    held_out: list[str] = []
    for fold in folds:
        frame = make_catalog(fold.config.data, fold.config.seed).frame
        groups = {split: {group_of[path] for path in frame.path[frame.split == split]} for split in frame.split}
        assert set(groups) == {"train", "validation", "test"}
        assert len(set.union(*groups.values())) == sum(map(len, groups.values()))
        assert set(frame.path) == set(pool.paths)
        held_out += list(frame.path[frame.split == "test"])
    assert sorted(held_out) == sorted([*pool.paths, *pool.paths])


class Training:
    """In place of a training: a copy of a finished run, if nothing else is said."""

    original: Path
    begun: tuple[str, ...] = ()

    def __init__(self, config: Config, run: Path, command: object, strict: bool = False) -> None:
        self._run, self.ended = run, None
        Training.begun += (run.name,)

    def __enter__(self) -> "Training":
        return self

    def __exit__(self, *error: object) -> None:
        """Nothing is left."""

    def before(self, name: str) -> Ended | None:
        """For tests."""
        return None

    def news(self) -> Iterator[Epoch]:
        self.ended = self.before(self._run.name)
        if self.ended is None:
            yield Epoch(3, 3)
            shutil.copytree(self.original, self._run)
            self.ended = Ended(0)


@pytest.fixture
def training(digits_run: Trained, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> type[Training]:
    own = type("Own", (Training,), {"original": digits_run.run})
    Training.begun = ()
    monkeypatch.setattr(cross_validation, "Training", own)
    monkeypatch.chdir(tmp_path)
    return own


def run(folds: int = 2, *more: Any, output: str = "out", **options: Any) -> tuple[CrossValidation, list[str]]:
    told: list[str] = []
    loaded = parse_config(CONFIGS / "digits.yaml", more)
    options = {"repeat": 1, **options}
    return cross_validate(loaded, Path(output), folds, options.pop("repeat"), ["cnnctl"], told.append, **options), told


def test_it_goes_on_where_it_was_and_sums_up(training: type[Training], digits_run: Trained, tmp_path: Path) -> None:
    def interrupt(self: Training, name: str) -> None:
        if name == "2" and Training.begun.count(name) == 1:
            raise Interrupt(15)

    training.before = interrupt  # type: ignore[assignment,method-assign]
    with pytest.raises(InterruptedTrainingError) as caught:
        run()
    assert caught.value.exit_code == 143
    assert caught.value.message == "interrupted after 1 of 2 folds; the epochs of the one under way are kept"
    line = f"cnnctl cross-validate {CONFIGS / 'digits.yaml'} --folds 2 --output out"
    assert caught.value.hint == f"resume with: {line}"

    result, told = run(ensemble=True)
    assert Training.begun == ("1", "2", "2")
    assert told[-1].startswith("fold 2 of 2: accuracy ")
    metrics = Run(digits_run.run).read_metrics()
    (accuracy,) = (one for one in result.spreads if one.key == "accuracy")
    assert accuracy.values == (metrics["accuracy"], metrics["accuracy"])
    assert (accuracy.mean, accuracy.low, accuracy.high) == (metrics["accuracy"],) * 3
    assert np.array(result.pooled.confusion_matrix).tolist() == (2 * np.array(metrics["confusion_matrix"])).tolist()
    assert result.pooled.accuracy == pytest.approx(metrics["accuracy"])
    per_class = {name: one.f1 for name, one in zip(result.pooled.classes, result.pooled.per_class, strict=True)}
    assert per_class == pytest.approx({name: one["f1"] for name, one in metrics["per_class"].items()})

    with (tmp_path / "out" / "predictions.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 2 * metrics["images"]
    assert {row["fold"] for row in rows} == {"1", "2"}
    assert (tmp_path / "out" / "confusion_matrix.png").read_bytes().startswith(b"\x89PNG")
    said = json.loads((tmp_path / "out" / "cross_validation.json").read_text())
    assert said["result"] == json.loads(json.dumps(result.to_json()))
    for key in result.to_json():
        assert f"`{key}`" in section("cross-validate"), key
    shown = text_of(lambda: print_cross_validation(result))
    assert "2 folds; no network was tested on images that trained it" in shown
    run()
    assert len(Training.begun) == 3


def test_the_ensemble_is_a_run_that_is_the_mean(
    training: type[Training], digits_run: Trained, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    result, _ = run(3, ensemble=True)
    assert result.ensemble is not None
    assert result.ensemble.difference < 1e-6
    made, own = Run(result.ensemble.path), Run(digits_run.run)
    assert made.path == tmp_path / "out" / "ensemble"
    assert result.to_json()["ensemble"] == str(made.path)
    whole, one = load_classifier(made, tells_unknown=True), load_classifier(own)
    images = np.random.default_rng(1).integers(0, 256, (5, 8, 8, 1), np.uint8)
    np.testing.assert_allclose(whole.probabilities(images), one.probabilities(images), atol=1e-6)
    assert (whole.classes, whole.spec, whole.familiar) == (one.classes, one.spec, None)
    assert made.read_metrics()["onnx"]["largest_difference"] == result.ensemble.difference

    kept_out = made.read_split("test")[0]
    assert len(kept_out) == len(own.read_split("test")[0]) > 100
    assert not set(made.read_split("train")[0]) & set(kept_out)
    assert Predictor(made.path).predict(kept_out[0]).label == Predictor(own.path).predict(kept_out[0]).label
    judged = evaluate_split(made, None, lambda done, total: None)
    assert (judged.split, judged.metrics.images) == ("test", len(kept_out))
    assert "onnx" in made.read_metrics()
    monkeypatch.setattr(model, "is_known", lambda *which: False)  # as on another machine
    load_classifier(made)


def test_what_another_process_trains_is_left_to_it(training: type[Training]) -> None:
    def busy(self: Training, name: str) -> Ended | None:
        return Ended(7, "in use") if name == "1" and Training.begun.count(name) == 1 else None

    training.before = busy  # type: ignore[assignment,method-assign]
    _, told = run()
    assert told[0] == "fold 1 of 2: another process trains it"
    assert Training.begun == ("1", "2", "1")


def test_a_training_that_fails_ends_it(training: type[Training]) -> None:
    training.before = lambda self, name: Ended(5, "memory ran out", "smaller")  # type: ignore[assignment,method-assign]
    with pytest.raises(MachineError, match="memory ran out"):
        run()


def test_what_a_folder_is_not_for(training: type[Training], tmp_path: Path) -> None:
    run()
    with pytest.raises(UsageError, match=r"(?s)out is a cross-validation of something else.*folds: 2 there, 3 here"):
        run(3)
    with pytest.raises(UsageError, match=r"config.train.epochs: 40 there, 7 here"):
        run(2, "train.epochs=7")
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "cat.jpg").touch()
    with pytest.raises(UsageError, match="photos is not empty and is no cross-validation"):
        run(output="photos")


def test_the_interval_heeds_that_trainings_share_images() -> None:
    one = spread("accuracy", [0.8, 0.9, 0.85, 0.95], 4)
    deviation = math.sqrt(sum((value - 0.875) ** 2 for value in (0.8, 0.9, 0.85, 0.95)) / 3)
    assert one.mean == pytest.approx(0.875)
    assert one.deviation == pytest.approx(deviation)
    assert one.low == pytest.approx(0.875 - 3.182446305 * deviation * math.sqrt(1 / 4 + 1 / 3))
    assert one.high == 1.0
    assert spread("loss", [0.5, 3.0], 2).high == pytest.approx(1.75 + 12.70620474 * math.sqrt(3.125) * math.sqrt(1.5))


def test_every_label_of_several_is_spread_evenly(tmp_path: Path) -> None:
    draws = np.random.default_rng(0).random((120, 3)) < (0.5, 0.3, 0.1)
    labels = ["|".join(name for name, has in zip("abc", row, strict=True) if has) for row in draws.tolist()]
    pool = Pool([f"{row}.png" for row in range(120)], labels, (), several=True)
    dealt = deal(pool, 4, 0)
    for at in range(3):
        counts = np.bincount(dealt[draws[:, at]], minlength=4)
        assert counts.max() - counts.min() <= 2
    assert np.ptp(np.bincount(dealt, minlength=4)) <= 2
    with pytest.raises(DataError, match=r"the class c has \d+ image\(s\) for 60 folds"):
        deal(pool, 60, 0)

    header, rows = ("path", "a", "b", "c"), [(f"{at}.png", *row) for at, row in enumerate(draws.astype(int).tolist())]
    files.write_csv(tmp_path / "list.csv", header, rows)
    for path in pool.paths:
        (tmp_path / path).touch()
    (tmp_path / "c.yaml").write_text(
        "output: multi_label\ndata: {train: list.csv, csv: {label: [a, b, c], folder: .}}\nmodel: [flatten]\n"
    )
    config = parse_config(tmp_path / "c.yaml").need()
    catalog = make_catalog(config.data, 0, several=True)
    (first, *_) = make_folds(config, pool_of(config, catalog), 3, 1, tmp_path)
    again = make_catalog(first.config.data, 0, several=True).frame
    found = {Path(path).name: label for path, label in zip(again.path, again.label, strict=True)}
    assert found == dict(zip(pool.paths, labels, strict=True))
    assert 30 < (again.split == "test").sum() < 50

    with pytest.raises(UsageError, match="the thresholds of an ensemble need validation images that no fold trains on"):
        cross_validate(parse_config(tmp_path / "c.yaml"), tmp_path / "cv", 2, 1, ["cnnctl"], str, ensemble=True)
    assert not (tmp_path / "cv").exists()
