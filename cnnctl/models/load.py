"""A .keras file, which may come from a stranger, as a network.

Keras never sees the file's configuration: the network is built anew from layers that a config can have, and Keras reads
nothing but arrays, whose sizes were checked before.
"""

from pathlib import Path
from typing import Any

from cnnctl.architecture import Plan
from cnnctl.architecture.keras_weights import insist_on_sizes
from cnnctl.architecture.scaling import Scaling
from cnnctl.errors import RunError
from cnnctl.models.build import build_network
from cnnctl.system.hdf5 import UNREADABLE

_UNREADABLE = (*UNREADABLE, ImportError)
"""What Keras, h5py and zipfile raise over a file that is no model, a damaged one, or one whose code they refuse."""


def load_model(path: Path, plan: Plan, scaling: Scaling) -> Any:
    """A float32 keras.Sequential of a plan with the weights of a .keras file; Keras must have been imported.

    Raises:
        RunError: the file cannot be read, or holds other weights than the network has.
    """
    import keras

    policy = keras.config.dtype_policy()
    try:
        insist_on_sizes(path, plan.total_params, sum(1 + len(row.inner) for row in plan.layers))
        model = build_network(plan, scaling, "float32")
        model.load_weights(path)
        return model
    except _UNREADABLE as error:
        reason = str(error).strip().splitlines() or [type(error).__name__]
        raise RunError(f"{path} cannot be read: {reason[0]}") from None
    finally:
        keras.config.set_dtype_policy(policy)
