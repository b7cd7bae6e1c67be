"""The vocabulary of training and of variations: what is understood, what Keras would default to, what contradicts."""

import pytest

from cnnctl.config.augmentations import AUGMENTATIONS, CutMix, MixUp, RandAugment, RandomContrast, RandomErasing
from cnnctl.config.optimizers import Adam, AdamW, RMSprop, Sgd
from cnnctl.config.schedules import Constant, Cosine, Exponential, OneCycle, ReduceOnPlateau
from cnnctl.config.schema import CHOICES
from cnnctl.config.training import TrainSettings
from cnnctl.layers.base import Regularizer
from tests.config.build import config, layers, problem, with_model


def train(settings: str) -> TrainSettings:
    return config(with_model("flatten", rest=f"train: {{{settings}}}\n")).train


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("adam", Adam(learning_rate=0.001)),
        ("adamw", AdamW(learning_rate=0.001, weight_decay=0.004)),
        ("sgd", Sgd(learning_rate=0.01)),
        ("rmsprop", RMSprop(rho=0.9, momentum=0.0, centered=False)),
        ("{adamw: {weight_decay: 0, global_clipnorm: 1}}", AdamW(weight_decay=0.0, global_clipnorm=1.0)),
        ("{sgd: {momentum: 0.9, nesterov: true, clipvalue: 0.5}}", Sgd(momentum=0.9, nesterov=True, clipvalue=0.5)),
        ("{adam: {clipnorm: none, weight_decay: 0.01}}", Adam(weight_decay=0.01)),
    ],
)
def test_optimizers(text, expected):
    assert train(f"optimizer: {text}").optimizer == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("constant", Constant()),
        ("cosine", Cosine(warmup_epochs=0.0)),
        ("{cosine: {warmup_epochs: 2}}", Cosine(warmup_epochs=2.0)),
        ("one_cycle", OneCycle(warmup_fraction=0.3)),
        ("{exponential: {decay_per_epoch: 0.9}}", Exponential(decay_per_epoch=0.9)),
        ("reduce_on_plateau", ReduceOnPlateau(factor=0.1, patience=10, monitor="val_loss")),
    ],
)
def test_schedules(text, expected):
    assert train(f"schedule: {text}").schedule == expected


def test_the_rest_is_off_unless_asked_for():
    settings = TrainSettings()
    assert (settings.loss, settings.label_smoothing, settings.ema, settings.initial_weights) == (
        "auto",
        0.0,
        None,
        None,
    )
    assert (settings.schedule, settings.backend) == (Constant(), "auto")
    assert train("ema: none, initial_weights: none") == settings


@pytest.mark.parametrize(
    ("step", "expected"),
    [
        ("random_contrast: {factor: 0.2}", RandomContrast(factor=(0.0, 0.2))),
        ("random_contrast: {factor: [0.1, 0.3]}", RandomContrast(factor=(0.1, 0.3))),
        ("random_erasing", RandomErasing(factor=(0.0, 1.0), scale=(0.02, 0.33), fill_value=None)),
        ("random_erasing: {fill_value: [1, 2, 3]}", RandomErasing(fill_value=(1, 2, 3))),
        ("rand_augment", RandAugment(num_ops=2, factor=(0.0, 0.5))),
        ("mix_up", MixUp(alpha=0.2)),
        ("cut_mix: {factor: 0.4}", CutMix(factor=(0.0, 0.4))),
    ],
)
def test_variations_mean_what_keras_makes_of_them(step, expected):
    assert config(with_model("flatten", rest=f"augment: [{step}]\n")).augment == (expected,)


def test_every_variation_of_keras_that_the_design_names_is_there():
    names = "flip rotation translation zoom crop brightness contrast erasing"
    assert set(AUGMENTATIONS) == {*(f"random_{name}" for name in names.split()), "rand_augment", "mix_up", "cut_mix"}
    assert CHOICES["augmentation"] is AUGMENTATIONS


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("l2", Regularizer(l2=0.01)),
        ("l1", Regularizer(l1=0.01)),
        ("l1_l2", Regularizer(l1=0.01, l2=0.01)),
        ("{l2: 0.5}", Regularizer(l2=0.5)),
        ("none", None),
    ],
)
def test_regularizers(text, expected):
    (dense,) = layers(f"dense: {{units: 1, kernel_regularizer: {text}}}")
    assert dense.kernel_regularizer == expected


@pytest.mark.parametrize(
    ("settings", "path", "message"),
    [
        (
            "optimizer: {adam: {clipnorm: 1, clipvalue: 2}}",
            "train.optimizer.adam",
            "clipnorm cannot be combined with clipvalue",
        ),
        (
            "epochs: 3, schedule: {cosine: {warmup_epochs: 3}}",
            "train.schedule",
            "warmup_epochs is 3 of 3 epochs: no epoch is left for the cosine decay",
        ),
        (
            "loss: mean_squared_error, label_smoothing: 0.1",
            "train.label_smoothing",
            "label_smoothing cannot be combined with loss: mean_squared_error",
        ),
        ("schedule: cosin", "train.schedule", "there is no schedule called cosin"),
        ("schedule: exponential", "train.schedule.exponential.decay_per_epoch", "a required key is missing"),
        ("ema: 1", "train.ema", "expected a number below 1"),
        ("label_smoothing: 1", "train.label_smoothing", "expected a number below 1"),
        ("optimizer: {sgd: {weight_decay: -1}}", "train.optimizer.sgd.weight_decay", "expected a number of at least 0"),
        ("backend: torch", "train.backend", "expected auto, tensorflow or jax"),
        ("initial_weights: ''", "train.initial_weights", "expected some text"),
    ],
)
def test_contradictions_and_mistakes_are_named(settings, path, message):
    found = problem(with_model("flatten", rest=f"train: {{{settings}}}\n"))
    assert (found.path, found.message) == (path, message)
    assert found.position is not None


@pytest.mark.parametrize(
    ("step", "path"),
    [
        ("random_contrast: {factor: -0.2}", "augment[0].random_contrast.factor"),
        ("random_brightness: {factor: 1.5}", "augment[0].random_brightness.factor"),
        ("random_erasing: {fill_value: 300}", "augment[0].random_erasing.fill_value"),
        ("random_crop: {height: 3}", "augment[0].random_crop.width"),
        ("mix_up: {alpha: 0}", "augment[0].mix_up.alpha"),
        ("cut_mix: {factor: 2}", "augment[0].cut_mix.factor"),
        ("rand_augment: {num_ops: 0}", "augment[0].rand_augment.num_ops"),
    ],
)
def test_a_variation_out_of_range_is_named(step, path):
    assert problem(with_model("flatten", rest=f"augment: [{step}]\n")).path == path
