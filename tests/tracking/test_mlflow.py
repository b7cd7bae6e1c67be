"""Runs of MLflow, read back by its client; a folder takes the place of the database, which takes seconds to be made."""

import getpass
import json
import subprocess
import sys
import warnings
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cnnctl.runs import Run
from cnnctl.tracking.events import Outcome
from cnnctl.tracking.mlflow import Mlflow
from cnnctl.tracking.tracker import Trackers, finished
from tests.tracking.build import SEVENTH, beginning, complete_run, figures, told_of_epochs

PAGE = "#/experiments/{}/runs?workflowType=machine_learning"


@pytest.fixture
def client(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Of the place that the trackers of a test write to."""
    monkeypatch.setenv("MLFLOW_TRACKING_URI", (tmp_path / "mlruns").as_uri())
    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")
    monkeypatch.setenv("MLFLOW_DISABLE_TELEMETRY", "true")
    from mlflow import MlflowClient

    return MlflowClient()


told = partial(told_of_epochs, Mlflow)


def only_run(client: Any, experiment: str = "shapes") -> Any:
    """The only run of an experiment."""
    (run,) = client.search_runs([client.get_experiment_by_name(experiment).experiment_id])
    return run


def steps(client: Any, name: str) -> list[tuple[int, float]]:
    return [(one.step, one.value) for one in client.get_metric_history(only_run(client).info.run_id, name)]


def test_a_run_has_parameters_metrics_and_files(tmp_path: Path, client: Any) -> None:
    folder = tmp_path / "shapes" / "7"
    run = complete_run(folder, b"a plot")
    told(folder, then=(1, 2)).end(finished(run, SEVENTH, 2))
    found = only_run(client)
    assert (found.info.run_name, found.info.status) == ("shapes 7", "FINISHED")
    assert found.data.params["model.0.conv2d.filters"] == "32"
    assert found.data.params["train.optimizer.adam.learning_rate"] == "0.001"
    assert found.data.params["train.ema"] == "none"
    assert found.data.tags["cnnctl.run"] == str(folder)
    assert found.data.tags["cnnctl.device"] == "Abacus"
    assert steps(client, "loss") == [(0, 0.5), (1, 0.25)]
    assert steps(client, "val_accuracy") == [(0, 0.125), (1, 0.25)]
    assert steps(client, "test_accuracy") == [(1, 0.75)]
    artifacts = {
        one.path
        for where in (None, "plots", "model")
        for one in client.list_artifacts(found.info.run_id, where)
        if not one.is_dir
    }
    assert artifacts == {
        *("config.yaml", "classes.json", "history.csv", "metrics.json"),
        *("plots/curves.png", "model/model.keras", "model/model.onnx"),
        *("model/MLmodel", "model/requirements.txt", "model/python_env.yaml"),
    }
    assert found.data.tags["mlflow.user"] == getpass.getuser()
    assert client.get_experiment_by_name("shapes").tags["mlflow.experimentKind"] == "custom_model_development"
    assert json.loads(Run(folder).mlflow.read_text()) == {"experiment": "shapes", "run_id": found.info.run_id}


def test_the_model_has_its_signature_and_can_be_loaded(tmp_path: Path, client: Any) -> None:
    folder = tmp_path / "shapes" / "7"
    told(folder, then=(1, 2)).end(finished(complete_run(folder, b"a plot"), SEVENTH, 2))
    run = only_run(client)
    (output,) = run.outputs.model_outputs
    logged = client.get_logged_model(output.model_id)
    assert (output.step, logged.source_run_id, str(logged.status)) == (1, run.info.run_id, "READY")
    assert logged.tags["mlflow.source.name"] == "cnnctl train"
    assert {one.key: one.value for one in logged.metrics} == {"test_accuracy": 0.75, "test_loss": 0.5}
    import mlflow

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for place in (f"models:/{output.model_id}", f"runs:/{run.info.run_id}/model"):
            model = mlflow.pyfunc.load_model(place)
            (image,), (answer,) = model.metadata.signature.inputs.inputs, model.metadata.signature.outputs.inputs
            assert (image.name, str(image.type), image.shape) == ("image", "uint8", (-1, 2, 3, 1))
            assert (answer.name, str(answer.type), answer.shape) == ("probabilities", "float32", (-1, 2))
            assert model.metadata.metadata["classes"] == ["cat", "dog"]
            (said,) = model.predict(np.full((4, 2, 3, 1), 7, np.uint8)).values()
            assert said.tolist() == [[7.0, 7.0]] * 4
    kept = Path(client.download_artifacts(run.info.run_id, "model/model.onnx", str(tmp_path)))
    assert kept.read_bytes() == Run(folder).onnx_model.read_bytes()
    assert (logged.model_id, "mlflow") == (model.metadata.model_id, requirements(client, run.info.run_id)[0])


def requirements(client: Any, run_id: str) -> list[str]:
    """The packages that the model of a run needs."""
    lines = Path(client.download_artifacts(run_id, "model/requirements.txt")).read_text().splitlines()
    assert all("==" in line for line in lines)
    return [line.partition("==")[0] for line in lines]


def test_the_commit_of_the_current_folder(tmp_path: Path, client: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    repository = tmp_path / "work"
    (repository / "inner").mkdir(parents=True)
    who = ("-c", "user.name=a", "-c", "user.email=a@b")
    for words in (["init", "-q", "-b", "trunk"], [*who, "commit", "-q", "--allow-empty", "-m", "first"]):
        subprocess.run(["git", *words], cwd=repository, check=True)
    subprocess.run(["git", "remote", "add", "origin", "https://me:secret@example.org/x"], cwd=repository, check=True)
    said = subprocess.run(["git", "rev-parse", "HEAD"], cwd=repository, capture_output=True, text=True, check=True)
    monkeypatch.chdir(repository / "inner")
    told(tmp_path / "run", then=(1,)).end(Outcome("killed"))
    tags = only_run(client).data.tags
    assert tags["mlflow.source.git.commit"] == said.stdout.strip()
    assert tags["mlflow.source.git.branch"] == "trunk"
    assert tags["mlflow.source.git.repoURL"] == "https://example.org/x"


def test_a_user_without_a_name(tmp_path: Path, client: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse() -> str:
        raise KeyError("getpwuid(): uid not found: 4242")

    monkeypatch.setattr(getpass, "getuser", refuse)
    monkeypatch.chdir(tmp_path)
    told(tmp_path / "run", then=(1,)).end(Outcome("killed"))
    tags = only_run(client).data.tags
    assert {"mlflow.user", "mlflow.source.git.commit"}.isdisjoint(tags)


def test_an_experiment_from_before_becomes_one_of_training(tmp_path: Path, client: Any) -> None:
    client.create_experiment("shapes")
    told(tmp_path / "1", then=(1,)).end(Outcome("killed"))
    kind = "mlflow.experimentKind"
    assert client.get_experiment_by_name("shapes").tags[kind] == "custom_model_development"
    client.set_experiment_tag(client.get_experiment_by_name("shapes").experiment_id, kind, "regression")
    told(tmp_path / "2", then=(1,)).end(Outcome("killed"))
    assert client.get_experiment_by_name("shapes").tags[kind] == "regression"


def test_a_server_that_has_no_models_of_runs_gets_the_files(
    tmp_path: Path, client: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from mlflow import MlflowClient
    from mlflow.exceptions import MlflowException
    from mlflow.protos.databricks_pb2 import ENDPOINT_NOT_FOUND

    def refuse(*_: Any, **__: Any) -> None:
        raise MlflowException("no such endpoint", ENDPOINT_NOT_FOUND)

    monkeypatch.setattr(MlflowClient, "create_logged_model", refuse)
    told(tmp_path / "run", then=(1, 2)).end(finished(complete_run(tmp_path / "run", b"a plot"), SEVENTH, 2))
    run = only_run(client)
    assert (run.info.status, steps(client, "test_accuracy")) == ("FINISHED", [(1, 0.75)])
    models = [one.path for one in client.list_artifacts(run.info.run_id, "model")]
    assert models == ["model/model.keras", "model/model.onnx"]


def test_going_on_is_the_same_run_without_doubled_steps(tmp_path: Path, client: Any) -> None:
    told(tmp_path / "run", then=(1, 2)).end(Outcome("killed"))
    first = only_run(client)
    assert first.info.status == "KILLED"
    tracker = told(tmp_path / "run", 1, 2, 3, then=(), text="name: shapes\n" + LONGER)
    assert only_run(client).info.status == "RUNNING"
    tracker.epoch(4, figures(4))
    tracker.end(Outcome("finished", 3, {"test": {"loss": 0.5}}))
    told(tmp_path / "run", 1, 2, 3, 4, then=()).end(Outcome("finished", 3, {"test": {"loss": 0.5}}))
    run = only_run(client)
    assert (run.info.run_id, run.info.status) == (first.info.run_id, "FINISHED")
    assert steps(client, "loss") == [(0, 0.5), (1, 0.25), (2, 0.125), (3, 0.0625)]
    assert steps(client, "test_loss") == [(2, 0.5)]
    assert run.data.params["train.epochs"] == "20"
    assert run.data.tags["resumed.train.epochs"] == "50"


LONGER = "data: {train: photos}\nmodel: [conv2d: {filters: 32, kernel_size: 3}, flatten]\ntrain: {epochs: 50}\n"


def test_a_run_that_is_gone_is_begun_anew_with_its_history(tmp_path: Path, client: Any) -> None:
    told(tmp_path / "run", then=(1, 2))
    Run(tmp_path / "run").mlflow.write_text('{"run_id": "0123456789abcdef0123456789abcdef"}')
    told(tmp_path / "run", 1, 2, then=(3,)).end(Outcome("failed"))
    runs = client.search_runs([client.get_experiment_by_name("shapes").experiment_id], "attributes.status = 'FAILED'")
    assert [len(client.get_metric_history(run.info.run_id, "loss")) for run in runs] == [3]


def test_names_and_values_that_mlflow_does_not_take(tmp_path: Path, client: Any) -> None:
    weights = ", ".join(f"'class[{number}]/{number}': 1" for number in range(600))
    text = f"data: {{train: '{'x' * 7000}'}}\nmodel: [flatten]\ntrain: {{class_weight: {{{weights}, 'ä & b': 2}}}}\n"
    told(tmp_path, then=(1,), text="name: odd\n" + text).end(Outcome("killed"))
    params = only_run(client, "odd").data.params
    assert len(params["data.train"]) == 6000
    assert params["train.class_weight.class.0-0"] == "1.0"
    assert len(params) == 500


def test_telemetry_is_off_and_the_network_is_left_alone(tmp_path: Path) -> None:
    """In a process of its own, the first to import MLflow, which the user has told nothing."""
    program = """
import os, socket, sys
from pathlib import Path
def refuse(*_): raise AssertionError("a connection")
socket.socket.connect = socket.getaddrinfo = refuse
for name in [name for name in os.environ if name.startswith(("MLFLOW", "CI", "PYTEST", "DO_NOT_TRACK"))]:
    del os.environ[name]
os.environ["MLFLOW_TRACKING_URI"] = (Path(sys.argv[1]) / "mlruns").as_uri()
from tests.tracking.test_mlflow import *
told(Path(sys.argv[1]) / "run", then=(1, 2)).end(Outcome("killed"))
from mlflow.telemetry import get_telemetry_client
print(get_telemetry_client())
"""
    home = {"HOME": str(tmp_path), "PATH": "", "PYTHONPATH": ":".join(sys.path)}
    command = [sys.executable, "-c", program, str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=home, cwd=tmp_path)
    assert (done.returncode, done.stdout, done.stderr) == (0, "None\n", "")


def test_a_server_that_is_not_there_is_a_warning(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:9")
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    notes: list[str] = []
    trackers = Trackers({"mlflow": Mlflow()}, notes.append)
    trackers.begin(beginning(tmp_path))
    trackers.epoch(1, figures(1))
    trackers.end(Outcome("finished"))
    assert len(notes) == 1
    assert notes[0].startswith("warning: mlflow stops recording this training: ")
    assert "127.0.0.1" in notes[0]


@pytest.mark.parametrize(
    ("uri", "said"),
    [
        (None, f"mlflow ui, then http://127.0.0.1:5000/{PAGE}"),
        ("sqlite:///a.db", f'mlflow ui --backend-store-uri "$MLFLOW_TRACKING_URI", then http://127.0.0.1:5000/{PAGE}'),
        ("http://ours:5001", f"http://ours:5001/{PAGE}"),
        ("https://me:secret@ours/mlflow/", f"https://ours/mlflow/{PAGE}"),
        ("databricks", None),
    ],
)
def test_the_address_is_that_of_the_view_for_model_training(
    uri: str | None, said: str | None, tmp_path: Path, client: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    tracker = told(tmp_path / "run", then=())
    monkeypatch.delenv("MLFLOW_TRACKING_URI")
    if uri is not None:
        monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
    number = client.get_experiment_by_name("shapes").experiment_id
    assert tracker.how_to_look() == (said and said.format(number))
