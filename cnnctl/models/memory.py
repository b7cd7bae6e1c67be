"""Out of memory: which errors mean it, and which batch size would fit."""

import subprocess

from cnnctl.architecture import Plan
from cnnctl.architecture.cost import training_bytes
from cnnctl.config.training import TrainSettings
from cnnctl.errors import MachineError
from cnnctl.system.memory import machine_memory

_SPARE = 0.9
"""Share of the memory that a training step may take; the rest is for libraries and other programs."""


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an exception of Python, TensorFlow or JAX means that memory ran out."""
    text = str(error)
    return (
        isinstance(error, MemoryError)
        or type(error).__name__ == "ResourceExhaustedError"
        or "RESOURCE_EXHAUSTED" in text
        or "out of memory" in text.lower()
    )


def largest_batch(plan: Plan, settings: TrainSettings, available: float, bytes_per_value: int = 4) -> int:
    """The largest batch size whose training step fits into some memory, by `architecture.cost.training_bytes`.

    `available` are bytes; `bytes_per_value` is 4 in float32 and 2 under a 16-bit precision.

    Returns:
        0 where not even one image fits.
    """
    fixed, with_one = (
        training_bytes(plan, batch, settings.optimizer, settings.averages, bytes_per_value) for batch in (0, 1)
    )
    return max(0, int((available - fixed) // (with_one - fixed)))


def total_memory(kind: str) -> int | None:
    """Bytes of memory of a `cpu` (of the machine, or of the container) or a `gpu`; None where it cannot be told."""
    if kind != "gpu":
        return machine_memory()
    command = ["nvidia-smi", "--query-gpu=memory.total", "--format=csv,noheader,nounits"]
    try:
        told = subprocess.run(command, capture_output=True, text=True, check=True, timeout=10).stdout
        return int(told.split()[0]) * 2**20
    except (OSError, ValueError, LookupError, subprocess.SubprocessError):
        return None


def memory_error(
    plan: Plan, settings: TrainSettings, memory: int | None, bytes_per_value: int, devices: int = 1
) -> MachineError:
    """What is said when memory ran out in a training; `memory` is that of each of the devices that share a batch."""
    batch = settings.batch_size
    needed = training_bytes(plan, batch // devices, settings.optimizer, settings.averages, bytes_per_value)
    shared = f" on {devices} devices" if devices > 1 else ""
    each = " on each" if devices > 1 else ""
    message = f"out of memory with train.batch_size: {batch}{shared}: a step needs about {needed / 1e9:.1f} GB{each}"
    if memory is None:
        return MachineError(message, f"try train.batch_size: {_half(batch, devices)}")
    fitting = devices * largest_batch(plan, settings, _SPARE * memory, bytes_per_value)
    message += f", and there are {memory / 1e9:.1f} GB in all"
    if fitting < 1:
        return MachineError(message, "not even one image fits: make the images smaller, or use fewer filters")
    if fitting >= batch:
        return MachineError(
            message,
            f"the estimate fits in memory: end other programs, or try train.batch_size: {_half(batch, devices)}",
        )
    return MachineError(message, f"the largest batch that fits: train.batch_size: {fitting}")


def _half(batch: int, devices: int) -> int:
    """About half a batch, which the devices can share."""
    return max(devices, batch // 2 // devices * devices)
