"""The whole state of a training at the end of an epoch, into a checkpoint and out of it again."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from cnnctl.errors import RunError
from cnnctl.runs import Run
from cnnctl.runs.checkpoints import Checkpoint, commit
from cnnctl.tracking.tracker import Trackers
from cnnctl.training.callbacks import Record, write_history

_MEMORY = {
    "EarlyStopping": ("wait", "best", "best_epoch", "stopped_epoch"),
    "ReduceLROnPlateau": ("wait", "best", "cooldown_counter"),
    "Averages": ("_ema_weights_in_model",),
}
"""What Keras' callbacks remember from epoch to epoch, and forget when a fit begins."""


@dataclass(frozen=True)
class Commits:
    """Where a training is kept, and from where it goes on.

    Attributes:
        run: The run.
        about: Goes into every checkpoint: what a resume must agree with.
        begin: The checkpoint to resume from.
        trackers: Told of each epoch that is kept.
    """

    run: Run
    about: Mapping[str, Any]
    begin: Checkpoint | None = None
    trackers: Trackers = field(default_factory=Trackers)


def recall(record: Record, checkpoint: Checkpoint, run: Run) -> None:
    """Bring a record back to what it was at a checkpoint, and history.csv with it."""
    state = checkpoint.state
    record.history = list(state["history"])
    record.committed = checkpoint.epoch
    record.stopped = state["stopped"]
    record.best_epoch = state["best_epoch"]
    record.best_value = math.nan if state["best_value"] is None else state["best_value"]
    record.best_weights = list(checkpoint.arrays.get("best", ()))
    write_history(run, record)


def make_committer(commits: Commits, record: Record, others: Sequence[Any]) -> Any:
    """A keras callback, the last of all, that restores a checkpoint as the fit begins and commits one an epoch.

    Args:
        commits: Where to.
        record: Filled by an earlier callback.
        others: The callbacks whose memory is kept.
    """
    import keras

    remembering = [one for one in others if type(one).__name__ in _MEMORY]

    class Committer(keras.callbacks.Callback):  # type: ignore[misc]
        def on_train_begin(self, logs: Any = None) -> None:
            if commits.begin is not None:
                _restore(commits, self.model, remembering)

        def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
            arrays = {
                "model": _values(self.model.variables),
                "optimizer": _values(self.model.optimizer.variables),
                "best": record.best_weights,
            }
            state = {
                **commits.about,
                "history": record.history,
                "best_epoch": record.best_epoch,
                "best_value": record.best_value if math.isfinite(record.best_value) else None,
                "stopped": bool(self.model.stop_training),
                "callbacks": {type(one).__name__: _memory(one) for one in remembering},
            }
            commit(commits.run, Checkpoint(epoch + 1, state, arrays))
            record.committed = epoch + 1
            record.stopped = state["stopped"]
            commits.trackers.epoch(epoch + 1, record.history[-1])

    return Committer()


def _values(variables: Sequence[Any]) -> list[Any]:
    import keras

    return [np.asarray(keras.ops.convert_to_numpy(variable)) for variable in variables]


def _memory(callback: Any) -> dict[str, Any]:
    values = {name: getattr(callback, name) for name in _MEMORY[type(callback).__name__]}
    return {name: float(value) if isinstance(value, np.floating) else value for name, value in values.items()}


def _restore(commits: Commits, model: Any, remembering: Sequence[Any]) -> None:
    assert commits.begin is not None
    checkpoint = commits.begin
    if not model.optimizer.built:
        model.optimizer.build(model.trainable_variables)
    for group, variables in (("model", model.variables), ("optimizer", model.optimizer.variables)):
        arrays = checkpoint.arrays.get(group, ())
        shapes = [tuple(variable.shape) for variable in variables]
        if shapes != [array.shape for array in arrays]:
            message = f"the last checkpoint of {commits.run.path} is of another network"
            raise RunError(message, "it was made by another version of Keras: train anew with another --output DIR")
        for variable, array in zip(variables, arrays, strict=True):
            variable.assign(array)
    for one in remembering:
        for name, value in checkpoint.state["callbacks"][type(one).__name__].items():
            setattr(one, name, value)
