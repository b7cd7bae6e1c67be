"""`cnnctl.sweep` and `cnnctl.cross_validate`: what they return; the trainings take no time."""

from pathlib import Path

import pytest

import cnnctl
from cnnctl.sweeping import cross_validation, result, trial
from tests.conftest import CONFIGS, Trained
from tests.sweeping import test_cross_validation, test_sweep
from tests.sweeping.stub import SWEEP, write


def test_a_sweep(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(trial, "Training", test_sweep.Training)
    monkeypatch.setattr(result, "draw", lambda study, folder, metric: ())
    monkeypatch.chdir(tmp_path)
    done = cnnctl.sweep(write(tmp_path, SWEEP.replace("trials: 12", "trials: 3")), "out", progress=True)
    assert repr(done) == f"<Sweep of 3 trials in {tmp_path / 'out'}>"
    assert capsys.readouterr().err.count("trial 000") >= 3
    assert done.folder == tmp_path / "out"
    assert set(done.best_values) == {
        "train.optimizer.adam.learning_rate",
        "train.batch_size",
        "model[1].dense.units",
    }
    content = done.to_dict()
    assert content["complete"] == 3
    assert content["best"]["values"] == done.best_values
    assert Path(content["best"]["run"]) == done.best.path
    assert cnnctl.load_config(done.best_config).train.batch_size == done.best_values["train.batch_size"]
    assert "3 complete" in str(done)
    with pytest.raises(cnnctl.UsageError, match="is not empty and is no sweep"):
        cnnctl.sweep("sweep.yaml", tmp_path)


def test_a_cross_validation(digits_run: Trained, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    kind = test_cross_validation.Training
    monkeypatch.setattr(cross_validation, "Training", type("Own", (kind,), {"original": digits_run.run}))
    done = cnnctl.cross_validate(CONFIGS / "digits.yaml", {"train.epochs": 3}, output=tmp_path / "out", folds=2)
    accuracy = cnnctl.TrainedRun(digits_run.run).accuracy
    assert repr(done) == f"<CrossValidated: accuracy {accuracy:.1%} in 2 folds>"
    assert done.metrics["accuracy"].values == (accuracy, accuracy)
    assert [run.accuracy for run in done.runs] == [accuracy, accuracy]
    assert done.to_dict()["folds"] == 2
    assert "2 folds; no network was tested on images that trained it" in str(done)
    with pytest.raises(cnnctl.UsageError, match="is a cross-validation of something else"):
        cnnctl.cross_validate(CONFIGS / "digits.yaml", output=done.folder, folds=3)
