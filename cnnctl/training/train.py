"""The whole of a training: checked config and images in, a complete run directory out."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from cnnctl.architecture import Plan
from cnnctl.checks import Findings
from cnnctl.config import Config
from cnnctl.config.dump import to_yaml
from cnnctl.data.augment import augmenter
from cnnctl.data.cache import Decoded, contents_hash
from cnnctl.data.catalog import Catalog, image_spec
from cnnctl.data.split import SPLITS, TEST, TRAIN, VALIDATION
from cnnctl.errors import CnnctlError, DivergedError
from cnnctl.evaluation.evaluate import Evaluation, record
from cnnctl.inference.model import load_classifier
from cnnctl.quiet import Capture
from cnnctl.runs import Run, create_run, files
from cnnctl.runs.directory import mark_latest
from cnnctl.training.backend import TENSORFLOW, KerasImport, title
from cnnctl.training.callbacks import Record
from cnnctl.training.devices import FLOAT32, choose_device
from cnnctl.training.environment import write_environment
from cnnctl.training.export import Parity, save_keras, save_onnx
from cnnctl.training.feeding import Examples, Feed, channel_statistics
from cnnctl.training.fit import fit
from cnnctl.training.memory import is_out_of_memory, memory_error, total_memory
from cnnctl.training.network import SYMMETRIC, UNIT, Scaling, build_network
from cnnctl.training.objective import class_weights, make_objective
from cnnctl.training.progress import Watcher
from cnnctl.training.start import describe_taken, read_start, take_weights

if TYPE_CHECKING:
    import pandas as pd

_PREDICTION_BATCH = 256


@dataclass(frozen=True)
class Trained:
    """What a training leaves behind.

    Attributes:
        run: The complete run.
        evaluation: Of its test split, else of its validation split, else of its training images.
        record: Its history and best epoch.
        parity: How far model.onnx is from model.keras.
        seconds: From the start of the command.
    """

    run: Run
    evaluation: Evaluation
    record: Record
    parity: Parity
    seconds: float


class InterruptedTrainingError(CnnctlError):
    """Ctrl-C during training; the message says what was kept."""

    exit_code = 130


def train(
    config: Config,
    findings: Findings,
    output: Path | None,
    command: Sequence[str],
    keras_import: KerasImport,
    watcher: Watcher,
    capture: Capture,
    begun: float,
) -> Trained:
    """Train what was checked.

    Args:
        config: The config, its paths absolute.
        findings: Of checks.check, without problems, with the images decoded.
        output: The run directory; None for the next number under runs/.
        command: The command line, for the record.
        keras_import: Under way since before the images were decoded.
        watcher: Hears how it goes.
        capture: Holds descriptor 2; moved into the run's log.txt.
        begun: time.perf_counter() at the start of the command.

    Raises:
        MachineError: no such device, memory ran out, or the run cannot be written.
        DivergedError: the loss became no number; the best weights before are in the run.
        InterruptedTrainingError: by Ctrl-C.
    """
    assert findings.plan is not None
    assert findings.catalog is not None
    assert findings.decoded is not None
    plan, catalog, decoded = findings.plan, findings.catalog, findings.decoded
    watcher.busy(f"loading {title(keras_import.backend)}")
    keras_import.wait()
    device = choose_device(config.train.device, config.train.precision, config.deterministic, keras_import.backend)
    watcher.note(f"device: {device.name}, by {title(keras_import.backend)}")
    watcher.note(f"precision: {device.precision} ({device.reason})")
    scaling = _scaling(config, catalog, decoded)
    if device.deterministic and keras_import.backend == TENSORFLOW:
        import tensorflow as tf

        tf.config.experimental.enable_op_determinism()
    model = build_network(plan, scaling, device.precision, config.seed, trains=True)
    if config.train.initial_weights is not None:
        start = read_start(config.train.initial_weights)
        begun_from = config.train.model_copy(update={"initial_weights": str(start.source)})
        config = config.model_copy(update={"train": begun_from})  # runs/NAME may mean a newer run tomorrow
        watcher.note(describe_taken(start, take_weights(model, start, catalog.classes)))
    run = create_run(config.name or "run", output)
    capture.attach(run.log)
    _write_inputs(run, config, catalog)
    splits = _splits(catalog)
    data_hash = contents_hash(decoded.digests[catalog.frame.index.to_numpy()], catalog.frame.label.tolist())
    classes = catalog.classes
    findings.catalog = None  # split.csv has the names: in memory they would grow with the number of images
    del catalog
    training, validation = _feeds(config, classes, splits, decoded)
    watcher.note(f"training {len(training.examples):,} images, {config.train.epochs} epochs, into {run.path}")
    try:
        history = _fit(model, config, training, validation, run, watcher, plan, scaling)
    except Exception as error:
        if not is_out_of_memory(error):
            raise
        size = 4 if device.precision == FLOAT32 else 2
        raise memory_error(plan, config.train, total_memory(device.kind), size) from error
    seconds = time.perf_counter() - begun
    watcher.busy("exporting and evaluating")
    bare = _bare_network(plan, scaling, history)
    save_keras(bare, run)
    split = next(name for name in (VALIDATION, TEST, TRAIN) if name in splits)
    rows = splits[split].rows
    parity, probabilities = save_onnx(bare, run, image_spec(config.data.image), classes, decoded.pixels, rows, split)
    evaluation = _evaluate(run, splits, decoded, bare, parity, probabilities)
    write_environment(run, config, data_hash, device, keras_import.backend, history, training, command, seconds, begun)
    mark_latest(run)
    return Trained(run, evaluation, history, parity, time.perf_counter() - begun)


def _fit(
    model: Any,
    config: Config,
    training: Feed,
    validation: Feed | None,
    run: Run,
    watcher: Watcher,
    plan: Plan,
    scaling: Scaling,
) -> Record:
    history = Record(monitor=config.train.best if validation is not None else None)
    try:
        fit(model, config, training, validation, run, watcher, history)
    except KeyboardInterrupt:
        number = min(len(history.history) + 1, config.train.epochs)
        message = f"interrupted in epoch {number} of {config.train.epochs}"
        if not history.best_epoch:
            raise InterruptedTrainingError(f"{message}, before the first was over: nothing was learned") from None
        raise InterruptedTrainingError(f"{message}; {_keep_best(run, plan, scaling, history)}") from None
    except DivergedError as error:
        if not history.best_epoch:
            raise
        raise DivergedError(f"{error.message}; {_keep_best(run, plan, scaling, history)}", error.hint) from None
    return history


def _keep_best(run: Run, plan: Plan, scaling: Scaling, history: Record) -> str:
    save_keras(_bare_network(plan, scaling, history), run)
    return f"the weights of epoch {history.best_epoch}, the best so far, are in {run.keras_model}"


def _bare_network(plan: Plan, scaling: Scaling, history: Record) -> Any:
    """The network that is saved: float32, with the best weights."""
    model = build_network(plan, scaling, "float32")
    model.set_weights(history.best_weights)
    return model


def _scaling(config: Config, catalog: Catalog, decoded: Decoded) -> Scaling:
    match config.data.image.scaling:
        case "unit":
            return UNIT
        case "symmetric":
            return SYMMETRIC
        case "standardize":
            mean, deviation = channel_statistics(decoded.pixels, _rows(catalog, TRAIN))
            scale = tuple(1 / value for value in deviation)
            return Scaling(scale, tuple(-m * s for m, s in zip(mean, scale, strict=True)))


def _rows(catalog: Catalog, split: str) -> NDArray[np.int64]:
    """The rows of the decoded images that belong to a split; the frame's index counts all images found."""
    return np.asarray(catalog.frame.index[catalog.frame.split == split], np.int64)


@dataclass(frozen=True)
class Split:
    """The images of one split: their rows in the decoded images, and their class numbers, both int64 (images,)."""

    rows: NDArray[np.int64]
    labels: NDArray[np.int64]


def _splits(catalog: Catalog) -> dict[str, Split]:
    """The splits that have images."""
    number = {name: index for index, name in enumerate(catalog.classes)}
    labels = np.asarray(catalog.frame.label.map(number), np.int64)
    found = {}
    for name in SPLITS:
        chosen = (catalog.frame.split == name).to_numpy()
        if chosen.any():
            found[name] = Split(np.asarray(catalog.frame.index[chosen], np.int64), labels[chosen])
    return found


def _feeds(
    config: Config, classes: Sequence[str], splits: dict[str, Split], decoded: Decoded
) -> tuple[Feed, Feed | None]:
    settings = config.train
    objective = make_objective(config, len(classes))

    def examples(split: Split, weighted: bool) -> Examples:
        weights = class_weights(settings.class_weight, classes, split.labels) if weighted else None
        return Examples(decoded.pixels, split.rows, split.labels, objective, weights)

    learned = examples(splits[TRAIN], weighted=True)
    vary = augmenter(config.augment, config.seed, learned.image, len(learned))
    training = Feed(learned, settings.batch_size, config.seed, vary)
    if VALIDATION not in splits:
        return training, None
    return training, Feed(examples(splits[VALIDATION], weighted=False), settings.batch_size)


def _evaluate(
    run: Run,
    splits: dict[str, Split],
    decoded: Decoded,
    model: Any,
    parity: Parity,
    compared: NDArray[np.float32],
) -> Evaluation:
    """Score validation and test, the last of them as the run's own figures, by model.onnx where it was kept."""
    files.write_json(run.metrics, {"onnx": parity.to_json()})
    scored = [split for split in (VALIDATION, TEST) if split in splits] or [TRAIN]
    classifier = load_classifier(run) if parity.written else None
    evaluation = None
    for split in scored:
        rows = splits[split].rows
        batches = (np.asarray(decoded.pixels[rows[at : at + _PREDICTION_BATCH]]) for at in _starts(rows))
        if classifier is not None:
            probabilities = np.concatenate([classifier.probabilities(batch) for batch in batches])
        elif split == parity.split:
            probabilities = compared
        else:
            from cnnctl.inference.model import expand

            probabilities = np.concatenate([expand(np.asarray(model.predict_on_batch(batch))) for batch in batches])
        paths, _ = run.read_split(split)
        evaluation = record(run, split, paths, splits[split].labels, probabilities, is_main=split == scored[-1])
    assert evaluation is not None
    return evaluation


def _starts(rows: NDArray[np.int64]) -> range:
    return range(0, len(rows), _PREDICTION_BATCH)


def _write_inputs(run: Run, config: Config, catalog: Catalog) -> None:
    files.write_text(run.config, to_yaml(config))
    files.write_json(run.classes, list(catalog.classes))
    frame: pd.DataFrame = catalog.frame
    files.write_csv(run.split, ("path", "label", "split"), frame[["path", "label", "split"]].itertuples(index=False))
