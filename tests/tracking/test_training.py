"""Whole trainings that trackers are told of."""

import csv
import json
import sqlite3
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from cnnctl.config import load
from cnnctl.config.difference import differences
from cnnctl.config.dump import to_plain
from cnnctl.errors import DivergedError, InterruptedTrainingError, UsageError
from cnnctl.evaluation import evaluate
from cnnctl.runs import Run
from cnnctl.tracking.tensorboard import TensorBoard
from cnnctl.training import resume
from tests.cli.command import fail, succeed
from tests.conftest import CONFIGS
from tests.conftest import Trained as Command
from tests.tracking.build import accumulated, points
from tests.training.build import SMALL, Listener, train_here
from tests.training.conftest import keras  # noqa: F401
from tests.training.test_jax import Without

BOTH = "train.loggers=[tensorboard, mlflow]"


@dataclass(frozen=True)
class Tracked:
    """A training in the current folder, and what it told MLflow."""

    folder: Path
    client: Any

    def run(self) -> Any:
        (found,) = self.client.search_runs([self.client.get_experiment_by_name("small").experiment_id])
        return found

    def steps(self, name: str) -> list[int]:
        return [one.step for one in self.client.get_metric_history(self.run().info.run_id, name)]


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, keras: Any) -> Tracked:  # noqa: F811
    """An empty folder; pictures, which take longer than training, are not drawn."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", (tmp_path / "mlruns").as_uri())
    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")
    monkeypatch.setenv("MLFLOW_DISABLE_TELEMETRY", "true")
    monkeypatch.setattr(evaluate, "write_plots", lambda *_: None)
    from mlflow import MlflowClient

    return Tracked(tmp_path, MlflowClient())


@pytest.fixture(scope="module")
def text(small_photos: Path) -> str:
    return SMALL.format(photos=small_photos)


def history(run: Path) -> list[dict[str, str]]:
    with (run / "history.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def test_the_command_writes_both_and_says_nothing_of_them(small_photos: Path, tmp_path: Path) -> None:
    """Into MLflow's own default, a database in the current folder."""
    (tmp_path / "shapes.yaml").write_text(SMALL.format(photos=small_photos))
    printed = json.loads(succeed("train", "shapes.yaml", "--set", BOTH, "--json", cwd=tmp_path))
    run = Run(tmp_path / printed["run"])
    rows = history(run.path)
    curves = {name: points(run.tensorboard / name) for name in ("train", "validation", "test")}
    for tag, split, column in (("loss", "train", "loss"), ("accuracy", "validation", "val_accuracy")):
        expected = [(step, pytest.approx(float(row[column]), rel=1e-6)) for step, row in enumerate(rows)]
        assert curves[split][f"epoch_{tag}"] == expected
    assert [value for _, value in curves["test"]["epoch_accuracy"]] == [pytest.approx(printed["metrics"]["accuracy"])]
    drawn = {path.stem for path in run.plots.glob("*.png")}
    assert {tag.removeprefix("plots/") for tag in accumulated(run.tensorboard).Tags()["tensors"]} >= drawn
    run_id = json.loads(run.mlflow.read_text())["run_id"]
    with closing(sqlite3.connect(tmp_path / "mlflow.db")) as database:
        assert database.execute("select run_uuid, name, status from runs").fetchall() == [
            (run_id, "shapes 1", "FINISHED")
        ]
        metrics = "select value from metrics where run_uuid = ? and key = ? order by step"
        losses = [float(row["val_loss"]) for row in rows]
        assert [value for (value,) in database.execute(metrics, (run_id, "val_loss"))] == losses
        assert database.execute(metrics, (run_id, "test_accuracy")).fetchall() == [(printed["metrics"]["accuracy"],)]
    assert {path.stem for path in (tmp_path / "mlruns").rglob(f"{run_id}/artifacts/plots/*.png")} == drawn
    assert load(run.config).train.loggers == ("tensorboard", "mlflow")


def test_interrupted_and_gone_on_with_it_is_one_run(here: Tracked, text: str) -> None:
    plain = train_here(text, output=Path("plain")).run.path
    with pytest.raises(InterruptedTrainingError):
        train_here(text, BOTH, output=Path("part"), watcher=Listener(stops_after=1))
    first = here.run()
    assert (first.info.status, here.steps("loss")) == ("KILLED", [0])
    again = train_here(text, BOTH, output=Path("part"), resume=True).run.path
    assert (here.run().info.run_id, here.run().info.status) == (first.info.run_id, "FINISHED")
    assert here.steps("loss") == here.steps("val_loss") == [0, 1]
    assert [step for step, _ in points(again / "tensorboard" / "train")["epoch_loss"]] == [0, 1]
    for name in ("history.csv", "metrics.json", "predictions.csv"):
        assert (again / name).read_bytes() == (plain / name).read_bytes()


def test_a_training_that_diverges_has_failed(here: Tracked, text: str) -> None:
    with pytest.raises(DivergedError):
        train_here(text, BOTH, "train.optimizer={sgd: {learning_rate: 1.0e+30}}", output=Path("part"))
    assert here.run().info.status == "FAILED"


def test_a_tracker_that_raises_is_a_warning(here: Tracked, text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(TensorBoard, "epoch", refuse)
    listener = Listener()
    trained = train_here(text, BOTH, output=Path("part"), watcher=listener)
    warning = "warning: tensorboard stops recording this training: [Errno 28] No space left on device"
    assert listener.warnings() == [warning]
    assert trained.run.environment.is_file()
    assert here.run().info.status == "FINISHED"


def test_trackers_may_change_and_runs_from_before_them_are_gone_on_with(text: str, tmp_path: Path) -> None:
    (tmp_path / "small.yaml").write_text(text)

    def plain(*assignments: str) -> Any:
        return to_plain(load(tmp_path / "small.yaml", assignments))

    before = plain()
    assert before["train"].pop("loggers") == []
    run = Run(tmp_path)
    resume._insist_on_config(run, before, plain(BOTH), None)
    resume._insist_on_config(run, plain(BOTH), plain(), None)
    with pytest.raises(UsageError, match="batch_size: 8 there, 9 here"):
        resume._insist_on_config(run, before, plain(BOTH, "train.batch_size=9"), None)


def test_a_config_from_before_there_were_trackers_is_the_same(digits_run: Command, tmp_path: Path) -> None:
    written = (digits_run.run / "config.yaml").read_text()
    assert "  loggers: []\n" in written
    old = tmp_path / "config.yaml"
    old.write_text(written.replace("  loggers: []\n", ""))
    assert differences([load(old), load(digits_run.run / "config.yaml")]) == ()


def test_a_missing_package_is_an_error_before_training(tmp_path: Path) -> None:
    without = Without(tmp_path, "tensorboard")
    digits = str(CONFIGS / "digits.yaml")
    for command in ("check", "train"):
        done = without.run(command, digits, "--set", "train.loggers=[tensorboard]", code=5)
        assert "tensorboard needs tensorboard, which is not installed" in done.stderr
        assert "hint: pip install '.[tensorboard]' from a checkout of cnnctl" in done.stderr
    assert not (tmp_path / "runs").exists()
    said = fail(2, "check", digits, "--set", "train.loggers=[tensorboard, comet]", cwd=tmp_path)
    assert "train.loggers[1]: expected tensorboard, mlflow or wandb" in said
