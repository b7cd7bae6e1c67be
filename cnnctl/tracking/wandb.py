"""Weights & Biases: the project is the config's name, the run is the run.

It goes where wandb's own settings say: to the server that the user has logged in to, or with WANDB_MODE=offline into a
folder alone. What wandb would gather of its own accord (code, git, the hostname, packages, the terminal) is off.
"""

import os
import re
import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from cnnctl.config.dump import to_plain
from cnnctl.system import files
from cnnctl.tracking.events import Figures, Outcome, RunStarted
from cnnctl.tracking.model_metadata import model_metadata
from cnnctl.version import __version__

_PROJECT = "WANDB_PROJECT"
_EPOCH = "epoch"
"""Of each point, from 1: the axis of all curves, and how a resume knows what the server has."""

_UNFIT = re.compile(r"[^\w.\-]", re.ASCII)
"""In the name of an artifact."""

_EXIT_CODES = {"finished": 0, "failed": 1, "killed": 255}
"""255 is what wandb itself gives a program that Ctrl-C ends."""

_WITHOUT_REPORTS = {"WANDB_ERROR_REPORTING": "false"}
_PATIENT = {"WANDB_INIT_TIMEOUT": "60", "WANDB_FINISH_TIMEOUT": "300", "WANDB_FINISH_TIMEOUT_RAISES": "true"}
"""A server that does not answer is given up after a minute, an upload at the end after five."""

_SILENT = {"WANDB_SILENT": "true"}
"""It also keeps wandb from asking for a key in the middle of a training."""

_LEFT_ALONE = {
    "console": "off",
    "save_code": False,
    "disable_code": True,
    "disable_git": True,
    "disable_job_creation": True,
    "label_disable": True,
    "host": "",
    "program": "cnnctl train",
    "x_disable_machine_info": True,
    "x_disable_meta": True,
    "x_disable_stats": True,
    "x_save_requirements": False,
}
"""What it is not to gather: all of it is about the machine or its user."""


class Wandb:
    """The tracker."""

    def begin(self, beginning: RunStarted) -> None:
        """Begin a run, or resume the one that the run directory names."""
        os.environ.update(_WITHOUT_REPORTS)
        for name, value in (_PATIENT | _SILENT).items():
            os.environ.setdefault(name, value)
        import wandb

        self._directory = beginning.run
        known = self._directory.read_json(self._directory.wandb) if self._directory.has(self._directory.wandb) else {}
        self._run = wandb.init(
            entity=known.get("entity"),
            project=known.get("project") or os.environ.get(_PROJECT) or beginning.config.name or "run",
            id=known.get("run_id"),
            name=beginning.run.title,
            config=_config_of(beginning),
            allow_val_change=True,
            resume="allow",
            reinit="create_new",
            settings=wandb.Settings(silent=True, **_LEFT_ALONE),
        )
        self._how_to_look = self._find_how_to_look()
        self._run.define_metric("*", step_metric=_EPOCH)
        self._epochs = int((known if self._run.offline else self._run.summary).get(_EPOCH) or 0)
        self._keep()
        for number, figures in enumerate(beginning.history, start=1):
            self.epoch(number, figures)

    def epoch(self, number: int, figures: Figures) -> None:
        """A point on each curve, but for epochs that are there already."""
        if number > self._epochs:
            self._run.log({_EPOCH: number, **figures})
            self._epochs = number
            self._keep()

    def end(self, outcome: Outcome) -> None:
        """The figures of each split in the summary, the plots, the models with the files beside them, and the end."""
        import wandb

        for path in outcome.plots:
            self._run.log({f"plots/{path.stem}": wandb.Image(str(path))})
        if outcome.models:
            artifact = wandb.Artifact(
                _UNFIT.sub("-", self._directory.title), "model", metadata=model_metadata(self._directory)
            )
            for path in (*outcome.models, *outcome.files):
                artifact.add_file(str(path))
            self._run.log_artifact(artifact)
        if outcome.scores:
            named = {f"{split}_{name}": value for split, of in outcome.scores.items() for name, value in of.items()}
            self._run.summary.update({"best_epoch": outcome.best_epoch, **named})
        self._run.finish(_EXIT_CODES[outcome.status])

    def how_to_look(self) -> str | None:
        """The run's address; offline the command that uploads what all starts of the training have recorded."""
        return self._how_to_look

    def _find_how_to_look(self) -> str | None:
        if self._run.disabled:
            return None
        if not self._run.offline:
            return str(self._run.url)
        folder, here = Path(self._run.sync_dir).parent, files.absolute(Path())
        shown = folder.relative_to(here) if folder.is_relative_to(here) else folder
        return f"wandb sync {shlex.quote(str(shown))}/offline-run-*-{self._run.id}*"

    def _keep(self) -> None:
        """Note which run of wandb's it is, and up to which epoch it was told."""
        if not self._run.disabled:
            whose = {"entity": self._run.entity or None, "project": self._run.project, "run_id": self._run.id}
            self._directory.write_json(self._directory.wandb, {**whose, _EPOCH: self._epochs})


def _config_of(beginning: RunStarted) -> dict[str, Any]:
    """Every value of the config, what trains, and under which names cnnctl has it."""
    about = {"version": __version__, "run": beginning.run.title, **beginning.machine}
    settings: dict[str, Any] = _numbered(to_plain(beginning.config))
    return {**settings, "cnnctl": about}


def _numbered(value: Any) -> Any:
    """Lists of settings with the number of each as its key: wandb shows those, and lists as one text.

    Example: `{"model": [{"flatten": {}}]}` is `{"model": {"0": {"flatten": {}}}}`.
    """
    if isinstance(value, Mapping):
        return {str(key): _numbered(item) for key, item in value.items()}
    if isinstance(value, list) and any(isinstance(item, Mapping | list) for item in value):
        return {str(place): _numbered(item) for place, item in enumerate(value)}
    return value
