"""Runs of Weights & Biases in its offline mode, read back from the transaction log that `wandb sync` uploads."""

import csv
import json
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from cnnctl.runs import Run
from cnnctl.tracking.events import Outcome
from cnnctl.tracking.tracker import Trackers, finished
from cnnctl.tracking.wandb import Wandb
from tests.cli.command import succeed
from tests.tracking.build import SEVENTH, beginning, complete_run, figures, told_of_epochs, wandb_records
from tests.tracking.wandb_server import Server, standing_in
from tests.training.build import SMALL

PLOT = cv2.imencode(".png", np.zeros((4, 6, 3), np.uint8))[1].tobytes()


def alone(home: Path) -> dict[str, str]:
    """Where wandb keeps what it keeps outside the current folder."""
    return {name: str(home / name) for name in ("HOME", "WANDB_CONFIG_DIR", "WANDB_CACHE_DIR", "WANDB_DATA_DIR")}


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """An empty current folder, offline; wandb begins and ends with the test, since it reads its variables once."""
    import wandb

    wandb.teardown()
    before = dict(os.environ)
    for name in [name for name in os.environ if name.startswith("WANDB")]:
        del os.environ[name]
    os.environ.update({"WANDB_MODE": "offline", **alone(tmp_path / "home")})
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    yield tmp_path / "here"
    wandb.teardown()
    os.environ.clear()
    os.environ.update(before)


told = partial(told_of_epochs, Wandb)


def logs(here: Path) -> list[Path]:
    """The folders of all starts, the oldest first; wandb's process, which writes them, is ended."""
    import wandb

    wandb.teardown()
    return sorted((here / "wandb").glob("offline-run-*"))


def values(items: Any) -> dict[str, Any]:
    """Those of config, history or summary items, by their dotted keys."""
    return {item.key or ".".join(item.nested_key): json.loads(item.value_json) for item in items}


def configs(records: list[Any]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for record in records:
        for source in (record.run.config, record.config):
            found |= values(source.update)
    return found


def rows(records: list[Any]) -> list[dict[str, Any]]:
    """The points of the curves."""
    found = [values(record.history.item) for record in records if record.WhichOneof("record_type") == "history"]
    return [row for row in found if "loss" in row]


def summary(records: list[Any]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for record in records:
        found |= values(record.summary.update)
    return found


def exit_codes(records: list[Any]) -> list[int]:
    return [record.exit.exit_code for record in records if record.WhichOneof("record_type") == "exit"]


def test_a_run_has_settings_points_figures_and_files(tmp_path: Path, here: Path) -> None:
    folder = tmp_path / "shapes" / "7"
    run = complete_run(folder, PLOT)
    tracker = told(folder, then=(1, 2))
    tracker.end(finished(run, SEVENTH, 2))
    (log,) = logs(here)
    records = wandb_records(log)
    (begun,) = [record.run for record in records if record.WhichOneof("record_type") == "run"]
    assert (begun.project, begun.display_name) == ("shapes", "shapes 7")
    kept = json.loads(run.wandb.read_text())
    assert tracker.how_to_look() == f"wandb sync wandb/offline-run-*-{begun.run_id}*"
    assert kept == {"entity": None, "project": "shapes", "run_id": begun.run_id, "epoch": 2}

    settings = configs(records)
    assert settings["model"]["0"]["conv2d"]["filters"] == 32
    assert settings["model"]["0"]["conv2d"]["kernel_size"] == [3, 3]
    assert settings["train"]["ema"] is None
    assert settings["cnnctl"] == {**settings["cnnctl"], "run": "shapes 7", "device": "Abacus", "backend": "tensorflow"}

    points = rows(records)
    assert [(row["epoch"], row["loss"], row["val_accuracy"]) for row in points] == [(1, 0.5, 0.125), (2, 0.25, 0.25)]
    (axis,) = [record.metric for record in records if record.WhichOneof("record_type") == "metric"]
    assert (axis.glob_name, axis.step_metric) == ("*", "epoch")
    assert summary(records).items() >= {"test_accuracy": 0.75, "test_loss": 0.5, "best_epoch": 2}.items()
    (picture,) = (log / "files" / "media" / "images" / "plots").iterdir()
    assert picture.read_bytes() == PLOT

    (artifact,) = [one for one in map(artifact_of, records) if one is not None]
    assert (artifact.name, artifact.type) == ("shapes-7", "model")
    assert json.loads(artifact.metadata)["classes"] == ["cat", "dog"]
    files = {one.path: Path(one.local_path).read_bytes() for one in artifact.manifest.contents}
    names = ("model.keras", "model.onnx", "config.yaml", "classes.json", "history.csv", "metrics.json")
    assert files == {name: (folder / name).read_bytes() for name in names}
    assert exit_codes(records) == [0]


def artifact_of(record: Any) -> Any:
    """What is uploaded as an artifact by a record, if anything is."""
    if record.WhichOneof("record_type") == "artifact":
        return record.artifact
    if record.request.WhichOneof("request_type") == "log_artifact":
        return record.request.log_artifact.artifact
    return None


def test_going_on_is_the_same_run_without_doubled_epochs(tmp_path: Path, here: Path) -> None:
    told(tmp_path / "run", then=(1, 2)).end(Outcome("killed"))
    tracker = told(tmp_path / "run", 1, 2, 3, then=(), text="name: shapes\n" + LONGER)
    tracker.epoch(4, figures(4))
    tracker.end(Outcome("failed"))
    first, second = map(wandb_records, logs(here))
    begun = [record.run for log in (first, second) for record in log if record.WhichOneof("record_type") == "run"]
    assert begun[0].run_id == begun[1].run_id == json.loads(Run(tmp_path / "run").wandb.read_text())["run_id"]
    assert [[row["epoch"] for row in rows(log)] for log in (first, second)] == [[1, 2], [3, 4]]
    assert [configs(log)["train"]["epochs"] for log in (first, second)] == [20, 50]
    assert [exit_codes(log) for log in (first, second)] == [[255], [1]]


LONGER = "data: {train: photos}\nmodel: [conv2d: {filters: 32, kernel_size: 3}, flatten]\ntrain: {epochs: 50}\n"


@pytest.fixture
def server() -> Iterator[Server]:
    """A server and somebody who has logged in to it."""
    with standing_in() as server:
        os.environ.update({"WANDB_MODE": "online", "WANDB_BASE_URL": server.address, "WANDB_API_KEY": "0" * 40})
        yield server


def test_a_server_gets_the_points_and_is_asked_where_to_go_on(tmp_path: Path, here: Path, server: Server) -> None:
    tracker = told(tmp_path / "run", then=(1,))
    tracker.end(Outcome("killed"))
    kept = json.loads(Run(tmp_path / "run").wandb.read_text())
    assert (kept["entity"], kept["project"], kept["epoch"]) == ("me", "shapes", 1)
    assert tracker.how_to_look() == f"{server.address}/me/shapes/runs/{kept['run_id']}"
    Run(tmp_path / "run").write_json(Run(tmp_path / "run").wandb, {**kept, "epoch": 2})  # which has not arrived
    told(tmp_path / "run", 1, 2, then=(3,)).end(Outcome("finished", 3, {"test": {"accuracy": 0.75}}))
    assert [(row["epoch"], row["loss"]) for row in server.history] == [(1, 0.5), (2, 0.25), (3, 0.125)]
    assert server.summary["test_accuracy"] == 0.75
    assert server.exit_codes == [255, 0]
    assert b"conv2d" in server.received
    assert f'"{socket.gethostname()}"'.encode() not in server.received


def test_the_command_that_is_named_uploads_all_starts(tmp_path: Path, here: Path, server: Server) -> None:
    import wandb

    online = {**os.environ, "WANDB_SILENT": "true"}
    os.environ["WANDB_MODE"] = "offline"
    told(tmp_path / "run", then=(1, 2)).end(Outcome("killed"))
    tracker = told(tmp_path / "run", 1, 2, then=(3, 4))
    tracker.end(Outcome("finished"))
    wandb.teardown()
    assert server.received == b""
    command = f"{sys.executable} -m {tracker.how_to_look()}"
    subprocess.run(command, shell=True, check=True, env=online, capture_output=True)
    assert [row["epoch"] for row in server.history] == [1, 2, 3, 4]
    assert server.exit_codes == [255, 0]


def test_a_run_of_a_name_that_no_artifact_can_have(tmp_path: Path, here: Path) -> None:
    folder = tmp_path / "größte & beste"
    told(folder, then=(1,)).end(finished(complete_run(folder, PLOT), SEVENTH, 1))
    (artifact,) = [one for one in map(artifact_of, wandb_records(logs(here)[0])) if one is not None]
    assert artifact.name == "gr--te---beste"


def test_the_project_that_the_user_names(tmp_path: Path, here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WANDB_PROJECT", "ours")
    told(tmp_path / "run", then=(1,)).end(Outcome("killed"))
    monkeypatch.delenv("WANDB_PROJECT")
    told(tmp_path / "run", 1, then=(2,)).end(Outcome("killed"))
    begun = [record.run for log in logs(here) for record in wandb_records(log) if record.HasField("run")]
    assert [one.project for one in begun] == ["ours", "ours"]


PROGRAM = """
import os, sys
from pathlib import Path
from tests.tracking.test_wandb import PLOT, SEVENTH, complete_run, finished, told
folder = Path("shapes/7")
run = complete_run(folder, PLOT)
print("what I say")
told(folder, then=(1, 2)).end(finished(run, SEVENTH, 2))
"""


def test_nothing_of_the_machine_is_recorded_and_nobody_is_called(tmp_path: Path, here: Path) -> None:
    """In a process of its own, in a repository, with a secret in the environment; a proxy would hear of any call."""
    for words in (["init", "-q"], ["remote", "add", "origin", "https://example.org/our-code"]):
        subprocess.run(["git", *words], cwd=here, check=True)
    with socket.create_server(("127.0.0.1", 0)) as proxy:
        address = f"http://127.0.0.1:{proxy.getsockname()[1]}"
        environment = {
            "PATH": os.environ["PATH"],
            "PYTHONPATH": ":".join(sys.path),
            "WANDB_MODE": "offline",
            **alone(tmp_path / "home"),
            "MY_SECRET": "xyzzy-secret",
            "HTTPS_PROXY": address,
            "HTTP_PROXY": address,
        }
        command = [sys.executable, "-c", PROGRAM]
        done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment, cwd=here)
        assert (done.returncode, done.stdout, done.stderr) == (0, "what I say\n", "")
        proxy.setblocking(False)
        with pytest.raises(BlockingIOError):
            proxy.accept()
    (log,) = logs(here)
    sent = [*log.glob("*.wandb"), *(path for path in (log / "files").rglob("*") if path.is_file())]
    assert len(sent) > 1
    content = b"\n".join(path.read_bytes() for path in sent)
    assert b"conv2d" in content
    for private in (f'"{socket.gethostname()}"', "xyzzy-secret", "what I say", "our-code", "requirements.txt"):
        assert private.encode() not in content, private
    assert not [record for record in wandb_records(log) if record.run.host or record.run.HasField("git")]


def test_without_a_key_it_is_a_warning_and_no_question(tmp_path: Path, here: Path) -> None:
    os.environ["WANDB_MODE"] = "online"
    assert warnings_of(tmp_path) == [
        "warning: wandb stops recording this training: No API key configured. Use `wandb login` to log in."
    ]


def test_a_server_that_is_not_there_is_a_warning(tmp_path: Path, here: Path) -> None:
    address = {"WANDB_BASE_URL": "http://127.0.0.1:9", "WANDB_API_KEY": "0" * 40, "WANDB_INIT_TIMEOUT": "2"}
    os.environ.update({"WANDB_MODE": "online", **address})
    (said,) = warnings_of(tmp_path)
    assert said.startswith("warning: wandb stops recording this training: ")


def warnings_of(folder: Path) -> list[str]:
    """What is told of a training of one epoch."""
    notes: list[str] = []
    trackers = Trackers({"wandb": Wandb()}, notes.append)
    trackers.begin(beginning(folder / "run"))
    trackers.epoch(1, figures(1))
    trackers.end(Outcome("finished"))
    assert trackers.how_to_look() == {}
    return notes


def test_a_user_who_has_switched_it_off(tmp_path: Path, here: Path) -> None:
    os.environ["WANDB_MODE"] = "disabled"
    tracker = told(tmp_path / "run", then=(1,))
    tracker.end(finished(complete_run(tmp_path / "run", PLOT), SEVENTH, 1))
    assert tracker.how_to_look() is None
    assert not Run(tmp_path / "run").has(Run(tmp_path / "run").wandb)
    assert logs(here) == []


def test_the_command_records_a_training_and_goes_on_with_it(small_photos: Path, here: Path) -> None:
    """A whole training in a process of its own, and then one epoch more."""
    (here / "shapes.yaml").write_text(SMALL.format(photos=small_photos))
    printed = json.loads(succeed("train", "shapes.yaml", "--set", "train.loggers=[wandb]", "--json", cwd=here))
    run = Run(here / printed["run"])
    with run.history.open(newline="") as file:
        losses = [float(row["val_loss"]) for row in csv.DictReader(file)]
    (log,) = logs(here)
    records = wandb_records(log)
    assert [row["val_loss"] for row in rows(records)] == pytest.approx(losses)
    assert summary(records)["test_accuracy"] == pytest.approx(printed["metrics"]["accuracy"])
    assert exit_codes(records) == [0]
    identity = json.loads(run.wandb.read_text())["run_id"]

    succeed("train", "--resume", printed["run"], "--set", "train.epochs=3", cwd=here)
    again = logs(here)[-1]
    assert again != log
    assert len(rows(wandb_records(again))) == 1
    assert again.name.endswith(identity)
