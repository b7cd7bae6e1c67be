"""Several trackers side by side, and one that fails."""

import importlib.util
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from cnnctl.errors import MachineError
from cnnctl.tracking.tracker import Trackers, finished, insist_on_packages, make_trackers
from tests.tracking.build import SEVENTH, beginning, complete_run, figures


class Recorder:
    """Writes down what it is told, and fails from the nth call on."""

    def __init__(self, fails_at: int = 99) -> None:
        self.heard: list[Any] = []
        self._fails_at = fails_at

    def _hear(self, what: Any) -> None:
        self.heard.append(what)
        if len(self.heard) >= self._fails_at:
            raise RuntimeError("the server\nis on fire")

    def begin(self, beginning: Any) -> None:
        self._hear(len(beginning.history))

    def epoch(self, number: int, figures: Any) -> None:
        self._hear((number, figures["loss"]))

    def end(self, outcome: Any) -> None:
        self._hear(outcome.status)

    def how_to_look(self) -> str | None:
        return "look there" if self.heard else None


def test_one_that_fails_is_told_of_once_and_left_alone(tmp_path: Path) -> None:
    notes: list[str] = []
    bad, good = Recorder(fails_at=2), Recorder()
    trackers = Trackers({"bad": bad, "good": good}, notes.append)
    with trackers.ending_on_error():
        trackers.begin(beginning(tmp_path))
        for number in (1, 2, 3):
            trackers.epoch(number, figures(number))
    assert good.heard == [0, (1, 0.5), (2, 0.25), (3, 0.125)]
    assert bad.heard == [0, (1, 0.5)]
    assert trackers.how_to_look() == {"good": "look there"}
    assert Trackers({"deaf": Recorder()}).how_to_look() == {}
    assert notes == ["warning: bad stops recording this training: the server is on fire"]


@pytest.mark.parametrize(
    ("raised", "status"), [(KeyboardInterrupt, "killed"), (MachineError("full"), "failed"), (SystemExit, "failed")]
)
def test_the_end_is_told_once(raised: Any, status: str, tmp_path: Path) -> None:
    recorder = Recorder()
    trackers = Trackers({"one": recorder})
    with pytest.raises(BaseException, match=r"full|^$"), trackers.ending_on_error():
        raise raised
    trackers.end(finished(complete_run(tmp_path, b""), SEVENTH, 1))
    assert recorder.heard == [status]


def test_the_outcome_of_a_complete_run(tmp_path: Path) -> None:
    nested = {"validation": {"accuracy": 0.25, "images": 3}, "test": {"loss": 9.0}}
    run = complete_run(tmp_path, b"")
    outcome = finished(run, {**SEVENTH, "split": "train", **nested}, 7)
    assert outcome.scores == {
        "train": {"accuracy": 0.75, "loss": 0.5},
        "validation": {"accuracy": 0.25},
        "test": {"loss": 9.0},
    }
    assert [path.name for path in outcome.models] == ["model.keras", "model.onnx"]
    assert outcome.plots == [run.plots / "curves.png"]
    run.onnx_model.unlink()
    assert [path.name for path in finished(run, SEVENTH, 7).models] == ["model.keras"]


@pytest.mark.parametrize(
    ("logger", "hidden", "where"),
    [
        ("tensorboard", "tensorboard", None),
        ("mlflow", "mlflow", "http://localhost:1"),
        ("mlflow", "sqlalchemy", None),
        ("mlflow", "alembic", "sqlite:///here.db"),
        ("wandb", "wandb", None),
    ],
)
def test_what_is_not_installed_is_an_error_that_names_the_extra(
    logger: Any, hidden: str, where: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    if where is not None:
        monkeypatch.setenv("MLFLOW_TRACKING_URI", where)
    insist_on_packages(["tensorboard", "mlflow", "wandb"])
    find = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == hidden else find(name))
    with pytest.raises(MachineError) as caught:
        insist_on_packages([logger])
    assert caught.value.message == f"train.loggers: {logger} needs {hidden}, which is not installed"
    assert caught.value.hint == f"pip install '.[{logger}]' from a checkout of cnnctl"
    assert caught.value.exit_code == 5


def test_a_server_needs_no_database_here(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://localhost:1")
    find = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "sqlalchemy" else find(name))
    insist_on_packages(["mlflow"])


def test_without_trackers_nothing_of_them_is_imported() -> None:
    program = (
        "import sys; import cnnctl.training.train, cnnctl.checks\n"
        "from cnnctl.tracking.tracker import make_trackers\n"
        "make_trackers((), print).epoch(1, {}); make_trackers(('tensorboard', 'mlflow', 'wandb'), print)\n"
        "print(sorted({'tensorboard', 'mlflow', 'sqlalchemy', 'wandb'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert (done.stdout, done.stderr) == ("[]\n", "")


def test_a_config_names_the_trackers() -> None:
    assert list(make_trackers((), print)._trackers) == []
    assert list(make_trackers(("mlflow", "tensorboard"), print)._trackers) == ["mlflow", "tensorboard"]
