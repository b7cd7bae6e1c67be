"""Trainings on two devices, and in two processes, in processes of their own without TensorFlow."""

import io
import json
import os
import random
import signal
import socket
import subprocess
import sys
import zipfile
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path

import h5py
import numpy as np
import pytest
from numpy.typing import NDArray

from tests.cli.command import begin
from tests.training.without import Without

CONFIG = """\
classes: 10
data: {train: digits, validation: 0.1, image: {size: 8, channels: 1}}
augment: [random_translation: {height_factor: 0.1, width_factor: 0.1}]
model:
  - conv2d: {filters: 4, kernel_size: 3, strides: 2, activation: relu}
  - batch_normalization
  - flatten
  - dropout: {rate: 0.2}
train: {backend: jax, device: cpu, epochs: 30, batch_size: 128, optimizer: {sgd: {learning_rate: 0.05}}}
"""
"""1,618 images to train on and 179 to validate with, which two devices cannot share."""

FIRST_OF_SLURM = 61440
"""The first of the 4,096 ports that JAX chooses from under Slurm."""

Started = Callable[[int, int], tuple[list[str], dict[str, str]]]
"""Options and variables of a process, by its number and the port where process 0 is."""

IN_PYTHON = """\
import shutil
import cnnctl
from cnnctl.system.watcher import NullProgress

class Two(NullProgress):
    def epoch(self, epoch):
        if epoch.number == 3:
            raise KeyboardInterrupt

for devices in (1, 2):
    run = f"on-{devices}"
    try:
        cnnctl.train("small.yaml", output=run, devices=devices, progress=Two())
    except cnnctl.InterruptedTrainingError:
        shutil.copy(f"{run}/checkpoints/epoch-0002.npz", f"{run}.npz")
cnnctl.train("small.yaml", output="on-2", resume=True, devices=2)
cnnctl.train("small.yaml", {"data.keep": "parts"}, output="parts", devices=2)
try:
    cnnctl.train("small.yaml", {"train.batch_size": 125}, devices=2)
except cnnctl.ConfigError as error:
    print(error)
"""


@pytest.fixture(scope="module")
def without_tensorflow(tmp_path_factory: pytest.TempPathFactory) -> Without:
    without = Without(tmp_path_factory.mktemp("devices"), "tensorflow")
    (without.folder / "small.yaml").write_text(CONFIG)
    return without


@pytest.fixture(scope="module")
def said(without_tensorflow: Without) -> str:
    """What Python says that has trained on one device and on two."""
    flags = "--xla_force_host_platform_device_count=2"
    return without_tensorflow.python("-c", IN_PYTHON, XLA_FLAGS=flags).stdout


def weights(run: Path) -> dict[str, NDArray[np.float32]]:
    """The arrays in model.keras by their names."""
    found: dict[str, NDArray[np.float32]] = {}
    with (
        zipfile.ZipFile(run / "model.keras") as archive,
        h5py.File(io.BytesIO(archive.read("model.weights.h5"))) as file,
    ):
        file.visititems(lambda name, item: found.update({name: item[()]}) if hasattr(item, "nbytes") else None)
    assert len(found) > 3
    return found


def read(file: Path) -> Mapping[str, object]:
    content: Mapping[str, object] = json.loads(file.read_text())
    return content


def test_two_devices_learn_what_one_learns(said: str, without_tensorflow: Without) -> None:
    one, two = (np.load(without_tensorflow.folder / f"on-{devices}.npz") for devices in (1, 2))
    names = [name for name in one if name.startswith("model/")]
    assert len(names) > 8
    assert max(float(np.abs(one[name].astype(float) - two[name]).max()) for name in names) < 1e-6


def test_all_images_are_judged_in_the_end(said: str, without_tensorflow: Without) -> None:
    run = without_tensorflow.folder / "on-2"
    assert read(run / "metrics.json")["images"] == 179
    environment = read(run / "environment.json")
    assert (environment["devices"], environment["processes"]) == (2, 1)


def test_a_batch_that_two_devices_cannot_share(said: str) -> None:
    assert "train.batch_size: 2 devices cannot share a batch evenly" in said
    assert said.endswith("hint: batch_size: 124 or batch_size: 126, or --devices 1\n")


def free_port(first: int = 1024) -> int:
    """A port from `first` on that nobody listens at."""
    for port in range(random.randint(first, 65535), 65536):
        with socket.socket() as listening, suppress(OSError):
            listening.bind(("127.0.0.1", port))
            return port
    return free_port(first)


def by_hand(process: int, port: int) -> tuple[list[str], dict[str, str]]:
    """The options of a process that is started by hand."""
    return ["--coordinator", f"127.0.0.1:{port}", "--processes", "2", "--process", str(process)], {}


def by_slurm(process: int, port: int) -> tuple[list[str], dict[str, str]]:
    """What srun tells a process; JAX makes the port of the number of the job."""
    told = {
        "SLURM_JOB_ID": str(port - FIRST_OF_SLURM),
        "SLURM_STEP_NODELIST": "127.0.0.1",
        "SLURM_STEP_TASKS_PER_NODE": "2",
        "SLURM_NTASKS": "2",
        "SLURM_PROCID": str(process),
        "SLURM_LOCALID": str(process),
    }
    return [], told


class Pair:
    """Two processes of one training, under way once process 0 says so."""

    def __init__(self, without: Without, until: str, started: Started = by_hand) -> None:
        words, port = ["train", "small.yaml", "--output", "together", "--resume"], free_port(FIRST_OF_SLURM)
        (one, first), (other, helper) = (started(process, port) for process in range(2))
        self.helper = subprocess.Popen(
            [sys.executable, "-m", "cnnctl", *words, *other],
            cwd=without.folder,
            env={**without.environment, **helper},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        environment = {**without.environment, **first}
        try:
            self.first, _ = begin([*words, *one], cwd=without.folder, until=until, env=environment)
        except AssertionError:
            self.helper.kill()
            raise

    def end(self) -> tuple[tuple[int, str, str], tuple[int, str, str]]:
        """(exit code, stdout, stderr) of both."""
        spoken = [process.communicate(timeout=300) for process in (self.first, self.helper)]
        one, other = (
            (process.returncode, *texts) for process, texts in zip((self.first, self.helper), spoken, strict=True)
        )
        return one, other


def test_two_processes_are_as_one_with_two_devices(said: str, without_tensorflow: Without) -> None:
    """Bit for bit, though one of them got a SIGTERM, and one was killed."""
    folder = without_tensorflow.folder
    (folder / "tmp").mkdir()
    without_tensorflow.environment["TMPDIR"] = str(folder / "tmp")

    pair = Pair(without_tensorflow, until=" 2/30")
    pair.helper.send_signal(signal.SIGTERM)
    first, helper = pair.end()
    assert (first[0], helper[0]) == (143, 143), (first, helper)
    assert "error: interrupted in epoch " in first[2]
    assert "hint: resume with: cnnctl train --resume together --coordinator 127.0.0.1:" in helper[2]

    pair = Pair(without_tensorflow, until="30  ")
    pair.helper.kill()
    first, helper = pair.end()
    assert (first[0], helper[0]) == (5, -9), (first, helper)
    assert "error: another process of this training ended, or cannot be reached" in first[2]
    assert "start all processes again; this one with: cnnctl train --resume together --coordinator" in first[2]

    (left,) = (path for path in (folder / "tmp").iterdir() if path.name.startswith("cnnctl-helper."))
    os.utime(left, (0, 0))  # of the process that was killed; the next helper takes it away

    first, helper = Pair(without_tensorflow, until="exporting", started=by_slurm).end()
    assert (first[0], helper[0]) == (0, 0), (first, helper)
    assert first[1].startswith("result")
    assert helper[1:] == ("", "")
    alone, together = folder / "on-2", folder / "together"
    for name in ("history.csv", "split.csv", "metrics.json", "predictions.csv"):
        assert (alone / name).read_bytes() == (together / name).read_bytes(), name
    expected, found = weights(alone), weights(together)
    assert all(np.array_equal(expected[name], found[name]) for name in expected)
    assert read(together / "environment.json")["processes"] == 2
    assert not [path for path in (folder / "tmp").iterdir() if path.name.startswith("cnnctl-helper.")]


def process_of(run: str, number: int) -> int:
    """The pid of one process of a training."""
    for place in Path("/proc").iterdir():
        with suppress(OSError):
            words = (place / "cmdline").read_bytes().split(b"\0") if place.name.isdecimal() else []
            if words[-3:] == [b"--process", str(number).encode(), b""] and any(run.encode() in word for word in words):
                return int(place.name)
    raise AssertionError(f"no process {number} of {run}")


def test_ray_starts_all_processes_again(said: str, without_tensorflow: Without) -> None:
    """Each decodes its parts of the images. One is killed, and the weights are those of one process, bit for bit."""
    pytest.importorskip("ray", reason="Ray is not installed")
    folder = without_tensorflow.folder
    words = ["train", "small.yaml", "--set", "data.keep=parts", "--output", "on-ray", "--cluster", "ray"]
    theirs = ("RAY_ADDRESS", "TMPDIR")  # Ray's sockets lie in the temporary folder, and a socket's path is short
    environment = {key: value for key, value in without_tensorflow.environment.items() if key not in theirs}
    driver, lines = begin([*words, "--workers", "2"], cwd=folder, until=" 3/30", env=environment)
    os.kill(process_of(str(folder / "on-ray"), 1), signal.SIGKILL)
    out, err = driver.communicate(timeout=900)
    assert driver.returncode == 0, err
    assert lines[0] == "2 processes on a Ray cluster of 1 host\n"
    assert "of 2 is lost: " in err
    assert "; all processes start again\n" in err
    assert "resuming after epoch " in err
    assert out.startswith("on-ray\n")
    alone, together = folder / "parts", folder / "on-ray"
    for name in ("history.csv", "split.csv", "metrics.json", "predictions.csv"):
        assert (alone / name).read_bytes() == (together / name).read_bytes(), name
    expected, found = weights(alone), weights(together)
    assert all(np.array_equal(expected[name], found[name]) for name in expected)
    assert (alone / "history.csv").read_bytes() != (folder / "on-2" / "history.csv").read_bytes()
