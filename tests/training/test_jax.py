"""The JAX backend, in processes of its own, where TensorFlow cannot be found: the same configs, files and commands."""

import csv
import io
import json
import zipfile
from collections.abc import Iterator
from pathlib import Path

import cv2
import h5py
import pytest

from cnnctl.errors import MachineError
from cnnctl.models.backend import choose_backend
from cnnctl.runs import Run
from tests.cli.command import begin
from tests.conftest import CONFIGS
from tests.forks import forking
from tests.training.build import uncalibrated_loss
from tests.training.without import Without

EVERYTHING = """\
data: {{train: {photos}, validation: 0.25, image: {{size: 16, scaling: standardize}}}}
augment: [random_flip: {{mode: horizontal}}, random_brightness: {{factor: 0.1}}, mix_up]
output: {{use_bias: false}}
model:
  - conv2d: {{filters: 12, kernel_size: 2, kernel_initializer: whitening, trainable: false}}
  - conv2d: {{filters: 8, kernel_size: 3, padding: same, activation: gelu, kernel_regularizer: l2}}
  - l2_pooling2d: {{pool_size: 2}}
  - depthwise_conv2d: {{kernel_size: 3, padding: 1}}
  - batch_normalization: {{momentum: 0.5}}
  - activation: {{activation: silu}}
  - average_pooling2d: {{pool_size: 2, padding: same}}
  - separable_conv2d: {{filters: 8, kernel_size: 2, strides: 2, padding: same, activation: relu}}
  - max_pooling2d: {{pool_size: 2, strides: 1, padding: same}}
  - layer_normalization: {{trainable: false}}
  - dropout: {{rate: 0.2}}
  - flatten
  - rescaling: {{scale: 0.5}}
train:
  epochs: 3
  batch_size: 16
  optimizer: {{adamw: {{learning_rate: 0.003, global_clipnorm: 1}}}}
  schedule: {{cosine: {{warmup_epochs: 1}}}}
  label_smoothing: 0.1
  class_weight: balanced
  ema: 0.5
"""


@pytest.fixture(scope="module")
def without_tensorflow(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Without]:
    """Its commands are forks of one process that has imported JAX, or of one that has imported TensorFlow."""
    without = Without(tmp_path_factory.mktemp("jax"), "tensorflow")
    with forking(without.environment, "jax"), forking({**without.environment, "HIDDEN": "jax"}):
        yield without


@pytest.fixture(scope="module")
def runs(without_tensorflow: Without) -> tuple[Path, Path]:
    """digits.yaml for 15 epochs, on TensorFlow and on JAX."""
    folder = without_tensorflow.folder
    arguments = ("train", str(CONFIGS / "digits.yaml"), "--set", "train.epochs=15", "--output")
    without_tensorflow.run(*arguments, "by-tensorflow", HIDDEN="jax")
    without_tensorflow.run(*arguments, "by-jax")
    return folder / "by-tensorflow", folder / "by-jax"


def weights(run: Path) -> list[tuple[str, bytes]]:
    """(name, bytes) of the arrays in model.keras."""
    found: list[tuple[str, bytes]] = []
    with zipfile.ZipFile(run / "model.keras") as archive:
        stream = io.BytesIO(archive.read("model.weights.h5"))
    with h5py.File(stream) as file:
        file.visititems(
            lambda name, item: found.append((name, item[()].tobytes())) if hasattr(item, "nbytes") else None
        )
    assert len(found) > 3
    return found


def table(file: Path) -> list[dict[str, str]]:
    with file.open() as lines:
        return list(csv.DictReader(lines))


def content(file: Path) -> dict:
    return json.loads(file.read_text())


def test_digits_are_learnt_as_well(runs):
    accuracies = [content(run / "metrics.json")["accuracy"] for run in runs]
    assert min(accuracies) > 0.94
    assert abs(accuracies[0] - accuracies[1]) < 0.03


def test_the_files_are_of_the_same_form(runs):
    by_tensorflow, by_jax = runs
    names = [sorted(str(file.relative_to(run)) for file in run.rglob("*") if file.is_file()) for run in runs]
    assert names[0] == names[1]
    assert (by_tensorflow / "split.csv").read_text() == (by_jax / "split.csv").read_text()
    assert (by_tensorflow / "config.yaml").read_text() == (by_jax / "config.yaml").read_text()
    histories = [table(run / "history.csv") for run in runs]
    assert list(histories[0][0]) == list(histories[1][0])
    assert len(histories[0]) == len(histories[1]) == 15
    assert content(by_tensorflow / "metrics.json").keys() == content(by_jax / "metrics.json").keys()


def test_the_temperature_is_in_the_weights(runs):
    for run in runs:
        history, said = table(run / "history.csv"), content(run / "environment.json")
        best = float(history[said["best_epoch"] - 1]["val_loss"])  # in 16 bits, where the machine has them
        assert uncalibrated_loss(Run(run)) == pytest.approx(best, rel=0.05, abs=0.003)


def test_the_environment_names_the_backend(runs):
    said = [content(run / "environment.json") for run in runs]
    assert [one["backend"] for one in said] == ["tensorflow", "jax"]
    assert said[1]["seconds"]["waiting_for_data"] >= 0
    assert said[0]["seconds"]["waiting_for_data"] is None


def test_both_networks_are_the_same(runs, without_tensorflow):
    found = [json.loads(without_tensorflow.run("summary", str(run / "model.keras"), "--json").stdout) for run in runs]
    assert found[0] | {"name": ""} == found[1] | {"name": ""}
    assert found[0]["total_params"] == 151_306


def test_keras_on_jax_opens_what_tensorflow_trained(runs, without_tensorflow):
    """Fine-tuning for one epoch: what was learnt is still known."""
    arguments = ("--set", "train.epochs=1", "--set", f"train.initial_weights={runs[0]}", "--output", "tuned")
    done = without_tensorflow.run("train", str(CONFIGS / "digits.yaml"), *arguments)
    assert "initial weights: conv2d, conv2d_1, dense, probabilities from" in done.stderr
    assert content(without_tensorflow.folder / "tuned" / "metrics.json")["accuracy"] > 0.94


def test_model_onnx_agrees_on_both(runs):
    for run in runs:
        parity = content(run / "metrics.json")["onnx"]
        assert parity["written"]
        assert parity["largest_difference"] < 1e-5


def test_evaluate_and_predict_take_either_run(runs, without_tensorflow):
    for run in runs:
        evaluated = json.loads(without_tensorflow.run("evaluate", "--run", str(run), "--json").stdout)
        assert evaluated["accuracy"] == content(run / "metrics.json")["accuracy"]
        rows = table(run / "predictions.csv")[:20]
        paths = [row["path"] for row in rows]
        answers = json.loads(without_tensorflow.run("predict", *paths, "--run", str(run), "--format", "json").stdout)
        assert [answer["label"] for answer in answers] == [row["predicted"] for row in rows]


def test_either_backend_explains_either_run(runs, without_tensorflow):
    path = table(runs[0] / "predictions.csv")[0]["path"]
    for run in runs:
        found = []
        for name, hidden in (("tensorflow", "jax"), ("jax", "tensorflow")):
            words = ("explain", path, "--run", str(run), "--output", f"{run.name}-explained-by-{name}", "--json")
            found.append(json.loads(without_tensorflow.run(*words, HIDDEN=hidden).stdout))
        one, other = found
        assert [row["label"] for row in one["probabilities"]] == [row["label"] for row in other["probabilities"]]
        for key in ("features", "receptive_field", "layers", "method"):
            assert one[key] == other[key]
        numbers = [
            without_tensorflow.run("explain", path, "--run", str(run), "--numbers", "--json", HIDDEN=hidden).stdout
            for hidden in ("jax", "tensorflow keras")
        ]
        assert numbers[0] == numbers[1]
        for mine, theirs in zip(one["pictures"], other["pictures"], strict=True):
            pixels = [cv2.imread(str(without_tensorflow.folder / name)).astype(int) for name in (mine, theirs)]
            assert abs(pixels[0] - pixels[1]).max() <= 2, mine


def test_everything_together_whole_and_killed_alike(without_tensorflow, small_photos):
    config = without_tensorflow.folder / "everything.yaml"
    config.write_text(EVERYTHING.format(photos=small_photos))
    without_tensorflow.run("train", str(config), "--output", "one")
    words = ["train", str(config), "--output", "two", "--resume"]
    process, _ = begin(words, without_tensorflow.folder, " 2/3 ", env=without_tensorflow.environment)
    process.kill()
    process.communicate()
    done = without_tensorflow.run(*words)
    assert "resuming after epoch " in done.stderr
    one, two = without_tensorflow.folder / "one", without_tensorflow.folder / "two"
    assert content(one / "metrics.json")["onnx"]["largest_difference"] < 1e-5
    for name in ("history.csv", "metrics.json", "predictions.csv"):
        assert (one / name).read_bytes() == (two / name).read_bytes()
    assert weights(one) == weights(two)


IN_BOTH_PLACES = """\
import os, sys, cnnctl
from cnnctl.training import feeding

os.environ["KERAS_BACKEND"] = "jax"
for place, output in ((False, "host"), (True, "device")):
    feeding.has_room = lambda device, size: place
    cnnctl.train(sys.argv[1], output=output)
"""

MOVED = """\
data: {{train: {photos}, validation: 0.25, image: {{size: 16}}}}
augment:
  - random_flip: {{mode: horizontal, alternate: true}}
  - random_translation: {{height_factor: 0.2, width_factor: 0.2, interpolation: nearest, fill_mode: mirror}}
model: [conv2d: {{filters: 4, kernel_size: 3}}, flatten]
train: {{epochs: 3, batch_size: 16, class_weight: balanced}}
"""


def test_images_that_lie_on_the_device_train_the_same(without_tensorflow, small_photos):
    config = without_tensorflow.folder / "moved.yaml"
    config.write_text(MOVED.format(photos=small_photos))
    without_tensorflow.python("-c", IN_BOTH_PLACES, str(config))
    host, device = without_tensorflow.folder / "host", without_tensorflow.folder / "device"
    assert (host / "history.csv").read_bytes() == (device / "history.csv").read_bytes()
    assert weights(host) == weights(device)


def test_what_is_not_installed_is_named_with_the_mend(without_tensorflow):
    digits = str(CONFIGS / "digits.yaml")
    done = without_tensorflow.run("train", digits, "--set", "train.backend=tensorflow", code=5, fresh=True)
    mend = "hint: install it with: pip install tensorflow, or train with train.backend: jax\n"
    assert done.stderr.endswith(f"error: TensorFlow is not installed\n{mend}")
    done = without_tensorflow.run("train", digits, "--set", "train.backend=jax", code=5, fresh=True, HIDDEN="jax")
    mend = "hint: install it with: pip install '.[jax]' from a checkout of cnnctl\n"
    assert done.stderr.endswith(f"error: JAX is not installed\n{mend}")
    assert not (without_tensorflow.folder / "runs" / "digits").exists()


@pytest.mark.parametrize(
    ("wanted", "said", "expected"),
    [
        ("auto", None, "tensorflow"),
        ("auto", "jax", "jax"),
        ("auto", "tensorflow", "tensorflow"),
        ("jax", "tensorflow", "jax"),
        ("tensorflow", "torch", "tensorflow"),
    ],
)
def test_the_config_decides_then_the_environment(wanted, said, expected, monkeypatch):
    monkeypatch.delenv("KERAS_BACKEND", raising=False)
    if said is not None:
        monkeypatch.setenv("KERAS_BACKEND", said)
    assert choose_backend(wanted) == expected


def test_another_backend_is_refused(monkeypatch):
    monkeypatch.setenv("KERAS_BACKEND", "torch")
    with pytest.raises(MachineError, match="KERAS_BACKEND is torch"):
        choose_backend("auto")
