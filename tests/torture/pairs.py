"""Two processes of one training, one of which is killed at a random moment; the other one must not outlive it long."""

import os
import random
import signal
import socket
import tempfile
from pathlib import Path

from tests.torture.processes import Ended, start, wait, wait_for

Result = tuple[int, int]

_LINGERS = 45.0
"""Seconds in which the other process must have ended; one that waits for its partner to begin is then killed."""


def pairs(folder: Path, whole: str, seconds: float) -> Result:
    """SIGKILL of either process, until the run is complete; then another run, until there were enough."""
    from tests.torture.__main__ import judge

    tempfile.tempdir = str(folder)  # a helper that is killed leaves its folder there
    injected = lost = number = 0
    chance = random.Random(0)
    while injected < int(os.environ.get("KILLS") or 20):
        number += 1
        output = Path(f"pair-{number}")
        for _ in range(chance.randint(1, 3)):
            victim = chance.randint(0, 1)
            ended = train_pair(output, victim, chance.uniform(0.2, 1.0) * seconds)
            if ended[victim].code != -signal.SIGKILL:
                continue
            injected += 1
            lost += outlived(ended[1 - victim])
        first, helper = train_pair(output)
        lost += helper.code != 0 or judge(output, whole, first)
        print(f"pairs: {injected} kills, {lost} losses", flush=True)
    return injected, lost


def train_pair(output: Path, victim: int = 0, kill_after: float = 0.0) -> tuple[Ended, Ended]:
    """`cnnctl train` in two processes, one of which is killed after so many seconds; 0 for neither."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{listening.getsockname()[1]}"
    words = ("--resume", "--set", "train.backend=jax", "--coordinator", address, "--processes", "2", "--process")
    begun = [start(output, *words, str(process), log=f"{output}-{process}.log") for process in range(2)]
    if kill_after:
        if not wait_for(begun[victim][0], kill_after):
            os.kill(begun[victim][0], signal.SIGKILL)
        if not wait_for(begun[1 - victim][0], _LINGERS):
            os.kill(begun[1 - victim][0], signal.SIGKILL)
    one, other = (wait(*process) for process in begun)
    return one, other


def outlived(other: Ended) -> int:
    """1 where the other process ended in another way than it should, and says so.

    It may have waited for its partner to begin, or have been done.
    """
    waited = other.code == -signal.SIGKILL and "training" not in other.said
    good = waited or other.code == 0 or (other.code == 5 and "another process of this training ended" in other.said)
    if not good or "Traceback" in other.said:
        print(f"the other process ended with {other.code}:\n{other.said}")
        return 1
    return 0
