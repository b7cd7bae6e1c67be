"""What a command wants trained."""

import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from cnnctl.config import Config, Loaded
from cnnctl.config.load import STANDARD_INPUT
from cnnctl.errors import UsageError
from cnnctl.network_source import CONFIG_SUFFIXES
from cnnctl.runs import Run, find_run
from cnnctl.runs.find import find_begun, names_run
from cnnctl.system import files
from cnnctl.system.backends import JAX, choose_backend
from cnnctl.system.cluster import Cluster


@dataclass(frozen=True)
class TrainRequest:
    """A training that is asked for.

    Attributes:
        loaded: The config, with or without mistakes, its paths absolute.
        output: The run directory; None for the next number under runs/.
        resume: Whether to resume the run at `output`.
        strict: See data.prepare.prepare.
        command: The command line, for the record.
        begun: time.perf_counter() at the start of the command.
        call: For a training that Python asked for, its call as far as `output` would follow.
        is_alone: Whether `runs/latest` is to be its run; not for one of many.
        devices: How many devices this process trains on; None for all GPUs on JAX, else one.
        cluster: The processes of the training; None for one alone.
    """

    loaded: Loaded
    output: Path | None
    resume: bool
    strict: bool
    command: Sequence[str]
    begun: float
    call: str | None = None
    is_alone: bool = True
    devices: int | None = None
    cluster: Cluster | None = None

    @property
    def config(self) -> Config:
        """The config, if it is right in its vocabulary; see Loaded.need."""
        return self.loaded.need()

    def resume_line(self, run: Run) -> str:
        """The command line, or the call, that resumes a run of this request."""
        if self.call is not None:
            return f"{self.call}, output={str(run.path)!r}, resume=True)"
        devices = [] if self.devices is None else ["--devices", str(self.devices)]
        joined = [] if self.cluster is None else self.cluster.options
        words = ["--resume", str(run.path), *(["--strict"] if self.strict else []), *devices, *joined]
        return shlex.join(["cnnctl", "train", *words])

    def output_of(self, run: Run) -> Run:
        """The run that is resumed: that of a process that helps another one is the other's."""
        return run if self.is_first or self.output is None else Run(self.output)

    @property
    def is_first(self) -> bool:
        """Whether this process owns the run directory."""
        return self.cluster is None or self.cluster.is_first


def usable_cluster(cluster: Cluster | None, loaded: Loaded, resumed: Path | None, is_asked: bool) -> Cluster | None:
    """The cluster of a training; None where the backend joins no processes, unless the user asked (`is_asked`) for it.

    `resumed` is the run directory of a command with --resume.

    Raises:
        UsageError: the backend joins no processes, or they have no run directory in common.
    """
    if cluster is None:
        return None
    if loaded.config is not None and choose_backend(loaded.config.train.backend) != JAX:
        if not is_asked:
            return None
        raise UsageError("one training in several processes needs train.backend: jax", "add --set train.backend=jax")
    if resumed is None:
        number = f"process {cluster.process} of {cluster.processes or 'several'}"
        hint = "add --output DIR --resume; to train alone in each process: --processes 1"
        raise UsageError(f"this is {number}, which train into one run directory", hint)
    return cluster


def is_recorded(config: Path, run: Path | None) -> bool:
    """Whether a config is the one that a run wrote."""
    return run is not None and config == Run(run).config


def find_resumed(config: Path | None, output: Path | None) -> tuple[Path, Path]:
    """The config and the directory of a run to resume; without a config, or with the run in its place, its own one.

    Raises:
        UsageError: no run is named, or two are.
        RunError: the run has no config of its own.
    """
    named = config if config is not None and (files.is_folder(config) or names_run(str(config))) else None
    if named is not None and output is not None and output != named:
        raise UsageError(f"two runs are named: {named} and {output}", "leave one of them out")
    run = named or output
    if run is None and config is not None and not _may_be_config(config):
        run = named = find_run(config).path  # which says that there is none
    if run is None:
        raise UsageError(
            "--resume needs --output, the run to resume", "or name the run alone: cnnctl train --resume runs/NAME/1"
        )
    if config is not None and named is None:
        return config, run
    run = find_begun(run)
    return Run(run).need(Run(run).config), run


def _may_be_config(path: Path) -> bool:
    return path == STANDARD_INPUT or path.suffix in CONFIG_SUFFIXES or files.is_file(path)
