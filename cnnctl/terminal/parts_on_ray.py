"""Parts of a prediction as tasks of Ray: one at a time on each host, since a prediction keeps all cores of one busy.

The run, the images and the folder of the answers have the same paths on all hosts. A task whose process dies is tried
again; parts that are there are not done again.
"""

import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from cnnctl.errors import MachineError
from cnnctl.system.ray import connected, hosts
from cnnctl.terminal.parts import Part, Written, write_part

TRIES = 3


@dataclass(frozen=True)
class Work:
    """What all parts have in common: the path of the run, and the options of the answers."""

    run: str
    form: str
    coverage: float | None
    threshold: float | None
    top: int
    tells_unknown: bool = True


def write_parts_on_ray(parts: Iterable[Part], work: Work, workers: int | None, tell: Callable[[str], None]) -> Written:
    """Write those parts that are not there, on at most so many hosts of the cluster that RAY_ADDRESS names.

    Without RAY_ADDRESS the cluster is this machine.

    Raises:
        MachineError: Ray is not installed, or a part failed so often that it was given up.
        UsageError: a part that is there is of other images.
    """
    ray = connected()
    try:
        used = hosts(ray)[:workers]
        tell(f"{len(used)} host{'s' if len(used) != 1 else ''} of a Ray cluster")
        task = ray.remote(num_cpus=0, max_retries=TRIES - 1)(_write)
        written, rest = Written(), iter(parts)
        running: dict[Any, tuple[Part, str]] = {}
        while True:
            busy = {host for _, host in running.values()}
            for host in (one for one in used if one not in busy):
                for part in rest:
                    if part.is_there:
                        written = written.with_part(part, work.form, 0, tell)
                        continue
                    where = ray.util.scheduling_strategies.NodeAffinitySchedulingStrategy(host, soft=True)
                    running[task.options(scheduling_strategy=where).remote(part, work)] = part, host
                    break
            if not running:
                return written
            (done, *_), _ = ray.wait(list(running))
            part, _ = running.pop(done)
            written = written.with_part(part, work.form, _seconds(ray, done, part), tell)
    finally:
        ray.shutdown()


def _seconds(ray: Any, done: Any, part: Part) -> float:
    try:
        return float(ray.get(done))
    except ray.exceptions.RayError as error:
        reason = str(error).strip().splitlines()[-1]
        raise MachineError(
            f"{part.path.name} failed {TRIES} times on the cluster: {reason}", "the same command goes on with it"
        ) from None


def _write(part: Part, work: Work) -> float:
    """Write a part, in a process of Ray; the seconds that it took."""
    from cnnctl.inference.answers import Answer
    from cnnctl.inference.stream import classify

    begun = time.perf_counter()

    def answers(paths: Iterable[str]) -> Iterator[Answer]:
        return classify(_classifier(work.run, work.tells_unknown), paths, top=work.top, threshold=work.threshold)

    write_part(part, work.form, work.coverage, answers)
    return time.perf_counter() - begun


@lru_cache(maxsize=1)
def _classifier(run: str, tells_unknown: bool) -> Any:
    from cnnctl.inference.model import load_classifier
    from cnnctl.runs import Run

    return load_classifier(Run(Path(run)), threads=1, tells_unknown=tells_unknown)
