"""`train`, `open_run` and `evaluate`: in this process, twice, in threads, stopped, and as the command does it."""

import io
import logging
import os
import signal
import sys
import threading
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import cnnctl
from cnnctl.evaluation import evaluate as evaluation_room
from cnnctl.system.watcher import Epoch, NullProgress
from tests.cli.command import succeed
from tests.conftest import CONFIGS
from tests.conftest import Trained as Command

SAME = ("history.csv", "split.csv", "metrics.json", "predictions.csv", "classes.json")


@pytest.fixture(scope="module")
def values(small_photos: Path) -> dict[str, Any]:
    return {
        "name": "small",
        "data": {"train": small_photos, "validation": 0.2, "test": 0.2, "image": {"size": 12}},
        "model": [{"conv2d": {"filters": 4, "kernel_size": 3, "strides": 2, "activation": "relu"}}, "flatten"],
        "train": {"epochs": 2, "batch_size": 8, "precision": "mixed_bfloat16", "device": "cpu"},
    }


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty working folder; pictures, which take longer than training, are not drawn."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(evaluation_room, "write_plots", lambda *_: None)
    return tmp_path


@pytest.fixture(scope="module")
def digits(tmp_path_factory: pytest.TempPathFactory) -> cnnctl.TrainedRun:
    """What `digits_run` is, trained by this process."""
    folder = tmp_path_factory.mktemp("api")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        return cnnctl.train(CONFIGS / "digits.yaml", {"train.epochs": 3})


@pytest.fixture(scope="module")
def small(values: dict[str, Any], tmp_path_factory: pytest.TempPathFactory) -> cnnctl.TrainedRun:
    """A training of the small network that nothing disturbs."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path_factory.mktemp("small"))
        patch.setattr(evaluation_room, "write_plots", lambda *_: None)
        return cnnctl.train(values)


class Stopper(NullProgress):
    """A watcher that does something when an epoch is over."""

    def __init__(self, act: Any, after: int = 1) -> None:
        self.notes: list[str] = []
        self._act, self._after = act, after

    def note(self, text: str) -> None:
        self.notes.append(text)

    def epoch(self, epoch: Epoch) -> None:
        if epoch.number == self._after:
            self._act()


def test_the_same_seed_is_the_same_run_as_the_commands(digits: cnnctl.TrainedRun, digits_run: Command) -> None:
    for name in SAME:
        assert (digits.path / name).read_bytes() == (digits_run.run / name).read_bytes(), name
    assert digits.path.parts[-3:] == ("runs", "digits", "1")
    assert (digits.path.parent.parent / "latest").resolve() == digits.path


def test_a_run_as_python_sees_it(digits: cnnctl.TrainedRun, digits_run: Command) -> None:
    assert digits.accuracy == digits.metrics["accuracy"] > 0.5
    assert digits.loss == digits.metrics["loss"]
    assert [row["epoch"] for row in digits.history] == [1, 2, 3]
    assert list(digits.history_frame().columns) == ["accuracy", "loss", "val_accuracy", "val_loss", "learning_rate"]
    assert digits.history_frame().val_loss.idxmin() == digits.best_epoch
    assert {"curves", "confusion_matrix", "mistakes"} <= {*digits.plots}
    assert all(path.read_bytes().startswith(b"\x89PNG") for path in digits.plots.values())
    assert digits.classes == tuple("0123456789")
    assert digits.config.train.epochs == 3
    assert repr(digits).startswith(f"<TrainedRun {digits.path}: test accuracy ")
    assert cnnctl.open_run(digits_run.run).metrics == digits.metrics
    assert cnnctl.open_run(digits.path.parent) == digits


def test_what_a_run_lacks_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "classes.json").write_text('["a", "b"]')
    run = cnnctl.open_run(tmp_path)
    assert repr(run) == f"<TrainedRun {tmp_path}: not evaluated yet>"
    for name in ("metrics", "accuracy", "history", "best_epoch", "config"):
        with pytest.raises(cnnctl.RunError, match="has no "):
            getattr(run, name)
    with pytest.raises(cnnctl.RunError, match="there is no run at"):
        cnnctl.open_run(tmp_path / "nothing")


def test_it_predicts_in_the_process_that_trained_it(digits: cnnctl.TrainedRun) -> None:
    paths, labels = np.array(
        [line.split(",")[:2] for line in (digits.path / "split.csv").read_text().splitlines()[1:9]]
    ).T
    predictor = cnnctl.Predictor(digits)
    answers = predictor.predict(list(paths))
    assert np.mean([answer.label == label for answer, label in zip(answers, labels, strict=True)]) > 0.6


def test_an_evaluation_is_that_of_the_command(digits: cnnctl.TrainedRun, here: Path) -> None:
    judged = cnnctl.evaluate(digits)
    assert {**judged.to_dict()} == {key: digits.metrics[key] for key in judged.to_dict()}
    assert str(judged) == succeed("evaluate", "--run", digits.path, cwd=here).rstrip("\n")
    assert (judged.accuracy, judged.loss, judged.split) == (digits.accuracy, digits.loss, "test")
    assert judged.folder == digits.path
    assert judged._repr_html_().startswith("<pre ")
    assert repr(judged) == f"<Evaluation of 359 test images: accuracy {digits.accuracy:.4f}>"
    validation = cnnctl.evaluate(digits.path, split="validation")
    assert validation.accuracy == digits.metrics["validation"]["accuracy"]
    with pytest.raises(cnnctl.UsageError, match="there is no split tests"):
        cnnctl.evaluate(digits, split="tests")
    with pytest.raises(cnnctl.UsageError, match="cannot be combined"):
        cnnctl.evaluate(digits, "new", split="test")


def test_an_evaluation_of_new_images(digits: cnnctl.TrainedRun, here: Path, capfd: pytest.CaptureFixture[str]) -> None:
    judged = cnnctl.evaluate(digits, data="digits", progress=True)
    assert judged.metrics.images == 1797
    assert judged.folder == digits.path / "evaluations" / "1"
    out, err = capfd.readouterr()
    assert (out, err.splitlines()[-1]) == ("", "evaluating: 1,797 of 1,797 images")
    with pytest.raises(cnnctl.DataError):
        cnnctl.evaluate(digits, data=here / "nothing")


def test_training_again_gives_the_same_and_leaves_the_process_as_it_was(
    values: dict[str, Any], here: Path, capfd: pytest.CaptureFixture[str], small: cnnctl.TrainedRun
) -> None:
    import keras
    import tensorflow as tf

    capfd.readouterr()
    keras.config.set_dtype_policy("mixed_float16")
    keras.config.enable_interactive_logging()
    before = (list(warnings.filters), warnings.showwarning, signal.getsignal(signal.SIGINT), os.fstat(2))
    try:
        again = cnnctl.train(values)
        other = cnnctl.train(values, {"seed": 1, "train.epochs": 1}, output="other")
        assert keras.config.dtype_policy().name == "mixed_float16"
    finally:
        keras.config.set_dtype_policy("float32")
    assert keras.config.is_interactive_logging_enabled()
    assert (list(warnings.filters), warnings.showwarning, signal.getsignal(signal.SIGINT), os.fstat(2)) == before
    assert not logging._warnings_showwarning
    tf.random.normal((2,))  # which a process that insists on determinism refuses without a seed
    assert capfd.readouterr() == ("", "")
    for name in SAME:
        assert (again.path / name).read_bytes() == (small.path / name).read_bytes()
    assert (again.path, other.path) == (here / "runs" / "small" / "1", here / "other")
    assert cnnctl.open_run() == other
    assert other.history[0] != again.history[0]


def test_progress_prints_what_the_command_prints(values: dict[str, Any], here: Path) -> None:
    """To what stands for stderr: a notebook's is no file."""
    screen = io.StringIO()
    before, sys.stderr = sys.stderr, screen
    try:
        cnnctl.train(values, {"train.epochs": 1}, progress=True)
    finally:
        sys.stderr = before
    lines = screen.getvalue().splitlines()
    assert lines[0] == "train: 36 images of 3 classes (007 12, 1e3 12, no 12)"
    assert "precision: mixed_bfloat16 (set in the config)" in lines
    assert [line.split()[0] for line in lines[-3:]] == ["epoch", "1/1", "exporting"]


def test_ctrl_c_stops_after_the_step_and_says_how_to_go_on(
    values: dict[str, Any], here: Path, small: cnnctl.TrainedRun
) -> None:
    handler = signal.getsignal(signal.SIGINT)
    with pytest.raises(cnnctl.InterruptedTrainingError) as caught:
        cnnctl.train(values, output="part", progress=Stopper(lambda: signal.raise_signal(signal.SIGINT)))
    assert caught.value.message.startswith(
        "interrupted in epoch 2 of 2, which will be repeated; the weights of epoch 1"
    )
    assert caught.value.hint == "resume with: cnnctl.train(config, output='part', resume=True)"
    assert caught.value.exit_code == 130
    assert signal.getsignal(signal.SIGINT) is handler
    assert [row["epoch"] for row in cnnctl.open_run("part").history] == [1]
    watcher = Stopper(lambda: None)
    again = cnnctl.train(values, output="part", resume=True, progress=watcher)
    assert "resuming after epoch 1 of 2, in part" in watcher.notes
    for name in SAME:
        assert (again.path / name).read_bytes() == (small.path / name).read_bytes()
    complete = Stopper(lambda: None)
    assert cnnctl.train(values, output="part", resume=True, progress=complete) == again
    assert complete.notes == []


def test_a_second_ctrl_c_does_not_wait(values: dict[str, Any], here: Path) -> None:
    reached: list[str] = []

    def press_twice() -> None:
        signal.raise_signal(signal.SIGINT)
        reached.append("after the first")
        signal.raise_signal(signal.SIGINT)
        reached.append("after the second")

    with pytest.raises(cnnctl.InterruptedTrainingError):
        cnnctl.train(values, progress=Stopper(press_twice))
    assert reached == ["after the first"]


def test_in_a_thread(values: dict[str, Any], here: Path) -> None:
    """Where no signal handler can be set, and while the main thread asks for a training too."""
    runs: list[cnnctl.TrainedRun] = []
    errors: list[BaseException] = []

    def ask_meanwhile() -> None:
        asking = threading.Thread(target=ask)
        asking.start()
        asking.join()

    def ask() -> None:
        try:
            cnnctl.train(values)
        except BaseException as error:
            errors.append(error)

    thread = threading.Thread(target=lambda: runs.append(cnnctl.train(values, progress=Stopper(ask_meanwhile))))
    thread.start()
    thread.join()
    assert runs[0].accuracy == runs[0].metrics["accuracy"]
    (busy,) = errors
    assert isinstance(busy, cnnctl.BusyError)
    assert busy.message == "this process is already training"


@pytest.fixture
def broken(values: dict[str, Any]) -> dict[str, Any]:
    return {**values, "data": {**values["data"], "train": "nowhere"}, "trian": {}}


def test_mistakes_come_before_anything_is_written(values: dict[str, Any], broken: dict[str, Any], here: Path) -> None:
    with pytest.raises(cnnctl.ConfigError) as caught:
        cnnctl.train(broken)
    assert [problem.path for problem in caught.value.problems] == ["trian", "data.train"]
    with pytest.raises(cnnctl.UsageError, match="resume=True needs output"):
        cnnctl.train(values, resume=True)
    (here / "full").mkdir()
    (here / "full" / "thesis.tex").touch()
    with pytest.raises(cnnctl.UsageError, match="is not empty"):
        cnnctl.train(values, output="full")
    with pytest.raises(cnnctl.MachineError, match="device: gpu, but TensorFlow"):
        cnnctl.train(values, {"train.device": "gpu"})
    with pytest.raises(cnnctl.MachineError, match="Keras runs on tensorflow in this process already") as refused:
        cnnctl.train(values, {"train.backend": "jax"})
    assert refused.value.hint == (
        "start a new process (in a notebook: restart the kernel), or train with backend: tensorflow"
    )
    assert os.environ["KERAS_BACKEND"] == "tensorflow"
    assert sorted(path.name for path in here.iterdir()) == ["full"]
