"""One training on the hosts of a Ray cluster: a process on each, all of which start again when one has died.

What trains is `cnnctl train --resume`. The config, the images and the run directory have the same paths on all hosts.
Ray Train would do the same with five more actors, each a process that imports it: its group of two began to train 98 s
after its start on two cores. Ray's own tasks in a placement group are enough, since the processes find each other, and
leave each other, by themselves.
"""

import socket
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from cnnctl.cluster.commands import Ended, follow, run_command
from cnnctl.errors import EXIT_OK, MachineError
from cnnctl.runs import Run
from cnnctl.runs.checkpoints import last_epoch
from cnnctl.system.locks import is_held
from cnnctl.system.ray import connected, hosts

TRIES = 3
"""Starts without a new epoch after which a training is given up."""

_UNTIL_GIVEN = 600.0
"""Seconds that a cluster may take to have so many hosts: one that grows by itself starts them first."""

_UNTIL_LET_GO = 30.0

Tell = Callable[[str], None]


@dataclass(frozen=True)
class Group:
    """The processes of a training.

    Attributes:
        words: Those of `cnnctl`, without the cluster's; paths are absolute.
        folder: The current folder.
        run: The run directory.
        gpus: GPUs that each host gives; 0 trains on processors.
    """

    words: Sequence[str]
    folder: str
    run: Run
    gpus: int


def train_on_ray(group: Group, workers: int | None, tell: Tell, note: Tell | None = None) -> int:
    """Train on the cluster that RAY_ADDRESS names, else on this machine; the exit code.

    `tell` gets what process 0 says, line by line, and `note`, else `tell`, what becomes of the processes. `workers`
    is the number of hosts, all when left out.

    Raises:
        MachineError: Ray is not installed or not reached, or the processes died again and again.
    """
    ray, note = connected(), note or tell
    try:
        there = len(hosts(ray))
        count = workers or there
        note(f"{count} {'process' if count == 1 else 'processes'} on a Ray cluster of {there} host{'s' * (there != 1)}")
        tries, epoch = 0, last_epoch(group.run)
        while True:
            process, ended = _train(ray, group, count, there, tell)
            if not ended.is_lost:
                assert ended.code is not None
                return ended.code
            before, epoch = epoch, last_epoch(group.run)
            tries = tries + 1 if epoch == before else 1
            lost = f"process {process} of {count} is lost: {ended}"
            if tries == TRIES:
                hint = f"see {group.run.log}; the same command goes on after the last epoch"
                raise MachineError(f"{lost}, for the third time without a new epoch", hint)
            note(f"{lost}; all processes start again")
            _wait_for(group.run)
    finally:
        ray.shutdown()


def _train(ray: Any, group: Group, count: int, there: int, tell: Tell) -> tuple[int, Ended]:
    """Start the processes once; the process that decides, and how it ended. None is left then."""
    bundle = {"CPU": 1.0, **({"GPU": float(group.gpus)} if group.gpus else {})}
    places = ray.util.placement_group([bundle] * count, "STRICT_SPREAD" if count <= there else "SPREAD")
    try:
        if not places.wait(_UNTIL_GIVEN):
            each = "a core" + (f" and {group.gpus} GPUs" if group.gpus else "")
            message = f"the Ray cluster has no room for {count} processes with {each}"
            raise MachineError(message, "see `ray status`; --workers N asks for fewer")

        def task(work: Any, number: int, **options: Any) -> Any:
            where = ray.util.scheduling_strategies.PlacementGroupSchedulingStrategy(places, number)
            made = ray.remote(num_cpus=1, num_gpus=group.gpus, max_retries=0)(work)
            return made.options(scheduling_strategy=where, **options)

        running: dict[Any, int] = {}
        coordinator = ray.get(task(free_address, 0).remote()) if count > 1 else ""
        for number in range(count):
            words = [*group.words, *of_process(coordinator, count, number)]
            running[task(run_command, number, num_returns="streaming").remote(words, group.folder)] = number
        return _deciding(follow(ray, running), count, tell)
    finally:
        ray.util.remove_placement_group(places)


def _deciding(said: Any, count: int, tell: Tell) -> tuple[int, Ended]:
    """The first process that failed, else process 0; what it said was told."""
    heard: dict[int, list[str]] = {}
    last = 0, Ended(None)
    for number, what in said:
        if isinstance(what, str):
            heard.setdefault(number, []).append(what)
            if number == 0:
                tell(what)
        elif what.code != EXIT_OK:
            for line in heard.get(number, ()) if number else ():
                tell(f"process {number} of {count}: {line}")
            return number, what
        elif number == 0:
            last = number, what
    return last


def of_process(coordinator: str, count: int, number: int) -> list[str]:
    """The words that make a training one process of several; a single one trains alone."""
    if count == 1:
        return ["--processes", "1"]
    return ["--coordinator", coordinator, "--processes", str(count), "--process", str(number)]


def free_address() -> str:
    """HOST:PORT of this host, with a port that nobody listens at now. Called in a process of Ray."""
    import ray

    with socket.socket() as one:
        one.bind(("", 0))
        return f"{ray.util.get_node_ip_address()}:{one.getsockname()[1]}"


def _wait_for(run: Run) -> None:
    """Until what was killed has let go of the run."""
    end = time.monotonic() + _UNTIL_LET_GO
    while is_held(run.lock) and time.monotonic() < end:
        time.sleep(0.1)
