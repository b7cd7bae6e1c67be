"""Scripts: the network, the images and the training of the config, and nothing else in them."""

import ast
import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cnnctl.architecture import make_plan
from cnnctl.config import load
from cnnctl.config.augmentations import RandomFlip
from cnnctl.config.schema import AUGMENTATIONS, CHOICES
from cnnctl.data.augment import augmenter
from cnnctl.data.decoder.images import ImageSpec
from cnnctl.ejecting.reading import Reader, reader_source
from cnnctl.ejecting.script import InitialWeights, cross_entropy, label_form
from cnnctl.evaluation.calibration import fit_temperature
from cnnctl.inference.thresholds import choose_thresholds
from cnnctl.layers import Conv2D
from cnnctl.layers.first_weights import covariance, dirac, whitening
from cnnctl.models.backend import import_keras
from cnnctl.models.views import with_views
from cnnctl.training.network import sample
from cnnctl.training.objective import class_weights, make_objective
from cnnctl.training.optimizers import make_optimizer
from cnnctl.training.schedules import learning_rates
from tests.config.build import EVERY_LAYER, FULL, config, with_model
from tests.conftest import CONFIGS
from tests.ejecting.build import insist_on_ruff, python, script
from tests.ejecting.test_source import NASTY
from tests.models.test_build import NETWORKS
from tests.training.build import network, pixels
from tests.training.test_optimizers import NAMES, drawn

READY = sorted(CONFIGS.glob("*.yaml"))
WIDE = "data: {train: photos, image: {height: 13, width: 12, scaling: %s}}\n"
MORE = {
    "nested repeats": (
        "repeat: {times: 2, layers: [dropout: {rate: 0.1}, "
        "repeat: {times: 3, layers: [conv2d: {filters: 2, kernel_size: 1}]}]}",
        "conv2d: {filters: 4, kernel_size: 3, padding: [[2, 0], [1, 3]]}",
        "repeat: {times: 2, layers: [conv2d: {filters: 3, kernel_size: [3, 2], padding: 1}, batch_normalization]}",
        "flatten",
    ),
    "regularizers and initializers": (
        "conv2d: {filters: 4, kernel_size: 3, kernel_regularizer: l1_l2, kernel_initializer: he_normal}",
        "depthwise_conv2d: {kernel_size: 2, depthwise_regularizer: {l2: 0.5}, bias_initializer: ones}",
        "separable_conv2d: {filters: 4, kernel_size: 3, pointwise_regularizer: l1, pointwise_initializer: orthogonal}",
        "conv2d: {filters: 4, kernel_size: 1, kernel_regularizer: {l1: 0}, padding: 0}",
        "flatten",
        "dense: {units: 3, kernel_regularizer: {l1: 0.25, l2: 0.125}, kernel_initializer: random_uniform}",
    ),
    "first weights": (
        "rescaling: {scale: [0.5, 1, 2], offset: -1}",
        "conv2d: {filters: 6, kernel_size: [2, 3], padding: 1, kernel_initializer: whitening, trainable: false}",
        "zero_padding2d",
        "conv2d: {filters: 8, kernel_size: 3, groups: 2, kernel_initializer: dirac, activation: gelu}",
        "batch_normalization: {trainable: false}",
        "conv2d: {filters: 3, kernel_size: 2, padding: 2, kernel_initializer: dirac, use_bias: false}",
        "flatten",
        "rescaling: {scale: 0.125}",
        "dense: {units: 3, trainable: false}",
    ),
    "l2 pooling": (
        "l2_pooling2d: {pool_size: [3, 2], strides: [2, 1], padding: same}",
        "repeat: {times: 2, layers: [l2_pooling2d: {pool_size: 2, strides: 1}]}",
        "max_pooling2d: {pool_size: [1, 2], padding: same}",
        "flatten",
    ),
}


def texts() -> dict[str, str]:
    """Configs by name: the ready ones, and networks of every layer under every scaling."""
    found = {path.stem: path.read_text() for path in READY}
    scalings = ("unit", "symmetric", "standardize")
    for place, (name, items) in enumerate({**NETWORKS, **MORE}.items()):
        model = with_model(*items).partition("\n")[2]
        outputs = ("", "output: sigmoid\n", "output: {use_bias: false}\n", "output: {activation: sigmoid}\n")
        output = (*outputs, "output: multi_label\n")[place % 5]
        found[name.replace(" ", "-")] = output + WIDE % scalings[place % 3] + model
    return found


def write_scripts(folder: Path) -> list[dict[str, str]]:
    """Configs and their scripts, in a folder."""
    cases = []
    for name, text in texts().items():
        path = folder / f"{name}.yaml"
        path.write_text(text)
        read = load(path)
        count = 2 if read.output.kind == "sigmoid" else read.classes or 3
        classes = [f"class {number}" for number in range(count)]
        made = folder / f"{name}.py"
        made.write_text(script(read, classes).text)
        cases.append({"config": str(path), "script": str(made)})
    return cases


@pytest.fixture(scope="module")
def looked_at(tmp_path_factory):
    """A folder of scripts, and what a process found out about their networks, by name, and their learning rates."""
    folder = tmp_path_factory.mktemp("scripts")
    asked = (folder / "networks.json", folder / "rates.json")
    cases = (write_scripts(folder), write_schedules(folder))
    for path, case in zip(asked, cases, strict=True):
        path.write_text(json.dumps(case))
    python(["-m", "tests.ejecting.processes", "look", *asked], Path.cwd())
    networks, rates = (json.loads(path.read_text()) for path in asked)
    return folder, dict(zip([Path(case["config"]).stem for case in cases[0]], networks, strict=True)), rates


def test_networks_are_those_of_the_configs(looked_at):
    """Shapes, counts and settings of each layer, and the probabilities with equal weights."""
    folder, answers, _ = looked_at
    assert answers.keys() == texts().keys()
    for name, answer in answers.items():
        read = load(folder / f"{name}.yaml")
        shape = (read.data.image.height, read.data.image.width, read.data.image.channels)
        is_binary = read.output.activation == "sigmoid" and read.output.multi_label is None
        classes = 2 if is_binary else read.classes or 3
        plan = make_plan(read.model, shape, classes, read.output)
        weighty = [layer for layer in answer["theirs"][1:] if layer[0] != "ZeroPadding2D"]
        rows = [row for row in plan.layers if row.kind != "zero_padding2d"]
        assert [(layer[1][1:], layer[2]) for layer in weighty] == [(list(row.output_shape), row.params) for row in rows]
        assert sum(layer[2] for layer in answer["theirs"]) == plan.total_params
        assert answer["theirs"] == answer["ours"], name
        assert answer["difference"] < 1e-6, name
    assert answers["article-cats-dogs"]["theirs"][-1][3]["units"] == 1
    text = str(texts())
    assert all(kind in text for kind in EVERY_LAYER if kind != "backbone")


def test_ruff_has_nothing_to_say(tmp_path):
    for case in write_scripts(tmp_path):
        assert "cnnctl." not in Path(case["script"]).read_text()
    for number, made in enumerate(everything()):
        (tmp_path / f"more{number}.py").write_text(made, encoding="utf-8")
    for path in [*tmp_path.glob("*.yaml")]:
        path.unlink()
    insist_on_ruff(tmp_path)


def everything() -> list[str]:
    """Scripts of every optimizer, schedule, augmentation and way to train, and of nasty names."""
    found = [script(config(FULL), ("no", "1e3")).text, script(config(FULL), [*NASTY, "犬" * 20]).text]
    for name, members in (("optimizer", CHOICES["optimizer"]), ("schedule", CHOICES["schedule"])):
        for kind in members:
            extra = ": {decay_per_epoch: 0.9}" if kind == "exponential" else ""
            chosen = f"{{{kind}{extra}}}" if extra else kind
            rest = (
                f"train: {{{name}: {chosen}, ema: 0.9, precision: mixed_float16, device: gpu, backend: tensorflow}}\n"
            )
            found.append(script(config(with_model("flatten", rest=rest))).text)
    more = [
        "train: {schedule: {cosine: {warmup_epochs: 2}}, class_weight: {cat: 2}, initial_weights: a.keras}\n",
        "train: {backend: jax, device: gpu, class_weight: balanced, best: val_accuracy}\ndeterministic: true\n",
        f"output: sigmoid\naugment: [{AUGMENT}]\ntrain: {{loss: mean_squared_error, early_stopping: {{}}}}\n",
        "output: sigmoid\ntrain: {label_smoothing: 0.1}\ndeterministic: true\n",
        "augment: [random_flip: {alternate: true}]\ntrain: {schedule: {one_cycle: {begin: 0.2, shape: linear}}}\n",
        "train: {optimizer: {sgd: {bias_factor: 64}}}\n",
        "test_time: {flip: true}\ntrain: {calibrate: none}\n",
        "test_time: {shift: 2}\noutput: sigmoid\n",
        "test_time: {flip: true, shift: 1}\n",
        "train: {optimizer: {adamw: {clipnorm: 1}}, lookahead: {}}\n",
        "train: {optimizer: {sgd: {momentum: 0.85, nesterov: true, bias_factor: 64}}, lookahead: {}}\n",
        "augment: [random_flip: {mode: vertical, alternate: true}, random_contrast: {factor: 0.1}]\n",
    ]
    start = InitialWeights(Path("/a 'b'/\"c\"\n.keras"), takes_output=False)
    odd = Reader(reader_source(ImageSpec(8, 8, 1, "pad"), full=True), ("/a\n/b", "c"))
    for rest in more:
        one = config(with_model("flatten", rest=rest))
        found.append(script(one, start=start, reader=odd, is_utf8=False).text)
        found.append(script(one, counts={"train": 10}).text)
    return found


AUGMENT = ", ".join(
    (
        "random_flip",
        "random_rotation: {factor: 0.1, fill_mode: constant, fill_value: 9, interpolation: nearest}",
        "random_translation: {height_factor: 0.1, width_factor: [-0.1, 0.2]}",
        "random_zoom: {height_factor: [-0.5, 3], width_factor: 0.2}",
        "random_crop: {height: 14, width: 15}",
        "random_brightness: {factor: [-0.2, 0.1]}",
        "random_contrast: {factor: 0.2}",
        "random_erasing: {fill_value: [1, 2, 3], scale: 0.2}",
        "rand_augment: {num_ops: 3, factor: [0.1, 0.4]}",
        "mix_up",
        "cut_mix: {factor: 0.5}",
    )
)


def test_every_augmentation_has_its_line():
    assert all(kind in AUGMENT for kind in AUGMENTATIONS)
    one = config(with_model("flatten", rest=f"augment: [{AUGMENT}]\n"))
    made = script(one)
    begin = made.text.index("layers.Pipeline(")
    found = [line.strip(" ,") for line in made.text[begin:].splitlines()[2 : 2 + 20]]
    assert found[:13] == [
        'layers.RandomFlip("horizontal")',
        'layers.RandomFlip("vertical")',
        "layers.RandomRotation(",
        "0.1",
        'fill_mode="constant"',
        "fill_value=9.0",
        'interpolation="nearest"',
        ")",
        "layers.RandomTranslation(0.1, (-0.1, 0.2))",
        "layers.RandomZoom((-0.5, 1.0), 0.2)",
        "layers.RandomCrop(14, 15)",
        "layers.Resizing(HEIGHT, WIDTH)",
        "layers.RandomBrightness((-0.2, 0.1))",
    ]
    assert found[13:18] == [
        "layers.RandomContrast(0.2)",
        "layers.RandomErasing(scale=(0.0, 0.2), fill_value=(1, 2, 3))",
        "layers.RandAugment(num_ops=3, factor=(0.1, 0.4))",
        "layers.MixUp(alpha=0.2)",
        "layers.CutMix(factor=0.5)",
    ]
    said = " ".join(made.warnings)
    assert all(word in said for word in ("random_crop", "rand_augment", "mix_up", "cut_mix", "not by 3"))
    assert "random_zoom" not in " ".join(script(config(with_model("flatten"))).warnings)


@pytest.mark.parametrize("mode", ["horizontal", "vertical", "horizontal_and_vertical"])
def test_a_flip_that_alternates_goes_the_other_way_in_the_script(mode):
    """As in cnnctl: by chance in the first epoch, and from there on by the number of the epoch."""
    one = config(with_model("flatten", rest=f"augment: [random_flip: {{mode: {mode}, alternate: true}}]\n"))
    source = script(one).text
    assert "training = batches(flip.first(images), labels, shuffle=True).map(flip)" in source
    assert "            flip,\n" in source
    assert "Pipeline" not in source
    tree = ast.parse(source)
    tree.body = [node for node in tree.body if isinstance(node, ast.ClassDef) and node.name == "AlternatingFlip"]
    keras = SimpleNamespace(callbacks=SimpleNamespace(Callback=object))
    tf = SimpleNamespace(Variable=lambda value, trainable: Number(value), where=np.where)
    names = {"np": np, "keras": keras, "tf": tf, "SEED": 0}
    exec(compile(tree, "script", "exec"), names)
    flip = names["AlternatingFlip"]()
    pictures = np.random.default_rng(1).integers(0, 256, (40, 4, 6, 3), np.uint8)
    first = flip.first(pictures)
    assert 5 < sum(np.array_equal(*pair) for pair in zip(first, pictures, strict=True)) < 35
    step = RandomFlip(mode=mode, alternate=True)
    vary = augmenter([step], 0, first.__getitem__, len(first))
    for epoch in range(5):
        flip.on_epoch_begin(epoch)
        ours = np.stack([vary(number, epoch).image for number in range(40)])
        begun = np.stack([vary(number, 0).image for number in range(40)])
        assert np.array_equal(flip(begun, "labels")[0], ours)


class Number:
    """What the script needs of a tf.Variable."""

    def __init__(self, value):
        self.value = value

    def assign(self, value):
        self.value = value

    def __mod__(self, other):
        return self.value % other

    def __floordiv__(self, other):
        return self.value // other


def test_what_a_flip_that_alternates_mirrors_too_is_told():
    def told(steps):
        return "random_flip" in " ".join(script(config(with_model("flatten", rest=f"augment: [{steps}]\n"))).warnings)

    flip = "random_flip: {mode: horizontal, alternate: true}"
    assert told(f"{flip}, random_translation: {{height_factor: 0.1, width_factor: [0, 0.1]}}")
    assert not told(
        f"{flip}, random_translation: {{height_factor: 0.1, width_factor: 0.1}}, random_crop: {{height: 2, width: 2}}"
    )
    assert not told("random_flip, random_rotation: {factor: [0, 0.1]}")


@pytest.mark.parametrize("rest", ["bias_factor: 64", "momentum: 0.5", "bias_factor: 64, momentum: 0.5"])
def test_own_optimizers_take_the_steps_of_a_training(rest):
    """Weights after seven steps of the class in the script, and of what a training makes."""
    import_keras()
    import keras

    ahead = "" if rest == "bias_factor: 64" else ", lookahead: {every: 3, decay: 0.75, power: 2}"
    one = config(with_model("flatten", rest=f"train: {{optimizer: {{sgd: {{{rest}, weight_decay: 0.1}}}}{ahead}}}\n"))
    source = script(one).text
    tree = ast.parse(source)
    call = next(node.value for node in ast.walk(tree) if isinstance(node, ast.keyword) and node.arg == "optimizer")
    tree.body = [node for node in tree.body if isinstance(node, ast.ClassDef)]
    names = {"keras": keras, "LEARNING_RATE": 0.01, "EPOCHS": 7, "training": [0]}
    exec(compile(tree, "script", "exec"), names)
    assert ("steps=EPOCHS * len(training)" in ast.unparse(call)) == bool(ahead)
    made = eval(ast.unparse(call), names)
    begun, gradients = drawn()
    ends = []
    for optimizer in (made, make_optimizer(one.train, learning_rates(one.train.schedule, 0.01, 7, 1))):
        weights = [keras.Variable(array, name=name) for array, name in zip(begun, NAMES, strict=True)]
        optimizer.build(weights)
        for step in range(7):
            optimizer.apply([keras.ops.convert_to_tensor(array[step]) for array in gradients], weights)
        ends.append([np.asarray(weight) for weight in weights])
    np.testing.assert_allclose(*ends, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("chosen", ["flip: true", "shift: 2", "flip: true, shift: 1"])
def test_the_script_sees_the_views_of_a_training(chosen):
    import_keras()
    import keras

    one = config(with_model("flatten", rest=f"test_time: {{{chosen}}}\n"))
    source = script(one).text
    assert "    answering = with_views(best)" in source
    assert 'logits = with_views(model, "linear").predict(' in source
    tree = ast.parse(source)
    tree.body = [node for node in tree.body if isinstance(node, ast.FunctionDef) and node.name == "with_views"]
    names = {"keras": keras, "layers": keras.layers, "HEIGHT": 5, "WIDTH": 4, "CHANNELS": 3}
    exec(compile(tree, "script", "exec"), names)
    model, _ = network("conv2d: {filters: 4, kernel_size: 2, activation: relu}", "flatten")
    images = pixels(12)
    for activation in (None, "linear"):
        expected = with_views(model, one.test_time, activation=activation).predict_on_batch(images)
        found = names["with_views"](model, activation).predict_on_batch(images)
        np.testing.assert_allclose(found, expected, atol=1e-5)
    assert "with_views" not in script(config(with_model("flatten"))).text


def test_keras_has_no_mirror():
    made = script(config(with_model("flatten", rest="augment: [random_rotation: {factor: 0.1, fill_mode: mirror}]\n")))
    assert "layers.RandomRotation(0.1)" in made.text
    assert "fill_mode" in " ".join(made.warnings)


def test_a_colour_that_covers_a_grey_image_is_its_grey():
    image = "data: {train: photos, image: {channels: 1}}\n"
    text = with_model("flatten", rest="augment: [random_erasing: {fill_value: [255, 0, 0]}]\n")
    made = script(config(image + text.partition("\n")[2])).text
    assert "layers.RandomErasing(fill_value=76.2195)" in made


@pytest.mark.parametrize("rest", ["", "train: {label_smoothing: 0.1}\n", "augment: [mix_up]\n", "output: sigmoid\n"])
@pytest.mark.parametrize("loss", ["auto", "mean_squared_error"])
def test_labels_have_the_form_that_cnnctl_gives_them(rest, loss):
    if loss == "mean_squared_error" and "smoothing" in rest:
        return
    section = "" if "train" in rest else f"train: {{loss: {loss}}}\n"
    one = config(with_model("flatten", rest=rest + section))
    objective = make_objective(one, 2)
    assert label_form(one) == objective.form
    assert cross_entropy(one).startswith(
        {"number": "sparse", "one_hot": "categorical", "positive": "binary"}[objective.form]
    )


SCHEDULES = {
    "cosine": "cosine",
    "warmup": "{cosine: {warmup_epochs: 1.5}}",
    "short warmup": "{cosine: {warmup_epochs: 0.01}}",
    "one cycle": "{one_cycle: {warmup_fraction: 0.4}}",
    "one cycle in lines": "{one_cycle: {warmup_fraction: 0.23, begin: 0.2, end: 0.07, shape: linear}}",
    "exponential": "{exponential: {decay_per_epoch: 0.5}}",
}


EPOCHS = 4


def assignments(source: str, *names: str) -> list[ast.Assign]:
    """Where main() sets some names, in its order."""
    (main,) = (node for node in ast.parse(source).body if isinstance(node, ast.FunctionDef) and node.name == "main")
    return [node for node in main.body if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) in names]


def write_schedules(folder: Path) -> list[dict[str, object]]:
    """Scripts of the schedules, and what to ask of each, for few steps an epoch and for more."""
    cases = []
    for number, schedule in enumerate(SCHEDULES.values()):
        rest = f"train: {{epochs: {EPOCHS}, optimizer: {{adam: {{learning_rate: 0.02}}}}, schedule: {schedule}}}\n"
        one = config(with_model("flatten", rest=rest))
        path = folder / f"schedule{number}.py"
        path.write_text(script(one).text)
        (expression,) = (ast.unparse(node.value) for node in assignments(path.read_text(), "learning_rate"))
        cases += [{"script": str(path), "steps": steps, "expression": expression} for steps in (1, 7)]
    return cases


def test_learning_rates_are_those_that_cnnctl_plans(looked_at):
    _, _, rates = looked_at
    planned = []
    for schedule in SCHEDULES.values():
        one = config(with_model("flatten", rest=f"train: {{epochs: {EPOCHS}, schedule: {schedule}}}\n"))
        planned += [learning_rates(one.train.schedule, 0.02, EPOCHS, steps) for steps in (1, 7)]
    for expected, found in zip(planned, rates, strict=True):
        np.testing.assert_allclose(found, expected, rtol=2e-5, atol=1e-9)


IMPORTS = {"csv", "concurrent.futures", "pathlib", "cv2", "keras", "numpy", "tensorflow"}


def insist_on_names(text: str, classes: list[str]) -> None:
    """The script holds these class names as they are, imports what scripts import, and has no code of theirs."""
    tree = ast.parse(text)
    named = {one.name for node in ast.walk(tree) if isinstance(node, ast.Import) for one in node.names}
    named |= {node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    assert named == IMPORTS
    assigned = {
        node.targets[0].id: node.value
        for node in tree.body
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name)
    }
    assert ast.literal_eval(assigned["CLASSES"]) == classes
    if "CLASS_WEIGHT" in assigned:
        assert list(ast.literal_eval(assigned["CLASS_WEIGHT"])) == classes
    calls = [node for node in tree.body if isinstance(node, ast.Expr)]
    assert len(calls) == 1  # the docstring


@given(st.lists(st.text(st.characters()), min_size=2, max_size=5, unique=True))
@settings(max_examples=60, deadline=None)
def test_no_class_name_becomes_code(classes):
    one = config(with_model("flatten", rest="train: {class_weight: {cat: 2}}\n"))
    insist_on_names(script(one, classes).text, classes)


def test_nothing_that_a_file_is_called_becomes_code():
    evil = '"); import os; os.system("true") #\n"""\nimport os\n'
    one = config(with_model("flatten", rest="train: {class_weight: {cat: 2}}\n"))
    start = InitialWeights(Path(evil), takes_output=True)
    made = script(one, [evil, *NASTY], start=start, reader=Reader(reader_source(ImageSpec(8, 8), full=False), (evil,)))
    insist_on_names(made.text, [evil, *NASTY])


@pytest.mark.parametrize("rest", ["", "augment: [mix_up]\n", "output: sigmoid\n"])
@pytest.mark.parametrize("weights", ["balanced", "{dog: 2.5}"])
def test_class_weights_are_cnnctl_s_whatever_form_the_labels_have(rest, weights):
    one = config(with_model("flatten", rest=f"{rest}train: {{class_weight: {weights}}}\n"))
    classes = ["cat", "dog"] if one.output.activation == "sigmoid" else ["bird", "cat", "dog"]
    numbers = np.array([0, 0, 0, 1, 1, 0, len(classes) - 1, 0])
    factors = {name: one.train.class_weight.get(name, 1.0) for name in classes} if weights != "balanced" else {}
    names = {"np": np, "CLASSES": classes, "CLASS_WEIGHT": factors}
    names["labels"] = make_objective(one, len(classes)).encode(numbers)
    for node in assignments(script(one, classes).text, "counts", "balanced", "class_weight"):
        exec(ast.unparse(node), names)
    found = [names["class_weight"][number] for number in numbers]
    np.testing.assert_allclose(found, class_weights(one.train.class_weight, classes, numbers), rtol=1e-6)


def test_class_weights_name_every_class():
    one = config(with_model("flatten", rest="train: {class_weight: {dog: 2.5}}\n"))
    assert 'CLASS_WEIGHT = {"cat": 1.0, "dog": 2.5}' in script(one).text


def test_what_keras_cannot_say_is_a_comment_and_a_warning():
    rest = "augment: [mix_up]\ntrain: {class_weight: balanced, backend: jax}\ndeterministic: true\n"
    made = script(config(with_model("flatten", rest=rest)), counts={"train": 10**6})
    assert [warning.partition(":")[0] for warning in made.warnings] == [
        "mix_up",
        "class_weight",
        "precision",
        "deterministic",
        "backend",
        "data.cache",
    ]
    comments = " ".join(line[2:].strip() for line in made.text.splitlines() if line.startswith("# "))
    assert all(" ".join(warning.split()) in comments for warning in made.warnings)
    plain = script(config(with_model("flatten", rest="train: {precision: float32}\ndeterministic: false\n")))
    assert plain.warnings == ()
    assert "# What is different" not in plain.text


class Layer:
    """What `whiten` and `pass_through` of a script need of a Keras layer."""

    def __init__(self, kernel: np.ndarray, groups: int = 1) -> None:
        self.weights = [kernel, np.ones(kernel.shape[-1])]
        self.dilation_rate, self.groups = (2, 1), groups

    def get_weights(self) -> list[np.ndarray]:
        return [weight.copy() for weight in self.weights]

    def set_weights(self, weights: list[np.ndarray]) -> None:
        self.weights = weights


def functions(source: str, *names: str) -> dict[str, Any]:
    """Functions of a script, run by themselves."""
    tree = ast.parse(source)
    tree.body = [node for node in tree.body if isinstance(node, ast.FunctionDef) and node.name in names]
    keras = SimpleNamespace(ops=SimpleNamespace(convert_to_numpy=np.asarray))
    found: dict[str, Any] = {"np": np, "keras": keras, "SEED": 3}
    exec(compile(tree, "script", "exec"), found)
    return found


def test_first_weights_are_those_of_a_training():
    one = config("seed: 3\n" + with_model(*MORE["first weights"]))
    source = script(one).text
    assert "    whiten(model.layers[:2], model.layers[3], images)\n" in source
    assert "    for place in (5, 8):\n        pass_through(model.layers[place])\n" in source
    made = functions(source, "whiten", "pass_through")
    draws = np.random.default_rng(0)
    images = draws.integers(0, 256, (6000, 5, 4, 3)).astype(np.uint8)
    layer = Layer(draws.normal(size=(2, 3, 3, 6)))

    def before(values: np.ndarray) -> np.ndarray:
        return values / 255

    before.output = SimpleNamespace(shape=(None, 5, 4, 3))
    made["whiten"]([before], layer, images)
    chosen = images[sample(6000, (5, 4, 3), 3)]
    assert len(chosen) == 5000
    window = Conv2D(filters=6, kernel_size=(2, 3), dilation_rate=(2, 1)).window
    expected = whitening(covariance(chosen / 255, window), (2, 3, 3, 6), 0.0005)
    np.testing.assert_allclose(layer.weights[0], expected, rtol=1e-6)
    assert (layer.weights[1] == 1).all()

    for shape, groups in (((3, 3, 3, 8), 2), ((2, 2, 8, 3), 1)):
        kernel = draws.normal(size=shape)
        layer = Layer(kernel, groups)
        made["pass_through"](layer)
        np.testing.assert_array_equal(layer.weights[0], dirac(kernel, groups))


def test_weights_to_begin_with_need_no_first_weights():
    start = InitialWeights(Path("/runs/1/model.keras"), takes_output=True)
    source = script(config(with_model(*MORE["first weights"])), start=start).text
    assert "whiten" not in source
    assert "pass_through" not in source


class Network:
    """What `calibrate` of a script needs of a Keras model: its logits are the images."""

    def __init__(self) -> None:
        self.layers = [self]
        self.activation: object = np.exp
        self.weights = [np.ones((4, 2), np.float32), np.ones(2, np.float32)]

    def predict(self, images: np.ndarray, verbose: int) -> np.ndarray:
        assert self.activation == "linear"
        return images

    def get_weights(self) -> list[np.ndarray]:
        return self.weights

    def set_weights(self, weights: list[np.ndarray]) -> None:
        self.weights = weights


@pytest.mark.parametrize(
    ("rest", "units"),
    [("", 3), ("train: {label_smoothing: 0.1}\n", 3), ("output: sigmoid\n", 1), ("output: multi_label\n", 3)],
    ids=["number", "one_hot", "positive", "several"],
)
def test_the_temperature_is_that_of_a_training(rest, units, capsys):
    source = script(config(with_model("flatten", rest=rest))).text
    assert 'best.load_weights(WEIGHTS)\n    calibrate(best, *load_images("validation"))\n' in source
    tree = ast.parse(source)
    tree.body = [node for node in tree.body if isinstance(node, ast.FunctionDef) and node.name == "calibrate"]
    keras = SimpleNamespace(activations=SimpleNamespace(linear="linear"))
    names = {"np": np, "keras": keras, "batches": lambda images, labels: images}
    exec(compile(tree, "script", "exec"), names)
    draws = np.random.default_rng(0)
    logits = draws.normal(0, 4, (200, units)).astype(np.float32)
    truth = draws.integers(0, max(units, 2), 200)
    one_hot = np.eye(units, dtype=np.float32)[truth] if units > 1 else truth[:, None].astype(np.float32)
    network = Network()
    if "multi_label" in rest:
        truth = draws.integers(0, 2, (200, 3))
        one_hot = truth.astype(np.float32)
    names["calibrate"](network, logits, truth if rest == "" else one_hot)
    expected = fit_temperature(logits, truth)
    assert expected > 1.5
    for weight in network.weights:
        np.testing.assert_allclose(weight, 1 / expected, rtol=0.006)
    assert network.activation is np.exp
    words, number = capsys.readouterr().out.split()
    assert words == "temperature:"
    assert float(number) == pytest.approx(1 / network.weights[0][0, 0], abs=0.005)


@pytest.mark.parametrize("counts", [{"train": 100, "validation": 20}, {"train": 100}], ids=["none", "no validation"])
def test_without_a_temperature_the_probabilities_stay(counts):
    rest = "train: {calibrate: none}\n" if "validation" in counts else ""
    assert "calibrate" not in script(config(with_model("flatten", rest=rest)), counts=counts).text


SEVERAL = {
    "f1": "output: multi_label\n",
    "precision": "output: {multi_label: {precision: 0.8}}\n",
}
WEIGHED = (
    "output: multi_label\naugment: [mix_up]\ntest_time: {flip: true}\ntrain: {class_weight: balanced}\n",
    "output: multi_label\ntrain: {class_weight: {dog: 2}, label_smoothing: 0.1, loss: binary_crossentropy}\n",
    "output: multi_label\ntrain: {class_weight: {dog: 2}, loss: mean_squared_error, calibrate: none}\n",
)


@pytest.mark.parametrize("rest", SEVERAL.values(), ids=SEVERAL)
def test_the_thresholds_are_those_of_a_training(rest):
    one = config(with_model("flatten", rest=rest))
    choose = functions(script(one).text, "choose_threshold")["choose_threshold"]
    draws = np.random.default_rng(0)
    truth = draws.integers(0, 2, (90, 3)).astype(np.float32)
    truth[:, 2] = 0
    chances = np.round(draws.random((90, 3)) * 0.6 + 0.4 * truth, 2).astype(np.float32)
    ours = choose_thresholds(chances, truth, "abc", "validation", one.output.multi_label.precision).values("abc")
    np.testing.assert_allclose([choose(*pair) for pair in zip(chances.T, truth.T, strict=True)], ours, rtol=1e-6)


def test_scripts_of_several_labels_are_written_well(tmp_path):
    for number, rest in enumerate([*SEVERAL.values(), *WEIGHED]):
        counts = {"train": 100} if number == 4 else {"train": 100, "validation": 20}
        made = script(config(with_model("flatten", rest=rest)), counts=counts)
        (tmp_path / f"{number}.py").write_text(made.text)
        assert not [warning for warning in made.warnings if warning.startswith("class_weight")]
    insist_on_ruff(tmp_path)


@pytest.mark.parametrize("rest", WEIGHED[:2], ids=["balanced", "by name"])
def test_the_weights_of_labels_are_those_of_a_training(rest):
    one = config(with_model("flatten", rest=rest))
    labels = np.array([[1, 0], [1, 1], [0, 0], [1, 0]], np.float32)
    weight = one.train.class_weight
    names = {"np": np, "CLASSES": ["cat", "dog"], "labels": labels, "CLASS_WEIGHT": {"cat": 1.0, "dog": 2.0}}
    source = script(one).text
    wanted = ("counts", "has", "lacks", "(has, lacks)")
    for node in ast.walk(ast.parse(source)):
        is_set = isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) in wanted
        if is_set or (isinstance(node, ast.FunctionDef) and node.name == "weigh"):
            exec(ast.unparse(node), names)
    _, _, found = names["weigh"](None, labels)
    np.testing.assert_allclose(found, class_weights(weight, ["cat", "dog"], labels.astype(np.uint8)), rtol=1e-6)
