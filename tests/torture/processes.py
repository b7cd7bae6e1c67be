"""`cnnctl train` in processes that are forked from one in which Keras is imported already."""

import hashlib
import io
import os
import select
import signal
import sys
import time
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import h5py

WITH_BACKBONE = os.environ.get("NETWORK") == "backbone"
CONFIG = Path(__file__).parent / ("backbone.yaml" if WITH_BACKBONE else "config.yaml")
SAME = ("history.csv", "split.csv", "metrics.json", "predictions.csv")


@dataclass(frozen=True)
class Ended:
    """How a process ended: its exit code, negative for a signal, and what it said on stderr."""

    code: int
    said: str
    seconds: float


def train(output: Path, *more: str, prepare: Callable[[], None] = lambda: None, kill_after: float = 0.0) -> Ended:
    """`cnnctl train` of the config into a run directory.

    Args:
        output: The run directory.
        more: Further words of the command line.
        prepare: Called in the new process before the command.
        kill_after: Seconds after which it is killed; 0 for never.
    """
    process, log, begun = start(output, *more, prepare=prepare)
    if kill_after and not wait_for(process, kill_after):
        os.kill(process, signal.SIGKILL)
    return wait(process, log, begun)


def wait_for(process: int, seconds: float) -> bool:
    """Whether a process ends within so many seconds."""
    descriptor = os.pidfd_open(process)
    try:
        return bool(select.select([descriptor], [], [], seconds)[0])
    finally:
        os.close(descriptor)


def start(
    output: Path, *more: str, prepare: Callable[[], None] = lambda: None, log: str = ""
) -> tuple[int, Path, float]:
    """The same under way: its number, the file of what it says, and when it began."""
    said = Path(log) if log else output.with_suffix(".log")
    begun = time.monotonic()
    process = os.fork()
    if process == 0:
        descriptor = os.open(said, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        os.dup2(descriptor, 1)
        os.dup2(descriptor, 2)
        code = 1
        try:
            sys.argv = ["cnnctl", "train", str(CONFIG), "--output", str(output), *more]
            prepare()
            from cnnctl.cli.app import run

            code = run()
        except BaseException as error:
            print(f"Traceback: {error!r}", file=sys.stderr)
        finally:
            sys.stderr.flush()
            os._exit(code)
    return process, said, begun


def wait(process: int, log: Path, begun: float) -> Ended:
    """How it ended."""
    _, status = os.waitpid(process, 0)
    return Ended(os.waitstatus_to_exitcode(status), log.read_text(errors="replace"), time.monotonic() - begun)


def fingerprint(run: Path) -> str:
    """A hash of a complete run: the weights in model.keras, and every file that has no times in it."""
    state = hashlib.blake2b(digest_size=16)
    with zipfile.ZipFile(run / "model.keras") as archive:
        weights = io.BytesIO(archive.read("model.weights.h5"))
    with h5py.File(weights) as file:

        def take(name: str, item: object) -> None:
            if isinstance(item, h5py.Dataset):
                state.update(name.encode() + item[...].tobytes())

        file.visititems(take)
    for name in SAME:
        state.update((run / name).read_bytes())
    left = [path.name for path in run.rglob(".*")]
    assert not left, left
    return state.hexdigest()
