"""Several devices of JAX, which share each batch: Keras' own distribution, with the weights copied to each of them."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from cnnctl.models.devices import Device


def distribute(device: Device) -> None:
    """From here on, Keras' variables are on all devices of a training, and a batch is divided among them.

    To be called before the network is made. A single device needs no distribution.
    """
    if device.total == 1:
        return
    import keras

    chosen = keras.distribution.DataParallel(devices=_names(device), auto_shard_dataset=False)
    keras.distribution.set_distribution(chosen)


def stop_distributing() -> None:
    """From here on, this process computes alone: a variable that is made later does not wait for other processes."""
    import keras

    if keras.distribution.distribution() is not None:
        keras.distribution.set_distribution(None)


@contextmanager
def distributed() -> Iterator[None]:
    """A block after which this process computes alone."""
    try:
        yield
    finally:
        stop_distributing()


def _names(device: Device) -> list[str]:
    """Keras' names of the devices, those of one process after those of the other: each has its part of a batch."""
    import jax

    every: dict[int, list[Any]] = {}
    for one in sorted(jax.devices(device.kind), key=lambda one: one.id):
        every.setdefault(one.process_index, []).append(one)
    return [f"{one.platform}:{one.id}" for process in sorted(every) for one in every[process][: device.count]]
