"""Networks, data in memory and whole trainings in-process, for the tests of training/."""

import signal
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cnnctl.architecture import Plan, make_plan
from cnnctl.architecture.scaling import UNIT, Scaling
from cnnctl.config import Config, parse_config
from cnnctl.inference.model import load_classifier
from cnnctl.inference.stream import classify
from cnnctl.layers.output import MULTI_LABEL, OutputSettings
from cnnctl.models.build import build_network
from cnnctl.runs import Run
from cnnctl.system.interrupts import Interrupts
from cnnctl.system.stderr import captured_stderr
from cnnctl.system.watcher import Epoch
from cnnctl.training import fit as fit_module
from cnnctl.training.feeding import Examples, Feed, Feeds
from cnnctl.training.objective import Objective, make_objective
from cnnctl.training.phases import Phase
from cnnctl.training.record import TrainingRecord
from cnnctl.training.request import TrainRequest
from cnnctl.training.train import Trained, train
from tests.config.build import config, layers, with_model

SHAPE = (5, 4, 3)
NUMBERS = Objective("sparse_categorical_crossentropy", "number", 3)
"""What `make_objective` makes of a config that asks for nothing."""


def network(
    *items: str,
    shape: tuple[int, int, int] = SHAPE,
    classes: int = 3,
    output: str = "softmax",
    scaling: Scaling = UNIT,
    policy: str = "float32",
    seed: int | None = 0,
    trains: bool = False,
) -> tuple[Any, Plan]:
    """The Keras model of these items of a model section, and its plan."""
    last = MULTI_LABEL if output == "multi_label" else OutputSettings(activation=output)
    plan = make_plan(layers(*items), shape, classes, last)
    assert plan.problems == ()
    return build_network(plan, scaling, policy, seed, trains), plan


def pixels(count: int, shape: tuple[int, int, int] = SHAPE, seed: int = 0) -> np.ndarray:
    """Random images: uint8 (count, height, width, channels)."""
    return np.random.default_rng(seed).integers(0, 256, (count, *shape)).astype(np.uint8)


def examples(
    count: int,
    shape: tuple[int, int, int] = SHAPE,
    seed: int = 0,
    chosen: Config | None = None,
    classes: int = 3,
    weights: np.ndarray | None = None,
) -> Examples:
    """Random images with labels in turn, in the form that a config asks for."""
    objective = NUMBERS if chosen is None else make_objective(chosen, classes)
    return Examples(pixels(count, shape, seed), np.arange(count), np.arange(count) % classes, objective, weights)


def cross_entropy(model: Any, these: Examples) -> np.ndarray:
    """(images,) of -log p(truth), in float64."""
    probabilities = np.asarray(model.predict_on_batch(these.pixels[these.rows]), np.float64)
    return -np.log(probabilities[np.arange(len(these)), these.labels])


def settings(train: str, model: tuple[str, ...] = ("flatten",), rest: str = "") -> Config:
    """A config with this train section."""
    return config(with_model(*model, rest=f"{rest}train: {{{train}}}\n"))


@dataclass
class Listener:
    """A watcher that keeps what it hears, and may interrupt the training after an epoch."""

    stops_after: int = 0
    interrupts: Interrupts = field(default_factory=Interrupts)
    notes: list[str] = field(default_factory=list)
    epochs: list[Epoch] = field(default_factory=list)

    def note(self, text: str) -> None:
        self.notes.append(text)

    def warnings(self) -> list[str]:
        """Of the training itself; those of its data and of its network come before the network is described."""
        begun = next(at for at, note in enumerate(self.notes) if note.startswith("network: "))
        return [note for note in self.notes[begun:] if note.startswith("warning: ")]

    def busy(self, what: str) -> None:
        assert what

    def progress(self, what: str, done: int, total: int) -> None:
        assert 0 < done <= total

    def step(self, epoch: int, epochs: int, done: int, total: int, figures: dict[str, float]) -> None:
        assert 0 < done <= total

    def epoch(self, epoch: Epoch) -> None:
        self.epochs.append(epoch)
        if epoch.number == self.stops_after:
            self.interrupts.handle(signal.SIGINT, None)


def only_phase(model: Any, chosen: Config, feeds: Feeds) -> Phase:
    """The training of a model; TensorFlow takes as many steps at once as there may be."""
    plan = make_plan(layers("flatten"), (1, 1, 1), 2)
    return Phase(None, model, plan, 0, chosen.train, feeds, 0, chosen.train.epochs)


def fitted(
    model: Any,
    chosen: Config,
    training: Feed,
    validation: Feed | None,
    folder: Path,
    watcher: Listener | None = None,
) -> TrainingRecord:
    """Train a model in a folder; what came of it."""
    record = TrainingRecord(Run(folder), chosen.train.best if validation is not None else None)
    feeds = Feeds(training, validation)
    fit_module.fit_model(only_phase(model, chosen, feeds), record, watcher or Listener(), Interrupts())
    return record


@dataclass
class Steps:
    """What happened in each step of a fit, noted where it happened: several steps may be one call of Keras'.

    Attributes:
        rates: The learning rate that moved the weights.
        weights: The trainable weights after the step.
    """

    rates: list[float] = field(default_factory=list)
    weights: list[list[np.ndarray]] = field(default_factory=list)


def noted(patch: pytest.MonkeyPatch) -> Steps:
    """What the next fits do step by step, skipped ones left out."""
    import tensorflow as tf

    steps = Steps()
    make = fit_module.make_optimizer

    def note(rate: Any, *weights: np.ndarray) -> np.int32:
        steps.rates.append(float(rate))
        steps.weights.append([np.array(weight) for weight in weights])
        return np.int32(0)

    def make_and_watch(settings: Any, rates: Any) -> Any:
        optimizer = make(settings, rates)
        update, apply = optimizer.update_step, optimizer.apply
        used: list[Any] = []

        def noting_update(gradient: Any, variable: Any, learning_rate: Any) -> None:
            used[:] = [tf.identity(learning_rate)]
            update(gradient, variable, learning_rate)

        def noting_apply(gradients: Any, trainable_variables: Any = None) -> None:
            apply(gradients, trainable_variables)
            values = [tf.identity(variable.value) for variable in optimizer._trainable_variables]
            tf.numpy_function(note, [*used, *values], tf.int32, stateful=True)

        optimizer.update_step, optimizer.apply = noting_update, noting_apply
        return optimizer

    patch.setattr(fit_module, "make_optimizer", make_and_watch)
    return steps


class Steered(Feed):
    """A validation feed whose labels follow the epochs of a training feed: `right` of them are the model's answers."""

    def steer(self, model: Any, training: Feed, right: Sequence[int]) -> "Steered":
        answers = np.asarray(model.predict_on_batch(self.examples.pixels)).argmax(axis=1).astype(np.int32)
        first = np.arange(len(answers))
        self._labels = [np.where(first < count, answers, (answers + 1) % 3) for count in right]
        self._training = training
        return self

    def batch(self, index: int) -> tuple[Any, ...]:
        assert len(self) == 1
        return self.examples.pixels, self._labels[self._training.epoch]


SMALL = """\
data:
  train: {photos}
  validation: 0.2
  test: 0.2
  image: {{size: 12}}
model:
  - conv2d: {{filters: 4, kernel_size: 3, strides: 2, activation: relu}}
  - flatten
train:
  epochs: 2
  batch_size: 8
  precision: float32
  device: cpu
"""


def train_here(
    text: str,
    *assignments: str,
    output: Path | None = None,
    watcher: Listener | None = None,
    resume: bool = False,
) -> Trained:
    """`cnnctl train` of a config's text in the current folder, in this process.

    Args:
        text: The config.
        assignments: As of --set.
        output: As of --output.
        watcher: Hears of it; may stop it at the end of an epoch.
        resume: As of --resume.
    """
    Path("small.yaml").write_text(text)
    watcher = watcher or Listener()
    loaded = parse_config(Path("small.yaml"), assignments)
    request = TrainRequest(loaded, output, resume, False, ["cnnctl"], 0.0)
    with captured_stderr() as capture:
        trained = train(request, watcher, capture, watcher.interrupts)
    assert isinstance(trained, Trained)
    return trained


def uncalibrated_loss(run: Run) -> float:
    """The cross-entropy of the validation images that model.onnx gives, its logits times the temperature again."""
    classifier = load_classifier(run)
    paths, labels = run.read_split("validation")
    chances = np.stack([answer.probabilities for answer in classify(classifier, paths, top=1)]).astype(float)
    logits = np.log(np.clip(chances, 1e-30, 1)) * run.read_metrics()["calibration"]["temperature"]
    own = logits[np.arange(len(labels)), [classifier.classes.index(label) for label in labels]]
    return float((np.log(np.exp(logits).sum(axis=1)) - own).mean())
