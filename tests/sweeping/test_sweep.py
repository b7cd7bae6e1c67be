"""A worker in this process, with trainings that take no time."""

import re
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from cnnctl.config import Config
from cnnctl.errors import (
    ConfigError,
    DivergedError,
    InterruptedTrainingError,
    MachineError,
    RunError,
    UsageError,
)
from cnnctl.runs import Run
from cnnctl.sweeping import pictures, process, result, trial
from cnnctl.sweeping.process import Ended, Epoch
from cnnctl.sweeping.result import SweepResult
from cnnctl.sweeping.sweep import sweep
from cnnctl.system.interrupts import Interrupt
from tests.sweeping.stub import SWEEP, accuracy, write


class Training:
    """In place of a training in a process: epochs of which `at` may do something, and an end that is said before."""

    ends = Ended(0)
    begun: tuple[str, ...] = ()

    def __init__(self, config: Config, run: Path, command: object, strict: bool = False) -> None:
        self._config, self._run, self.ended, self._stopped = config, Run(run), None, False
        Training.begun += (run.name,)

    def __enter__(self) -> "Training":
        return self

    def __exit__(self, *error: object) -> None:
        """Nothing is left."""

    @staticmethod
    def at(run: str, epoch: int) -> None:
        """For tests."""

    def stop(self) -> None:
        self._stopped = True

    def news(self) -> Iterator[Epoch]:
        epochs = self._config.train.epochs if self.ends.code == 0 else 0
        rate, units = self._config.train.optimizer.learning_rate, self._config.model[1].units  # type: ignore[union-attr]
        for epoch in range(1, epochs + 1):
            rows = [(number, accuracy(rate, units, number)) for number in range(1, epoch + 1)]
            self._run.write_csv(self._run.history, ("epoch", "val_accuracy"), rows)
            self.at(self._run.path.name, epoch)
            yield Epoch(epoch, epochs)
            if self._stopped:
                self.ended = Ended(143, "interrupted")
                return
        self._run.write_json(self._run.environment, {"best_epoch": epochs})
        self.ended = self.ends


@pytest.fixture
def training(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> type[Training]:
    """A class of its own for each test."""
    own = type("Own", (Training,), {})
    Training.begun = ()
    monkeypatch.setattr(trial, "Training", own)
    monkeypatch.setattr(result, "draw", lambda study, folder, metric: ())
    monkeypatch.chdir(tmp_path)
    return own


def run(folder: Path, text: str, output: str = "out") -> tuple[SweepResult, list[str]]:
    """A sweep of these lines, and what is told."""
    told: list[str] = []
    return sweep(write(folder, text), Path(output), ["cnnctl", "sweep"], told.append), told


def of(count: int, *more: str) -> str:
    return SWEEP.replace("trials: 12", "\n".join((f"trials: {count}", *more)))


def test_each_trial_has_a_line_and_the_best_a_config(training: type[Training], tmp_path: Path) -> None:
    done, told = run(tmp_path, of(5))
    assert len(told) == 5
    first = r"trial 0000: val_accuracy 0\.\d{4}, [\d.]+ s, learning_rate=\S+ batch_size=\d+ units=\d+; "
    assert re.match(first + r"the best so far; 1 of 5 done, about [\d.]+ s left$", told[0])
    assert told[-1].endswith("5 of 5 done")
    best = max(done.trials, key=lambda slot: slot.value or 0)
    assert done.best == best
    values = f"learning_rate: {best.values['train.optimizer.adam.learning_rate']!r}"
    assert values in done.best_config.read_text()
    assert (tmp_path / "runs" / "latest").resolve() == done.run_of(best).resolve()
    again, told = run(tmp_path, of(5))
    assert (again.trials, told) == (done.trials, [])
    more, _ = run(tmp_path, of(6))
    assert more.trials[:5] == done.trials


def test_a_signal_keeps_the_trial_and_the_same_is_tried(training: type[Training], tmp_path: Path) -> None:
    whole, _ = run(tmp_path, of(4), "whole")

    def interrupt(name: str, epoch: int) -> None:
        if (name, epoch) == ("0001", 2):
            training.at = staticmethod(Training.at)  # type: ignore[method-assign]
            raise Interrupt(15)

    training.at = staticmethod(interrupt)  # type: ignore[method-assign]
    with pytest.raises(InterruptedTrainingError) as caught:
        run(tmp_path, of(4), "cut")
    assert caught.value.exit_code == 143
    assert caught.value.message.startswith("interrupted after 1 of 4 trials")
    assert caught.value.hint == f"resume with: cnnctl sweep {tmp_path / 'sweep.yaml'} --output cut"
    cut, told = run(tmp_path, of(4), "cut")
    assert told[0].startswith("trial 0001: ")
    assert [(one.value, one.values) for one in cut.trials] == [(one.value, one.values) for one in whole.trials]
    assert [path.name for path in sorted((tmp_path / "cut" / "trials").iterdir())] == [
        f"{one.number:04}" for one in cut.trials
    ]


def test_a_worker_that_was_taken_for_dead_lets_go(training: type[Training], tmp_path: Path) -> None:
    def take_away(name: str, epoch: int) -> None:
        if epoch == 2 and Training.begun.count(name) == 1:
            with sqlite3.connect(tmp_path / "out" / "trials.db", timeout=20) as database:
                database.execute("UPDATE trials SET state = 'FAIL' WHERE state = 'RUNNING'")

    training.at = staticmethod(take_away)  # type: ignore[method-assign]
    done, told = run(tmp_path, of(2))
    assert told[0] == "trial 0000: another worker has it now"
    assert Training.begun == ("0000", "0000", "0002", "0002")
    assert done.count("complete") == len(done.trials) == 2


def test_a_trial_that_never_gave_a_sign_of_life_is_taken_up(training: type[Training], tmp_path: Path) -> None:
    """Its worker was killed between taking it and saying so."""

    def forget(name: str, epoch: int) -> None:
        if (name, epoch) == ("0001", 2) and Training.begun.count(name) == 1:
            raise Interrupt(9)

    training.at = staticmethod(forget)  # type: ignore[method-assign]
    with pytest.raises(InterruptedTrainingError):
        run(tmp_path, of(2))
    with sqlite3.connect(tmp_path / "out" / "trials.db") as database:
        database.execute("UPDATE trials SET state = 'RUNNING', datetime_complete = NULL WHERE number = 1")
        database.execute("DELETE FROM trial_heartbeats")
    done, told = run(tmp_path, of(2))
    assert told[0].startswith("all trials are begun; waiting for the 1 ")
    assert done.count("complete") == len(done.trials) == 2


def test_three_failures_that_are_not_the_trials_end_a_worker(training: type[Training], tmp_path: Path) -> None:
    training.ends = Ended(5, "the disk is full", "free some")
    with pytest.raises(MachineError, match="the disk is full") as caught:
        run(tmp_path, of(4))
    assert caught.value.hint is not None
    assert caught.value.hint.startswith("free some; then resume with: cnnctl sweep ")
    training.ends = Ended(0)
    done, _ = run(tmp_path, of(4))
    assert (done.count("complete"), done.count("failed")) == (4, 0)


def test_a_diverged_trial_is_one_of_them(training: type[Training], tmp_path: Path) -> None:
    training.ends = Ended(6, "the loss is NaN in epoch 1", "lower the rate")
    with pytest.raises(DivergedError, match="none of 2 trials came to its end"):
        run(tmp_path, of(2))
    training.ends = Ended(0)
    done, _ = run(tmp_path, of(3))
    assert (done.count("complete"), done.count("failed")) == (1, 2)
    assert done.trials[0].reason == "the loss is NaN in epoch 1"


def test_a_grid_has_each_combination_once_and_bad_trials_end_early(training: type[Training], tmp_path: Path) -> None:
    grid = re.sub(r"  train.optimizer.*\n", "", of(50, "sampler: grid", "prune: {median: {startup_trials: 2}}"))
    done, told = run(tmp_path, grid)
    tried = [tuple(one.values.values()) for one in done.trials]
    assert len(set(tried)) == len(tried) == 12
    pruned = [one for one in done.trials if one.state == "pruned"]
    assert pruned
    assert all(one.epochs < 3 and one.value is None for one in pruned)
    assert any(": pruned after 1 epoch," in line for line in told)
    assert done.best is not None
    assert done.best.values["model[1].dense.units"] == 64


def test_lists_of_anything_and_hyperband(training: type[Training], tmp_path: Path) -> None:
    text = of(6, "sampler: random", "prune: hyperband", "metric: val_accuracy").partition("space:")[0]
    text += "space:\n  train.schedule: [constant, {cosine: {warmup_epochs: 1}}]\n  data.image.size: [8, 16]\n"
    text += "  train.optimizer.adam.learning_rate: {from: 0.001, to: 1}\n"
    done, _ = run(tmp_path, text)
    schedules = {str(one.values["train.schedule"]) for one in done.trials}
    assert schedules == {"constant", "{'cosine': {'warmup_epochs': 1}}"}
    assert all(isinstance(one.values["data.image.size"], int) for one in done.trials)
    assert done.best is not None


def test_what_a_folder_is_not_for(training: type[Training], tmp_path: Path) -> None:
    run(tmp_path, of(1))
    with pytest.raises(UsageError, match=r"(?s)out is a sweep of something else.*256 there, 512 here"):
        run(tmp_path, of(1).replace("[64, 128, 256]", "[64, 128, 512]"))
    with pytest.raises(RunError, match="the storage has no sweep stub-"):
        run(tmp_path, of(1, f"storage: sqlite:///{tmp_path}/other.db"))
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "cat.jpg").touch()
    with pytest.raises(UsageError, match="photos is not empty and is no sweep"):
        run(tmp_path, of(1), "photos")
    with pytest.raises(UsageError, match=r"sweep.yaml is a file, not a folder"):
        run(tmp_path, of(1), "sweep.yaml")
    (tmp_path / "out" / "sweep.json").write_text("{}")
    with pytest.raises(RunError, match=r"sweep.json cannot be read"):
        run(tmp_path, of(1))


def test_a_storage_that_cannot_be_reached(training: type[Training], tmp_path: Path) -> None:
    with pytest.raises(MachineError, match=r"sqlite:////nowhere/a.db cannot be used: unable to open"):
        run(tmp_path, of(1, "storage: sqlite:////nowhere/a.db"))
    with pytest.raises(MachineError) as caught:
        run(tmp_path, of(1, "storage: postgresql+pg9000://me:secret@host/db"), "other")
    assert "secret" not in str(caught.value)


def test_workers_that_make_one_sqlite_at_once_try_again(tmp_path: Path) -> None:
    from concurrent.futures import ThreadPoolExecutor

    from cnnctl.sweeping.storage import open_storage, optuna_is_quiet

    url = f"sqlite:///{tmp_path / 'trials.db'}"
    with optuna_is_quiet(), ThreadPoolExecutor(6) as pool:
        made = list(pool.map(lambda _: open_storage(url, 10), range(6)))
    assert {one.get_current_version() for one in made} == {made[0].get_head_version()}
    for one in made:
        one.engine.dispose()


def test_corners_are_checked_before_anything_is_written(training: type[Training], tmp_path: Path) -> None:
    text = of(1).partition("space:")[0]
    text += "set: {model: [{max_pooling2d: {pool_size: 2}}, {conv2d: {filters: 4, kernel_size: 3}}, flatten]}\n"
    text += "space:\n  model[0].max_pooling2d.pool_size: [2, 4]\n  data.image.size: [8, 16]\n"
    with pytest.raises(ConfigError) as caught:
        run(tmp_path, text)
    (problem,) = caught.value.problems
    assert problem.path == "model[1].conv2d.kernel_size"
    assert problem.message.endswith("(with model[0].max_pooling2d.pool_size=4, data.image.size=8)")
    assert problem.position is not None
    assert problem.position.origin.endswith("sweep.yaml")
    assert not (tmp_path / "out").exists()


def test_the_pictures_are_drawn_and_labelled(tmp_path: Path) -> None:
    import optuna

    from cnnctl.sweeping.storage import optuna_is_quiet

    def objective(one: Any) -> float:
        rate = one.suggest_float("train.optimizer.adam.learning_rate", 1e-4, 1e-1, log=True)
        one.suggest_float("train.optimizer.adam.epsilon", 1e-7, 1e-3, log=True)
        return accuracy(rate, one.suggest_categorical("model[1].dense.units", [16, 64]), 3)

    with optuna_is_quiet():
        study = optuna.create_study(direction="maximize", study_name="photos-1")
        study.optimize(objective, n_trials=1)
        assert pictures.draw(study, tmp_path, "val_accuracy") == ()
        study.optimize(objective, n_trials=5)
        axes = []
        kept, pictures._mended = pictures._mended, lambda drawn, names: axes.append(kept(drawn, names)) or axes[-1]
        try:
            drawn = pictures.draw(study, tmp_path, "val_accuracy")
        finally:
            pictures._mended = kept
    assert [path.stem for path in drawn] == ["history", "parallel_coordinates", "importances"]
    assert all(path.read_bytes().startswith(b"\x89PNG") for path in drawn)
    assert [label.get_text() for label in axes[0].get_xticklabels()] == [
        "val_accuracy",
        "model[1].dense.units",
        "train.optimizer.adam.epsilon",
        "train.optimizer.adam.learning_rate",
    ]
    assert axes[0].figure.get_suptitle() == "photos-1: val_accuracy of 6 complete trials"


def test_a_training_that_says_nothing_is_told_of(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    from cnnctl.config.load import load_values

    config = load_values({"data": {"train": "digits"}, "model": ["flatten"]}).need()
    for program, message in (
        ("import sys; sys.exit('Killed by a bug')", "ended with exit code 1: Killed by a bug"),
        ("import os; os.kill(os.getpid(), 9)", "was killed by signal 9"),
    ):
        monkeypatch.setattr(process, "PROGRAM", program)
        with process.Training(config, tmp_path / "run", ["cnnctl"]) as one:
            assert list(one.news()) == []
        assert one.ended is not None
        assert one.ended.message == f"the process of the training {message}"


def test_a_training_ends_with_whoever_asked_for_it(tmp_path: Path) -> None:
    program = "from cnnctl.sweeping.child import _end_with_parent; _end_with_parent()"
    child = subprocess.Popen([sys.executable, "-c", program], stdin=subprocess.PIPE)
    assert child.stdin is not None
    child.stdin.close()
    assert child.wait(60) == -15
