import pytest
from jsonschema import Draft202012Validator

from cnnctl.config import source
from cnnctl.config.reference import json_schema
from tests.config.build import EVERY_LAYER, FULL, SMALLEST, layer_item, problems, with_model

VALIDATOR = Draft202012Validator(json_schema())


def accepts(text: str) -> bool:
    return VALIDATOR.is_valid(source.parse(text, "c.yaml").data)


def rest(text: str) -> str:
    return with_model("flatten", rest=text + "\n")


CONV = "conv2d: {filters: 3, kernel_size: 3, "
ACCEPTED = [
    SMALLEST,
    FULL,
    *(with_model(layer_item(*item)) for item in EVERY_LAYER.items()),
    *(with_model(f"{kind}:") for kind, settings in EVERY_LAYER.items() if not settings),
    *(with_model(f"{kind}: {{}}") for kind, settings in EVERY_LAYER.items() if not settings),
    *(with_model(CONV + more + "}") for more in (
        "padding: same", "padding: 2", "padding: [[0, 1], [2, 3]]", "strides: 2", "strides: [2, 1]",
        "dilation_rate: [1, 3]", "activation: silu",
        "kernel_regularizer: none", "kernel_regularizer: null", "kernel_regularizer: {l1: 1}",
    )),
    with_model("max_pooling2d: {pool_size: [2, 3], strides: 1, padding: same}"),
    with_model("max_pooling2d: {pool_size: 2, strides: null}"),
    with_model("zero_padding2d: {padding: [[0, 1], [2, 3]]}"),
    *(rest(f"train: {{optimizer: {optimizer}}}") for optimizer in (
        "adam", "sgd", "{adam: }", "{adam: {learning_rate: 1}}", "{sgd: {momentum: 0.9}}",
    )),
    *(rest(f"train: {{class_weight: {weight}}}") for weight in ("none", "null", "balanced", "{no: 1, 1e3: 2.5}")),
    *(rest(f"train: {{early_stopping: {value}}}") for value in ("none", "null", "{}", "{patience: 3}")),
    *(rest(f"deterministic: {value}") for value in ("auto", "true", "false")),
    *(f"data: {{train: x, {more}}}\nmodel: [flatten]" for more in (
        "test: none", "test: null", "test: 0.1", "validation: 0", "validation: other", "image: {size: 32}",
        "image: {background: [1, 2, 3]}", "csv: {group: none}", "csv: {folder: null}",
    )),
    *(rest(f"augment: [random_zoom: {{height_factor: {value}}}]") for value in ("0.5", "-0.5", "[-0.5, 5]", "0")),
    *(rest(f"augment: [random_zoom: {{height_factor: 0, width_factor: {value}}}]") for value in (
        "0.5", "[-0.5, 5]", "none", "null",
    )),
    rest("augment: [random_flip]"),
    *(rest(f"train: {{schedule: {value}}}") for value in (
        "constant", "cosine", "{cosine: {warmup_epochs: 0.5}}", "one_cycle", "{exponential: {decay_per_epoch: 1}}",
        "{reduce_on_plateau: {patience: 0}}", "reduce_on_plateau",
    )),
    *(rest(f"train: {{{value}}}") for value in (
        "ema: 0.9", "ema: none", "ema: null", "label_smoothing: 0.1", "loss: mean_squared_error", "backend: jax",
        "initial_weights: runs/x/1", "initial_weights: none", "optimizer: adamw", "optimizer: {rmsprop: {rho: 0.5}}",
        "optimizer: {sgd: {clipnorm: 1, weight_decay: none}}",
    )),
    *(rest(f"augment: [{value}]") for value in (
        "rand_augment", "random_erasing", "mix_up", "cut_mix", "random_contrast: {factor: 0.5}",
        "random_contrast: {factor: [0, 1]}", "random_brightness: {factor: -0.5}", "random_crop: {height: 3, width: 4}",
        "random_erasing: {fill_value: none}", "random_erasing: {fill_value: 12.5}", "cut_mix: {factor: 0}",
        "random_erasing: {fill_value: [0, 1, 2]}",
    )),
    *(with_model(CONV + f"kernel_regularizer: {value}}}") for value in ("l1", "l2", "l1_l2")),
]  # fmt: skip
REJECTED = [
    "data: {train: x}",
    "model: [flatten]",
    "data: x\nmodel: [flatten]",
    "data: {train: x}\nmodel: []",
    "data: {train: x}\nmodel: flatten",
    rest("foo: 1"),
    rest("output: relu"),
    rest("seed: -1"),
    rest("seed: '1'"),
    rest("name: ../x"),
    rest("classes: 1"),
    rest("deterministic: yes"),
    rest("train: {epoch: 1}"),
    rest("train: {epochs: 0}"),
    rest("train: {optimizer: adagrad}"),
    rest("train: {optimizer: {adam: {lr: 1}}}"),
    rest("train: {optimizer: {adam: {learning_rate: 0}}}"),
    rest("train: {optimizer: {adam: {}, sgd: {}}}"),
    rest("train: {best: loss}"),
    rest("train: {early_stopping: {monitor: x}}"),
    *(rest(f"train: {{schedule: {value}}}") for value in (
        "cosin", "exponential", "{cosine: {warmup_epochs: -1}}", "{one_cycle: {warmup_fraction: 1}}",
        "{exponential: {decay_per_epoch: 0}}", "{reduce_on_plateau: {factor: 1}}", "{reduce_on_plateau: {min_lr: 0}}",
    )),
    *(rest(f"train: {{{value}}}") for value in (
        "ema: 1", "ema: 0", "label_smoothing: 1", "loss: hinge", "backend: torch", "initial_weights: ''",
        "optimizer: {adamw: {weight_decay: -1}}", "optimizer: {sgd: {clipnorm: 0}}",
    )),
    *(rest(f"augment: [{value}]") for value in (
        "random_contrast: {factor: -0.5}", "random_brightness", "random_crop", "random_erasing: {fill_value: 256}",
        "random_erasing: {scale: 2}", "mix_up: {alpha: 0}", "cut_mix: {factor: 1.5}", "rand_augment: {num_ops: 0}",
    )),
    *(rest(f"train: {{class_weight: {weight}}}") for weight in ("{}", "{a: -1}", "{a: x}", "yes", "[1]")),
    rest("augment: [random_rotation]"),
    rest("augment: [random_rotation: {factor: 2}]"),
    rest("augment: [random_zoom: {height_factor: 5}]"),
    rest("augment: [random_zoom: {height_factor: 0, width_factor: 5}]"),
    rest("augment: [random_zoom: {height_factor: [0, 11]}]"),
    "data: {train: x, image: {channels: 2}}\nmodel: [flatten]",
    "data: {train: x, image: {size: 0}}\nmodel: [flatten]",
    "data: {train: x, image: {background: [0, 0, 256]}}\nmodel: [flatten]",
    "data: {train: x, validation: 1}\nmodel: [flatten]",
    *(with_model(kind) for kind, settings in EVERY_LAYER.items() if settings),
    *(with_model(f"{kind}: {{foo: 1{', ' * bool(settings)}{settings}}}") for kind, settings in EVERY_LAYER.items()),
    *(with_model(item) for item in (
        "conv3d: {filters: 3}", "xyz", "conv2d: {kernel_size: 3}", "conv2d: {filters: 3}", "3", "[flatten]",
        "{flatten: , dropout: {rate: 0.5}}", "flatten: []", "max_pooling2d: {pool_size: 2, padding: 1}",
        "dropout: {rate: 1}",
        "repeat: {times: 0, layers: [flatten]}", "repeat: {times: 2, layers: []}", "repeat: {times: 2, layers: [xyz]}",
    )),
    *(with_model(CONV + more + "}") for more in (
        "padding: full", "padding: -1", "padding: [1, 1]", "strides: 0", "strides: [1]", "strides: 1.5", "strides: '1'",
        "dilation_rate: 100001", "activation: swish", "kernel_initializer: he", "use_bias: 1", "kernel_regularizer: l3",
    )),
]  # fmt: skip


def test_the_schema_is_a_schema():
    Draft202012Validator.check_schema(json_schema())
    assert json_schema()["title"] == "cnnctl config"


@pytest.mark.parametrize("text", ACCEPTED)
def test_both_accept(text):
    assert problems(text) == ()
    assert accepts(text)


@pytest.mark.parametrize("text", REJECTED)
def test_both_reject(text):
    assert problems(text) != ()
    assert not accepts(text)


def test_each_key_of_a_layer_is_described_where_it_has_no_default():
    definitions = json_schema()["$defs"]
    for name in ("Conv2D", "Dense", "MaxPooling2D", "Dropout"):
        for key in definitions[name]["required"]:
            assert definitions[name]["properties"][key]["description"]
