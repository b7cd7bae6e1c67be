"""How a network is trained: the train section, whose optimizers and schedules have modules of their own."""

import math
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, Strict, ValidationInfo, WithJsonSchema, field_validator, model_validator
from pydantic_core import PydanticCustomError

from cnnctl.config.optimizers import Adam, LearningRate, Optimizer
from cnnctl.config.schedules import Constant, Cosine, Monitor, OneCycle, Patience, Schedule
from cnnctl.formatting import name_form
from cnnctl.settings import (
    ByName,
    Count,
    OrNone,
    Settings,
    Share,
    Text,
    described,
    expected,
)

Logger = Literal["tensorboard", "mlflow", "wandb"]


class EarlyStopping(Settings):
    """Stops the training when `monitor` has not improved by `min_delta` for `patience` epochs."""

    monitor: Monitor = "val_loss"
    patience: Patience = 5
    min_delta: Annotated[float, described("Smallest change that counts as an improvement.", ge=0)] = 0.0


class Lookahead(Settings):
    """Slow weights beside those that train (Zhang et al. 2019, https://arxiv.org/abs/1907.08610).

    Every few steps they take a part of the difference, and the training goes on from them. The last step ends with
    them. Only weights that train have them.
    """

    every: Annotated[Count, described("Number of steps after which the two meet.")] = 5
    decay: Annotated[
        Share, described("Share of the slow weights that stays when they meet, at the end of the training.")
    ] = 0.774
    power: Annotated[
        float,
        described("How that share grows: decay * (step / steps)^power; 0: it is the same from the beginning.", ge=0),
    ] = 3.0


def _class_weight(value: Any) -> Any:
    if value is None or value == "none":
        return None
    if value == "balanced":
        return value
    weights = value.values() if isinstance(value, dict) else ()
    if weights and all(type(weight) in (int, float) and 0 <= weight < math.inf for weight in weights):
        weight_of = {name_form(str(name)): float(weight) for name, weight in value.items()}
        if len(weight_of) < len(value):
            raise expected("one weight for each class, not two for names that look alike")
        return weight_of
    raise expected("none, balanced, or a weight of at least 0 for each class: {cat: 1, dog: 2.5}")


class FineTune(Settings):
    """A second phase that begins with the best epoch of the first, in which the backbone's own weights are trained too.

    It has an optimizer of the same kind in a new state. Augmentation acts in this phase.
    """

    epochs: Annotated[Count, described("Number of passes over the training images.", 4)] = 4
    layers: Annotated[
        Literal["all"] | Count, described("Layers of the backbone that are trained: all, or the last so many.", 30)
    ] = "all"
    learning_rate: LearningRate = 0.0002
    schedule: Annotated[
        Schedule,
        ByName("schedule"),
        described("How the learning rate changes; as in train.schedule.", {"cosine": {"warmup_epochs": 1}}),
    ] = OneCycle()

    @field_validator("schedule", mode="after")
    @classmethod
    def _warmup_is_shorter(cls, schedule: Schedule, info: ValidationInfo) -> Schedule:
        return _with_shorter_warmup(schedule, info)


def _with_shorter_warmup(schedule: Schedule, info: ValidationInfo) -> Schedule:
    epochs = info.data.get("epochs")
    if isinstance(schedule, Cosine) and epochs is not None and schedule.warmup_epochs >= epochs:
        raise PydanticCustomError(
            "warmup",
            "warmup_epochs is {warmup} of {epochs} epochs: no epoch is left for the cosine decay",
            {"warmup": f"{schedule.warmup_epochs:g}", "epochs": epochs},
        )
    return schedule


class TrainSettings(Settings):
    """How the network is trained."""

    epochs: Annotated[Count, described("Number of passes over the training images.", 20)] = 20
    batch_size: Annotated[Count, described("Number of images in one step.", 64)] = 64
    optimizer: Annotated[
        Optimizer,
        ByName("optimizer"),
        described(
            "Optimizer: adam, adamw, sgd or rmsprop, with the arguments of Keras.",
            {"adamw": {"learning_rate": 0.001, "clipnorm": 1.0}},
        ),
    ] = Adam()
    schedule: Annotated[
        Schedule,
        ByName("schedule"),
        described(
            "How the learning rate changes: constant, cosine, one_cycle, exponential, reduce_on_plateau.",
            {"cosine": {"warmup_epochs": 1}},
        ),
    ] = Constant()
    loss: Annotated[
        Literal["auto", "categorical_crossentropy", "binary_crossentropy", "mean_squared_error"],
        described("auto: categorical_crossentropy for softmax, binary_crossentropy for sigmoid and multi_label."),
    ] = "auto"
    label_smoothing: Annotated[
        Share,
        described(
            "Fraction of each label that is spread evenly over all classes; with sigmoid and multi_label over 0 and 1.",
            0.1,
        ),
    ] = 0.0
    class_weight: Annotated[
        Literal["balanced"] | dict[str, float] | None,
        BeforeValidator(_class_weight),
        WithJsonSchema(
            {
                "anyOf": [
                    {"enum": ["none", "balanced", None]},
                    {"type": "object", "additionalProperties": {"type": "number", "minimum": 0}, "minProperties": 1},
                ]
            }
        ),
        described(
            "Weight of each class in the loss; balanced: images / (classes * images of the class), with multi_label "
            "images / (2 * images of the class).",
            "balanced",
        ),
    ] = None
    early_stopping: Annotated[
        EarlyStopping | None,
        OrNone,
        described("Stop before the last epoch when the monitored metric no longer improves.", {"patience": 5}),
    ] = None
    best: Annotated[
        Literal["val_loss", "val_accuracy"], described("Metric that selects the epoch whose weights are kept.")
    ] = "val_loss"
    ema: Annotated[
        Annotated[float, Field(gt=0, lt=1)] | None,
        OrNone,
        described("Momentum of an exponential moving average of the weights; the average is evaluated and kept.", 0.99),
    ] = None
    lookahead: Annotated[
        Lookahead | None,
        OrNone,
        described("Slow weights that the training returns to every few steps.", {"every": 5}),
    ] = None
    initial_weights: Annotated[
        Text | None,
        OrNone,
        Field(
            description="Run or .keras file to start from: all its weights, or all but the output layer's when the "
            "classes differ.",
            examples=["runs/flowers/3"],
        ),
    ] = None
    fine_tune: Annotated[
        FineTune | None,
        OrNone,
        described(
            "After the head is trained on the features of a backbone, train the backbone as well.",
            {"epochs": 4, "layers": "all", "learning_rate": 0.0002},
        ),
    ] = None
    calibrate: Annotated[
        Literal["temperature"] | None,
        OrNone,
        described(
            "temperature: after the training, the logits are divided by the number that makes the validation images "
            "most likely; the answers stay."
        ),
    ] = "temperature"
    unknown_share: Annotated[
        Annotated[float, Field(gt=0, lt=1)] | None,
        OrNone,
        described(
            "Share of the validation images that predict calls unknown: those that are least like the training images. "
            "What is less like them than that is unknown."
        ),
    ] = 0.01
    precision: Annotated[
        Literal["auto", "float32", "mixed_bfloat16", "mixed_float16"],
        described("auto: mixed precision where the device supports 16-bit arithmetic natively, else float32."),
    ] = "auto"
    device: Annotated[Literal["auto", "cpu", "gpu"], described("auto: the GPU if there is one, else the CPU.")] = "auto"
    backend: Annotated[
        Literal["auto", "tensorflow", "jax"],
        described("auto: KERAS_BACKEND if it is set, else tensorflow, else jax if only JAX is installed."),
    ] = "auto"
    loggers: Annotated[
        tuple[Logger, ...],
        Strict(False),
        described(
            "Experiment trackers that record the training, in addition to history.csv.",
            ["tensorboard"],
            json_schema_extra={"uniqueItems": True},
        ),
    ] = ()

    @field_validator("loggers", mode="after")
    @classmethod
    def _each_logger_once(cls, loggers: tuple[Logger, ...]) -> tuple[Logger, ...]:
        if len(set(loggers)) < len(loggers):
            raise expected("each tracker once")
        return loggers

    @field_validator("schedule", mode="after")
    @classmethod
    def _warmup_is_shorter(cls, schedule: Schedule, info: ValidationInfo) -> Schedule:
        return _with_shorter_warmup(schedule, info)

    @field_validator("label_smoothing", mode="after")
    @classmethod
    def _smoothing_is_for_crossentropy(cls, smoothing: float, info: ValidationInfo) -> float:
        if smoothing and info.data.get("loss") == "mean_squared_error":
            raise PydanticCustomError("smoothing", "label_smoothing cannot be combined with loss: mean_squared_error")
        return smoothing

    @model_validator(mode="after")
    def _one_kind_of_average(self) -> "TrainSettings":
        if self.ema is not None and self.lookahead is not None:
            raise PydanticCustomError("averages", "ema cannot be combined with lookahead: both average the weights")
        return self

    @property
    def averages(self) -> bool:
        """Whether the training keeps each weight twice: as it trains, and averaged."""
        return self.ema is not None or self.lookahead is not None

    @property
    def second_phase(self) -> "TrainSettings | None":
        """How the network is fine-tuned, where it is."""
        chosen = self.fine_tune
        if chosen is None:
            return None
        optimizer = self.optimizer.model_copy(update={"learning_rate": chosen.learning_rate})
        own = {"epochs": chosen.epochs, "schedule": chosen.schedule, "optimizer": optimizer}
        return self.model_copy(update=own)

    @property
    def all_epochs(self) -> int:
        """The epochs of both phases."""
        return self.epochs + (self.fine_tune.epochs if self.fine_tune is not None else 0)
