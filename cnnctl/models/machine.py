"""What this machine brings to a training: versions, the device with its precision, and the cache of images."""

import platform
import sys
from contextlib import suppress
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from cnnctl.data.cache.entries import images_folder, left_behind, list_entries
from cnnctl.errors import MachineError
from cnnctl.models.backend import choose_backend, import_keras
from cnnctl.models.devices import Device, choose_device

_TRAINING = ("keras", "tensorflow", "jax", "numpy", "opencv-python-headless", "onnx", "onnxruntime")
_FURTHER = (
    "scikit-learn",
    "pandas",
    "typer",
    "pydantic",
    "pyyaml",
    "fastapi",
    "uvicorn",
    "mlflow-skinny",
    "tensorboard",
    "wandb",
)


@dataclass(frozen=True)
class Machine:
    """What a bug report needs.

    `device` is None where no backend can be loaded, and `trouble` says why. `cache` is the folder of decoded images,
    `cache_bytes` what lies there.
    """

    versions: dict[str, str]
    executable: str
    backend: str
    device: Device | None
    trouble: MachineError | None
    cache: Path
    cache_bytes: int


def versions(names: tuple[str, ...] = _TRAINING) -> dict[str, str]:
    """The versions of Python, of the platform and of those packages that are installed."""
    found = {"python": platform.python_version(), "platform": f"{sys.platform} {platform.machine()}"}
    for name in names:
        with suppress(PackageNotFoundError):
            found[name] = version(name)
    return found


def inspect_machine() -> Machine:
    """Look at this machine as a training with `auto` settings would; Keras is imported for that.

    Raises:
        MachineError: KERAS_BACKEND names a backend that there is not.
    """
    backend = choose_backend("auto")
    device, trouble = None, None
    try:
        import_keras(backend)
        device = choose_device("auto", "auto", "auto", backend)
    except MachineError as error:
        trouble = error
    cache = images_folder("auto")
    size = sum(entry.size for entry in list_entries(cache)) + left_behind(cache)
    names = (*_TRAINING, *_FURTHER)
    return Machine(versions(names), sys.executable, backend, device, trouble, cache, size)
