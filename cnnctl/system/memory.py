"""The memory that this process may use at most."""

from pathlib import Path

_MACHINE = Path("/proc/meminfo")
_CGROUP = Path("/sys/fs/cgroup/memory.max")


def machine_memory(machine: Path = _MACHINE, cgroup: Path = _CGROUP) -> int | None:
    """Bytes of memory of the machine, or of the container where that has less; None where it cannot be told."""
    try:
        line = next(line for line in machine.read_text().splitlines() if line.startswith("MemTotal:"))
        total = int(line.split()[1]) * 1024
        limit = cgroup.read_text().strip() if cgroup.is_file() else "max"
        return min(total, int(limit)) if limit.isdecimal() else total
    except (OSError, ValueError, LookupError, StopIteration):
        return None
