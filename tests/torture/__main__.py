"""Faults in real trainings, each followed by a resume, each compared with a training that was left alone.

    make torture [KILLS=50] [WHAT="kills commits disk rivals sweeps"] [NETWORK=backbone] [EVERY=1] [TRIALS=40]

kills    at random moments, from the start of the process to its end
commits  before and after every fsync and every rename of a training, or every EVERYth one of them
disk     a file system that fills up, at several sizes (a tmpfs; needs root)
rivals   two trainings of one run directory at once
pairs    random kills of one of two processes of a training on JAX; asked for alone
sweeps   a sweep of TRIALS trainings by two workers, of which five are killed

With NETWORK=backbone, the features of a backbone are computed first, then its head is trained, then all of it; every
training begins with an empty cache.
"""

import os
import random
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable
from itertools import count
from pathlib import Path
from typing import Any

from tests.torture import backbone
from tests.torture.pairs import pairs, train_pair
from tests.torture.processes import WITH_BACKBONE, Ended, fingerprint, start, train, wait
from tests.torture.sweeps import sweeps

Result = tuple[int, int]
"""Faults injected, runs that did not come out as the one that was left alone."""


def main() -> None:
    """Run the sections that are asked for; the exit code is the number of losses."""
    from cnnctl.models.backend import JAX, TENSORFLOW, import_keras

    sections: dict[str, Callable[[Path, str, float], Result]]
    sections = {"kills": kills, "commits": commits, "disk": disk, "rivals": rivals, "sweeps": sweeps}
    wanted = sys.argv[1:] or list(sections)
    in_pairs = wanted == ["pairs"]
    sections |= {"pairs": pairs} if in_pairs else {}
    import_keras(
        JAX if in_pairs else TENSORFLOW
    )  # before any process is forked; what it starts, it starts when it is used
    losses = 0
    with tempfile.TemporaryDirectory(prefix="torture.") as folder:
        os.chdir(folder)
        if WITH_BACKBONE:
            backbone.write(Path(folder))
        one = (lambda output: train_pair(output)[0]) if in_pairs else train
        first = one(Path("whole"))
        assert first.code == 0, first.said
        whole = fingerprint(Path("whole"))
        again = one(Path("again"))  # the first one takes longer, since nothing is in memory yet
        assert judge(Path("again"), whole, again) == 0
        for name in wanted:
            injected, lost = sections[name](Path(folder), whole, again.seconds)
            losses += lost
            print(f"{name:8} {injected:4} faults injected, {lost} losses", flush=True)
    sys.exit(min(losses, 100))


def resume(output: Path) -> Ended:
    return train(output, "--resume")


def judge(output: Path, whole: str, last: Ended) -> int:
    """1 where a run is not the same as the one that was left alone, and says why; it is removed."""
    try:
        same = last.code == 0 and fingerprint(output) == whole
    except (OSError, AssertionError, KeyError) as error:
        print(f"{output}: {error!r}")
        same = False
    if not same:
        print(f"{output} is not the same; its last process ended with {last.code}:\n{last.said}")
    shutil.rmtree(output, ignore_errors=True)
    shutil.rmtree(backbone.CACHE, ignore_errors=True)
    return 0 if same else 1


def kills(folder: Path, whole: str, seconds: float) -> Result:
    """SIGKILL at random moments, until the run is complete; then another run, until there were enough."""
    injected = lost = number = 0
    chance = random.Random(0)
    while injected < int(os.environ.get("KILLS") or 50):
        number += 1
        output = Path(f"killed-{number}")
        last = None
        for _ in range(chance.randint(1, 6)):
            last = train(output, "--resume", kill_after=chance.uniform(0.01, seconds))
            injected += last.code == -signal.SIGKILL
        lost += judge(output, whole, resume(output))
    return injected, lost


def dying(point: int, after: bool) -> Callable[[], None]:
    """Let a process kill itself at its nth fsync or rename, before or after it is done."""

    def prepare() -> None:
        seen = 0

        def watch(owner: Any, name: str) -> None:
            real = getattr(owner, name)

            def watched(*arguments: Any, **options: Any) -> Any:
                nonlocal seen
                seen += 1
                if seen == point and not after:
                    os.kill(os.getpid(), signal.SIGKILL)
                done = real(*arguments, **options)
                if seen == point and after:
                    os.kill(os.getpid(), signal.SIGKILL)
                return done

            setattr(owner, name, watched)

        watch(os, "fsync")
        watch(os, "replace")

    return prepare


def commits(folder: Path, whole: str, seconds: float) -> Result:
    """A kill at every point at which something is being made durable, in a run of its own each."""
    injected = lost = 0
    for point in count(1, int(os.environ.get("EVERY") or 1)):
        for after in (False, True):
            output = Path(f"commit-{point}-{'after' if after else 'before'}")
            first = train(output, prepare=dying(point, after))
            if first.code == 0:
                return injected, lost + judge(output, whole, first)
            injected += 1
            lost += judge(output, whole, resume(output))
    return injected, lost


def disk(folder: Path, whole: str, seconds: float) -> Result:
    """A file system of so many kilobytes, which is enlarged before the run is resumed."""
    place = folder / "small disk"
    place.mkdir()
    injected = lost = 0
    for kilobytes in (40, 100, 150, 200, 260, 320, 400, 500, 600, 700):
        options = ["-t", "tmpfs", "-o", f"size={kilobytes}k", "tmpfs", str(place)]
        if subprocess.run(["mount", *options], capture_output=True, check=False).returncode:
            print("disk: no tmpfs can be mounted here; files are limited instead")
            return limited(folder, whole)
        try:
            output = place / "run"
            first = train(output)
            if first.code == 0:
                continue
            injected += 1
            lost += told_badly(first)
            subprocess.run(["mount", "-o", "remount,size=64m", str(place)], check=True)
            lost += judge(output, whole, resume(output))
        finally:
            subprocess.run(["umount", "--lazy", str(place)], check=True)
    return injected, lost


def limited(folder: Path, whole: str) -> Result:
    """No file larger than so many kilobytes."""
    injected = lost = 0
    for kilobytes in (5, 20, 40, 60, 80):
        output = Path(f"limited-{kilobytes}")
        most = kilobytes * 1024
        first = train(output, prepare=lambda most=most: resource.setrlimit(resource.RLIMIT_FSIZE, (most, most)))
        injected += first.code != 0
        lost += first.code != 0 and told_badly(first)
        lost += judge(output, whole, resume(output))
    return injected, lost


def told_badly(ended: Ended) -> int:
    """1 where a full disk did not end with exit code 5 and a sentence that says so."""
    good = ended.code == 5 and "cannot be written" in ended.said and "Traceback" not in ended.said
    if not good:
        print(f"a full disk ended with {ended.code}:\n{ended.said}")
    return 0 if good else 1


def rivals(folder: Path, whole: str, seconds: float) -> Result:
    """Two at once: one is refused with 7 (or 2, when it comes late), the other one is not disturbed."""
    lost = 0
    for number in range(5):
        output = Path(f"rivals-{number}")
        output.mkdir()
        both = [start(output, "--resume") for _ in range(2)]
        ended = [wait(*one) for one in both]
        codes = sorted(one.code for one in ended)
        if codes != [0, 7]:
            print(f"{output}: exit codes {codes}\n" + "\n".join(one.said for one in ended))
            lost += 1
        lost += judge(output, whole, resume(output))
    return 5, lost


if __name__ == "__main__":
    main()
