"""Words that people bring along from elsewhere, and keys that stand in another section."""

import pytest

from cnnctl.config.load import parse_config
from cnnctl.config.meant import keys_called
from cnnctl.errors import ConfigError
from tests.config.build import problems, with_model

CONFIG = """\
data: {train: digits}
model:
  - conv2d: {filters: 8, kernel_size: 3}
  - flatten
train:
  optimizer: {adamw: {learning_rate: 0.01}}
"""


@pytest.mark.parametrize(
    ("word", "meant"),
    [
        ("Conv2D: {filters: 8, kernel_size: 3}", "did you mean conv2d?"),
        ("maxpool", "did you mean max_pooling2d?"),
        ("avgpool", "did you mean average_pooling2d?"),
        ("GAP", "did you mean global_average_pooling2d?"),
        ("bn", "did you mean batch_normalization?"),
        ("BatchNorm2d", "did you mean batch_normalization?"),
        ("fc: {units: 3}", "did you mean dense?"),
        ("linear: {units: 3}", "did you mean dense?"),
        ("relu", "did you mean activation: {activation: relu}?"),
        ("ReLU", "did you mean activation: {activation: relu}?"),
        ("swish", "did you mean activation: {activation: silu}?"),
        ("leakyrelu", "did you mean leaky_relu?"),
        ("softmax", "leave it out: the output layer, with its softmax, is appended"),
    ],
)
def test_a_layer(word, meant):
    assert problems(with_model(word))[0].hint == meant


@pytest.mark.parametrize(
    ("line", "meant"),
    [
        ("epochs: 3", "did you mean train.epochs?"),
        ("batch-size: 3", "did you mean train.batch_size?"),
        ("lr: 0.1", "did you mean train.optimizer.adam.learning_rate?"),
        ("train: {lr: 0.1}", "did you mean train.optimizer.adam.learning_rate?"),
        ("train: {learning_rate: 0.1, optimizer: sgd}", "did you mean train.optimizer.sgd.learning_rate?"),
        ("train: {lr: 0.1, optimizer: {Adamw: {}}}", "did you mean train.optimizer.adamw.learning_rate?"),
        ("train: {optimizer: {adam: {lr: 0.1}}}", "did you mean learning_rate?"),
        ("train: {patience: 3}", "did you mean train.early_stopping.patience?"),
        ("train: {image: 3}", "did you mean data.image?"),
        ("image_size: 32", "did you mean data.image.size?"),
    ],
)
def test_a_key(line, meant):
    assert meant in [problem.hint for problem in problems(with_model("flatten", rest=f"{line}\n"))]


def test_a_key_like_none_gets_the_list():
    (problem,) = problems(with_model("flatten", rest="train: {zzz: 1}\n"))
    assert problem.hint.startswith("the keys here are epochs, batch_size,")


@pytest.mark.parametrize(
    ("setting", "hint"),
    [
        ("train.optimizer.learning_rate=0.1", "did you mean train.optimizer.adamw.learning_rate?"),
        ("train.optimizer.lr=0.1", "did you mean train.optimizer.adamw.learning_rate?"),
        ("train.schedule.warmup_epochs=1", "schedules are constant, cosine, one_cycle, exponential, reduce_on_plateau"),
        ("model.0.conv2d.filters=3", "did you mean model[0].conv2d.filters?"),
        ("model[0].filters=3", "did you mean model[0].conv2d.filters?"),
        ("model.0.filters=3", "did you mean model[0].conv2d.filters?"),
        ("augment.0.random_flip.mode=horizontal", "did you mean augment[0].random_flip.mode?"),
        ("epochs=3", "did you mean train.epochs?"),
        ("train.optimizer.sgd.momentum=0.9", "keep one of adamw and sgd: optimizer={sgd: ...}"),
    ],
)
def test_an_override_is_blamed_itself_and_gets_the_right_path(setting, hint, tmp_path):
    path = tmp_path / "c.yaml"
    path.write_text(CONFIG)
    with pytest.raises(ConfigError) as caught:
        parse_config(path, [setting]).need()
    (problem,) = caught.value.problems
    assert (problem.position.origin, problem.position.text) == ("--set", setting)
    assert problem.hint == hint


@pytest.mark.parametrize(
    "setting",
    ["train.optimizer.adamw.learning_rate=0.1", "model[0].conv2d.filters=3", "train.schedule.cosine.warmup_epochs=1"],
)
def test_a_right_override_is_left_alone(setting, tmp_path):
    path = tmp_path / "c.yaml"
    path.write_text(CONFIG)
    assert parse_config(path, [setting]).problems == ()


DIGITS = {
    "data": {"train": "digits"},
    "augment": [{"random_flip": {"mode": "horizontal"}}],
    "model": [{"conv2d": {"filters": 8, "kernel_size": 3}}, "flatten", {"dense": {"units": 3}}, {"dropout": 0.5}],
    "train": {"optimizer": {"adamw": {}}, "schedule": "cosine"},
}


@pytest.mark.parametrize(
    ("option", "keys"),
    [
        ("--epochs", ["train.epochs"]),
        ("--epoch", ["train.epochs"]),
        ("--num-epoch", ["train.epochs"]),
        ("--batch-size", ["train.batch_size"]),
        ("--batchsiz", ["train.batch_size"]),
        ("--lr", ["train.optimizer.adamw.learning_rate"]),
        ("--learnig-rate", ["train.optimizer.adamw.learning_rate"]),
        ("--warmup", ["train.schedule.cosine.warmup_epochs"]),
        ("--train.epochs", ["train.epochs"]),
        ("--train.epoch", ["train.epochs"]),
        ("--model[0].conv2d.filters", ["model[0].conv2d.filters"]),
        ("--filters", ["model[0].conv2d.filters"]),
        ("--mode", ["augment[0].random_flip.mode"]),
        ("--activation", ["model[0].conv2d.activation", "model[2].dense.activation"]),
        ("--optimizer", ["train.optimizer"]),
        ("--seed", ["seed"]),
        ("--data", ["data.train"]),
        ("--train", ["data.train"]),
        ("--val-split", ["data.validation"]),
        ("--model", []),  # which takes a list, and no text
        ("--zzz", []),
    ],
)
def test_a_key_that_was_taken_for_an_option(option, keys):
    assert keys_called(option, DIGITS) == keys


def test_a_key_that_was_taken_for_an_option_without_a_config():
    assert keys_called("--lr", {}) == ["train.optimizer.adam.learning_rate"]
    assert keys_called("--epoch", {}, only_same=True) == []


@pytest.mark.parametrize(
    "rest",
    [
        "classes: [cat, dog]",
        "class_names: [cat, dog]",
        "names: [cat, dog]",
        "train: {classes: [cat, dog]}",
        "train: {labels: [cat, dog]}",
    ],
)
def test_a_list_of_the_classes(rest):
    (problem,) = problems(with_model("flatten", rest=f"{rest}\n"))
    assert problem.hint == "leave it out: the classes are named by their folders, or by the labels of the CSV"


@pytest.mark.parametrize(
    ("rest", "hint"),
    [
        ("nc: 2", "did you mean classes?"),
        ("num_classes: 2", "did you mean classes?"),
        ("train: {classes: 2}", "did you mean classes, outside of all sections?"),
        ("train: {num_classes: 2}", "did you mean classes, outside of all sections?"),
        ("train: {seed: 2}", "did you mean seed, outside of all sections?"),
        ("classes: ten", None),
    ],
)
def test_the_number_of_classes_elsewhere(rest, hint):
    assert [problem.hint for problem in problems(with_model("flatten", rest=f"{rest}\n"))] == [hint]
