"""A limit of memory for a model that may be anybody's: a graph of a few hundred bytes can ask for all there is.

ONNX Runtime gets an arena of a fixed size for what lies between the operators. What follows from the weights alone it
computes with each batch: computed beforehand it would be kept, outside of the arena.
"""

from pathlib import Path
from typing import Any

from cnnctl.errors import RunError
from cnnctl.system.limits import limit_set
from cnnctl.system.memory import machine_memory

VARIABLE = "CNNCTL_MODEL_GIGABYTES"
SHARE = 0.5
"""Of the memory of the machine, or of the container."""

LEFT_OUT = ("ConstantFolding",)
"""Optimizers of ONNX Runtime that a limited session does without."""

_WHERE_NONE_IS_TOLD = 4e9
_MOST = 2**62  # what ONNX Runtime takes has 64 bits and a sign
_ARENA_IS_FULL = ("Available memory of", "Failed to allocate memory", "bad_alloc")
"""What ONNX Runtime's errors say; it has no class for them."""


def bytes_allowed() -> int:
    """The limit, which the user may set.

    Raises:
        UsageError: it is set to something else than a number above 0.
    """
    wanted = limit_set(VARIABLE, "gigabytes", "8", _MOST / 1e9, 1e-9)
    if wanted is None:
        return int(SHARE * (machine_memory() or _WHERE_NONE_IS_TOLD / SHARE))
    return int(wanted * 1e9)


def limit_memory(options: Any) -> None:
    """Let the next session of these options have an arena of its own, of so many bytes.

    Raises:
        UsageError: the user has set another limit, which is none.
    """
    import onnxruntime as ort

    arena = ort.OrtArenaCfg({"max_mem": bytes_allowed()})
    place = ort.OrtMemoryInfo("Cpu", ort.OrtAllocatorType.ORT_ARENA_ALLOCATOR, 0, ort.OrtMemType.DEFAULT)
    ort.create_and_register_allocator(place, arena)  # it takes the place of the one before, which its session keeps
    options.add_session_config_entry("session.use_env_allocators", "1")


def refuse_too_large(error: Exception, path: Path) -> None:
    """Say what an error of a limited session means, if it is that the arena is full.

    Raises:
        RunError: it is.
    """
    if any(words in str(error) for words in _ARENA_IS_FULL):
        raise RunError(
            f"{path} needs more than {bytes_allowed() / 1e9:.3g} GB of memory, the most for a model that this user has "
            "not trained here",
            f"if you trust it, give it more with the environment variable {VARIABLE}",
        ) from None
