"""Commands in processes of their own, watched from outside: how long they take, and how much memory of their own."""

import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

_BETWEEN_LOOKS = 0.02  # seconds


@dataclass(frozen=True)
class Watched:
    """A process that has ended well.

    Attributes:
        seconds: From its start to its end.
        peak: The most bytes of physical memory that it held, mapped files included (VmHWM).
        anonymous: The most of them that were its own and no file's (RssAnon, looked at every 20 ms).
        stdout: What it printed.
        stderr: What it told meanwhile.
    """

    seconds: float
    peak: int
    anonymous: int
    stdout: str
    stderr: str


def watch(command: Sequence[str | Path], cwd: Path | None = None, cache: Path | None = None) -> Watched:
    """Run a command and look at it; ends this program with its stderr where it fails."""
    environment = {**os.environ, **({"XDG_CACHE_HOME": str(cache)} if cache else {})}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)  # a user's Python keeps what it compiled
    lines: list[str] = []
    with tempfile.TemporaryFile("w+") as stdout:
        begun = time.perf_counter()
        process = subprocess.Popen(
            [str(part) for part in command],
            cwd=cwd,
            env=environment,
            stdout=stdout,
            stderr=subprocess.PIPE,
            text=True,
            errors="replace",
        )

        def listen() -> None:
            assert process.stderr is not None
            lines.extend(process.stderr)

        listener = threading.Thread(target=listen)
        listener.start()
        peak = anonymous = 0
        while process.poll() is None:
            status = _memory(process.pid)
            peak = max(peak, status.get("VmHWM", 0))
            anonymous = max(anonymous, status.get("RssAnon", 0))
            time.sleep(_BETWEEN_LOOKS)
        seconds = time.perf_counter() - begun
        listener.join()
        stdout.seek(0)
        out = stdout.read()
    if process.returncode:
        sys.exit("".join(lines))
    return Watched(seconds, peak, anonymous, out, "".join(lines))


def cnnctl(*arguments: str | Path, cwd: Path | None = None, cache: Path | None = None) -> Watched:
    """`cnnctl ARGUMENTS`, watched."""
    return watch([sys.executable, "-m", "cnnctl", *arguments], cwd, cache)


def _memory(pid: int) -> dict[str, int]:
    """Bytes by name, of /proc/PID/status; empty once it is gone."""
    try:
        text = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return {}
    rows = (line.split() for line in text.splitlines() if line.endswith(" kB"))
    return {row[0].rstrip(":"): int(row[1]) * 1024 for row in rows}
