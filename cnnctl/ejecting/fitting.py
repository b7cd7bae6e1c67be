"""The train section -> source: how the learning rate changes, what is minimised, and the callbacks."""

from collections.abc import Iterator
from typing import assert_never

from cnnctl.config import Config
from cnnctl.config.training import (
    Constant,
    Cosine,
    EarlyStopping,
    Exponential,
    OneCycle,
    Optimizer,
    ReduceOnPlateau,
    TrainSettings,
)
from cnnctl.data.augment import mixes
from cnnctl.ejecting.source import Node, array, call, literal, opened

_OPTIMIZERS = {"adam": "Adam", "adamw": "AdamW", "sgd": "SGD", "rmsprop": "RMSprop"}
_SCHEDULES = "keras.optimizers.schedules"
PLAIN_RATE = "LEARNING_RATE"
"""The learning rate where no schedule changes it with the steps."""

WARMUP_COSINE = f'''\
class WarmupCosine({_SCHEDULES}.LearningRateSchedule):
    """Up in a straight line for some steps, then down to 0 along half a cosine."""

    def __init__(self, peak, steps, warmup):
        self.peak, self.steps, self.warmup = peak, steps, warmup

    def __call__(self, step):
        step = keras.ops.cast(step, "float32")
        share = (step - self.warmup) / (self.steps - self.warmup)
        falling = (1 + keras.ops.cos(np.pi * keras.ops.clip(share, 0.0, 1.0))) / 2
        rising = (step + 1) / max(self.warmup, 1)
        return self.peak * keras.ops.where(step < self.warmup, rising, falling)
'''
ONE_CYCLE = f'''\
class OneCycle({_SCHEDULES}.LearningRateSchedule):
    """Up from a 25th of the peak and down to a 250,000th, both along half a cosine."""

    def __init__(self, peak, steps, warmup_fraction):
        self.peak, self.steps = peak, steps
        self.top = max(warmup_fraction * steps - 1, 1e-9)  # the step of the peak

    def __call__(self, step):
        step = keras.ops.cast(step, "float32")
        begin, end = self.peak / 25, self.peak / 250_000
        up = self.peak + (begin - self.peak) * self.falling(step / self.top)
        left = max(self.steps - 1 - self.top, 1e-9)
        down = end + (self.peak - end) * self.falling((step - self.top) / left)
        return keras.ops.where(step < self.top, up, down)

    def falling(self, share):
        return (1 + keras.ops.cos(np.pi * keras.ops.clip(share, 0.0, 1.0))) / 2
'''
SAME_SIDE = '''\
def accuracy(truth, predicted):
    """Whether both are on the same side of one half: a mixed label is neither 0 nor 1."""
    return keras.ops.equal(truth > 0.5, predicted > 0.5)
'''


def label_form(config: Config) -> str:
    """`number`, `one_hot` or `positive`, as in training/objective.py."""
    if config.output == "sigmoid":
        return "positive"
    train = config.train
    plain = train.loss in ("auto", "categorical_crossentropy") and not train.label_smoothing
    return "number" if plain and not mixes(config.augment) else "one_hot"


def schedule_class(settings: TrainSettings) -> str | None:
    """The source of the schedule that Keras lacks."""
    schedule = settings.schedule
    if isinstance(schedule, OneCycle):
        return ONE_CYCLE
    return WARMUP_COSINE if isinstance(schedule, Cosine) and schedule.warmup_epochs else None


def learning_rate(settings: TrainSettings) -> Node:
    """What the optimizer takes as its learning rate; `training` are the batches of an epoch."""
    schedule, steps = settings.schedule, "EPOCHS * len(training)"
    match schedule:
        case Constant() | ReduceOnPlateau():
            return PLAIN_RATE
        case Cosine(warmup_epochs=0.0):
            return call(f"{_SCHEDULES}.CosineDecay", PLAIN_RATE, decay_steps=steps)
        case Cosine():
            warmup = f"round({literal(schedule.warmup_epochs)} * len(training))"
            return call("WarmupCosine", PLAIN_RATE, steps, warmup=warmup)
        case OneCycle():
            return call("OneCycle", PLAIN_RATE, steps, warmup_fraction=literal(schedule.warmup_fraction))
        case Exponential():
            decay = literal(schedule.decay_per_epoch)
            return call(f"{_SCHEDULES}.ExponentialDecay", PLAIN_RATE, decay_steps="len(training)", decay_rate=decay)
        case _:
            assert_never(schedule)


def optimizer(settings: TrainSettings, rate: Node) -> Node:
    """The Keras optimizer, its settings at their defaults left out."""
    chosen: Optimizer = settings.optimizer
    fields = type(chosen).model_fields
    given = {key: getattr(chosen, key) for key in fields if key != "learning_rate"}
    named: dict[str, Node] = {key: literal(one) for key, one in given.items() if one != fields[key].default}
    if settings.ema is not None:
        named |= {"use_ema": "True", "ema_momentum": literal(settings.ema)}
    return call(f"keras.optimizers.{_OPTIMIZERS[chosen.kind]}", rate, **named)


def loss(config: Config) -> Node:
    """What training minimises."""
    smoothing = config.train.label_smoothing
    if config.train.loss == "mean_squared_error":
        return literal(config.train.loss)
    if smoothing:
        kind = "Binary" if config.output == "sigmoid" else "Categorical"
        return call(f"keras.losses.{kind}Crossentropy", label_smoothing=literal(smoothing))
    return literal(plain_loss(config))


def plain_loss(config: Config) -> str:
    """Keras' name of the cross-entropy, without smoothing, of labels in their form."""
    names = {"number": "sparse_categorical", "one_hot": "categorical", "positive": "binary"}
    return f"{names[label_form(config)]}_crossentropy"


def metrics(config: Config) -> Node:
    """The accuracy while training."""
    return "[accuracy]" if needs_same_side(config) else '["accuracy"]'


def needs_same_side(config: Config) -> bool:
    """Whether the script needs `SAME_SIDE`."""
    return config.output == "sigmoid" and mixes(config.augment)


_COUNTS = {
    "number": "np.bincount(labels)",
    "one_hot": "labels.sum(axis=0)",
    "positive": "np.bincount(labels[:, 0].astype(int))",
}


def class_weight_lines(config: Config) -> list[str]:
    """The source of `class_weight`, which fit() takes: a factor by class number."""
    weight = config.train.class_weight
    if weight is None:
        return []
    if isinstance(weight, dict):
        return ["    class_weight = {CLASSES.index(name): one for name, one in CLASS_WEIGHT.items()}"]
    return [
        f"    counts = {_COUNTS[label_form(config)]}",
        "    balanced = len(labels) / (len(CLASSES) * counts)",
        "    class_weight = dict(enumerate(balanced.tolist()))",
    ]


def callbacks(settings: TrainSettings, validates: bool) -> Node:
    """The callbacks of fit(), in the order in which they must come."""
    return opened(array(_callbacks(settings, validates)))


def _callbacks(settings: TrainSettings, validates: bool) -> Iterator[Node]:
    make, schedule, stopping = "keras.callbacks", settings.schedule, settings.early_stopping
    if settings.ema is not None:  # the first, so that the others see the averages
        yield call(f"{make}.SwapEMAWeights", swap_on_epoch="True")
    best: dict[str, Node] = {}
    if validates:
        best = {"monitor": literal(settings.best), "mode": _mode(settings.best), "save_best_only": "True"}
    yield call(f"{make}.ModelCheckpoint", "WEIGHTS", **best, save_weights_only="True")
    yield call(f"{make}.TerminateOnNaN")
    if isinstance(schedule, ReduceOnPlateau):
        yield call(
            f"{make}.ReduceLROnPlateau",
            literal(schedule.monitor),
            factor=literal(schedule.factor),
            patience=literal(schedule.patience),
            mode=_mode(schedule.monitor),
            min_delta="0",
        )
    if stopping is not None:
        yield _early_stopping(stopping)


def _early_stopping(stopping: EarlyStopping) -> Node:
    given = {"min_delta": stopping.min_delta} if stopping.min_delta else {}
    return call(
        "keras.callbacks.EarlyStopping",
        literal(stopping.monitor),
        patience=literal(stopping.patience),
        mode=_mode(stopping.monitor),
        **{key: literal(value) for key, value in given.items()},
    )


def _mode(monitor: str) -> str:
    return '"max"' if monitor.endswith("accuracy") else '"min"'
