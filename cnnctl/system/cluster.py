"""The processes of one training: how many there are and which of them this one is, without importing JAX.

JAX itself finds them under Slurm, Open MPI and Kubernetes. What is read here from the same variables is what must be
known before JAX is imported: who owns the run directory, and which devices a process may take.
"""

import importlib.util
import os
import re
import shlex
from collections.abc import Mapping
from dataclasses import dataclass

from cnnctl.errors import UsageError

_BY_HAND = "by hand: --coordinator HOST:PORT --processes N --process I, with the same HOST:PORT and N in all of them"
_SLURM = ("SLURM_JOB_ID", "SLURM_STEP_NODELIST", "SLURM_NTASKS", "SLURM_PROCID", "SLURM_LOCALID")
_ADDRESS = re.compile(r"\S+:\d{1,5}")


@dataclass(frozen=True)
class Cluster:
    """This process among those of a training.

    Attributes:
        process: Which one it is, from 0.
        processes: How many there are; None where only JAX can find out.
        coordinator: HOST:PORT of process 0; None where JAX finds it.
        takes_all: Whether it takes every device that it sees; else the one with its number on its host.
    """

    process: int
    processes: int | None
    coordinator: str | None = None
    takes_all: bool = True

    @property
    def is_first(self) -> bool:
        """Whether it owns the run directory."""
        return self.process == 0

    @property
    def options(self) -> list[str]:
        """The words of the command line that say so; none where the cluster says it."""
        if self.coordinator is None:
            return []
        given = ("--coordinator", self.coordinator, "--processes", str(self.processes), "--process", str(self.process))
        return list(given)


def chosen_cluster(coordinator: str | None, processes: int | None, process: int | None) -> Cluster | None:
    """The cluster of the options, else the one that started this process; None for a process of its own.

    Raises:
        UsageError: the options are incomplete or contradict each other.
    """
    if processes == 1 and coordinator is None and process in (None, 0):
        return None
    if coordinator is None and processes is None and process is None:
        return found_cluster(os.environ)
    if coordinator is None or processes is None or process is None:
        raise UsageError("--coordinator, --processes and --process belong together", _BY_HAND)
    if not _ADDRESS.fullmatch(coordinator) or int(coordinator.rpartition(":")[2]) > 65535:
        raise UsageError(f"--coordinator is HOST:PORT; received: {shlex.quote(coordinator)}", _BY_HAND)
    if not 0 <= process < processes:
        raise UsageError(
            f"--process is from 0 to {processes - 1} with --processes {processes}; received: {process}", _BY_HAND
        )
    return None if processes == 1 else Cluster(process, processes, coordinator)


def found_cluster(environment: Mapping[str, str]) -> Cluster | None:
    """The cluster that started this process, as srun, mpirun and Kubernetes tell; None for a process of its own."""
    if all(name in environment for name in _SLURM):
        numbers = (environment["SLURM_PROCID"], environment["SLURM_NTASKS"])
        return _started(environment, *numbers, _is_alone_under_slurm(environment))
    if "OMPI_MCA_orte_hnp_uri" in environment:
        numbers = (environment.get("OMPI_COMM_WORLD_RANK", "0"), environment.get("OMPI_COMM_WORLD_SIZE", "1"))
        return _started(environment, *numbers, environment.get("OMPI_COMM_WORLD_LOCAL_SIZE") == "1")
    if "KUBERNETES_SERVICE_HOST" in environment and importlib.util.find_spec("kubernetes") is not None:
        number = environment.get("JOB_COMPLETION_INDEX", "")
        return Cluster(int(number), None) if number.isdecimal() else None
    return None


def _started(environment: Mapping[str, str], process: str, processes: str, is_alone: bool) -> Cluster | None:
    """Of some processes, one or more on a host, each with its GPU or all of them visible."""
    if not (process.isdecimal() and processes.isdecimal()) or int(processes) < 2:
        return None
    visible = [name for name in environment.get("CUDA_VISIBLE_DEVICES", "").split(",") if name.strip()]
    return Cluster(int(process), int(processes), takes_all=is_alone or len(visible) == 1)


def _is_alone_under_slurm(environment: Mapping[str, str]) -> bool:
    """Whether each host has one process: `4(x2),3` is how many the hosts have."""
    told = environment.get("SLURM_STEP_TASKS_PER_NODE") or environment.get("SLURM_TASKS_PER_NODE") or ""
    return bool(told) and all(part.partition("(")[0] == "1" for part in told.split(","))
