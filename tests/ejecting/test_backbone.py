"""Scripts of pretrained networks: the same network, two phases, and the batch normalization as it was stored."""

import json
import shutil
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from cnnctl.architecture import make_plan
from cnnctl.architecture.scaling import UNIT
from cnnctl.config import load
from cnnctl.ejecting import eject as ejecting
from cnnctl.ejecting.backbone import ejected_backbone, is_in_keras
from cnnctl.ejecting.script import InitialWeights, Script
from cnnctl.errors import DiskError, MachineError, UsageError
from cnnctl.layers.backbone import APPLICATIONS, Backbone
from cnnctl.models.backend import import_keras
from cnnctl.models.build import build_network
from cnnctl.weights import find
from tests.config.build import config
from tests.ejecting.build import insist_on_ruff, python, script
from tests.ejecting.test_eject import Ejected, ejected, figures
from tests.images import write_classes

DATA = "data: {train: photos, validation: 0.25, image: {height: 40, width: 33}}\n"
IN_KERAS = [name for name in APPLICATIONS if name != "EfficientNetLite0"]
TUNED = "augment: [random_flip]\ntrain: {epochs: 7, fine_tune: {epochs: 3}}\n"


def text(backbone: str, rest: str = "", head: str = "global_average_pooling2d", data: str = DATA) -> str:
    """A config whose network begins with a backbone."""
    return f"{data}{rest}model: [backbone: {{{backbone}}}, {head}]\n"


def made(backbone: str, rest: str = "", file: str | None = None, data: str = DATA, **more: object) -> Script:
    """The script of a config with a backbone; with a `file`, that is its name."""
    read = config(text(backbone, rest, data=data))
    return script(read, backbone=ejected_backbone(read, file), **more)


@pytest.mark.parametrize("name", IN_KERAS)
def test_keras_has_the_network(name: str) -> None:
    source = " ".join(made(f"application: {name}").text.split())
    given = 'include_top=False, weights="imagenet", input_shape=(HEIGHT, WIDTH, CHANNELS)'
    assert f"backbone = keras.applications.{name}( {given}, ) backbone.trainable = False" in source
    assert ("layer.rate = 0" in source) is name.startswith("EfficientNet")
    assert "load_model" not in source


def test_which_networks_come_in_a_file() -> None:
    assert is_in_keras(Backbone(application="ResNet50V2"))
    assert is_in_keras(Backbone(application="ResNet50V2", weights=None))
    assert not is_in_keras(Backbone(application="ResNet50V2", weights="/some.h5"))
    assert not is_in_keras(Backbone(application="EfficientNetLite0"))
    assert not is_in_keras(Backbone(application="EfficientNetB0", weights=None))  # Keras would not scale its pixels
    assert not is_in_keras(Backbone(file="/my.keras"))
    lite = made("application: EfficientNetLite0", file="made-backbone.keras").text
    assert 'BACKBONE = HERE / "made-backbone.keras"' in lite
    assert "backbone = keras.models.load_model(BACKBONE)" in lite
    assert "layers.Rescaling(1 / 128, offset=-0.9921875)" in lite
    assert "layer.rate" not in lite  # such a file has no dropout


def test_networks_are_those_of_the_configs(tmp_path: Path) -> None:
    """Features of the same pixels with equal weights, also in fit(); nothing is downloaded."""
    cases = []
    for name in IN_KERAS:
        path = tmp_path / f"{name}.yaml"
        path.write_text(text(f"application: {name}"))
        path.with_suffix(".py").write_text(made(f"application: {name}").text)
        cases.append({"config": str(path), "script": str(path.with_suffix(".py"))})
    (tmp_path / "cases.json").write_text(json.dumps(cases))
    python(["-m", "tests.ejecting.processes", "backbones", tmp_path / "cases.json"], Path.cwd())
    for case, answer in zip(cases, json.loads((tmp_path / "cases.json").read_text()), strict=True):
        assert answer["difference"] < 1e-4, case
        assert answer["in_training"] < 1e-6, case
        counted = ejected_backbone(load(Path(case["config"])), None)
        assert counted is not None
        assert list(counted.layers) == answer["layers"]  # the last n of these are trained
        assert answer["same_order"]


def test_two_phases() -> None:
    source = made("application: DenseNet121", TUNED).text
    assert "EPOCHS = 7\n" in source
    assert "FINE_TUNE_EPOCHS = 3\nFINE_TUNE_LEARNING_RATE = 0.0002\n" in source
    assert "FIRST_TRAINED" not in source
    assert "MEAN = [123.675, 116.28, 103.53]\n" in source
    assert source.count("model.compile(") == source.count("model.fit(") == 2
    first, second = source.partition("def main():")[2].split("# The backbone as well")
    assert "    history = model.fit(\n        training,\n        epochs=EPOCHS,\n" in first
    assert "    model.fit(\n        varied,\n        epochs=FINE_TUNE_EPOCHS,\n" in second
    assert 'best_head = np.nanmin(history.history["val_loss"])' in first
    assert "initial_value_threshold=best_head" in second
    assert "OneCycle(\n        FINE_TUNE_LEARNING_RATE,\n        FINE_TUNE_EPOCHS * len(varied)," in second
    assert second.index("model.load_weights(WEIGHTS)") < second.index("backbone.trainable = True")
    assert "if isinstance(layer, layers.BatchNormalization):\n            layer.trainable = False" in second
    cosine = made("application: DenseNet121", TUNED.replace("epochs: 3", "epochs: 3, schedule: cosine")).text
    assert "CosineDecay(\n        FINE_TUNE_LEARNING_RATE," in cosine.partition("# The backbone as well")[2]


def test_one_phase() -> None:
    frozen = made("application: MobileNetV2", "augment: [random_flip, mix_up]\ntrain: {class_weight: balanced}\n")
    assert frozen.text.count("model.fit(") == 1
    assert "RandomFlip" not in frozen.text  # augment has no effect in cnnctl either
    assert not any(word in " ".join(frozen.warnings) for word in ("mix_up", "gamma", "class_weight"))
    whole = made("application: MobileNetV2, trainable: true", "augment: [random_flip]\n")
    assert whole.text.count("model.fit(") == 1
    assert "RandomFlip" in whole.text
    assert "backbone.trainable" not in whole.text
    assert "if isinstance(layer, layers.BatchNormalization)" in whole.text
    assert "gamma" in " ".join(whole.warnings)


@pytest.mark.parametrize(
    ("application", "layers", "first"),
    [
        ("MobileNetV2", 9, "block_16_depthwise"),  # out_relu, Conv_1_bn, Conv_1, block_16: project_BN, project, ...
        ("MobileNetV2", 3, "Conv_1"),
        ("EfficientNetB0", 5, "block7a_project_conv"),
        ("MobileNetV2", 1000, None),
    ],
)
def test_the_last_layers_are_those_of_cnnctl(application: str, layers: int, first: str | None) -> None:
    """Keras counts paddings and dropout as well."""
    source = made(f"application: {application}", f"train: {{fine_tune: {{layers: {layers}}}}}\n").text
    found = next((line for line in source.splitlines() if line.startswith("FIRST_TRAINED = ")), None)
    assert found == (None if first is None else f'FIRST_TRAINED = "{first}"  # the layers before it stay as they are')


def test_layers_that_a_script_cannot_train_are_refused() -> None:
    with pytest.raises(UsageError, match="the last 2 of the backbone have weights in batch normalization") as refused:
        made("application: MobileNetV2", "train: {fine_tune: {layers: 2}}\n")
    assert refused.value.hint == "train 3 or more"


@pytest.mark.parametrize(
    ("rest", "size", "words"),
    [
        ("", "size: 224", ["backbone: the script runs it on every image"]),
        ("", "size: 160", ["on every image", "Keras takes the weights of MobileNetV2 for images of 160x160"]),
        ("train: {fine_tune: {}}\n", "size: 224", ["on every image", "gamma and beta"]),
    ],
)
def test_what_differs_is_told(rest: str, size: str, words: list[str]) -> None:
    data = f"data: {{train: photos, image: {{{size}}}}}\n"
    warnings = [one for one in made("application: MobileNetV2", rest, data=data).warnings if one.startswith("backbone")]
    assert len(warnings) == len(words)
    assert all(word in warning for word, warning in zip(words, warnings, strict=True))


def test_ruff_has_nothing_to_say(tmp_path: Path) -> None:
    start = InitialWeights(Path("/start.keras"), takes_output=False)
    plateau = "schedule: {reduce_on_plateau: {patience: 1}}"
    several = f"train: {{schedule: one_cycle, early_stopping: {{}}, ema: 0.9, fine_tune: {{layers: 9, {plateau}}}}}\n"
    warm = "{cosine: {warmup_epochs: 1}}"
    best = f"train: {{schedule: {warm}, best: val_accuracy, fine_tune: {{schedule: one_cycle}}}}\n"
    scripts = [
        *(made(f"application: {name}", TUNED) for name in IN_KERAS),
        made("application: MobileNetV3Small", f"augment: [mix_up]\noutput: sigmoid\n{several}", start=start),
        made("application: EfficientNetLite0", TUNED, file="a 'b'-backbone.keras"),
        made("application: DenseNet121, trainable: true, weights: none", best),
        made("application: EfficientNetV2S", f"train: {{precision: mixed_bfloat16}}\n{TUNED.partition('train')[0]}"),
        made("application: ResNet50V2", best, counts={"train": 10}),
        made("application: ResNet50V2", f"train: {{backend: jax, fine_tune: {{schedule: {warm}}}}}\n"),
    ]
    for number, one in enumerate(scripts):
        (tmp_path / f"made{number}.py").write_text(one.text)
    insist_on_ruff(tmp_path)


# Scripts that run.

HEAD = "repeat: {times: 2, layers: [conv2d: {filters: 4, kernel_size: 1}, batch_normalization]}, flatten"
TRAIN = "epochs: 3, batch_size: 8, optimizer: {adam: {learning_rate: 0.01}}"
PHOTOS = "data: {train: photos, validation: 0.25, image: {size: 12}}\n"


@pytest.fixture(scope="module")
def keras() -> ModuleType:
    """Keras on TensorFlow."""
    import_keras()
    import keras

    return keras


@pytest.fixture(scope="module")
def folder(keras: ModuleType, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Photos of two classes, and a small backbone of two branches, with batch normalization and dropout."""
    folder = tmp_path_factory.mktemp("backbones")
    write_classes(folder / "photos", {"cat": 14, "dog": 22}, size=19)
    keras.utils.set_random_seed(3)
    layers = keras.layers
    image = layers.Input((None, None, 3))
    values = layers.Conv2D(6, 3, strides=2, padding="same", use_bias=False, name="first")(image)
    values = layers.BatchNormalization(name="normal")(values)
    kept = layers.Conv2D(6, 1, name="beside")(values)
    values = layers.DepthwiseConv2D(3, padding="same", activation="relu", name="second")(values)
    values = layers.Dropout(0.5)(values)
    values = layers.Add()([kept, layers.Conv2D(6, 1, name="third")(values)])
    model = keras.Model(image, values, name="small")
    normal = model.get_layer("normal")
    normal.set_weights([array + np.linspace(0.1, 0.6, 6, dtype=np.float32) for array in normal.get_weights()])
    model.save(folder / "small.keras")
    return folder


def unit(rest: str, backbone: str = "file: small.keras", train: str = TRAIN) -> str:
    """A config that trains the small backbone."""
    data = PHOTOS.replace("size: 12", "size: 12, scaling: unit")
    return text(backbone, f"{rest}train: {{{train}}}\n", HEAD, data)


@pytest.fixture(scope="module")
def trained(folder: Path, keras: ModuleType) -> tuple[dict[str, Ejected], str]:
    """Scripts that have been run, and what they printed."""
    ways = {
        "tuned": unit(
            "augment: [random_flip, mix_up]\noutput: sigmoid\n",
            train=f"{TRAIN}, class_weight: balanced, early_stopping: {{patience: 9}}, best: val_accuracy, "
            "fine_tune: {epochs: 2, learning_rate: 0.02, schedule: {cosine: {warmup_epochs: 0.5}}}",
        ),
        "ruined": unit("", train=f"{TRAIN}, fine_tune: {{epochs: 2, learning_rate: 1.0e+6, schedule: constant}}"),
        "last": unit(
            "deterministic: true\n",
            train=f"{TRAIN}, ema: 0.5, "
            "fine_tune: {epochs: 2, layers: 2, learning_rate: 0.05, "
            "schedule: {reduce_on_plateau: {monitor: loss, patience: 1}}}",
        ).replace("validation: 0.25", "validation: 0"),
        "whole": unit("augment: [random_flip]\n", "file: small.keras, trainable: true"),
        "again": unit(
            "", train="epochs: 1, batch_size: 8, optimizer: {adam: {learning_rate: 1.0e-30}}, initial_weights: a.keras"
        ),
    }
    read = folder / "start.yaml"
    read.write_text(ways["ruined"])
    plan = make_plan(load(read).model, (12, 12, 3), 2)
    start = build_network(plan, UNIT, "float32", seed=8)
    start.save(folder / "a.keras")
    order = [name for name in ways if name != "last"] + ["last"]  # it makes the process deterministic
    scripts = {name: ejected(ways[name], folder, name) for name in order}
    words = ["-W", "error::UserWarning", "-m", "tests.ejecting.processes", "train"]
    printed = python([*words, *(one.script for one in scripts.values())], Path.cwd())
    return scripts, printed


def arrays(keras: ModuleType, path: Path) -> dict[str, list[np.ndarray]]:
    """The weights of the layers of a backbone in a .keras file, by name."""
    model = keras.saving.load_model(path)
    inner = next((layer for layer in model.layers if hasattr(layer, "layers")), model)
    return {layer.name: layer.get_weights() for layer in inner.layers if layer.weights}


def changed(keras: ModuleType, folder: Path, name: str) -> set[str]:
    """The layers of the backbone whose weights a script has changed."""
    before, after = arrays(keras, folder / "small.keras"), arrays(keras, folder / f"{name}.keras")
    assert before.keys() == after.keys()
    return {
        layer
        for layer, there in before.items()
        if not all(np.array_equal(one, other) for one, other in zip(there, after[layer], strict=True))
    }


def test_the_scripts_train(trained: tuple[dict[str, Ejected], str], folder: Path) -> None:
    scripts, printed = trained
    for name in scripts:
        assert 0 <= figures(printed, name)["accuracy"] <= 1
        assert np.isfinite(figures(printed, name)["loss"])
    tuned = printed.partition("training by tuned.py\n")[2].partition("training by ")[0]
    assert [tuned.count(f"Epoch {number}") for number in ("1/3", "3/3", "1/2", "2/2")] == [1, 1, 1, 1]
    insist_on_ruff(folder)


def test_batch_normalization_and_what_is_frozen_stay(
    trained: tuple[dict[str, Ejected], str], folder: Path, keras: ModuleType
) -> None:
    plan = make_plan(load(folder / "last.yaml").model, (12, 12, 3), 2)
    ours = build_network(plan, UNIT, "float32", seed=1, trains=True).layers[1]
    (last,) = (layer.name for layer in ours.layers[-2:] if layer.weights)  # before the sum, one of two that it joins
    assert changed(keras, folder, "last") == {last}
    assert changed(keras, folder, "whole") == {"first", "beside", "second", "third"}
    assert changed(keras, folder, "tuned") <= {"first", "beside", "second", "third"}


def test_the_best_epoch_of_both_phases_is_kept(
    trained: tuple[dict[str, Ejected], str], folder: Path, keras: ModuleType
) -> None:
    """Fine-tuning that ruins the network leaves what the head had reached."""
    assert changed(keras, folder, "ruined") == set()


def test_weights_to_begin_with_are_taken(
    trained: tuple[dict[str, Ejected], str], folder: Path, keras: ModuleType
) -> None:
    ours, theirs = arrays(keras, folder / "again.keras"), arrays(keras, folder / "a.keras")
    assert all(np.array_equal(ours[name][0], theirs[name][0]) for name in theirs)
    assert changed(keras, folder, "again") == {"first", "beside", "second", "third", "normal"}


def test_the_file_is_the_backbone_of_cnnctl(trained: tuple[dict[str, Ejected], str], folder: Path) -> None:
    """Stock layers in float32, without dropout, and with the weights of the config."""
    file = folder / "tuned-backbone.keras"
    assert trained[0]["tuned"].backbone == file
    import keras

    model, original = keras.saving.load_model(file), keras.saving.load_model(folder / "small.keras")
    assert not any(isinstance(layer, keras.layers.Dropout) for layer in model.layers)
    pixels = np.random.default_rng(1).uniform(size=(2, 12, 12, 3)).astype(np.float32)
    np.testing.assert_allclose(model(pixels), original(pixels), rtol=1e-5, atol=1e-6)


def test_16_bits_are_refused_beside_a_file(folder: Path) -> None:
    with pytest.raises(UsageError, match="in float32 and not in mixed_bfloat16") as refused:
        ejected(unit(""), folder, "sixteen", ("train.precision=mixed_bfloat16",))
    assert refused.value.hint == "eject with --set train.precision=float32"
    assert not list(folder.glob("sixteen*.py"))


def test_a_backbone_is_not_written_over(folder: Path) -> None:
    (folder / "there-backbone.keras").write_text("mine")
    with pytest.raises(UsageError, match=r"there-backbone\.keras already exists; eject overwrites nothing"):
        ejected(unit(""), folder, "there")
    assert (folder / "there-backbone.keras").read_text() == "mine"


def test_nothing_is_left_of_a_script_that_cannot_be_written(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(folder / "photos", tmp_path / "photos")
    shutil.copyfile(folder / "small.keras", tmp_path / "small.keras")

    def full(path: Path, _: str) -> None:
        assert (tmp_path / "full-backbone.keras").is_file()
        assert (tmp_path / "full-split.csv").is_file()
        raise DiskError(f"{path} cannot be written: no space left on device")

    monkeypatch.setattr(ejecting.files, "write_text", full)
    with pytest.raises(DiskError):
        ejected(unit(""), tmp_path, "full")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["full.yaml", "photos", "small.keras"]


def test_weights_that_are_not_here(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(find, "_in_package", lambda _: None)
    lite = text("application: EfficientNetLite0", data=PHOTOS.replace("size: 12", "size: 32"))
    with pytest.raises(MachineError, match="the weights of EfficientNetLite0 are not here"):
        ejected(lite, folder, "lite")
    assert sorted(path.name for path in folder.glob("lite*")) == ["lite.yaml"]
