"""The device that trains, and the precision that it is quickest in without losing accuracy."""

import os
import platform
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from cnnctl.errors import MachineError, how_to_install
from cnnctl.formatting import several
from cnnctl.models.backend import JAX, TENSORFLOW
from cnnctl.system.cores import available_cores

FLOAT32, BFLOAT16, FLOAT16 = "float32", "mixed_bfloat16", "mixed_float16"
_JAX_ON_A_CPU = (FLOAT32, "XLA has no native 16-bit arithmetic on a CPU")
_AMPERE, _VOLTA = (8, 0), (7, 0)


@dataclass(frozen=True)
class Device:
    """What trains, its dtype policy and why.

    Attributes:
        kind: `cpu` or `gpu`.
        name: What its maker calls it.
        precision: The dtype policy.
        reason: Why this one.
        deterministic: Whether equal runs give equal weights, bit for bit.
        count: How many of them this process trains on.
        idle: How many more it sees.
        process: Which of the processes of the training this is, from 0.
        processes: How many there are, each with as many devices.
    """

    kind: str
    name: str
    precision: str
    reason: str
    deterministic: bool
    count: int = 1
    idle: int = 0
    process: int = 0
    processes: int = 1

    @property
    def total(self) -> int:
        """The devices of all processes, which share each batch."""
        return self.count * self.processes


_Gpu = tuple[str, tuple[int, ...], int]
"""Its name, its compute capability, and how many of them there are."""


def choose_device(
    wanted: str,
    precision: str,
    deterministic: str | bool,
    backend: str = TENSORFLOW,
    has_depthwise: bool = False,
    count: int | None = None,
) -> Device:
    """Pick the device, tell the backend, and choose the precision. Keras must have been imported.

    `wanted` is `auto`, `cpu` or `gpu`; `precision` is `auto` or one of Keras' policies; deterministic `auto` is on a
    CPU. `has_depthwise` is whether the network has depthwise or separable convolutions. `count` is how many devices of
    this process are wanted; None is all GPUs on JAX, else one.

    Raises:
        MachineError: `gpu` is wanted and there is none, or there are fewer devices than are wanted.
    """
    gpu = _tensorflow_gpu(wanted) if backend == TENSORFLOW else _jax_gpu(wanted)
    if gpu is not None:
        kind, (name, capability, visible) = "gpu", gpu
        chosen, reason = gpu_precision(capability)
    else:
        kind, name = "cpu", f"{processor_name()}, {available_cores()} cores"
        visible = 1 if backend == TENSORFLOW else _jax_processors()
        flags = processor_flags()
        chosen, reason = cpu_precision(flags, has_depthwise) if backend == TENSORFLOW else _JAX_ON_A_CPU
    if precision != "auto":
        chosen, reason = precision, "set in the config"
    fixed = kind == "cpu" if deterministic == "auto" else bool(deterministic)
    default = visible if kind == "gpu" and backend == JAX else 1
    used = default if count is None else count
    if used > 1 and backend == TENSORFLOW:
        message = f"TensorFlow trains on one device, and {used} are asked for"
        raise MachineError(message, f"add --set train.backend=jax, or leave --devices {used} out")
    if used > visible:
        raise _too_few(kind, used, visible)
    idle = visible - used if kind == "gpu" else 0
    process, processes = (0, 1) if backend == TENSORFLOW else _jax_processes()
    return Device(kind, name, chosen, reason, fixed, used, idle, process, processes)


def described(device: Device) -> str:
    """The devices of a training in a few words: `8 x NVIDIA H100, in 2 processes`."""
    together = f", in {device.processes} processes" if device.processes > 1 else ""
    return several(device.total, device.name) + together


def _too_few(kind: str, wanted: int, visible: int) -> MachineError:
    what = "GPUs" if kind == "gpu" else "devices of the processor"
    hint = f"--devices {visible}"
    if kind == "cpu":
        hint += f", or to try several on a processor: XLA_FLAGS=--xla_force_host_platform_device_count={wanted}"
    return MachineError(f"{wanted} {what} are asked for, and there {'is' if visible == 1 else 'are'} {visible}", hint)


def _tensorflow_gpu(wanted: str) -> _Gpu | None:
    """The GPU that TensorFlow will use, with memory growth on; hidden from it where a CPU is wanted."""
    import tensorflow as tf

    gpus = tf.config.list_physical_devices("GPU")
    if wanted == "cpu":
        try:
            tf.config.set_visible_devices([], "GPU")
        except RuntimeError:
            hint = "start a new process (in a notebook: restart the kernel)"
            raise MachineError("device: cpu, but this process already uses the GPU", hint) from None
        return None
    if not gpus:
        if wanted == "gpu":
            built = "with" if tf.test.is_built_with_cuda() else "without"
            raise _no_gpu(f"TensorFlow {tf.__version__} (built {built} CUDA)", how_to_install("gpu"))
        return None
    with suppress(RuntimeError):  # this process has used the GPU before: its memory is taken as it was then
        for gpu in gpus:
            tf.config.experimental.set_memory_growth(gpu, True)
    details = tf.config.experimental.get_device_details(gpus[0])
    return str(details.get("device_name", "GPU")), tuple(details.get("compute_capability", (0, 0))), len(gpus)


def _jax_gpu(wanted: str) -> _Gpu | None:
    """The first GPU that JAX will use; where a CPU is wanted, JAX was told so before its import."""
    import jax

    if wanted == "cpu":
        return None
    try:
        gpus = jax.local_devices(backend="gpu")
    except RuntimeError:
        if wanted == "gpu":
            raise _no_gpu(f"JAX {jax.__version__}", "pip install 'jax[cuda12]'") from None
        return None
    version = str(getattr(gpus[0], "compute_capability", "0.0"))
    return gpus[0].device_kind, tuple(int(part) for part in version.split(".")), len(gpus)


def _jax_processors() -> int:
    """As how many devices JAX sees the processor: one, unless XLA_FLAGS says otherwise."""
    import jax

    return len(jax.local_devices(backend="cpu"))


def _jax_processes() -> tuple[int, int]:
    import jax

    return jax.process_index(), jax.process_count()


def cpu_precision(flags: frozenset[str], has_depthwise: bool = False) -> tuple[str, str]:
    """bfloat16 where the processor multiplies it natively, but for depthwise convolutions.

    Those multiply no matrices: a prototype trained EfficientNet-Lite0 at 66 images/s in bfloat16, at 110 in float32.
    """
    native = "AMX" if "amx_bf16" in flags else "AVX512-BF16" if "avx512_bf16" in flags else None
    if native is None:
        return FLOAT32, "the processor has no 16-bit arithmetic"
    if has_depthwise:
        return FLOAT32, f"the processor has {native}, but bfloat16 slows depthwise convolutions"
    return BFLOAT16, f"the processor has {native}"


def gpu_precision(compute_capability: tuple[int, ...]) -> tuple[str, str]:
    """bfloat16 from Ampere on, float16 where there are tensor cores, else float32."""
    version = ".".join(map(str, compute_capability))
    if compute_capability >= _AMPERE:
        return BFLOAT16, f"the GPU has bfloat16 tensor cores (compute capability {version})"
    if compute_capability >= _VOLTA:
        return FLOAT16, f"the GPU has float16 tensor cores (compute capability {version})"
    return FLOAT32, f"the GPU has no 16-bit tensor cores (compute capability {version})"


@contextmanager
def exact_float32(backend: str) -> Iterator[None]:
    """A block in which a GPU multiplies float32 numbers as they are.

    Elsewhere its tensor cores round them to 10 bits first (TF32), which is quicker; probabilities then differ by some
    thousandths from those of a processor.
    """
    if backend == TENSORFLOW:
        from tensorflow.config import experimental

        before = experimental.tensor_float_32_execution_enabled()
        experimental.enable_tensor_float_32_execution(False)
        try:
            yield
        finally:
            experimental.enable_tensor_float_32_execution(before)
        return
    import jax

    with jax.default_matmul_precision("float32"):
        yield


def processor_flags() -> frozenset[str]:
    """What the processor says it can do; empty where the system does not tell."""
    return frozenset(_cpuinfo("flags").split())


def processor_name() -> str:
    """The processor as its maker calls it."""
    return _cpuinfo("model name") or platform.processor() or platform.machine()


def _cpuinfo(key: str) -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return ""
    return next((line.partition(":")[2].strip() for line in lines if line.partition(":")[0].strip() == key), "")


def _no_gpu(library: str, install: str) -> MachineError:
    tool = "nvidia-smi is installed" if shutil.which("nvidia-smi") else "there is no nvidia-smi"
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    hidden = f", CUDA_VISIBLE_DEVICES is '{visible}'" if visible is not None else ""
    return MachineError(
        f"device: gpu, but {library} finds none; {tool}{hidden}",
        f"{install}, on a machine with an NVIDIA driver, or device: cpu",
    )
