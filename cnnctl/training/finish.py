"""What comes after the fit: the best weights exported, compared and scored, and what the run was made with."""

import hashlib
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cnnctl.architecture.cost import images_at_once
from cnnctl.config import Config
from cnnctl.config.dump import to_yaml
from cnnctl.config.schema import views_of
from cnnctl.data.catalog import image_spec
from cnnctl.data.prepare import Prepared, Split
from cnnctl.data.split import TEST, TRAIN, VALIDATION
from cnnctl.errors import EXIT_INTERRUPTED, DiskError, InterruptedTrainingError
from cnnctl.evaluation.evaluate import Evaluation, save_evaluation, set_scores_for, thresholds_for
from cnnctl.evaluation.foreign import learn_familiar, with_threshold
from cnnctl.evaluation.score import ScoredSplit
from cnnctl.formatting import percent
from cnnctl.inference.model import Classifier, expand, load_classifier
from cnnctl.inference.thresholds import Thresholds
from cnnctl.models.backend import JAX
from cnnctl.models.build import build_network
from cnnctl.models.devices import FLOAT32
from cnnctl.models.machine import versions
from cnnctl.models.save import Answering, Parity, save_keras, save_onnx
from cnnctl.runs import Run
from cnnctl.system.cores import available_cores
from cnnctl.system.interrupts import Interrupts
from cnnctl.system.loudness import lap
from cnnctl.system.watcher import Watcher
from cnnctl.training.calibrate import calibrate
from cnnctl.training.features import compute_features
from cnnctl.training.network import Network, head_of, output_inputs
from cnnctl.training.record import TrainingRecord
from cnnctl.training.request import TrainRequest
from cnnctl.version import __version__

_NAMED = 5
"""Classes that are named."""


def _best(record: TrainingRecord, network: Network) -> Any:
    """The Keras model that is saved: in float32, with the best weights so far."""
    model = build_network(network.plan, network.scaling, "float32")
    model.set_weights(network.all_weights(record.best_weights))
    return model


def keep_best(record: TrainingRecord, network: Network) -> str:
    """Write the model.keras of a training that does not come to its end; what is said of it."""
    save_keras(_best(record, network), record.run)
    return f"the weights of epoch {record.best_epoch}, the best so far, are in {record.run.keras_model}"


@contextmanager
def resumable(record: TrainingRecord, network: Network, epochs: int, resume_line: str) -> Iterator[None]:
    """A block whose interruption, or want of disk space, is an error that says what was kept and how to resume."""
    try:
        yield
    except KeyboardInterrupt as stop:
        message = _interruption_message(record, network, epochs)
        code = getattr(stop, "exit_code", EXIT_INTERRUPTED)
        raise InterruptedTrainingError(message, f"resume with: {resume_line}", code) from None
    except DiskError as error:
        if not record.run.path.exists():
            raise
        raise DiskError(error.message, f"{error.hint}; then resume with: {resume_line}") from None


def _interruption_message(record: TrainingRecord, network: Network, epochs: int) -> str:
    """What an interruption leaves; the best weights so far go into model.keras."""
    epochs = record.all_epochs or epochs
    if record.stopped or record.committed >= epochs:
        return "interrupted after the last epoch, before the run was complete"
    message = f"interrupted in epoch {record.committed + 1} of {epochs}, which will be repeated"
    return f"{message}; {keep_best(record, network)}" if record.best_epoch else message


def export_and_score(
    record: TrainingRecord,
    network: Network,
    config: Config,
    prepared: Prepared,
    watcher: Watcher,
    interrupts: Interrupts,
) -> tuple[Evaluation, Parity]:
    """model.keras, model.onnx, metrics.json and what belongs to it, of a run that has its classes and its split."""
    model, run, spec = _best(record, network), record.run, image_spec(config.data.image)
    splits = {name: one for name in (VALIDATION, TEST, TRAIN) if (one := prepared.split(name)) is not None}
    name, compared = next(iter(splits.items()))
    calibrated = None
    head = head_of(network.plan, model) if _has_features(network, config) else None
    if config.train.calibrate == "temperature" and name == VALIDATION:
        asked, batches = model, _batches(prepared, compared)
        if head is not None:
            features = compute_features(network, prepared, watcher, interrupts, (name,))
            asked, batches = head, _batches(prepared, compared, features)
        calibrated = calibrate(asked, batches, compared.labels, name, config.test_time)
    save_keras(model, run)
    answering = Answering(model, network.plan, config.test_time)
    several = config.output.multi_label is not None
    made = save_onnx(answering, run, spec, run.read_classes(), prepared.pixels, compared.rows, name, several)
    about_model = {"onnx": made.parity.to_json(), **({"calibration": calibrated.to_json()} if calibrated else {})}
    run.write_json(run.metrics, about_model)
    lap("calibrating, and writing and comparing the models,")

    classifier = load_classifier(run) if made.parity.written else None
    share, unknown = config.train.unknown_share, None
    if classifier is not None and share is not None and name == VALIDATION:
        if head is not None:
            inputs = compute_features(network, prepared, watcher, interrupts, (TRAIN,))
            familiar = learn_familiar(prepared, inputs, partial(output_inputs, head), 0)
        else:
            work = network.plan.multiply_adds * views_of(config.test_time)
            familiar = learn_familiar(prepared, prepared.pixels, classifier.features, work)
        seen = map(classifier.features, _batches(prepared, compared)) if made.features is None else [made.features]
        foreign = np.concatenate([familiar.scores(features) for features in seen])
        familiar = with_threshold(familiar, foreign, share, name)
        run.write_json(run.unknown, familiar.to_json())
        run.write_json(run.metrics, {**about_model, "unknown": familiar.summary()})
        classifier = replace(classifier, familiar=familiar)
        unknown = foreign.astype(np.float64) > familiar.threshold

    lap("learning what unknown images are")
    evaluation, probabilities = None, made.probabilities
    scored = [split for split in (VALIDATION, TEST) if split in splits] or [TRAIN]
    for split in scored:
        if split != name:
            probabilities, unknown = _judged(answering, classifier, _batches(prepared, splits[split]))
        paths, _ = run.read_split(split)
        title, classes = f"{run.title}, {split} images", run.read_classes()
        scores, truth = set_scores_for(run, split), splits[split].labels
        thresholds = thresholds_for(run, config, split, probabilities, truth, classes) if several else None
        if several and split == VALIDATION:
            _tell_missed(run, watcher)
        of_split = ScoredSplit(title, classes, paths, truth, probabilities, spec, scores, unknown, thresholds)
        is_main = split == scored[-1]  # the run's own figures
        evaluation = save_evaluation(run, split, of_split, is_main, draws=is_main)
    assert evaluation is not None
    return evaluation, made.parity


def _tell_missed(run: Run, watcher: Watcher) -> None:
    """Which classes do not have the precision that the config asks for at any threshold."""
    found = Thresholds.from_json(run.read_json(run.thresholds), str(run.thresholds))
    missed = found.missed()
    if missed and found.precision is not None:
        named = ", ".join(missed[:_NAMED]) + (", ..." if len(missed) > _NAMED else "")
        what = f"no threshold gives a precision of {percent(found.precision)} on the validation images to"
        watcher.note(
            f"warning: {what} {len(missed)} of {len(found.classes)} classes: {named}; the most precise is taken"
        )


def _judged(
    network: Answering, classifier: Classifier | None, batches: Iterable[NDArray[np.uint8]]
) -> tuple[NDArray[np.float32], NDArray[np.bool_] | None]:
    """The probabilities of images, and which of them are unknown; by the Keras model where there is no other."""
    if classifier is None:
        return np.concatenate([expand(np.asarray(network.asked.predict_on_batch(batch))) for batch in batches]), None
    rows, foreign = zip(*(one for batch in batches for one in classifier.answers(batch)), strict=True)
    unknown = [one.is_unknown for one in foreign if one is not None]
    return np.stack(rows), np.array(unknown) if unknown else None


def _has_features(network: Network, config: Config) -> bool:
    """Whether what the saved network makes of an image up to its head was computed in the training."""
    is_head_alone = network.stem is not None and config.train.fine_tune is None
    return is_head_alone and network.device.precision == FLOAT32 and config.test_time is None


def _batches(prepared: Prepared, split: Split, inputs: NDArray[Any] | None = None) -> Iterator[NDArray[Any]]:
    """The images of a split, or other `inputs` of all images."""
    size = images_at_once(prepared.pixels.shape[1:])
    for start in range(0, len(split.rows), size):
        yield np.asarray((prepared.pixels if inputs is None else inputs)[split.rows[start : start + size]])


def write_environment(
    request: TrainRequest,
    config: Config,
    network: Network,
    record: TrainingRecord,
    data_hash: str,
    until_trained: float,
    waited: float,
    latency: float | None,
) -> None:
    """environment.json of a run: with what, on what, from what, and how long it took.

    `waiting_for_data` (`waited`) are the seconds in which a step waited for its batch; known on JAX, whose loop asks
    for batches one by one. Seconds are of the last command, which may have gone on from a checkpoint. `latency` are
    the milliseconds of model.onnx for one image, in one thread.
    """
    import keras

    device, backend = network.device, keras.backend.backend()
    total = time.perf_counter() - request.begun
    now = datetime.now(UTC)
    record.run.write_json(
        record.run.environment,
        {
            "cnnctl": __version__,
            "versions": versions(),
            "backend": backend,
            "device": {"kind": device.kind, "name": device.name},
            "devices": device.total,
            "processes": device.processes,
            "precision": {"policy": device.precision, "reason": device.reason},
            "deterministic": device.deterministic,
            "threads": available_cores(),
            "seed": config.seed,
            "command": list(request.command),
            "config_hash": hashlib.blake2b(to_yaml(config).encode(), digest_size=16).hexdigest(),
            "data_hash": data_hash,
            **({"backbone": network.weights_file.to_json()} if network.weights_file is not None else {}),
            "epochs": len(record.history),
            "best_epoch": record.best_epoch,
            "resumed_after_epoch": record.begin.epoch if record.begin is not None else None,
            "started": datetime.fromtimestamp(now.timestamp() - total, UTC).isoformat(timespec="seconds"),
            "finished": now.isoformat(timespec="seconds"),
            "latency_ms": round(latency, 3) if latency is not None else None,
            "seconds": {
                "until_trained": round(until_trained, 3),
                "total": round(total, 3),
                "waiting_for_data": round(waited, 3) if backend == JAX else None,
            },
        },
    )
