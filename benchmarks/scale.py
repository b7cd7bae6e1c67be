"""One training in two processes with a core each, against one process with two cores at the same batch of all.

    python -m benchmarks.scale [IMAGES]

prints it for 10,000 generated images, or IMAGES, of the size of CIFAR-10's. `make bench WHAT=scale` takes the 10,000
test images of CIFAR-10. The network is that of configs/cifar10.yaml. The processes meet on this machine: no network
between hosts is measured, but what JAX and the tool add.
"""

import os
import re
import socket
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

from benchmarks import machine
from benchmarks.command import ROOT, ROUNDS
from benchmarks.growth import write_images

BATCH = 256
_EPOCHS = 4
_ROW = re.compile(r"^ *\d+/\d+(?: +\d+\.\d+){2,4} +([\d,]+) ", re.MULTILINE)


def section(images: Path) -> str:
    """The section of BENCHMARKS.md."""
    return report(images / "test", 9_000)


def report(images: Path, learned: int) -> str:
    """The same for a folder of class folders, of whose images so many are trained on."""
    cores = sorted(os.sched_getaffinity(0))[:2]
    if len(cores) < 2:
        sys.exit("scale needs two cores")
    one, two = [], []
    with tempfile.TemporaryDirectory() as work:
        for number in range(ROUNDS):
            one.append(_pace(images, Path(work), f"one-{number}", [cores]))
            two.append(_pace(images, Path(work), f"two-{number}", [cores[:1], cores[1:]]))
            print(f"round {number + 1}: {one[-1]:,.0f} and {two[-1]:,.0f} images/s", flush=True)
    share = statistics.median(two) / statistics.median(one)
    return "\n".join(
        [
            "## Two processes",
            "",
            f"configs/cifar10.yaml on JAX and {learned:,} images, batches of {BATCH}, {ROUNDS} rounds that take turns;",
            "images/s of the median epoch but the first. Two processes with a core each share every batch; they meet",
            "on this machine, without a network. At least 0.8 is wanted.",
            "",
            "| | images/s of all | against one process |",
            "| --- | --- | --- |",
            f"| one process, two cores | {statistics.median(one):,.0f} | 1 |",
            f"| two processes, a core each | {statistics.median(two):,.0f} | {share:.2f} |",
        ]
    )


def _pace(images: Path, work: Path, name: str, cores: list[list[int]]) -> float:
    """Images/s of all processes together in the median epoch but the first, which compiles."""
    settings = {
        "data.train": images,
        "data.test": "null",
        "train.backend": "jax",
        "train.device": "cpu",
        "train.epochs": _EPOCHS,
        "train.batch_size": BATCH,
    }
    given = [part for key, value in settings.items() for part in ("--set", f"{key}={value}")]
    command = [sys.executable, "-m", "cnnctl", "train", str(ROOT / "configs" / "cifar10.yaml"), *given]
    command += ["--output", name, "--resume"]
    address = f"127.0.0.1:{_free_port()}"
    begun = []
    for process, own in enumerate(cores):
        joined = ["--coordinator", address, "--processes", str(len(cores)), "--process", str(process)]
        words = [*command, *(joined if len(cores) > 1 else [])]
        taskset = ["taskset", "--cpu-list", ",".join(map(str, own))]
        environment = {**os.environ, "XDG_CACHE_HOME": str(work / "cache")}
        begun.append(
            subprocess.Popen(
                [*taskset, *words],
                cwd=work,
                env=environment,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
                text=True,
            )
        )
    told = [process.communicate()[1] for process in begun]
    if any(process.returncode for process in begun):
        sys.exit("\n".join(told))
    return statistics.median(float(speed.replace(",", "")) for speed in _ROW.findall(told[0])[1:])


def _free_port() -> int:
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        return int(listening.getsockname()[1])


if __name__ == "__main__":
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 10_000
    with tempfile.TemporaryDirectory() as name:
        write_images(Path(name) / "images", count, empty=False, side=32)
        print(report(Path(name) / "images", round(0.9 * count)))
    print(f"\n{machine.describe()}")
