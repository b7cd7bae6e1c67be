"""`cnnctl schedule`: the plan of learning rates, as a table, as JSON and as a picture."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from cnnctl.config import load
from cnnctl.training.schedules import learning_rates
from tests.cli.command import fail, succeed
from tests.conftest import CONFIGS, Trained

AIRBENCH = CONFIGS / "cifar10-airbench.yaml"
"""Its data lies nowhere here."""

TABLE = """\
exponential schedule of sgd: 3 epochs of 2 steps

epoch   first step   last step   highest
────────────────────────────────────────
    1          0.8         0.4       0.8
    2          0.2         0.1       0.2
    3         0.05       0.025      0.05
"""
PLATEAU = """\
reduce_on_plateau schedule of adam: 2 epochs of 7 steps

epoch   first step   last step   highest
────────────────────────────────────────
    1        0.001       0.001     0.001
    2        0.001       0.001     0.001

times 0.5 whenever val_accuracy has not improved for 3 epochs
"""
EXPONENTIAL = "{epochs: 3, optimizer: {sgd: {learning_rate: 0.8}}, schedule: {exponential: {decay_per_epoch: 0.25}}}"
LOWERING = "{epochs: 2, schedule: {reduce_on_plateau: {factor: 0.5, patience: 3, monitor: val_accuracy}}}"


TUNED = """\
constant schedule of adam: 1 epochs of 2 steps

epoch   first step   last step   highest
────────────────────────────────────────
    1        0.001       0.001     0.001

fine_tune
one_cycle schedule of adam: 2 epochs of 2 steps

epoch   first step   last step    highest
─────────────────────────────────────────
    2        8e-06    0.000162   0.000162
    3     5.66e-05       8e-10   5.66e-05
"""


@pytest.mark.parametrize(
    ("train", "images", "table"),
    [(EXPONENTIAL, 65, TABLE), (LOWERING, 448, PLATEAU), ("{epochs: 1, fine_tune: {epochs: 2}}", 65, TUNED)],
)
def test_the_table_to_the_letter(train: str, images: int, table: str, tmp_path: Path) -> None:
    (tmp_path / "c.yaml").write_text(f"data: {{train: nowhere}}\nmodel: [flatten]\ntrain: {train}\n")
    assert succeed("schedule", "c.yaml", "--images", str(images), cwd=tmp_path) == table


def test_json_has_the_rate_of_every_step(tmp_path: Path) -> None:
    settings = ["--set", "train.epochs=5", "--set", "train.schedule={cosine: {warmup_epochs: 1.5}}"]
    settings += ["--set", "train.optimizer={adamw: {learning_rate: 0.004}}", "--set", "train.batch_size=128"]
    printed = json.loads(succeed("schedule", AIRBENCH, "--images", "1000", "--json", *settings, cwd=tmp_path))
    train = load(AIRBENCH, settings[1::2]).train
    assert printed["steps_per_epoch"] == 8
    assert printed["learning_rates"] == learning_rates(train.schedule, 0.004, 5, 8).tolist()
    assert printed["learning_rates"][11] == pytest.approx(0.004)
    assert printed["schedule"] == {"cosine": {"warmup_epochs": 1.5}}
    assert printed["optimizer"]["adamw"]["learning_rate"] == 0.004


def test_json_has_both_phases(tmp_path: Path) -> None:
    (tmp_path / "c.yaml").write_text(
        "data: {train: nowhere}\nmodel: [flatten]\ntrain: {epochs: 1, fine_tune: {epochs: 2}}\n"
    )
    printed = json.loads(succeed("schedule", "c.yaml", "--images", "65", "--json", cwd=tmp_path))
    assert printed["learning_rates"] == pytest.approx([0.001] * 2)
    assert len(printed["fine_tune"]["learning_rates"]) == 4
    assert printed["fine_tune"]["optimizer"]["adam"]["learning_rate"] == 0.0002


def test_images_are_counted_in_the_data(digits_run: Trained, tmp_path: Path) -> None:
    """The steps are those that the training of the same config took."""
    split = (digits_run.run / "split.csv").read_text().splitlines()
    images = sum(line.endswith(",train") for line in split)
    printed = json.loads(succeed("schedule", CONFIGS / "digits.yaml", "--json", cwd=tmp_path))
    batch_size = load(CONFIGS / "digits.yaml").train.batch_size
    assert printed["steps_per_epoch"] == -(-images // batch_size)
    assert not (tmp_path / "runs").exists()


@pytest.mark.parametrize("data", [[], ["--set", "data.train=elsewhere"]], ids=["as it is", "set"])
def test_missing_data_is_told_with_the_way_around_it(data: list[str], tmp_path: Path) -> None:
    said = fail(3, "schedule", AIRBENCH, *data, cwd=tmp_path)
    assert said.startswith("error: there is no folder ")
    assert said.endswith("hint: say how many training images there will be: --images 45000\n")


def test_a_picture_of_the_plan(tmp_path: Path) -> None:
    arguments = ["schedule", AIRBENCH, "--images", "8000", "--plot", "plots/rates.png", "--set", "train.epochs=12"]
    assert succeed(*arguments, cwd=tmp_path).startswith("one_cycle schedule of sgd: 12 epochs of 8 steps\n")
    with Image.open(tmp_path / "plots" / "rates.png") as picture:
        assert picture.format == "PNG"
        pixels = np.asarray(picture.convert("RGB")).astype(int)
    height, width, _ = pixels.shape
    assert width > height > 200
    rows, columns = np.nonzero((pixels[:, :, 2] - pixels[:, :, 0]) > 100)  # the blue line
    heights = [rows[columns == column].min() for column in np.unique(columns)]
    top = np.unique(columns)[np.argmin(heights)]
    share = (top - columns.min()) / (columns.max() - columns.min())
    assert share == pytest.approx(0.23, abs=0.03)  # warmup_fraction
    assert max(heights) - min(heights) > height / 2
    (tmp_path / "plots" / "rates.png").unlink()
    assert json.loads(succeed(*arguments, "--json", cwd=tmp_path))["steps_per_epoch"] == 8
    assert (tmp_path / "plots" / "rates.png").is_file()


def test_a_picture_that_cannot_be_written(tmp_path: Path) -> None:
    said = fail(5, "schedule", AIRBENCH, "--images", "1000", "--plot", tmp_path, cwd=tmp_path)
    assert said == f"error: {tmp_path} cannot be written: Is a directory\nhint: choose another file with --plot PNG\n"


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["nothing.yaml"], 2, "there is no config at nothing.yaml"),
        ([AIRBENCH, "--images", "0"], 2, "'--images'"),
        ([AIRBENCH, "--images", "9", "--set", "train.schedule=cosin"], 2, "cosine"),
        ([AIRBENCH, "--images", "9", "--set", "train.schedule={cosine: {warmup_epochs: 100}}"], 2, "no epoch is left"),
    ],
)
def test_mistakes(arguments: list[str | Path], code: int, said: str, tmp_path: Path) -> None:
    assert said in fail(code, "schedule", *arguments, cwd=tmp_path)
