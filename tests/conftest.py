"""Fixtures for the whole session: a cache of its own, a few photos that can be learned, a run of the real command."""

import fcntl
import os
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import hypothesis
import numpy as np
import pytest

from cnnctl.data.decoder.images import opencv
from tests.forks import forking, python
from tests.several import write as write_several

CONFIGS = Path(__file__).parent.parent / "configs"

hypothesis.settings.register_profile("cnnctl", deadline=None)  # a machine with other work is not a fault
hypothesis.settings.load_profile("cnnctl")


@dataclass(frozen=True)
class Trained:
    """What a `cnnctl train` of the session left behind.

    Attributes:
        run: The run directory, absolute.
        folder: The working folder, which holds runs/.
        stdout: What the command printed.
        stderr: What it told meanwhile.
    """

    run: Path
    folder: Path
    stdout: str
    stderr: str


@pytest.fixture(scope="session")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that all of pytest's processes have in common."""
    own = tmp_path_factory.getbasetemp()
    return own.parent if "PYTEST_XDIST_WORKER" in os.environ else own


@pytest.fixture(scope="session", autouse=True)
def cache(shared: Path) -> Iterator[Path]:
    """The user's cache folder of this session, in-process and in every process that it starts."""
    before = os.environ.get("XDG_CACHE_HOME")
    folder = shared / "cache"
    folder.mkdir(exist_ok=True)
    os.environ["XDG_CACHE_HOME"] = str(folder)
    yield folder
    if before is None:
        del os.environ["XDG_CACHE_HOME"]
    else:
        os.environ["XDG_CACHE_HOME"] = before


@pytest.fixture(scope="session", autouse=True)
def _forks(cache: Path) -> Iterator[None]:
    """Commands that tests run need not import anew what takes long."""
    with forking():
        yield


@pytest.fixture(scope="session")
def small_photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Class folders of 20 images each, of several sizes, JPEG and PNG: red discs `007`, green squares `1e3`,
    blue triangles `no`.
    """
    cv2 = opencv()
    root = tmp_path_factory.mktemp("small") / "photos"
    generator = np.random.default_rng(7)
    for name in ("007", "1e3", "no"):
        (root / name).mkdir(parents=True)
        for number in range(20):
            height, width = (int(side) for side in generator.integers(24, 41, 2))
            image = generator.integers(0, 60, (height, width, 3)).astype(np.uint8)
            x, y, size = width // 2, height // 2, int(generator.integers(6, 11))
            if name == "007":
                cv2.circle(image, (x, y), size, (40, 40, 230), -1)
            elif name == "1e3":
                cv2.rectangle(image, (x - size, y - size), (x + size, y + size), (40, 220, 40), -1)
            else:
                corners = np.array([(x, y - size), (x - size, y + size), (x + size, y + size)])
                cv2.fillPoly(image, [corners], (230, 60, 40))
            suffix = ".png" if number % 2 else ".jpg"
            (root / name / f"{number:02}{suffix}").write_bytes(cv2.imencode(suffix, image)[1].tobytes())
    return root


@pytest.fixture(scope="session")
def digits_run(shared: Path, tmp_path_factory: pytest.TempPathFactory) -> Trained:
    """configs/digits.yaml trained for three epochs by the real command: once for all of pytest's processes, each of
    which has a copy.
    """
    command = ["train", str(CONFIGS / "digits.yaml"), "--set", "train.epochs=3"]
    return _trained(shared, "digits", command, tmp_path_factory.mktemp("digits"), "runs/digits/1")


@pytest.fixture(scope="session")
def several_run(shared: Path, tmp_path_factory: pytest.TempPathFactory) -> Trained:
    """The config of tests/several.py, whose images have several labels, trained in the same way."""
    data = shared / "several-data"
    with (shared / "several-data.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not data.exists():
            data.mkdir()
            write_several(data)
    command = ["train", str(data / "digits.yaml"), "--output", "run"]
    return _trained(shared, "several", command, tmp_path_factory.mktemp("several"), "run")


def _trained(shared: Path, name: str, command: Sequence[str], folder: Path, run: str) -> Trained:
    """What a command leaves in an empty folder, copied to another; it runs once for all of pytest's processes."""
    original = shared / f"{name}-original"
    with (shared / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not original.exists():
            making = shared / f"{name}-making"
            making.mkdir()
            done = python(["-m", "cnnctl", *command], making)
            assert done.returncode == 0, done.stderr.decode()
            (making / "stdout").write_bytes(done.stdout)
            (making / "stderr").write_bytes(done.stderr)
            making.rename(original)
    shutil.copytree(original, folder, symlinks=True, dirs_exist_ok=True)
    stdout, stderr = ((original / stream).read_text() for stream in ("stdout", "stderr"))
    return Trained(folder / run, folder, stdout, stderr)
