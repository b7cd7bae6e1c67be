"""A training, as `cnnctl train` and the Python API ask for it: a config and images in, a complete run directory out."""

import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from cnnctl.architecture import Plan
from cnnctl.architecture.cost import largest_step_bytes
from cnnctl.checks import Findings, check
from cnnctl.config import Config
from cnnctl.config.dump import to_plain, to_yaml
from cnnctl.data.cache.decoded import contents_hash
from cnnctl.data.catalog import Catalog
from cnnctl.data.listing import describe_left_out
from cnnctl.data.prepare import Prepared, prepare
from cnnctl.data.sharing import Sharer
from cnnctl.data.split import VALIDATION
from cnnctl.errors import ConfigError, MachineError
from cnnctl.evaluation.evaluate import Evaluation
from cnnctl.evaluation.plots.write import write_curves
from cnnctl.formatting import size, visible
from cnnctl.inference.latency import median_latency
from cnnctl.inference.model import load_classifier
from cnnctl.layers.notation import format_shape
from cnnctl.models.backend import TENSORFLOW, KerasImport, title
from cnnctl.models.devices import Device, choose_device, described, exact_float32
from cnnctl.models.distribution import distribute, stop_distributing
from cnnctl.models.processes import gather
from cnnctl.models.save import Parity
from cnnctl.models.shares import insist_on_even_batches, insist_on_shares
from cnnctl.models.together import helping, joined
from cnnctl.models.warm_start import describe_taken, read_start, take_weights
from cnnctl.runs import Run, create_run
from cnnctl.runs.checkpoints import Checkpoint
from cnnctl.runs.directory import mark_latest, own, refuse_occupied
from cnnctl.system.allocator import keep_freed_memory
from cnnctl.system.interrupts import Interrupts
from cnnctl.system.loudness import lap
from cnnctl.system.stderr import Capture
from cnnctl.system.watcher import Watcher
from cnnctl.tracking.events import RunStarted
from cnnctl.tracking.tracker import finished, make_trackers
from cnnctl.training.finish import export_and_score, resumable, write_environment
from cnnctl.training.fit import fit
from cnnctl.training.network import Network, build, insist_on_weights, with_stem
from cnnctl.training.record import TrainingRecord
from cnnctl.training.request import TrainRequest
from cnnctl.training.resume import ResumedRun, common_facts, insist_on_data, listing_hash, take_up, write_digests


@dataclass(frozen=True)
class Trained:
    """What a training leaves behind.

    `evaluation` is of the test split, else of the validation split, else of the training images. `parity` says how far
    model.onnx is from model.keras. `seconds` are from the start of the command. `trackers` says how to look at what
    each tracker recorded, by its name.
    """

    run: Run
    evaluation: Evaluation
    record: TrainingRecord
    parity: Parity
    seconds: float
    trackers: Mapping[str, str]


@dataclass(frozen=True)
class Complete:
    """A run that was to be resumed, and of which nothing was left to train."""

    run: Run


@dataclass(frozen=True)
class Helped:
    """A process of a training in several, of which process 0 has the run."""


def train(
    request: TrainRequest, watcher: Watcher, capture: Capture, interrupts: Interrupts
) -> Trained | Complete | Helped:
    """Check, train and evaluate what is asked for.

    `capture` holds descriptor 2 and is moved into the run's log.txt. A process that helps another one does the same
    work up to the last epoch, in a scratch folder.

    Raises:
        ConfigError: with every mistake of the config and of its data; nothing was written.
        UsageError: the run directory is in use for something else, or the run is of another config.
        MachineError: no such device, memory ran out, the run cannot be written, or another process of the training
            ended.
        DataError: the images are not those of the run to resume.
        DivergedError: the loss became NaN or infinite; the best weights before are in the run.
        InterruptedTrainingError: by a signal.
    """
    findings = _check(request)
    lap("checking the config and listing the images")
    config, plan = request.config, findings.plan
    assert plan is not None
    with ExitStack() as stack:
        resumed = _take_up(request, watcher, stack)
        if resumed is not None and resumed.is_complete:
            _mark_latest(request, resumed.run, watcher)
            return Complete(resumed.run)
        checkpoint = resumed.checkpoint if resumed is not None else None

        # Prepare the images, while Keras is imported.
        _describe_data(findings.catalog, watcher)
        keep_freed_memory()
        together = None
        if request.cluster is not None and request.output is not None:
            line = request.resume_line(Run(request.output))
            together = stack.enter_context(joined(request.cluster, line, capture.terminal))
        keras_import = KerasImport(config.train, config.deterministic is True, request.cluster)
        if together is None:
            stack.callback(keras_import.join)
        device = None
        if together is not None and config.data.keep == "parts":
            device = _choose_device(request, plan, keras_import, watcher, capture)  # first: it knows who keeps what
        prepared = _prepare(request, findings, watcher, _sharer(config, device))
        lap("decoding the images")
        del findings  # it has the names of all images

        # Build the network.
        device = device or _choose_device(request, plan, keras_import, watcher, capture)
        lap("importing Keras, beside the decoding,")
        insist_on_shares(request.loaded, prepared, device)
        if together is not None:
            together.agree(common_facts(config, device, prepared, checkpoint))
        distribute(device)
        stack.callback(stop_distributing)
        if resumed is not None and checkpoint is not None:
            insist_on_data(resumed.run, checkpoint, prepared)
        network = build(config, plan, prepared, device, watcher, is_new=checkpoint is None)
        config = _initial_weights(config, checkpoint, network, prepared.classes, watcher)
        network = with_stem(network)
        if resumed is not None and checkpoint is not None:
            insist_on_weights(resumed.run, checkpoint, network)
        lap("building the network")

        # Begin the run: what it is made from is written, and a training that stops from here on can be resumed.
        facts = _facts(request, config, network, keras_import.backend, prepared)
        run = together.scratch if together is not None else None
        run = run or (resumed.run if resumed is not None else _create_run(request, stack))
        monitor = config.train.best if prepared.split(VALIDATION) is not None else None
        trackers = make_trackers(config.train.loggers if request.is_first else (), watcher.note)
        record = TrainingRecord(run, monitor, facts, checkpoint, trackers)
        line = request.resume_line(request.output_of(run))
        stack.enter_context(
            resumable(record, network, config.train.all_epochs, line) if request.is_first else helping(line)
        )
        stack.enter_context(trackers.ending_on_error())
        stack.enter_context(interrupts.leaving_with(f"exited at once; resume with: {line}"))
        _write_inputs(run, config, prepared)
        with run.appending(run.log) as log:
            capture.attach(log)
        data_hash = contents_hash(prepared.digests, prepared.label_names())
        prepared = replace(prepared, paths=())  # split.csv has them; in memory they would grow with the images
        trackers.begin(RunStarted(run, config, list(record.history), facts["machine"]))

        # Fit.
        waited = fit(network, config, prepared, record, watcher, interrupts, together)
        until_trained = time.perf_counter() - request.begun
        lap("training")
        if together is not None and not request.is_first:
            together.end()
            return Helped()

        # Keep the best weights, export them and judge them.
        watcher.busy("exporting and evaluating")
        with exact_float32(keras_import.backend):
            evaluation, parity = export_and_score(record, network, config, prepared, watcher, interrupts)
        write_curves(run, record.best_epoch, config.train.all_epochs)
        trackers.end(finished(run, run.read_metrics(), record.best_epoch))
        latency = _latency(config, run, watcher) if parity.written else None
        write_environment(request, config, network, record, data_hash, until_trained, waited, latency)
        _mark_latest(request, run, watcher)
        if together is not None:
            together.end()
        seconds = time.perf_counter() - request.begun
        return Trained(run, evaluation, record, parity, seconds, trackers.how_to_look())


def _latency(config: Config, run: Run, watcher: Watcher) -> float:
    """Milliseconds of model.onnx for one image; that they are more than the budget is told."""
    latency = median_latency(load_classifier(run, threads=1))
    most = config.budget.latency_ms if config.budget is not None else None
    if most is not None and latency > most:
        watcher.note(f"warning: model.onnx takes {latency:.3g} ms for an image; the budget is {most:g} ms")
    return latency


def _check(request: TrainRequest) -> Findings:
    """What the config says, and the images that it names, without problems; not yet decoded."""
    if request.output is not None and not request.resume:
        refuse_occupied(request.output)
    elif request.output is not None:
        Run(request.output).refuse_links(deep=True)
    findings = check(request.loaded, lambda done, total: None, decode=False)
    findings.raise_if_problems()
    processes = 1 if request.cluster is None else request.cluster.processes
    if request.devices is not None and processes is not None:  # else JAX knows how many there are
        insist_on_even_batches(request.loaded, request.devices, processes)
    return findings


def _take_up(request: TrainRequest, watcher: Watcher, stack: ExitStack) -> ResumedRun | None:
    """The run to resume, ours until the stack unwinds; None where a new one is begun."""
    if not request.resume or request.output is None:
        return None
    resumed = take_up(request.output, request.config, watcher.note, request.is_first)
    if resumed is not None and resumed.lock is not None:
        stack.callback(resumed.lock.release, remove=True)
    return resumed


def _create_run(request: TrainRequest, stack: ExitStack) -> Run:
    """A new run, ours until the stack unwinds."""
    run = create_run(request.config.name or "run", request.output)
    stack.callback(own(run).release, remove=True)
    return run


def _sharer(config: Config, device: Device | None) -> Sharer | None:
    """This process among those that keep their parts of the images; None where each keeps all."""
    if config.data.keep == "all":
        return None
    return Sharer(config.seed) if device is None else Sharer(config.seed, device.process, device.processes, gather)


def _prepare(request: TrainRequest, findings: Findings, watcher: Watcher, sharer: Sharer | None) -> Prepared:
    """The images, decoded; what is odd about them and about the network is told."""
    config, plan, catalog = request.config, findings.plan, findings.catalog
    assert plan is not None
    assert catalog is not None
    waiting = partial(watcher.busy, "another process is decoding these images; waiting for it")
    progress = partial(watcher.progress, "decoding")
    prepared = prepare(config.data, catalog, progress, waiting, request.strict, sharer=sharer)
    if prepared.problems:
        raise ConfigError(prepared.problems)

    for warning in (*findings.warnings, *prepared.warnings):
        between = "\n  hint: " if "\n" in warning.message else "; "
        watcher.note(f"warning: {warning.message}{between}{warning.hint}")
    _describe_network(config, plan, watcher)
    return prepared


def _describe_data(catalog: Catalog | None, watcher: Watcher) -> None:
    assert catalog is not None
    totals = catalog.totals()
    for split, counts in catalog.counts().items():
        each = ", ".join(f"{name} {count:,}" for name, count in counts.items())
        if len(counts) > 12:
            each = f"{min(counts.values()):,} to {max(counts.values()):,} each"
        watcher.note(f"{split}: {totals[split]:,} images of {len(counts)} classes ({each})")
    left_out = describe_left_out(catalog.left_out)
    if left_out:
        watcher.note(left_out)


def _describe_network(config: Config, plan: Plan, watcher: Watcher) -> None:
    memory = largest_step_bytes(plan, config.train)
    watcher.note(
        f"network: {len(plan.layers)} layers, {plan.total_params:,} parameters, {plan.multiply_adds:,} multiply-adds "
        f"an image of {format_shape(plan.input_shape)}, about {size(memory)} a training step"
    )


def _choose_device(
    request: TrainRequest, plan: Plan, keras_import: KerasImport, watcher: Watcher, capture: Capture
) -> Device:
    """The device that trains, once Keras is there; what a failed import printed is shown."""
    backend = keras_import.backend
    watcher.busy(f"loading {title(backend)}")
    try:
        keras_import.wait()
    except MachineError as error:
        if isinstance(error.__cause__, ImportError):
            print(visible(capture.text()), file=capture.terminal, end="")
        raise

    config = request.config
    wanted, precision = config.train.device, config.train.precision
    device = choose_device(wanted, precision, config.deterministic, backend, plan.has_depthwise, request.devices)
    watcher.note(f"device: {described(device)}, by {title(backend)}")
    if device.idle and backend == TENSORFLOW:
        watcher.note(f"{device.idle + 1} GPUs are there and one is used: train.backend: jax uses all of them")
    watcher.note(f"precision: {device.precision} ({device.reason})")
    if device.deterministic and backend == TENSORFLOW:
        import tensorflow as tf

        tf.config.experimental.enable_op_determinism()
    return device


def _initial_weights(
    config: Config, checkpoint: Checkpoint | None, network: Network, classes: Sequence[str], watcher: Watcher
) -> Config:
    """Give the network the weights of train.initial_weights; the config, naming the file that they came from."""
    if config.train.initial_weights is None:
        return config
    source = config.train.initial_weights if checkpoint is None else str(checkpoint.state["start"])
    if checkpoint is None or network.plan.frozen:  # else the checkpoint has all weights
        start = read_start(source)
        taken = take_weights(network.model, start, classes)
        source = str(start.source)  # runs/NAME may mean a newer run tomorrow
        if checkpoint is None:
            watcher.note(describe_taken(start, taken))
    return config.model_copy(update={"train": config.train.model_copy(update={"initial_weights": source})})


def _facts(request: TrainRequest, config: Config, network: Network, backend: str, prepared: Prepared) -> dict[str, Any]:
    """What a resume must agree with, or is told about."""
    device = network.device
    return {
        "config": to_plain(request.config),
        "start": config.train.initial_weights,
        "data": listing_hash(prepared),
        **network.facts(),
        "machine": {
            "backend": backend,
            "device": device.name,
            "precision": device.precision,
            "devices": str(device.total),
        },
    }


def _write_inputs(run: Run, config: Config, prepared: Prepared) -> None:
    run.write_json(run.classes, list(prepared.classes))  # the first: by it a folder is known as a run
    run.write_text(run.config, to_yaml(config))
    run.write_csv(run.split, ("path", "label", "split"), prepared.listing())
    write_digests(run, prepared.digests)


def _mark_latest(request: TrainRequest, run: Run, watcher: Watcher) -> None:
    try:
        if request.is_alone and request.is_first:
            mark_latest(run)
    except MachineError as error:
        watcher.note(f"warning: {error.message}")
