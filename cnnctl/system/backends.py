"""Which backend Keras is to run on, and what of it and of the device is lacking, told without importing any of it."""

import os
import shutil
import sys
from pathlib import Path

from cnnctl.errors import MachineError, extras_of_light, how_to_install
from cnnctl.system.loudness import detail
from cnnctl.system.packages import is_installed

TENSORFLOW, JAX = "tensorflow", "jax"
BACKENDS = {TENSORFLOW: "TensorFlow", JAX: "JAX"}
_HAS_TENSORFLOW = sys.version_info < (3, 14)
"""Whether there is a TensorFlow to install for this Python."""


def choose_backend(wanted: str) -> str:
    """The backend that Keras is to run on.

    `auto` is what KERAS_BACKEND says, else TensorFlow, else JAX where only that is installed.

    Raises:
        MachineError: KERAS_BACKEND names another one.
    """
    if wanted != "auto":
        detail(f"backend: {wanted}, as the config or the command says")
        return wanted
    said = os.environ.get("KERAS_BACKEND")
    if said in BACKENDS:
        detail(f"backend: {said}, as KERAS_BACKEND says")
        return said
    if said:
        raise MachineError(f"KERAS_BACKEND is {said}, which cnnctl does not support", "set it to tensorflow or jax")
    chosen = JAX if not is_installed(TENSORFLOW) and is_installed(JAX) else TENSORFLOW
    detail(f"backend: {chosen}, which is {'' if is_installed(chosen) else 'not '}installed")
    return chosen


def title(backend: str) -> str:
    """The backend as its makers write it."""
    return BACKENDS[backend]


def how_to_mend(backend: str) -> str:
    """What to do where a backend is not installed."""
    if extras_of_light() is not None:
        return how_to_install(None if _HAS_TENSORFLOW and backend == TENSORFLOW else JAX)
    if backend == JAX:
        return f"install it with: {how_to_install(JAX)}"
    if _HAS_TENSORFLOW:
        return "install it with: pip install tensorflow, or train with train.backend: jax"
    needed = "" if is_installed(JAX) else f", which {how_to_install(JAX)} installs"
    return f"TensorFlow has no package for this Python yet: train with train.backend: jax{needed}"


def not_installed(backend: str) -> MachineError:
    """What is said where a backend is missing."""
    return MachineError(f"{title(backend)} is not installed", how_to_mend(backend))


def why_there_is_no_gpu(devices: Path = Path("/dev")) -> str | None:
    """Why this machine has no GPU to train on; None where it may have one, which only the backend can tell."""
    hidden = os.environ.get("CUDA_VISIBLE_DEVICES")
    drivers = [name for name in ("nvidia*", "dxg", "kfd") if any(devices.glob(name))]  # NVIDIA, Windows' Linux, AMD
    if drivers in ([], ["nvidia*"]) and hidden is not None and hidden.strip() in ("", "-1"):
        return f"CUDA_VISIBLE_DEVICES is '{hidden}'"
    if sys.platform == "linux" and not drivers and shutil.which("nvidia-smi") is None:
        return f"there is no {devices / 'nvidia0'} and no nvidia-smi"
    return None
