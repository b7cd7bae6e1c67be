"""A config and what its data says -> the text of the script, and what Keras cannot say of the config."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from cnnctl.architecture.planner import unroll
from cnnctl.architecture.scaling import SYMMETRIC, UNIT, Scaling
from cnnctl.config import Config
from cnnctl.config.augmentations import (
    AugmentationStep,
    CutMix,
    MixUp,
    RandAugment,
    RandomCrop,
    RandomFlip,
    RandomRotation,
    RandomTranslation,
    RandomZoom,
    Warp,
)
from cnnctl.config.schedules import Cosine, OneCycle, Schedule
from cnnctl.config.training import TrainSettings
from cnnctl.data.augment import mixes
from cnnctl.ejecting.backbone import EjectedBackbone, backbone_warnings
from cnnctl.ejecting.first_weights import first_weights
from cnnctl.ejecting.keras_calls import (
    MOST_ZOOM,
    adding_lines,
    alternating_views,
    augmentation_calls,
    bias_factor,
    layer_calls,
    needs_class,
    needs_optimizer,
    optimizer_call,
    output_call,
    scaling_call,
    zooms,
)
from cnnctl.ejecting.reading import Reader
from cnnctl.ejecting.source import Code, call, fold, render
from cnnctl.formatting import size
from cnnctl.layers import Repeat
from cnnctl.layers.initializers import MOST_IMAGES, MOST_PIXELS
from cnnctl.settings import given
from cnnctl.version import __version__

_MUCH_MEMORY = 10**9
_FLOAT32 = ("auto", "float32")


@dataclass(frozen=True)
class InitialWeights:
    """Weights to begin with: a .keras file, and whether the output layer's are taken too."""

    path: Path
    takes_output: bool


@dataclass(frozen=True)
class Facts:
    """What the script is written from: a name of letters, digits, `-`, `_` and `.`, a config whose paths are absolute.

    `statistics` are mean and deviation of each channel, None where scaling takes none; `is_utf8` is whether all file
    names are UTF-8 text; `left_out` counts the images that cannot be decoded, which are in no split; `backbone` is that
    of the config.
    """

    name: str
    config: Config
    classes: tuple[str, ...]
    counts: Mapping[str, int]
    statistics: tuple[tuple[float, ...], tuple[float, ...]] | None
    reader: Reader
    start: InitialWeights | None = None
    is_utf8: bool = True
    left_out: int = 0
    backbone: EjectedBackbone | None = None

    @property
    def augmentation(self) -> Sequence[AugmentationStep]:
        """What varies the training images; nothing where the backbone is never trained."""
        trains = self.backbone is None or self.backbone.layer.trainable or self.config.train.fine_tune is not None
        return self.config.augment if trains else ()

    @property
    def mixed_precision(self) -> bool:
        """Whether it trains under a policy of 16 bits."""
        return self.config.train.precision not in _FLOAT32


@dataclass(frozen=True)
class Phase:
    """A compile and a fit of the script: the names of its numbers and of its batches, and how it learns."""

    epochs: Code
    rate: Code
    batches: Code
    schedule: Schedule
    optimizer: Code

    @property
    def one_cycle(self) -> Code:
        """The script's OneCycle, where that is the schedule; its defaults are those of the config."""
        assert isinstance(self.schedule, OneCycle)
        chosen = {"warmup_fraction": self.schedule.warmup_fraction, **given(self.schedule)}
        return call("OneCycle", self.rate, _steps((self.epochs, self.rate, self.batches)), **chosen)


@dataclass(frozen=True)
class Script:
    """Python source, and what it does otherwise than the config says: sentences that are in the source too."""

    text: str
    warnings: tuple[str, ...]


def compose(facts: Facts, split: str) -> Script:
    """The script; `split` names the CSV beside it: path (from the script's folder, or absolute), label, split."""
    config, train = facts.config, facts.config.train
    warnings = tuple(_warnings(facts))
    float32 = {"dtype": "float32"} if facts.mixed_precision else {}
    phases, scaling, backbone = _phases(facts), _scaling(facts), facts.backbone
    source = render(
        "script.py.jinja",
        version=__version__,
        name=facts.name,
        split=split,
        warnings=warnings,
        environment=_environment(train),
        config=config,
        train=train,
        backbone=backbone,
        phases=phases,
        warms_up=any(isinstance(phase.schedule, Cosine) and phase.schedule.warmup_epochs for phase in phases),
        has_one_cycle=any(isinstance(phase.schedule, OneCycle) for phase in phases),
        has_optimizer=needs_optimizer(train),
        kind=train.optimizer.keras_class,
        lookahead=train.lookahead,
        bias_factor=bias_factor(train),
        first_trained=backbone.first_trained(train.fine_tune) if backbone and train.fine_tune and phases[1:] else None,
        test_time=config.test_time,
        stopping=train.early_stopping,
        image=config.data.image,
        classes=list(facts.classes),
        statistics=_statistics(facts, scaling),
        statistics_of="the training images" if facts.statistics else "ImageNet",
        class_weight=_class_weight(facts),
        reader=facts.reader,
        is_utf8=facts.is_utf8,
        label_form=label_form(config),
        cross_entropy=cross_entropy(config),
        mixes=mixes(config.augment),
        wanted_precision=config.output.multi_label.precision if config.output.multi_label is not None else None,
        augmentation=[
            one for step in facts.augmentation for one in augmentation_calls(step, config.data.image.channels)
        ],
        alternating=list(alternating_views(facts.augmentation)),
        needs_l2_pooling=any(needs_class(layer) for _, layer in unroll(config.model)),
        scaling=scaling_call(scaling if scaling is not None and len(scaling.scale) == 1 else None, **float32),
        has_repeat=any(isinstance(layer, Repeat) for layer in config.model),
        adding=adding_lines(config.model),
        hidden=(one for _, layer in unroll(config.model) for one in layer_calls(layer)),
        output=output_call(config, **float32),
        mixed_precision=facts.mixed_precision,
        start=facts.start,
        begins=first_weights(config.model) if facts.start is None else None,
        most_images=MOST_IMAGES,
        most_pixels=MOST_PIXELS,
        validates="validation" in facts.counts,
        judged=next(split for split in ("test", "validation", "train") if split in facts.counts),
    )
    return Script(fold(source), warnings)


def _phases(facts: Facts) -> list[Phase]:
    """The only phase; or that of the head, and that of the backbone as well."""
    train, backbone = facts.config.train, facts.backbone
    names = (Code("EPOCHS"), Code("LEARNING_RATE"), Code("training"))
    phases = [Phase(*names, train.schedule, optimizer_call(train, train.schedule, names[1], _steps(names)))]
    second = train.fine_tune
    if second is not None and backbone is not None and not backbone.layer.trainable:
        more = (Code("FINE_TUNE_EPOCHS"), Code("FINE_TUNE_LEARNING_RATE"))
        batches = Code("varied" if facts.augmentation else "training")
        names = (*more, batches)
        phases.append(Phase(*names, second.schedule, optimizer_call(train, second.schedule, more[1], _steps(names))))
    return phases


def _steps(names: tuple[Code, Code, Code]) -> Code:
    """How many steps a phase has, by its names of epochs, learning rate and batches."""
    return Code(f"{names[0]} * len({names[2]})")


def _scaling(facts: Facts) -> Scaling | None:
    """What is done to the pixels; None where it takes the statistics of the training images."""
    match facts.config.data.image.scaling:
        case "symmetric":
            return SYMMETRIC
        case "standardize":
            return None
        case "auto" if facts.backbone is not None:
            return facts.backbone.layer.graph.scaling
    return UNIT


def label_form(config: Config) -> Literal["number", "one_hot", "positive", "several"]:
    """The form of the labels, as in training/objective.py."""
    if config.output.kind == "multi_label":
        return "several"
    if config.output.kind == "sigmoid":
        return "positive"
    train = config.train
    plain = train.loss in ("auto", "categorical_crossentropy") and not train.label_smoothing
    return "number" if plain and not mixes(config.augment) else "one_hot"


def cross_entropy(config: Config) -> str:
    """Keras' name of the cross-entropy, without smoothing, of labels in their form."""
    names = {"number": "sparse_categorical", "one_hot": "categorical", "positive": "binary", "several": "binary"}
    return f"{names[label_form(config)]}_crossentropy"


def _environment(train: TrainSettings) -> dict[str, str]:
    """Environment variables that must be set before Keras is imported."""
    settings: dict[str, str] = {} if train.backend == "auto" else {"KERAS_BACKEND": train.backend}
    if train.backend == "jax" and train.device != "auto":
        settings["JAX_PLATFORMS"] = {"cpu": "cpu", "gpu": "cuda"}[train.device]
    return settings


def _statistics(facts: Facts, scaling: Scaling | None) -> dict[str, list[float]] | None:
    found = facts.statistics
    if found is None and scaling is not None and len(scaling.scale) > 1:
        pairs = zip(scaling.scale, scaling.offset, strict=True)
        found = (tuple(-offset / scale for scale, offset in pairs), tuple(1 / scale for scale in scaling.scale))
    if found is None:
        return None
    mean, deviation = ([round(one, 4) for one in values] for values in found)
    return {"mean": mean, "deviation": deviation}


def _class_weight(facts: Facts) -> str | dict[str, float] | None:
    """`balanced`, or the weight of every class."""
    weight = facts.config.train.class_weight
    return {name: weight.get(name, 1.0) for name in facts.classes} if isinstance(weight, dict) else weight


def _warnings(facts: Facts) -> Iterator[str]:
    config, train = facts.config, facts.config.train
    if facts.backbone is not None:
        yield from backbone_warnings(config, facts.backbone)
    yield from _augmentation_warnings(facts.augmentation)
    if train.class_weight is not None and mixes(facts.augmentation) and label_form(config) != "several":
        yield "class_weight: Keras weighs a mixed image by its larger share, cnnctl by all of them"
    if train.precision == "auto":
        yield (
            "precision: auto is float32 in the script; cnnctl uses 16 bits where the device supports them natively; "
            "to use them, eject with --set train.precision=mixed_bfloat16"
        )
    if config.deterministic == "auto":
        yield (
            "deterministic: auto is false in the script; cnnctl sets it to true on a CPU; for equal runs, eject with "
            "--set deterministic=true, which augments one batch at a time"
        )
    elif config.deterministic and train.backend == "jax":
        yield "deterministic: tf.data makes the batches in the script, and their order differs from that of cnnctl"
    if train.backend == "jax":
        yield "backend: jax trains, and tf.data makes the batches: TensorFlow must be installed too"
    if config.data.train == "digits":
        yield "data.train: the built-in digits are in the cache folder of cnnctl; keep it, or copy them"
    if facts.left_out:
        yield f"data.on_bad_image: {facts.left_out:,} image(s) that cannot be decoded are not in the split"
    if facts.reader.differs:
        count, one = len(facts.reader.differs), facts.reader.differs[0]
        yield f"data: {count:,} image(s) are decoded differently than by cnnctl, such as {one}; save them as plain PNG"
    image = config.data.image
    needed = sum(facts.counts.values()) * image.height * image.width * image.channels
    if needed > _MUCH_MEMORY:
        yield f"data.cache: all images are held in memory, the training images twice: {size(needed)} and more"


def _is_lopsided(step: AugmentationStep) -> bool:
    """Whether a step does more to one side than to the other, so that a flip before it is not one after it."""
    match step:
        case RandomRotation():
            ranges = [step.factor]
        case RandomTranslation():
            ranges = [step.height_factor, step.width_factor]
        case _:
            return isinstance(step, RandAugment)
    return any(low != -high for low, high in ranges)


def _augmentation_warnings(steps: Sequence[AugmentationStep]) -> Iterator[str]:
    """What Keras' layers do otherwise than cnnctl."""
    kinds = {type(step) for step in steps}
    if any(isinstance(step, RandomFlip) and step.alternate for step in steps) and any(map(_is_lopsided, steps)):
        yield "random_flip: the script flips after the other steps in every second epoch, which mirrors them as well"
    if any(isinstance(step, Warp) and step.fill_mode == "mirror" for step in steps):
        yield "fill_mode: Keras' layers have reflect for mirror: the pixel at the edge comes twice"
    if RandomCrop in kinds:
        yield "random_crop: Keras cuts the same window out of all images of a batch, cnnctl one of its own out of each"
    if RandAugment in kinds:
        yield "rand_augment: Keras draws the operations once for a batch, cnnctl for each image"
    for kind in (MixUp, CutMix):
        if kind in kinds:
            yield f"{kind.kind}: Keras takes an image's partner from its batch, cnnctl from all training images"
    largest = max(
        (max(one) for step in steps if isinstance(step, RandomZoom) for one in zooms(step).values()), default=0
    )
    if largest > MOST_ZOOM:
        yield f"random_zoom: Keras zooms out by a factor of {MOST_ZOOM:g} at most, not by {largest:g}"
