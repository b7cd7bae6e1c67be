"""Resuming a run: what must be as it was, and what may have changed."""

import hashlib
import json
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import ValidationError

from cnnctl.config import Config
from cnnctl.config.dump import leaves, to_plain
from cnnctl.config.training import TrainSettings
from cnnctl.data.prepare import Prepared
from cnnctl.errors import DataError, RunError, UsageError
from cnnctl.models.devices import Device
from cnnctl.models.machine import versions
from cnnctl.runs import Run
from cnnctl.runs.checkpoints import Checkpoint, newest
from cnnctl.runs.directory import is_begun, is_complete, own, sweep
from cnnctl.system.locks import Lock
from cnnctl.training.record import FINE_TUNE, HEAD
from cnnctl.version import __version__

_FREE = ("name", "data.cache", "train.loggers")
"""Settings that change nothing of what is learned."""

_TITLES = {"devices": "number of devices"}

_NAMED = 5
"""Images that are named of each kind of difference."""


@dataclass(frozen=True)
class ResumedRun:
    """A run to resume; `checkpoint` is the last, None where it was killed before the first.

    Its lock is ours, unless another process of the training has it.
    """

    run: Run
    lock: Lock | None
    checkpoint: Checkpoint | None
    is_complete: bool


def take_up(output: Path, config: Config, tell: Callable[[str], None], owns: bool = True) -> ResumedRun | None:
    """The run at `output`, to resume; None where there is none yet. The config may have more epochs.

    Unless this process `owns` it, it is only read.

    Raises:
        UsageError: something else lies there, or the config is another one.
        BusyError: another process works on it.
        RunError: its checkpoints are damaged, or it has none.
    """
    run = Run(output)
    if not is_begun(run):
        return None
    lock = own(run) if owns else None
    try:
        if owns:
            sweep(run)
        checkpoint = newest(run, tell)
        if checkpoint is not None:
            before = _normal_form(checkpoint.state["config"])
            _insist_on_config(run, before, to_plain(config), phase_of(checkpoint))
        elif is_complete(run):
            raise RunError(f"{run.path} is complete and has no checkpoints", "train again with another --output DIR")
        return ResumedRun(run, lock, checkpoint, _is_complete(run, checkpoint, config.train))
    except BaseException:
        if lock is not None:
            lock.release(remove=True)
        raise


def phase_of(checkpoint: Checkpoint) -> str | None:
    """The phase in which it was made; None for that of a training with one phase."""
    phase = checkpoint.state.get("phase")
    return None if phase is None else str(phase)


def all_epochs(checkpoint: Checkpoint, train: TrainSettings) -> int:
    """How many epochs there are to be in all; early stopping may have made the first phase shorter."""
    if phase_of(checkpoint) == FINE_TUNE and train.fine_tune is not None:
        return int(checkpoint.state["phase_begin"]) + train.fine_tune.epochs
    return train.all_epochs


def is_trained(checkpoint: Checkpoint, train: TrainSettings) -> bool:
    """Whether no epoch is left to train."""
    if phase_of(checkpoint) == HEAD and train.fine_tune is not None:
        return False
    return bool(checkpoint.state["stopped"]) or checkpoint.epoch >= all_epochs(checkpoint, train)


def machine_warnings(checkpoint: Checkpoint, machine: Mapping[str, str]) -> list[str]:
    """Why the weights may not be those of a training that was never interrupted."""
    # Checkpoints of older versions are of one device.
    before = {"devices": "1", **checkpoint.state["machine"]}
    return [
        f"the {_TITLES.get(what, what)} was {before[what]} and is {machine[what]}: "
        "the weights differ from an uninterrupted training's"
        for what in machine
        if before.get(what) != machine[what]
    ]


def _is_complete(run: Run, checkpoint: Checkpoint | None, train: TrainSettings) -> bool:
    """Whether all that was trained was evaluated: environment.json is written last."""
    if checkpoint is None or not is_trained(checkpoint, train):
        return False
    try:
        said = run.read_environment()
    except RunError:
        return False
    return is_complete(run) and said.get("epochs") == checkpoint.epoch


def _normal_form(config: Mapping[str, Any]) -> Mapping[str, Any]:
    """A config that an older version wrote as this one would write it: defaults that were null have become values."""
    try:
        return dict(to_plain(Config.model_validate(config)))
    except ValidationError:
        return config


def _insist_on_config(run: Run, before: Mapping[str, Any], now: Mapping[str, Any], phase: str | None) -> None:
    there, here = decisive(before), decisive(now)
    free = "train.fine_tune.epochs" if phase == FINE_TUNE else "train.epochs"
    if free in there and free in here and json.loads(here[free]) > json.loads(there[free]):
        there[free] = here[free]
    changed = [
        f"{path}: {there.get(path, 'not set')} there, {here.get(path, 'not set')} here"
        for path in {**there, **here}
        if there.get(path) != here.get(path)
    ]
    if changed:
        message = f"the config is not the one that {run.path} was trained with:\n  " + "\n  ".join(changed)
        hint = f"only {free} may be raised; to train with another config, choose another --output DIR"
        raise UsageError(message, hint)


def decisive(config: Mapping[str, Any]) -> dict[str, str]:
    """The leaves of a config that decide what is learned, as JSON."""
    written = ((path, json.dumps(value, ensure_ascii=False)) for path, value in leaves(config))
    return {path: value for path, value in written if path.partition("[")[0] not in _FREE}


def common_facts(
    config: Config, device: Device, prepared: Prepared, checkpoint: Checkpoint | None
) -> dict[str, str | int]:
    """What must be the same in all processes of a training, by its name."""
    settings = json.dumps(decisive(to_plain(config)), sort_keys=True)
    return {
        "version": json.dumps(versions(("keras", "jax", "jaxlib", "numpy")) | {"cnnctl": __version__}),
        "config": hashlib.blake2b(settings.encode(), digest_size=16).hexdigest(),
        "set of images": listing_hash(prepared),
        "last epoch in the run directory": 0 if checkpoint is None else checkpoint.epoch,
        "number of devices": device.count,
        "precision": device.precision,
    }


def listing_hash(prepared: Prepared) -> str:
    """A hash over every image in its order: path, label, split and contents."""
    state = hashlib.blake2b(digest_size=16)
    for row, digest in zip(prepared.listing(), prepared.digests, strict=True):
        state.update("\0".join(row).encode("utf-8", "surrogateescape") + b"\0" + digest.tobytes())
    return state.hexdigest()


def write_digests(run: Run, digests: NDArray[np.uint8]) -> None:
    """Keep what each image of split.csv held: uint8 (images, 16)."""
    run.write_bytes(run.digests, digests.tobytes())


def insist_on_data(run: Run, checkpoint: Checkpoint, prepared: Prepared) -> None:
    """Raises:
    DataError: the images, their labels or their splits are not those of the checkpoint; the differences are named.
    """
    if listing_hash(prepared) == checkpoint.state["data"]:
        return
    told = "\n  ".join(_differences(run, prepared)) or "their order"
    raise DataError(
        f"the images are not those that {run.path} was trained on:\n  {told}",
        "put them back, or train again with another --output DIR",
    )


def _differences(run: Run, prepared: Prepared) -> list[str]:
    """What a user can see of a difference: images that are new, gone, changed, or elsewhere."""
    digests, kept = prepared.digests, run.read_digests()
    before = [
        (row["path"], row["label"], row["split"])
        for row in run.read_rows(run.need(run.split), ("path", "label", "split"))
    ]
    there = {path: (label, split) for path, label, split in before}
    here = {path: (label, split) for path, label, split in prepared.listing()}
    lines = [
        _named("new", [path for path in here if path not in there]),
        _named("gone", [path for path in there if path not in here]),
        _named("of another class", [path for path in here if path in there and here[path][0] != there[path][0]]),
    ]
    if len(kept) == len(before):
        held = {path: digest for (path, _, _), digest in zip(before, kept, strict=True)}
        now = ((row[0], digest.tobytes()) for row, digest in zip(prepared.listing(), digests, strict=True))
        lines.append(_named("changed", [path for path, digest in now if held.get(path, digest) != digest]))
    moved = Counter((there[path][1], here[path][1]) for path in here if path in there)
    lines += [f"{count:,} moved from {a} to {b}" for (a, b), count in moved.items() if a != b]
    return [line for line in lines if line]


def _named(what: str, paths: list[str]) -> str:
    if not paths:
        return ""
    more = ", ..." if len(paths) > _NAMED else ""
    return f"{len(paths):,} {what}: {', '.join(paths[:_NAMED])}{more}"
