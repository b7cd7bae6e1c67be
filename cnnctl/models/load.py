"""A .keras file, which may come from a stranger, as a network.

Keras never sees the file's configuration: the network is built anew from layers that a config can have, and Keras reads
nothing but arrays, whose sizes were checked before.
"""

import io
import zipfile
import zlib
from pathlib import Path
from typing import Any

from cnnctl.architecture import Plan
from cnnctl.architecture.scaling import Scaling
from cnnctl.errors import RunError
from cnnctl.models.build import build_network
from cnnctl.system.zip import read_member

_UNREADABLE = (
    OSError,
    EOFError,
    ValueError,
    TypeError,
    LookupError,
    AttributeError,
    ImportError,
    RuntimeError,
    zipfile.BadZipFile,
    zlib.error,
)
"""What Keras, h5py and zipfile raise over a file that is no model, a damaged one, or one whose code they refuse."""


_WEIGHTS = "model.weights.h5"
_LEAST_BYTES_A_WEIGHT, _MOST_BYTES_A_WEIGHT = 2, 24
"""A compiled model is saved with its optimizer, whose averages are as large as the weights."""

_OVERHEAD = 2**16
"""Bytes of HDF5's own that a layer may take."""

_RATIO = 20
"""Most that weights can be compressed by."""


def load_model(path: Path, plan: Plan, scaling: Scaling) -> Any:
    """A float32 keras.Sequential of a plan with the weights of a .keras file; Keras must have been imported.

    Raises:
        RunError: the file cannot be read, or holds other weights than the network has.
    """
    import keras

    policy = keras.config.dtype_policy()
    try:
        _insist_on_sizes(path, plan)
        model = build_network(plan, scaling, "float32")
        model.load_weights(path)
        return model
    except _UNREADABLE as error:
        reason = str(error).strip().splitlines() or [type(error).__name__]
        raise RunError(f"{path} cannot be read: {reason[0]}") from None
    finally:
        keras.config.set_dtype_policy(policy)


def _insist_on_sizes(path: Path, plan: Plan) -> None:
    """Refuse an archive that, unpacked, is larger or smaller than the weights can be, or claims arrays that are."""
    import h5py

    with zipfile.ZipFile(path) as archive:
        weights = archive.getinfo(_WEIGHTS)
        most = plan.total_params * _MOST_BYTES_A_WEIGHT + _OVERHEAD * (
            sum(1 + len(row.inner) for row in plan.layers) + 4
        )
        least = plan.total_params * _LEAST_BYTES_A_WEIGHT
        if not least <= weights.file_size <= most or weights.file_size > weights.compress_size * _RATIO + _OVERHEAD:
            raise RunError(f"{path} holds {weights.file_size:,} bytes of weights for {plan.total_params:,} parameters")
        with h5py.File(io.BytesIO(read_member(archive, _WEIGHTS, most)), "r") as file:
            claimed: list[int] = []
            file.visititems(lambda _, item: claimed.append(item.nbytes) if isinstance(item, h5py.Dataset) else None)
    if sum(claimed) > most:
        raise RunError(f"{path} claims {sum(claimed):,} bytes of weights for {plan.total_params:,} parameters")
