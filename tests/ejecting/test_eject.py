"""From a config and its images to a script that trains: the same split, the same pixels, a sane accuracy."""

import csv
import json
import re
import shutil
from pathlib import Path

import numpy as np
import pytest

from cnnctl.architecture.keras_file import read_weights
from cnnctl.checks import check
from cnnctl.config import parse_config
from cnnctl.data.decoder.images import ImageSpec, read_image
from cnnctl.ejecting.eject import Ejected, eject, refuse_output
from cnnctl.errors import RunError, UsageError
from cnnctl.layers import Conv2D
from cnnctl.layers.first_weights import covariance, whitening
from cnnctl.runs import Run
from tests.cli.command import succeed
from tests.conftest import CONFIGS, Trained
from tests.ejecting.build import insist_on_ruff, python
from tests.images import write_classes

EVERYTHING = """\
name: everything
output: sigmoid
seed: 3
test_time: {flip: true, shift: 1}
data: {train: photos, validation: 0.2, test: val, image: {height: 16, width: 14, scaling: standardize, fit: pad}}
augment:
  - random_flip: {alternate: true}
  - random_rotation: {factor: 0.05, fill_mode: constant}
  - random_translation: {height_factor: 0.1, width_factor: 0.1, fill_mode: wrap}
  - mix_up
  - random_zoom: {height_factor: [-0.5, 3], fill_mode: nearest, interpolation: nearest}
  - random_crop: {height: 14, width: 13}
  - random_brightness: {factor: 0.1}
  - random_contrast: {factor: 0.2}
  - rand_augment: {num_ops: 1, factor: 0.3}
  - random_erasing: {factor: 0.5, fill_value: [1, 2, 3]}
  - cut_mix: {factor: 0.5}
model:
  - repeat:
      times: 2
      layers: [conv2d: {filters: 4, kernel_size: 3, padding: 1, kernel_regularizer: l2}, batch_normalization]
  - l2_pooling2d: {pool_size: 2, padding: same}
  - spatial_dropout2d: {rate: 0.1}
  - global_average_pooling2d
train:
  epochs: 2
  batch_size: 8
  optimizer: {adamw: {weight_decay: 0.01, clipnorm: 1.0}}
  schedule: one_cycle
  label_smoothing: 0.1
  class_weight: balanced
  early_stopping: {patience: 3, min_delta: 0.001}
  best: val_accuracy
  ema: 0.9
  precision: mixed_bfloat16
  device: cpu
"""
FINE_TUNED = """\
data: {train: table.csv, validation: 0.3, csv: {path: file, label: kind, group: patient}, image: {size: 8, channels: 1}}
deterministic: true
model: [conv2d: {filters: 2, kernel_size: 3}, leaky_relu, flatten, dense: {units: 3, activation: relu}]
train:
  epochs: 2
  batch_size: 4
  optimizer: {sgd: {momentum: 0.9, bias_factor: 2}}
  lookahead: {every: 3}
  schedule: {cosine: {warmup_epochs: 0.5}}
  class_weight: {no: 2}
  backend: tensorflow
  precision: float32
"""
LAST = """\
data: {train: photos, validation: 0, image: {size: 8}}
augment: [cut_mix]
output: {use_bias: false}
model:
  - conv2d: {filters: 5, kernel_size: 2, padding: 1, kernel_initializer: whitening, trainable: false}
  - conv2d: {filters: 7, kernel_size: 3, kernel_initializer: dirac, activation: gelu}
  - flatten
  - rescaling: {scale: 0.125}
train:
  epochs: 2
  class_weight: balanced
  optimizer: rmsprop
  schedule: {reduce_on_plateau: {monitor: loss, patience: 1}}
  ema: 0.5
"""


def nothing(done: int, total: int) -> None:
    """Nobody watches."""


def ejected(text: str, folder: Path, name: str, settings: tuple[str, ...] = ()) -> Ejected:
    """The script of a config's text, in a folder."""
    path = folder / f"{name}.yaml"
    path.write_text(text)
    loaded = parse_config(path, settings)
    findings = check(loaded, nothing)
    findings.raise_if_problems()
    return eject(loaded.name, loaded.config, findings, folder / f"{name}.py")


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def splits(made: Ejected) -> list[tuple[str, str, str]]:
    """(absolute path, label, split) of every image of a script's split, in its order."""
    folder = made.script.parent
    return [(str(folder / row["path"]), row["label"], row["split"]) for row in rows(made.split)]


def write_table(folder: Path) -> None:
    """A CSV of images of three classes with patients, some of whom have several."""
    images = write_classes(folder / "images", {"no": 12, "1e3": 15, "a, b": 9})
    names = sorted(path.relative_to(folder) for path in images.rglob("*.png"))
    with (folder / "table.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(("file", "kind", "patient"))
        writer.writerows(
            (name, name.parent.name, f"{name.parent.name} {number // 2}") for number, name in enumerate(names)
        )


@pytest.fixture(scope="module")
def trained(tmp_path_factory, digits_run: Trained) -> tuple[Path, str]:
    """A folder of scripts that have been run, all in one process, and what they printed."""
    folder = tmp_path_factory.mktemp("ejected")
    write_classes(folder / "photos", {"cat": 14, "dog": 22}, size=19)
    write_classes(folder / "val", {"cat": 3, "dog": 4}, size=12)
    write_table(folder)
    digits = (CONFIGS / "digits.yaml").read_text()
    made = [ejected(digits, folder, "digits", ("train.epochs=3",))]
    made.append(ejected(EVERYTHING, folder, "everything"))
    made.append(ejected(LAST, folder, "last"))
    start = (f"train.initial_weights={digits_run.run}", "train.optimizer.adam.learning_rate=1e-7", "train.epochs=1")
    again = ejected(digits, folder, "again", ("name=again", *start))
    made += [again, ejected(FINE_TUNED, folder, "fine")]  # the last: it makes the process deterministic
    scripts = [one.script for one in made]
    printed = python(["-W", "error::UserWarning", "-m", "tests.ejecting.processes", "train", *scripts], Path.cwd())
    return folder, printed


def figures(printed: str, script: str) -> dict[str, float]:
    """What a script says of its network at the end."""
    part = printed.partition(f"training by {script}.py\n")[2].partition("training by ")[0]
    found = re.findall(r"^(?:test|validation|train): (\{.*\})$", part, re.MULTILINE)
    assert len(found) == 1, part[-2000:]
    return dict(json.loads(found[0].replace("'", '"')))


def test_the_scripts_train(trained):
    folder, printed = trained
    assert figures(printed, "digits")["accuracy"] > 0.8
    for name in ("everything", "last", "again", "fine"):
        assert 0 <= figures(printed, name)["accuracy"] <= 1
        assert np.isfinite(figures(printed, name)["loss"])
    insist_on_ruff(folder)


def test_the_saved_network_is_the_config_s(trained):
    """As cnnctl reads it without Keras: shapes and parameters."""
    folder, _ = trained
    for name, file in {"digits": "digits", "everything": "everything", "fine": "fine", "last": "last"}.items():
        wanted = json.loads(succeed("summary", f"{name}.yaml", "--json", cwd=folder))
        found = json.loads(succeed("summary", f"{file}.keras", "--json", cwd=folder))
        keys = ("type", "output_shape", "params", "trainable_params")
        padding = [layer for layer in found["layers"] if layer["type"] != "zero_padding2d"]
        assert [[layer[key] for key in keys] for layer in padding] == [
            [layer[key] for key in keys] for layer in wanted["layers"]
        ]
        assert found["total_params"] == wanted["total_params"]


def test_the_first_layer_is_that_of_a_training(trained):
    """Frozen, so that what whitened the images of the split is in the saved network."""
    folder, _ = trained
    paths = [folder / row["path"] for row in rows(folder / "last-split.csv") if row["split"] == "train"]
    images = np.stack([read_image(path, ImageSpec(8, 8)) for path in paths]) / 255
    (name, (kernel, bias)), *_ = read_weights(folder / "last.keras")
    assert (kernel.shape, name[:6]) == ((2, 2, 3, 5), "conv2d")
    expected = whitening(covariance(images, Conv2D(filters=5, kernel_size=2).window), kernel.shape, 0.0005)
    np.testing.assert_allclose(kernel, expected, rtol=1e-3, atol=1e-4)
    assert (bias == 0).all()


def test_weights_to_begin_with_are_taken(trained, digits_run: Trained):
    """With hardly any learning the network is as good as the one that it began with."""
    accuracy = json.loads((digits_run.run / "metrics.json").read_text())["accuracy"]
    assert figures(trained[1], "again")["accuracy"] == pytest.approx(accuracy, abs=0.03)


def test_the_split_is_that_of_a_training(trained, digits_run: Trained):
    folder, _ = trained
    theirs = [(row["path"], row["label"], row["split"]) for row in rows(digits_run.run / "split.csv")]
    ours = [(row["path"], row["label"], row["split"]) for row in rows(folder / "digits-split.csv")]
    assert ours == theirs
    assert {split for _, _, split in ours} == {"train", "validation", "test"}


def test_the_split_of_groups_and_paths_is_that_of_the_catalog(tmp_path):
    write_table(tmp_path)
    write_classes(tmp_path / "photos", {"cat": 14, "dog": 22})
    write_classes(tmp_path / "val", {"cat": 3, "dog": 4})
    for name, text in {"everything": EVERYTHING, "fine": FINE_TUNED}.items():
        made = ejected(text, tmp_path, name)
        frame = check(parse_config(tmp_path / f"{name}.yaml"), nothing).catalog.frame
        assert splits(made) == list(frame[["path", "label", "split"]].itertuples(index=False, name=None))
        assert not any(Path(row["path"]).is_absolute() for row in rows(made.split))
        assert made.counts == frame.split.value_counts().to_dict()
    whole = shutil.copytree(tmp_path, tmp_path.parent / f"{tmp_path.name}-moved")
    assert all((whole / row["path"]).is_file() for row in rows(whole / "fine-split.csv"))


def test_images_that_were_left_out_stay_out(tmp_path):
    write_classes(tmp_path / "photos", {"cat": 150, "dog": 150})
    (tmp_path / "photos" / "cat" / "bad.png").write_bytes(b"no image")
    text = "data: {train: photos, on_bad_image: skip, image: {size: 6}}\nmodel: [flatten]\n"
    made = ejected(text, tmp_path, "skips")
    assert len(splits(made)) == 300
    assert not any("bad.png" in path for path, _, _ in splits(made))
    assert "data.on_bad_image: 1 image(s) that cannot be decoded are not in the split" in made.warnings


def test_statistics_are_those_of_the_training_images(tmp_path):
    write_classes(tmp_path / "photos", {"cat": 14, "dog": 22}, size=16)
    text = "data: {train: photos, image: {size: 16, scaling: standardize}}\nmodel: [flatten]\n"
    made = ejected(text, tmp_path, "standard")
    pixels = np.stack([read_image(path, ImageSpec(16, 16)) for path, _, split in splits(made) if split == "train"])
    lines = made.script.read_text().splitlines()
    mean, deviation = (
        json.loads(next(line for line in lines if line.startswith(name)).partition("= ")[2].partition("  #")[0])
        for name in ("MEAN", "DEVIATION")
    )
    np.testing.assert_allclose(mean, pixels.mean(axis=(0, 1, 2)), atol=1e-4)
    np.testing.assert_allclose(deviation, pixels.std(axis=(0, 1, 2)), atol=1e-4)


@pytest.mark.parametrize("there", ["train.py", "train-split.csv"])
def test_nothing_is_written_over(there, tmp_path):
    (tmp_path / there).write_text("mine")
    with pytest.raises(UsageError, match="already exists; eject overwrites nothing"):
        refuse_output(tmp_path / "train.py")
    assert (tmp_path / there).read_text() == "mine"


def test_weights_of_another_network_are_refused(tmp_path, digits_run: Trained):
    write_classes(tmp_path / "photos", {"cat": 8, "dog": 8})
    text = "data: {train: photos, image: {size: 6}}\nmodel: [flatten, dense: {units: 3}]\n"
    with pytest.raises(RunError, match="have other weights than this network"):
        ejected(text, tmp_path, "other", (f"train.initial_weights={digits_run.run}",))
    assert not (tmp_path / "other.py").exists()


def test_the_output_layer_begins_anew_where_the_classes_differ(tmp_path, digits_run: Trained):
    digits = (CONFIGS / "digits.yaml").read_text()
    run = Run(shutil.copytree(digits_run.run, tmp_path / "run"))
    for name, classes, taken in (("same", run.read_classes(), True), ("other", [*"abcdefghij"], False)):
        run.classes.write_text(json.dumps(list(classes)))
        text = ejected(digits, tmp_path, name, (f"train.initial_weights={run.path}",)).script.read_text()
        assert ("for layer, other in zip(ours, theirs, strict=True):" in text) is taken
        assert ("for layer, other in zip(ours[:-1], theirs[:-1], strict=True):" in text) is not taken
