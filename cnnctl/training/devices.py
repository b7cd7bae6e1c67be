"""The device that trains, and the precision that it is quickest in without losing accuracy."""

import os
import platform
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cnnctl.errors import MachineError

FLOAT32, BFLOAT16, FLOAT16 = "float32", "mixed_bfloat16", "mixed_float16"
_AMPERE, _VOLTA = (8, 0), (7, 0)


@dataclass(frozen=True)
class Device:
    """What trains.

    Attributes:
        kind: `cpu` or `gpu`.
        name: As its maker calls it.
        precision: Keras' dtype policy.
        reason: Why this precision, for people.
        deterministic: Whether equal runs give equal weights, bit for bit.
    """

    kind: str
    name: str
    precision: str
    reason: str
    deterministic: bool


def choose_device(wanted: str, precision: str, deterministic: str | bool) -> Device:
    """Pick the device, tell TensorFlow, and choose the precision. Keras must have been imported.

    Args:
        wanted: `auto`, `cpu` or `gpu`.
        precision: `auto`, or one of Keras' policies.
        deterministic: `auto` (on a CPU), True or False.

    Raises:
        MachineError: `gpu` is wanted and there is none.
    """
    import tensorflow as tf

    gpus = tf.config.list_physical_devices("GPU")
    if wanted == "cpu":
        tf.config.set_visible_devices([], "GPU")
        gpus = []
    if wanted == "gpu" and not gpus:
        raise MachineError(
            _why_no_gpu(tf), "pip install 'cnnctl[gpu]' on a machine with an NVIDIA driver, or device: cpu"
        )
    if gpus:
        for gpu in gpus:
            tf.config.experimental.set_memory_growth(gpu, True)
        details = tf.config.experimental.get_device_details(gpus[0])
        name = str(details.get("device_name", "GPU"))
        kind, (chosen, reason) = "gpu", gpu_precision(tuple(details.get("compute_capability", (0, 0))))
    else:
        kind, name = "cpu", f"{processor_name()}, {usable_cores()} cores"
        chosen, reason = cpu_precision(processor_flags())
    if precision != "auto":
        chosen, reason = precision, "the config says so"
    fixed = kind == "cpu" if deterministic == "auto" else bool(deterministic)
    return Device(kind, name, chosen, reason, fixed)


def cpu_precision(flags: frozenset[str]) -> tuple[str, str]:
    """bfloat16 where the processor multiplies it natively."""
    if "amx_bf16" in flags:
        return BFLOAT16, "the processor has AMX"
    if "avx512_bf16" in flags:
        return BFLOAT16, "the processor has AVX512-BF16"
    return FLOAT32, "the processor multiplies no 16-bit floats"


def gpu_precision(compute_capability: tuple[int, ...]) -> tuple[str, str]:
    """bfloat16 from Ampere on, float16 where there are tensor cores, else float32."""
    version = ".".join(map(str, compute_capability))
    if compute_capability >= _AMPERE:
        return BFLOAT16, f"the GPU has bfloat16 tensor cores (compute capability {version})"
    if compute_capability >= _VOLTA:
        return FLOAT16, f"the GPU has float16 tensor cores (compute capability {version})"
    return FLOAT32, f"the GPU has no 16-bit tensor cores (compute capability {version})"


def processor_flags() -> frozenset[str]:
    """What the processor says it can do; empty where the system does not tell."""
    return frozenset(_cpuinfo("flags").split())


def processor_name() -> str:
    """The processor as its maker calls it."""
    return _cpuinfo("model name") or platform.processor() or platform.machine()


def usable_cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _cpuinfo(key: str) -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return ""
    return next((line.partition(":")[2].strip() for line in lines if line.partition(":")[0].strip() == key), "")


def _why_no_gpu(tf: Any) -> str:
    built = "with" if tf.test.is_built_with_cuda() else "without"
    tool = "nvidia-smi is installed" if shutil.which("nvidia-smi") else "there is no nvidia-smi"
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    hidden = f", CUDA_VISIBLE_DEVICES is '{visible}'" if visible is not None else ""
    return f"device: gpu, but TensorFlow {tf.__version__} (built {built} CUDA) finds none; {tool}{hidden}"
