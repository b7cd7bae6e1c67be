"""The whole state of a training at the end of an epoch, into a checkpoint and out of it again."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from cnnctl.errors import RunError
from cnnctl.runs import Run
from cnnctl.runs.checkpoints import Checkpoint, commit
from cnnctl.training.record import TrainingRecord

_MEMORY = {
    "EarlyStopping": ("wait", "best", "best_epoch", "stopped_epoch"),
    "ReduceLROnPlateau": ("wait", "best", "cooldown_counter"),
    "EmaCallback": ("_ema_weights_in_model",),
}
"""What Keras' callbacks remember from epoch to epoch, and forget when a fit begins."""

_FORMER_NAMES = {"EmaCallback": "Averages"}
"""What checkpoints of earlier versions call a callback."""


def make_committer(record: TrainingRecord, others: Sequence[Any], phase: str | None = None, begin: int = 0) -> Any:
    """A keras callback, the last of all, that restores a checkpoint as the fit begins and commits one an epoch.

    The record is filled by an earlier callback; what the `others` remember is kept. `phase` is the name of the phase
    that the fit is, if it has one, and `begin` the epoch after which it begins; checkpoints of another phase are left
    alone.
    """
    import keras

    remembering = [one for one in others if type(one).__name__ in _MEMORY]

    class Committer(keras.callbacks.Callback):  # type: ignore[misc]
        def on_train_begin(self, logs: Any = None) -> None:
            if record.begin is not None and (phase is None or record.begin.state.get("phase") == phase):
                _restore_variables(record.run, record.begin, self.model)
                _restore_memory(record.begin.state["callbacks"], remembering)

        def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
            stopped = bool(self.model.stop_training)
            memory = {type(one).__name__: _memory(one) for one in remembering}
            state = {**record.to_state(), "stopped": stopped, "callbacks": memory}
            if phase is not None:
                state |= {"phase": phase, "phase_begin": begin}
            arrays = {
                "model": _values(self.model.variables),
                "optimizer": _values(self.model.optimizer.variables),
                "best": record.best_weights,
            }

            commit(record.run, Checkpoint(epoch + 1, state, arrays))
            record.mark_committed(epoch + 1, stopped)
            record.trackers.epoch(epoch + 1, record.history[-1])

    return Committer()


def _values(variables: Sequence[Any]) -> list[Any]:
    import keras

    return [np.asarray(keras.ops.convert_to_numpy(variable)) for variable in variables]


def _memory(callback: Any) -> dict[str, Any]:
    values = {name: getattr(callback, name) for name in _MEMORY[type(callback).__name__]}
    return {name: float(value) if isinstance(value, np.floating) else value for name, value in values.items()}


def restore_model(run: Run, checkpoint: Checkpoint, model: Any) -> None:
    """Give a Keras model what it was at a checkpoint: weights, and the state of what is random in it.

    Raises:
        RunError: the checkpoint is of another network.
    """
    _restore(run, checkpoint, "model", model.variables)


def _restore_variables(run: Run, checkpoint: Checkpoint, model: Any) -> None:
    restore_model(run, checkpoint, model)
    if not model.optimizer.built:
        model.optimizer.build(model.trainable_variables)
    _restore(run, checkpoint, "optimizer", model.optimizer.variables)


def _restore(run: Run, checkpoint: Checkpoint, group: str, variables: Sequence[Any]) -> None:
    arrays = checkpoint.arrays.get(group, ())
    if [tuple(variable.shape) for variable in variables] != [array.shape for array in arrays]:
        message = f"the last checkpoint of {run.path} is for another network"
        raise RunError(message, "it was made by another version of Keras: train again with another --output DIR")
    for variable, array in zip(variables, arrays, strict=True):
        variable.assign(array)


def _restore_memory(kept: Mapping[str, Mapping[str, Any]], remembering: Sequence[Any]) -> None:
    for one in remembering:
        name = type(one).__name__
        if name not in kept:
            name = _FORMER_NAMES.get(name, name)
        for attribute, value in kept[name].items():
            setattr(one, attribute, value)
