"""MLflow: the experiment is the config's name, the run is the run.

It writes where MLflow's settings say, which is a database in the current folder unless MLFLOW_TRACKING_URI names
another place. Its client is used rather than its functions, which share one active run with the user's own code.
"""

import getpass
import os
import re
import tempfile
import time
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

from cnnctl.config import Config
from cnnctl.config.dump import leaves, to_plain
from cnnctl.runs import Run
from cnnctl.system import files
from cnnctl.tracking.events import Figures, Outcome, RunStarted
from cnnctl.tracking.mlflow_model import write_description
from cnnctl.version import __version__

_MOST_PARAMS, _PARAMS_A_CALL = 500, 100
_LONGEST_KEY, _LONGEST_VALUE = 250, 6000
"""MLflow's limits; a whole config is among the files all the same."""

_KIND, _OF_MODELS = "mlflow.experimentKind", "custom_model_development"
"""What it is about, so that MLflow need not guess between this and language models."""

_LOCAL, _VIEW = "http://127.0.0.1:5000", "workflowType=machine_learning"
"""Where `mlflow ui` listens, and the view that it is to show."""

_TRACKING_URI = "MLFLOW_TRACKING_URI"

_UNFIT = re.compile(r"[^\w.\- :]")
_STATUS = {"finished": "FINISHED", "failed": "FAILED", "killed": "KILLED"}
_PATIENT = {"MLFLOW_HTTP_REQUEST_MAX_RETRIES": "2", "MLFLOW_HTTP_REQUEST_TIMEOUT": "20"}
"""A server that does not answer is given up after a minute, not after a quarter of an hour."""

_SILENT = {"MLFLOW_LOGGING_LEVEL": "ERROR", "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true"}
_FOLDERS = {"MLFLOW_ALLOW_FILE_STORE": "true"}
"""Who names a folder as MLFLOW_TRACKING_URI wants one."""


class Mlflow:
    """The tracker."""

    def begin(self, beginning: RunStarted) -> None:
        """Begin a run, or resume the one whose number the run directory holds."""
        self._client = _make_client()
        known = _known(self._client, beginning.run)
        self._is_new = known is None
        self._run = beginning.run
        self._steps: dict[str, set[int]] = {}
        self._run_id = known.info.run_id if known is not None else self._create(beginning)
        self._experiment = self._client.get_run(self._run_id).info.experiment_id
        if known is not None:
            self._client.update_run(self._run_id, status="RUNNING")
        self._write_params(beginning.config, known.data.params if known is not None else {})
        for number, figures in enumerate(beginning.history, start=1):
            self.epoch(number, figures)

    def epoch(self, number: int, figures: Figures) -> None:
        """A step of each metric, from 0 as in MLflow's callback for Keras."""
        self._write_metrics(figures, number - 1)

    def end(self, outcome: Outcome) -> None:
        """The figures of each split, the plots and the models, and the status."""
        step, onnx = outcome.best_epoch - 1, self._run.onnx_model
        model = self._log_model(step) if onnx in outcome.models else None
        models = [path for path in outcome.models if path != onnx or model is None]
        for folder, paths in (("plots", outcome.plots), ("model", models), (None, outcome.files)):
            for path in paths:
                self._client.log_artifact(self._run_id, str(path), folder)
        for split, figures in outcome.scores.items():
            self._write_metrics({f"{split}_{name}": value for name, value in figures.items()}, step, model)
        self._client.set_terminated(self._run_id, _STATUS[outcome.status])

    def how_to_look(self) -> str | None:
        """The address of the experiment in the view for model training, which some versions open only if told so."""
        import mlflow

        named = mlflow.get_tracking_uri()
        uri = urlsplit(named)
        begin, server = "", _LOCAL
        if uri.scheme in ("http", "https"):
            host = uri.netloc.rpartition("@")[2]  # what is before it is a password
            server = urlunsplit((uri.scheme, host, uri.path.rstrip("/"), "", ""))
        elif named.startswith("databricks"):
            return None
        else:  # a database or a folder, whose address may hold a password too
            is_named = _TRACKING_URI in os.environ
            place = f' --backend-store-uri "${_TRACKING_URI}"' if is_named else ""
            begin = f"mlflow ui{place}, then "
        return f"{begin}{server}/#/experiments/{self._experiment}/runs?{_VIEW}"

    def _log_model(self, step: int) -> str | None:
        """model.onnx as a model of MLflow, with its signature; its number.

        MLflow shows its files among those of the run, in `model`. None on servers from before MLflow 3, which have no
        models of runs.
        """
        from mlflow.entities import LoggedModelOutput
        from mlflow.exceptions import MlflowException

        try:
            model = self._client.create_logged_model(
                self._experiment, "model", self._run_id, tags=_origin(), model_type="classifier"
            )
        except MlflowException as error:
            if error.error_code != "ENDPOINT_NOT_FOUND":
                raise
            return None
        with tempfile.TemporaryDirectory() as folder:
            for path in (*write_description(self._run, model.model_id, Path(folder)), self._run.onnx_model):
                self._client.log_model_artifact(model.model_id, str(path))
        self._client.finalize_logged_model(model.model_id, "READY")
        self._client.log_outputs(self._run_id, [LoggedModelOutput(model.model_id, step)])
        return str(model.model_id)

    def _create(self, beginning: RunStarted) -> str:
        run, name = beginning.run, beginning.config.name or "run"
        found = self._client.get_experiment_by_name(name)
        if found is None:
            experiment = self._client.create_experiment(name, tags={_KIND: _OF_MODELS})
        else:
            experiment = found.experiment_id
            if _KIND not in found.tags:
                self._client.set_experiment_tag(experiment, _KIND, _OF_MODELS)
        tags = {
            **_origin(),
            "cnnctl.version": __version__,
            "cnnctl.run": str(files.absolute(run.path)),
            **{f"cnnctl.{what}": text for what, text in beginning.machine.items()},
        }
        run_id: str = self._client.create_run(experiment, run_name=run.title, tags=tags).info.run_id
        run.write_json(run.mlflow, {"experiment": name, "run_id": run_id})
        return run_id

    def _write_params(self, config: Config, known: Mapping[str, str]) -> None:
        """Every value of the config; one that a resume has changed is a tag, since parameters stay what they were."""
        from mlflow.entities import Param

        values = dict(_params(leaves(to_plain(config))))
        new = [Param(key, value) for key, value in values.items() if key not in known]
        for start in range(0, len(new), _PARAMS_A_CALL):
            self._client.log_batch(self._run_id, params=new[start : start + _PARAMS_A_CALL])
        for key, value in values.items():
            if known.get(key, value) != value:
                self._client.set_tag(self._run_id, f"resumed.{key}", value)

    def _write_metrics(self, figures: Figures, step: int, model: str | None = None) -> None:
        """Metrics of a step, but for those that are there already; with a `model` they are that model's too."""
        from mlflow.entities import Metric

        now = int(time.time() * 1000)
        new = {name: value for name, value in figures.items() if step not in self._known_steps(name)}
        if new:
            whose = {} if model is None else {"model_id": model, "run_id": self._run_id}
            metrics = [Metric(name, value, now, step, **whose) for name, value in new.items()]
            self._client.log_batch(self._run_id, metrics=metrics)
        for name in new:
            self._steps[name].add(step)

    def _known_steps(self, name: str) -> set[int]:
        """The steps that a metric has; MLflow is asked once, and only of a resumed run."""
        if name not in self._steps:
            before = [] if self._is_new else self._client.get_metric_history(self._run_id, name)
            self._steps[name] = {one.step for one in before}
        return self._steps[name]


def _make_client() -> Any:
    os.environ["MLFLOW_DISABLE_TELEMETRY"] = "true"
    for name, value in (_PATIENT | _SILENT | _FOLDERS).items():
        os.environ.setdefault(name, value)
    from mlflow import MlflowClient

    return MlflowClient()


def _origin() -> dict[str, str]:
    """What trains and who, as far as the system knows it, and the commit of the current folder, if git knows one."""
    from mlflow.utils.git_utils import get_git_branch, get_git_commit, get_git_repo_url

    user = None
    with suppress(KeyError, OSError, ImportError):  # a container's user may have no name
        user = getpass.getuser()
    here = str(files.absolute(Path()))  # as it is where the current folder was deleted: git then knows nothing
    found = {
        "mlflow.source.name": "cnnctl train",
        "mlflow.source.type": "LOCAL",
        "mlflow.user": user,
        "mlflow.source.git.commit": get_git_commit(here),
        "mlflow.source.git.branch": get_git_branch(here),
        "mlflow.source.git.repoURL": _without_password(get_git_repo_url(here)),
    }
    return {name: text for name, text in found.items() if text is not None}


def _without_password(url: str | None) -> str | None:
    """An address without the name and the password in it, which older versions of MLflow leave there."""
    return url and re.sub(r"(?<=://)[^/@]*@", "", url)


def _known(client: Any, run: Run) -> Any:
    """MLflow's run that a run directory names; None where it names none, or one that is not there."""
    from mlflow.exceptions import MlflowException

    if not run.has(run.mlflow):
        return None
    try:
        return client.get_run(str(run.read_json(run.mlflow)["run_id"]))
    except MlflowException as error:
        if error.error_code not in ("RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE"):
            raise
        return None


def _params(values: Iterable[tuple[str, object]]) -> Iterable[tuple[str, str]]:
    """`model[0].conv2d.filters` as `model.0.conv2d.filters`: MLflow's names have no brackets."""
    for _, (path, value) in zip(range(_MOST_PARAMS), values, strict=False):
        key = _UNFIT.sub("-", re.sub(r"\[(\d+)\]", r".\1", path))[:_LONGEST_KEY]
        yield key, ("none" if value is None else str(value))[:_LONGEST_VALUE]
