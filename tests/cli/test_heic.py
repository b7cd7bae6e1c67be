"""Every command that takes an image takes HEIC, the format of phones: what it says is what it says of the same PNG."""

import importlib.util
import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

from cnnctl.data.sources import digits_folder
from tests.cli.command import succeed
from tests.conftest import Trained
from tests.serving.build import serving

pytestmark = pytest.mark.skipif(
    importlib.util.find_spec("pillow_heif") is None, reason="pillow-heif is not installed: pip install 'cnnctl[heic]'"
)

IMAGES, SIDE = 6, 64
CONFIG = "data: {train: TRAIN, validation: 0.2, test: 0, image: {size: 8, channels: 1}}\nmodel: [flatten]\n"


def write(folder: Path, kind: str, count: int = IMAGES) -> Path:
    """Class folders of the digits 0 and 1, enlarged."""
    import pillow_heif

    pillow_heif.register_heif_opener()
    lossless = {"HEIF": {"quality": -1, "chroma": 444}, "PNG": {}}[kind]
    for digit in "01":
        (folder / digit).mkdir(parents=True)
        for number, path in enumerate(sorted((digits_folder() / digit).iterdir())[:count]):
            with Image.open(path) as image:
                large = image.convert("RGB").resize((SIDE, SIDE), Image.Resampling.BILINEAR)
            large.save(folder / digit / f"{number}.{'heic' if kind == 'HEIF' else 'png'}", kind, **lossless)
    return folder


@pytest.fixture(scope="module")
def place(digits_run: Trained, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with class folders of both formats, and a run."""
    folder = tmp_path_factory.mktemp("heic")
    write(folder / "heic", "HEIF")
    write(folder / "png", "PNG")
    shutil.copytree(digits_run.run, folder / "run")
    return folder


def predict(place: Path, out: Path, kind: str) -> object:
    answers = json.loads(succeed("predict", place / kind, "--run", place / "run", "--format", "json", cwd=out))
    assert len(answers) == 2 * IMAGES
    return [one["label"] for one in answers]


def explain(place: Path, out: Path, kind: str) -> object:
    image = place / kind / "1" / f"0.{kind}"
    told = json.loads(succeed("explain", image, "--run", place / "run", "--output", "why", "--json", cwd=out))
    assert all((out / picture).is_file() for picture in told["pictures"])
    return told["probabilities"][0]["label"]


def serve(place: Path, out: Path, kind: str) -> object:
    image = (place / kind / "1" / f"0.{kind}").read_bytes()
    with serving(place / "run") as server:
        (named,) = server.send(("photo", image)).json
        (raw,) = server.raw(image, kind=f"image/{kind}").json
        view = server.raw(image, "/v1/view")
    assert named["label"] == raw["label"]
    assert view.body.startswith(b"\x89PNG")
    return raw["label"]


def evaluate(place: Path, out: Path, kind: str) -> object:
    told = json.loads(succeed("evaluate", "--run", place / "run", "--data", place / kind, "--json", cwd=out))
    return told["images"], told["accuracy"]


def train(place: Path, out: Path, kind: str) -> object:
    (out / "c.yaml").write_text(CONFIG.replace("TRAIN", str(place / kind)) + "train: {epochs: 1}\n")
    assert json.loads(succeed("check", "c.yaml", "--json", cwd=out))["ok"]
    succeed("train", "c.yaml", "--output", "run", cwd=out)
    rows = (out / "run" / "split.csv").read_text().splitlines()[1:]
    assert all(f".{kind}," in row for row in rows)
    succeed("preview", "c.yaml", "--output", "preview.png", cwd=out)
    return len(rows)


def doctor(place: Path, out: Path, kind: str) -> object:
    shutil.copytree(place / kind, out / "photos")
    shutil.copy(out / "photos" / "0" / f"0.{kind}", out / "photos" / "0" / f"again.{kind}")
    (out / "c.yaml").write_text(CONFIG.replace("TRAIN", "photos"))
    succeed("doctor", "c.yaml", "--output", "found", cwd=out)
    return (out / "found" / "fixes.csv").read_text().count(f"again.{kind}") > 0


def convolve(place: Path, out: Path, kind: str) -> object:
    image = place / kind / "1" / f"0.{kind}"
    told = json.loads(succeed("convolve", image, "--output", "edges.png", "--json", cwd=out))
    assert (out / "edges.png").read_bytes().startswith(b"\x89PNG")
    return told["picture_shape"], told["feature_map_shape"]


@pytest.mark.parametrize("command", [predict, explain, serve, evaluate, train, doctor, convolve])
def test_heic_is_taken(place: Path, tmp_path: Path, command: Callable[[Path, Path, str], object]) -> None:
    answers = []
    for kind in ("heic", "png"):
        (tmp_path / kind).mkdir()
        answers.append(command(place, tmp_path / kind, kind))
    assert answers[0] == answers[1]
