"""Images and features that lie on the GPU: a batch is made there, from a few numbers. JAX only.

A thread of Python cannot cut out, move and send images as fast as a GPU trains a small network on them.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cnnctl.data.augment.moves import OUTSIDE, Moves
from cnnctl.models.backend import JAX
from cnnctl.models.devices import Device

_SHARE = 0.25
"""The part of the GPU's memory that images and features may take."""


def has_room(device: Device, size: int) -> bool:
    """Whether arrays of `size` bytes may lie on the device: on the only GPU that JAX uses, if it is large enough.

    Several devices get their parts of batches that the processor makes.
    """
    import keras

    if device.kind != "gpu" or device.total > 1 or keras.backend.backend() != JAX:
        return False
    import jax

    known = jax.devices()[0].memory_stats() or {}
    return bool(size <= _SHARE * known.get("bytes_limit", 0))


def on_device(examples: NDArray[Any], moves: Moves | None = None) -> Callable[[NDArray[np.int64], int], Any]:
    """A function of (numbers of the examples, epoch from 0) that makes their batch as a jax.Array, moved by `moves`.

    `examples` are uint8 (images, height, width, channels), or float32 features (images, ...), which nothing moves.
    """
    import jax
    import jax.numpy as jnp

    kept = jax.device_put(np.ascontiguousarray(examples))

    def take(kept: Any, numbers: Any) -> Any:
        return kept[numbers]

    def take_moved(kept: Any, numbers: Any, rows: Any, columns: Any) -> Any:
        places = (numbers[:, None, None], jnp.maximum(rows, 0)[:, :, None], jnp.maximum(columns, 0)[:, None, :])
        is_outside = (rows == OUTSIDE)[:, :, None] | (columns == OUTSIDE)[:, None, :]
        return jnp.where(is_outside[..., None], jnp.asarray(fill_value, kept.dtype), kept[places])

    if moves is None:
        plainly = jax.jit(take)
        return lambda numbers, epoch: plainly(kept, numbers.astype(np.int32))
    moving, fill_value = jax.jit(take_moved), moves.fill_value
    return lambda numbers, epoch: moving(kept, numbers.astype(np.int32), *moves.sources(numbers, epoch))
