"""What the wheel and the sdist hold, and that an installed wheel does its work away from a checkout."""

import json
import subprocess
import sysconfig
import tarfile
import zipfile
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import pytest

import cnnctl
from cnnctl.init.examples import FOLDER, read_example
from cnnctl.ready import EXAMPLES
from tests.conftest import CONFIGS, Trained
from tests.packaging.build import Installed, build, copy_checkout, environment, install

MADE = ("PKG-INFO", "setup.cfg")


@dataclass(frozen=True)
class Built:
    """A wheel and an sdist of a copy of the checkout.

    Attributes:
        source: The copy.
        files: Its files by their names in it.
        wheel: The wheel.
        sdist: The sdist.
    """

    source: Path
    files: frozenset[str]
    wheel: Path
    sdist: Path


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Built:
    folder = tmp_path_factory.mktemp("built")
    source = copy_checkout(folder)
    files = frozenset(path.relative_to(source).as_posix() for path in source.rglob("*") if not path.is_dir())
    build(source, folder, "wheel", "sdist")
    (wheel,), (sdist,) = folder.glob("*.whl"), folder.glob("*.tar.gz")
    return Built(source, files, wheel, sdist)


def test_there_are_no_links(built: Built) -> None:
    assert [name for name in built.files if (built.source / name).is_symlink()] == []


def test_the_wheel_holds_the_package_and_nothing_else(built: Built) -> None:
    with zipfile.ZipFile(built.wheel) as archive:
        held = {name for name in archive.namelist() if ".dist-info/" not in name}
        (metadata,) = (archive.read(name).decode() for name in archive.namelist() if name.endswith("/METADATA"))
        licences = [name for name in archive.namelist() if name.endswith("/licenses/LICENSE")]
    assert held == {name for name in built.files if name.startswith("cnnctl/")}
    assert len(licences) == 1
    assert "\nLicense-Expression: Apache-2.0\n" in metadata
    assert "\nAuthor: cnnctl developers\n" in metadata


def test_the_sdist_is_the_checkout(built: Built) -> None:
    with tarfile.open(built.sdist) as archive:
        names = [member.name.partition("/")[2] for member in archive.getmembers() if member.isfile()]
    held = {name for name in names if ".egg-info/" not in name and name not in MADE}
    assert held == built.files


@pytest.fixture(scope="module")
def installed(built: Built, tmp_path_factory: pytest.TempPathFactory) -> Installed:
    """The wheel; the dependencies are those of the running environment."""
    return install(built.wheel, tmp_path_factory.mktemp("installed"), Path(sysconfig.get_paths()["purelib"]))


def test_it_is_the_wheel_that_runs_with_every_ready_config(installed: Installed) -> None:
    program = "from cnnctl.init.examples import *; print(FOLDER, *(len(read_example(n).text) for n in EXAMPLES))"
    done = subprocess.run(
        [installed.python, "-c", program],
        cwd=installed.folder,
        env=environment(),
        capture_output=True,
        text=True,
        check=True,
    )
    folder, *sizes = done.stdout.split()
    assert Path(folder).is_relative_to(installed.python.parent.parent)
    assert [int(size) for size in sizes] == [len(read_example(name).text) for name in EXAMPLES]
    assert installed.run("--version") == f"cnnctl {cnnctl.__version__}\n"


def test_the_first_advice_of_help_works(installed: Installed) -> None:
    advice = [line.strip() for line in installed.run("--help").splitlines() if ": cnnctl " in line]
    assert advice[1:] == ["Begin with: cnnctl init --example digits", "Then: cnnctl train digits.yaml"]
    installed.run("init", "--example", "digits")
    source = CONFIGS / "digits.yaml"
    assert (installed.folder / "digits.yaml").read_text() == source.read_text().partition("\n")[2]
    shown = json.loads(installed.run("summary", "digits.yaml", "--json"))
    assert shown["total_params"] == sum(layer["params"] for layer in shown["layers"]) > 0
    assert installed.run("check", "digits.yaml").endswith("digits.yaml is ready to train\n")


def test_it_predicts(installed: Installed, digits_run: Trained) -> None:
    cv2.imwrite(str(installed.folder / "digit.png"), np.zeros((8, 8), np.uint8))
    (answer,) = json.loads(installed.run("predict", "digit.png", "--run", str(digits_run.run), "--format", "json"))
    assert sum(one["probability"] for one in answer["top"]) <= 1 + 1e-6
    assert {one["label"] for one in answer["top"]} <= {str(digit) for digit in range(10)}


def test_the_ready_configs_and_their_readable_copies_are_equal() -> None:
    assert {path.name for path in FOLDER.iterdir()} == set(EXAMPLES.values())
    for name in EXAMPLES.values():
        assert (FOLDER / name).read_bytes() == (CONFIGS / name).read_bytes(), "run: make configs"
