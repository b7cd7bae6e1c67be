"""The workers of a sweep as tasks of Ray. They meet at its storage; one that is lost is started again."""

from collections.abc import Callable, Sequence
from typing import Any

from cnnctl.cluster.commands import Ended, follow, run_command
from cnnctl.errors import EXIT_OK, MachineError
from cnnctl.system.ray import connected, hosts

Tell = Callable[[str], None]

TRIES = 3
"""Workers that are lost one after the other, without a word between them, before the sweep is given up."""


def sweep_on_ray(
    words: Sequence[str], folder: str, workers: int | None, gpus: int, tell: Tell, note: Tell | None = None
) -> int:
    """Work on a sweep by `cnnctl WORDS`, so many times on the cluster that RAY_ADDRESS names; the first bad exit code.

    `tell` gets what they say, line by line, and `note`, else `tell`, what becomes of them. `folder` is the current one.
    `workers` is one for each host when left out.

    Raises:
        MachineError: Ray is not installed or not reached, or workers were lost again and again.
    """
    ray, note = connected(), note or tell
    try:
        there = len(hosts(ray))
        count = workers or there
        note(f"{count} worker{'s' * (count != 1)} on a Ray cluster of {there} host{'s' * (there != 1)}")
        task = ray.remote(num_cpus=1, num_gpus=gpus, max_retries=0)(run_command)
        task = task.options(num_returns="streaming", scheduling_strategy="SPREAD")
        running: dict[Any, int] = {task.remote(words, folder): number for number in range(count)}
        lost = 0
        for number, what in follow(ray, running):
            if isinstance(what, str):
                lost = 0
                tell(f"worker {number}: {what}")
            elif what.is_lost:
                lost += 1
                _insist(number, what, lost)
                note(f"worker {number} is lost: {what}; it starts again")
                running[task.remote(words, folder)] = number
            elif what.code != EXIT_OK:
                assert what.code is not None
                return what.code
        return EXIT_OK
    finally:
        ray.shutdown()


def _insist(number: int, ended: Ended, lost: int) -> None:
    if lost == TRIES:
        hint = "the same command goes on; see `ray status` and the storage of the sweep"
        raise MachineError(f"worker {number} is lost: {ended}, for the third time in a row", hint)
