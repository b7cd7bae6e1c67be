"""The whole of a training: checked config and images in, a complete run directory out."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from cnnctl.checks import Findings
from cnnctl.config import Config
from cnnctl.config.dump import to_plain, to_yaml
from cnnctl.data.cache.decoded import contents_hash
from cnnctl.data.catalog import Catalog, image_spec
from cnnctl.data.split import VALIDATION
from cnnctl.errors import EXIT_INTERRUPTED, DiskError, InterruptedTrainingError, MachineError
from cnnctl.evaluation.evaluate import Evaluation
from cnnctl.evaluation.plots.write import write_curves
from cnnctl.models.backend import TENSORFLOW, KerasImport, title
from cnnctl.models.build import build_network
from cnnctl.models.devices import Device, choose_device
from cnnctl.models.save import Parity
from cnnctl.runs import Run, create_run
from cnnctl.runs.directory import mark_latest, own
from cnnctl.system import files
from cnnctl.system.interrupts import Interrupts
from cnnctl.system.locks import Lock
from cnnctl.system.stderr import Capture
from cnnctl.system.watcher import Watcher
from cnnctl.tracking.events import RunStarted
from cnnctl.tracking.tracker import finished, make_trackers
from cnnctl.training.callbacks import Record
from cnnctl.training.checkpointing import Commits
from cnnctl.training.environment import write_environment
from cnnctl.training.finish import export_and_score, save_best
from cnnctl.training.inputs import make_feeds, scaling_of, split_rows
from cnnctl.training.learn import Network, interruption_message, learn
from cnnctl.training.request import Task
from cnnctl.training.resume import Digests, insist_on_data, listing_hash, write_digests
from cnnctl.training.warm_start import describe_taken, read_start, take_weights

if TYPE_CHECKING:
    import pandas as pd


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


def train(
    task: Task,
    findings: Findings,
    keras_import: KerasImport,
    watcher: Watcher,
    capture: Capture,
    interrupts: Interrupts | None = None,
) -> Trained:
    """Train what was checked.

    Args:
        task: What is wanted.
        findings: Of checks.check, without problems, with the images decoded.
        keras_import: Under way since before the images were decoded.
        watcher: Hears how it goes.
        capture: Holds descriptor 2; moved into the run's log.txt.
        interrupts: The signals of the process.

    Raises:
        MachineError: no such device, memory ran out, or the run cannot be written.
        DataError: the images are not those of the run to resume.
        DivergedError: the loss became NaN or infinite; the best weights before are in the run.
        InterruptedTrainingError: by a signal.
    """
    assert findings.plan is not None
    assert findings.catalog is not None
    assert findings.decoded is not None
    plan, catalog, decoded = findings.plan, findings.catalog, findings.decoded
    interrupts = interrupts or Interrupts()
    watcher.busy(f"loading {title(keras_import.backend)}")
    keras_import.wait()
    device = _choose_device(task.config, keras_import.backend, watcher)
    digests = decoded.digests[catalog.frame.index.to_numpy()]
    if task.begin is not None:
        assert task.taken_up is not None
        insist_on_data(task.taken_up.run, task.begin, catalog, digests)
    scaling = scaling_of(task.config, catalog, decoded)
    model = build_network(plan, scaling, device.precision, task.config.seed, trains=True)
    config = _begin_weights(task, model, catalog.classes, watcher)
    run, lock = _take_run(task)
    record = Record(monitor=config.train.best if VALIDATION in set(catalog.frame.split) else None)
    record.committed = task.begin.epoch if task.begin is not None else 0
    trackers = make_trackers(config.train.loggers, watcher.note)
    try:
        with trackers.ending_on_error():
            interrupts.farewell = f"left at once; resume with: {task.resume_line(run)}"
            _write_inputs(run, config, catalog, digests)
            with files.writing(run.log):
                capture.attach(run.log)
            about = _about(task, config, device, keras_import.backend, listing_hash(catalog, digests))
            splits = split_rows(catalog)
            data_hash = contents_hash(digests, catalog.frame.label.tolist())
            classes = catalog.classes
            findings.catalog = None  # split.csv has the names: in memory they would grow with the number of images
            del catalog
            trackers.begin(RunStarted(run, config, task.begin.state["history"] if task.begin else (), about["machine"]))
            training, validation = make_feeds(config, classes, splits, decoded)
            network = Network(model, plan, scaling, device)
            commits = Commits(run, about, task.begin, trackers)
            learn(network, config, training, validation, record, watcher, commits, interrupts)
            seconds = time.perf_counter() - task.begun
            watcher.busy("exporting and evaluating")
            bare = save_best(run, plan, scaling, record)
            evaluation, parity = export_and_score(run, bare, image_spec(config.data.image), splits, decoded)
            write_curves(run, record.best_epoch, config.train.epochs)
            trackers.end(finished(run, run.read_metrics(), record.best_epoch))
            write_environment(run, config, data_hash, device, keras_import.backend, record, training, task, seconds)
        try:
            mark_latest(run)
        except MachineError as error:
            watcher.note(f"warning: {error.message}")
        return Trained(run, evaluation, record, parity, time.perf_counter() - task.begun)
    except KeyboardInterrupt as stop:
        what = interruption_message(run, config, record, plan, scaling)
        code = getattr(stop, "exit_code", EXIT_INTERRUPTED)
        raise InterruptedTrainingError(what, f"resume with: {task.resume_line(run)}", code) from None
    except DiskError as error:
        raise DiskError(error.message, f"{error.hint}; then resume with: {task.resume_line(run)}") from None
    finally:
        lock.release(remove=True)


def _choose_device(config: Config, backend: str, watcher: Watcher) -> Device:
    device = choose_device(config.train.device, config.train.precision, config.deterministic, backend)
    watcher.note(f"device: {device.name}, by {title(backend)}")
    watcher.note(f"precision: {device.precision} ({device.reason})")
    if device.deterministic and backend == TENSORFLOW:
        import tensorflow as tf

        tf.config.experimental.enable_op_determinism()
    return device


def _begin_weights(task: Task, model: Any, classes: Sequence[str], watcher: Watcher) -> Config:
    """Give the model the weights of train.initial_weights; the config, naming the file that they came from."""
    config = task.config
    if config.train.initial_weights is None:
        return config
    if task.begin is not None:
        source = str(task.begin.state["start"])
    else:
        start = read_start(config.train.initial_weights)
        watcher.note(describe_taken(start, take_weights(model, start, classes)))
        source = str(start.source)  # runs/NAME may mean a newer run tomorrow
    return config.model_copy(update={"train": config.train.model_copy(update={"initial_weights": source})})


def _take_run(task: Task) -> tuple[Run, Lock]:
    if task.taken_up is not None:
        return task.taken_up.run, task.taken_up.lock
    run = create_run(task.config.name or "run", task.output)
    return run, own(run)


def _about(task: Task, config: Config, device: Device, backend: str, data: str) -> dict[str, Any]:
    """What a resume must agree with, or is told about."""
    return {
        "config": to_plain(task.config),
        "start": config.train.initial_weights,
        "data": data,
        "machine": {"backend": backend, "device": device.name, "precision": device.precision},
    }


def _write_inputs(run: Run, config: Config, catalog: Catalog, digests: Digests) -> None:
    files.write_json(run.classes, list(catalog.classes))  # the first: by it a folder is known as a run
    files.write_text(run.config, to_yaml(config))
    frame: pd.DataFrame = catalog.frame
    files.write_csv(run.split, ("path", "label", "split"), frame[["path", "label", "split"]].itertuples(index=False))
    write_digests(run, digests)
