"""environment.json: what a run was made with."""

import hashlib
import platform
import sys
import time
from datetime import UTC, datetime

from cnnctl.config import Config
from cnnctl.config.dump import to_yaml
from cnnctl.models.backend import JAX
from cnnctl.models.devices import Device
from cnnctl.runs import Run
from cnnctl.system import files
from cnnctl.system.cores import available_cores
from cnnctl.training.callbacks import Record
from cnnctl.training.feeding import Feed
from cnnctl.training.request import Task
from cnnctl.version import __version__

_PACKAGES = (
    "keras",
    "tensorflow",
    "jax",
    "numpy",
    "opencv-python-headless",
    "onnx",
    "onnxruntime",
    "tf2onnx",
    "jax2onnx",
)


def write_environment(
    run: Run,
    config: Config,
    data_hash: str,
    device: Device,
    backend: str,
    history: Record,
    training: Feed,
    task: Task,
    training_seconds: float,
) -> None:
    """environment.json of a run: with what, on what, from what, and how long it took.

    `waiting_for_data` are the seconds in which a step waited for its batch; known on JAX, whose loop asks for batches
    one by one. Seconds are of the last command, which may have gone on from a checkpoint.
    """
    total = time.perf_counter() - task.begun
    now = datetime.now(UTC)
    files.write_json(
        run.environment,
        {
            "cnnctl": __version__,
            "versions": _versions(),
            "backend": backend,
            "device": {"kind": device.kind, "name": device.name},
            "precision": {"policy": device.precision, "reason": device.reason},
            "deterministic": device.deterministic,
            "threads": available_cores(),
            "seed": config.seed,
            "command": list(task.command),
            "config_hash": hashlib.blake2b(to_yaml(config).encode(), digest_size=16).hexdigest(),
            "data_hash": data_hash,
            "epochs": len(history.history),
            "best_epoch": history.best_epoch,
            "resumed_after_epoch": task.begin.epoch if task.begin is not None else None,
            "started": datetime.fromtimestamp(now.timestamp() - total, UTC).isoformat(timespec="seconds"),
            "finished": now.isoformat(timespec="seconds"),
            "seconds": {
                "until_trained": round(training_seconds, 3),
                "total": round(total, 3),
                "waiting_for_data": round(training.waited, 3) if backend == JAX else None,
            },
        },
    )


def _versions() -> dict[str, str]:
    from importlib.metadata import PackageNotFoundError, version

    found = {"python": platform.python_version(), "platform": f"{sys.platform} {platform.machine()}"}
    for name in _PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found
