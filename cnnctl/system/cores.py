"""The processor's cores that this process may use."""

import math
import os
from collections.abc import Iterator
from functools import cache
from pathlib import Path, PurePosixPath

_CGROUPS = Path("/sys/fs/cgroup")
_OWN_CGROUPS = Path("/proc/self/cgroup")


@cache
def available_cores() -> int:
    """Cores that this process may use: those it may run on, but no more than its cgroup's quota allows, rounded up."""
    cores = _cores_to_run_on()
    quota = cgroup_quota()
    return cores if quota is None else max(1, min(cores, math.ceil(quota)))


def cgroup_quota(mounted: Path = _CGROUPS, own: Path = _OWN_CGROUPS) -> float | None:
    """Seconds of a core that the process may use each second, as a container's `--cpus 1.5` says.

    Source: the Linux kernel's documentation, admin-guide/cgroup-v2 (cpu.max) and scheduler/sched-bwc (cpu.cfs_*).

    `mounted` is the folder of all cgroups, `own` the file that names those of this process.

    Returns:
        The least quota of its cgroup and of those around it; None where there is none.
    """
    quotas: list[float] = []
    for line in _read(own).splitlines():
        _, _, named = line.partition(":")
        controllers, _, path = named.partition(":")
        if not controllers:
            found = (_quota_v2(folder) for folder in _around(mounted, path))
        elif "cpu" in controllers.split(","):
            hierarchy = mounted / controllers  # `cpu` is a link to `cpu,cpuacct` on most systems
            root = hierarchy if hierarchy.is_dir() else mounted / "cpu"
            found = (_quota_v1(folder) for folder in _around(root, path))
        else:
            continue
        quotas += [quota for quota in found if quota is not None]
    return min(quotas, default=None)


def _cores_to_run_on() -> int:
    counted = getattr(os, "process_cpu_count", None)  # since Python 3.13
    if counted is not None:
        return counted() or 1
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _around(root: Path, path: str) -> Iterator[Path]:
    """The folder of the cgroup `path` and those around it, as far as they are mounted.

    In a container the path may be the host's; the container's own cgroup is then the root.
    """
    inner = PurePosixPath(*(part for part in path.split("/") if part not in ("", ".", "..")))
    yield root / inner
    yield from (root / outer for outer in inner.parents if outer != inner)


def _quota_v2(folder: Path) -> float | None:
    """`cpu.max` holds "MAX PERIOD" in microseconds; MAX is `max` for no limit."""
    quota, _, period = _read(folder / "cpu.max").partition(" ")
    return _share(quota, period or "100000")


def _quota_v1(folder: Path) -> float | None:
    """A quota of -1 is no limit."""
    return _share(_read(folder / "cpu.cfs_quota_us"), _read(folder / "cpu.cfs_period_us"))


def _share(quota: str, period: str) -> float | None:
    if not (quota.isdecimal() and period.isdecimal()) or int(quota) == 0 or int(period) == 0:
        return None
    return int(quota) / int(period)


def _read(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8", errors="surrogateescape").strip("\n")
    except OSError:
        return ""
