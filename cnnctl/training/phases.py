"""The phases of a training. Most have one; a head on a frozen stem is trained alone, and then with its backbone."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from cnnctl.architecture import Plan
from cnnctl.architecture.planner import with_trained_backbone
from cnnctl.config import Config
from cnnctl.config.training import FineTune, TrainSettings
from cnnctl.data.prepare import Prepared
from cnnctl.system.interrupts import Interrupts
from cnnctl.system.watcher import Watcher
from cnnctl.training.checkpointing import restore_model
from cnnctl.training.features import compute_features
from cnnctl.training.feeding import Feeds, make_feeds
from cnnctl.training.network import Network
from cnnctl.training.record import FINE_TUNE, HEAD, TrainingRecord
from cnnctl.training.resume import is_trained, phase_of


@dataclass(frozen=True)
class Phase:
    """Epochs that are trained alike.

    Attributes:
        name: HEAD, FINE_TUNE, or None for the only phase of a training.
        model: What is trained: a Keras model.
        plan: The whole network, for its memory.
        multiply_adds: Of one image in the model.
        settings: How; `epochs` are those of the phase.
        feeds: Its batches.
        begin: The epochs before it.
        all_epochs: The epochs in all, as far as they are planned.
    """

    name: str | None
    model: Any
    plan: Plan
    multiply_adds: int
    settings: TrainSettings
    feeds: Feeds
    begin: int
    all_epochs: int


def phases(
    network: Network,
    config: Config,
    prepared: Prepared,
    record: TrainingRecord,
    watcher: Watcher,
    interrupts: Interrupts,
) -> Iterator[Phase]:
    """The phases that are left of a training, each made once the one before is over.

    Raises:
        MachineError: features cannot be kept.
        Interrupt: a signal came in.
    """
    train, begin, plan = config.train, record.begin, network.plan
    if begin is not None and is_trained(begin, train):
        return
    if network.stem is None:
        feeds = make_feeds(config, prepared, network.device)
        yield Phase(None, network.model, plan, plan.multiply_adds, train, feeds, 0, train.epochs)
        return

    if begin is None or not _is_head_trained(record, train):
        features = compute_features(network, prepared, watcher, interrupts)
        work = plan.multiply_adds - sum(row.multiply_adds for row in plan.frozen)
        feeds = make_feeds(config, prepared, network.device, features)
        yield Phase(HEAD, network.stem.head, plan, work, train, feeds, 0, train.all_epochs)
    if train.fine_tune is not None:
        yield _fine_tune(network, config, prepared, record, train.fine_tune, watcher)


def _is_head_trained(record: TrainingRecord, train: TrainSettings) -> bool:
    assert record.begin is not None
    return phase_of(record.begin) == FINE_TUNE or record.stopped or record.committed >= train.epochs


def _fine_tune(
    network: Network, config: Config, prepared: Prepared, record: TrainingRecord, chosen: FineTune, watcher: Watcher
) -> Phase:
    """The second phase: from the best head, or from where it was interrupted."""
    stem, begin, train = network.stem, record.begin, config.train
    assert stem is not None
    if begin is not None and phase_of(begin) == FINE_TUNE:
        before = int(begin.state["phase_begin"])
    else:
        before = record.committed
        if begin is not None and record.committed == begin.epoch:  # what is random goes on where it was
            restore_model(record.run, begin, stem.head)
        stem.head.set_weights(record.best_weights)
    total = before + chosen.epochs
    record.begin_phase(total)

    backbone = network.model.get_layer(network.plan.layers[0].name)
    backbone.trainable = True
    layers = backbone.layers
    count = len(layers) if chosen.layers == "all" else min(chosen.layers, len(layers))
    for layer in layers[: len(layers) - count]:
        layer.trainable = False
    watcher.note(_described(record, before, chosen))

    settings = train.second_phase
    assert settings is not None
    plan = with_trained_backbone(network.plan)
    feeds = make_feeds(config, prepared, network.device)
    return Phase(FINE_TUNE, network.model, plan, plan.multiply_adds, settings, feeds, before, total)


def _described(record: TrainingRecord, before: int, chosen: FineTune) -> str:
    layers = "all layers" if chosen.layers == "all" else f"the last {chosen.layers:,} layers of the backbone"
    since = f"from epoch {record.best_epoch}" if record.committed == before else f"since epoch {before + 1}"
    return f"fine-tuning {layers}, {chosen.epochs} epoch{'s' if chosen.epochs > 1 else ''}, {since}"
