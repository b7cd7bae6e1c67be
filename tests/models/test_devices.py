"""The device, its precision, and a Keras that no setting of the user's has bent."""

import json
import os
import subprocess
import sys
import warnings
from types import SimpleNamespace

import jax
import pytest

from cnnctl.config.training import TrainSettings
from cnnctl.errors import EXIT_ENVIRONMENT, MachineError
from cnnctl.models import devices
from cnnctl.models.backend import JAX, TENSORFLOW, KerasImport
from cnnctl.models.devices import choose_device, cpu_precision, described, exact_float32, gpu_precision
from cnnctl.system.cores import available_cores

CPU = [
    ("fpu sse2 avx512f avx512_bf16 amx_bf16 amx_tile", "mixed_bfloat16", "the processor has AMX"),
    ("fpu avx512f avx512_bf16", "mixed_bfloat16", "the processor has AVX512-BF16"),
    ("fpu avx2 avx512f avx512_fp16 amx_int8", "float32", "the processor has no 16-bit arithmetic"),
    ("", "float32", "the processor has no 16-bit arithmetic"),
]


@pytest.mark.parametrize(("flags", "precision", "reason"), CPU)
def test_precision_of_a_processor(flags, precision, reason):
    assert cpu_precision(frozenset(flags.split())) == (precision, reason)


GPU = [
    ((9, 0), "mixed_bfloat16", "bfloat16 tensor cores (compute capability 9.0)"),
    ((8, 0), "mixed_bfloat16", "bfloat16 tensor cores (compute capability 8.0)"),
    ((7, 5), "mixed_float16", "float16 tensor cores (compute capability 7.5)"),
    ((7, 0), "mixed_float16", "float16 tensor cores (compute capability 7.0)"),
    ((6, 1), "float32", "no 16-bit tensor cores (compute capability 6.1)"),
    ((10, 0), "mixed_bfloat16", "bfloat16 tensor cores (compute capability 10.0)"),
]


@pytest.mark.parametrize(("capability", "precision", "reason"), GPU)
def test_precision_of_a_gpu(capability, precision, reason):
    chosen, why = gpu_precision(capability)
    assert chosen == precision
    assert reason in why


@pytest.fixture
def machine(keras, monkeypatch):
    """A machine whose GPUs and processor flags the test decides; what TensorFlow is told is kept."""
    import tensorflow as tf

    class Machine:
        gpus: tuple[str, ...] = ()
        capability = (8, 6)
        flags: frozenset[str] = frozenset()
        growing: tuple[str, ...] = ()
        hidden = False

    made = Machine()

    def grow(gpu, wanted):
        made.growing += (gpu,) * wanted

    def hide(visible, kind):
        made.hidden = (visible, kind) == ([], "GPU")

    def details(gpu):
        return {"device_name": f"a {gpu}", "compute_capability": made.capability}

    monkeypatch.setattr(tf.config, "list_physical_devices", lambda kind: list(made.gpus) if kind == "GPU" else [])
    monkeypatch.setattr(tf.config, "set_visible_devices", hide)
    monkeypatch.setattr(tf.config.experimental, "set_memory_growth", grow)
    monkeypatch.setattr(tf.config.experimental, "get_device_details", details)
    monkeypatch.setattr(devices, "processor_flags", lambda: made.flags)
    return made


def test_gpu_without_one_says_what_was_looked_for(machine, monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "3")
    monkeypatch.setattr(devices.shutil, "which", lambda name: None)
    with pytest.raises(MachineError) as caught:
        choose_device("gpu", "auto", "auto")
    assert caught.value.exit_code == EXIT_ENVIRONMENT == 5
    message = caught.value.message
    assert message.startswith("device: gpu, but TensorFlow ")
    assert message.endswith("finds none; there is no nvidia-smi, CUDA_VISIBLE_DEVICES is '3'")
    assert caught.value.hint.startswith("pip install '.[gpu]' from a checkout of cnnctl, on a machine with an NVIDIA")
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES")
    monkeypatch.setattr(devices.shutil, "which", lambda name: "/bin/" + name)
    with pytest.raises(MachineError) as caught:
        choose_device("gpu", "auto", "auto")
    assert caught.value.message.endswith("finds none; nvidia-smi is installed")


@pytest.mark.parametrize("wanted", ["auto", "gpu"])
def test_a_gpu_is_taken_and_grows(machine, wanted):
    machine.gpus = ("GPU:0", "GPU:1")
    device = choose_device(wanted, "auto", "auto")
    assert (device.kind, device.name, device.precision) == ("gpu", "a GPU:0", "mixed_bfloat16")
    assert machine.growing == machine.gpus
    assert not device.deterministic
    assert not machine.hidden
    assert choose_device(wanted, "auto", True).deterministic


def test_tensorflow_trains_on_one_gpu_of_several(machine):
    machine.gpus = ("GPU:0", "GPU:1", "GPU:2")
    device = choose_device("auto", "auto", "auto")
    assert (device.count, device.idle, device.total) == (1, 2, 1)
    with pytest.raises(MachineError, match="TensorFlow trains on one device") as caught:
        choose_device("auto", "auto", "auto", count=2)
    assert "--set train.backend=jax" in caught.value.hint


def test_jax_trains_on_all_gpus(monkeypatch):
    gpu = SimpleNamespace(device_kind="a GPU", compute_capability="9.0")
    seen = {"gpu": [gpu] * 8, "cpu": [SimpleNamespace()]}
    monkeypatch.setattr(jax, "local_devices", lambda backend: seen[backend])
    monkeypatch.setattr(jax, "process_count", lambda: 2)
    monkeypatch.setattr(jax, "process_index", lambda: 1)
    device = choose_device("auto", "auto", "auto", JAX)
    assert (device.kind, device.name, device.precision) == ("gpu", "a GPU", "mixed_bfloat16")
    assert (device.count, device.idle, device.process, device.processes, device.total) == (8, 0, 1, 2, 16)
    assert described(device) == "16 x a GPU, in 2 processes"
    device = choose_device("auto", "auto", "auto", JAX, count=5)
    assert (device.count, device.idle, device.total) == (5, 3, 10)
    with pytest.raises(MachineError) as caught:
        choose_device("gpu", "auto", "auto", JAX, count=9)
    assert caught.value.message == "9 GPUs are asked for, and there are 8"
    assert caught.value.hint == "--devices 8"


def test_a_processor_is_one_device_unless_asked(monkeypatch):
    monkeypatch.setattr(jax, "local_devices", lambda backend: [SimpleNamespace()] * 2)
    device = choose_device("cpu", "auto", "auto", JAX)
    assert (device.kind, device.count, device.idle) == ("cpu", 1, 0)
    assert described(device) == device.name
    assert choose_device("cpu", "auto", "auto", JAX, count=2).total == 2
    with pytest.raises(MachineError) as caught:
        choose_device("cpu", "auto", "auto", JAX, count=3)
    assert caught.value.hint.endswith("XLA_FLAGS=--xla_force_host_platform_device_count=3")


def test_cpu_hides_the_gpus(machine):
    machine.gpus = ("GPU:0",)
    device = choose_device("cpu", "auto", "auto")
    assert machine.hidden
    assert (device.kind, device.precision, device.deterministic) == ("cpu", "float32", True)
    assert device.name.endswith(f", {available_cores()} cores")
    assert machine.growing == ()


@pytest.mark.parametrize("precision", ["float32", "mixed_bfloat16", "mixed_float16"])
def test_the_config_decides_over_the_device(machine, precision):
    machine.flags = frozenset(["amx_bf16"])
    assert choose_device("auto", "auto", "auto").precision == "mixed_bfloat16"
    device = choose_device("auto", precision, False)
    assert (device.precision, device.reason, device.deterministic) == (precision, "set in the config", False)


HOSTILE = {"backend": "jax", "floatx": "float16", "epsilon": 0.1, "image_data_format": "channels_first"}
UNBENT = """\
from cnnctl.models.backend import import_keras
import_keras()
import keras
import numpy as np
from tests.training.build import network
assert keras.config.backend() == "tensorflow"
assert keras.config.image_data_format() == "channels_last"
assert (keras.config.floatx(), keras.config.epsilon()) == ("float32", 1e-7)
model, _ = network("conv2d: {filters: 2, kernel_size: 3}", "batch_normalization", "max_pooling2d: {pool_size: 2}",
                   "flatten")
assert model.get_layer("conv2d").output.shape == (None, 3, 2, 2)
assert {variable.dtype for variable in model.variables if "seed" not in variable.path} == {"float32"}
assert model.predict_on_batch(np.zeros((1, 5, 4, 3), np.uint8)).dtype == np.float32
print("unbent")
"""


def test_the_users_keras_json_bends_nothing(tmp_path):
    (tmp_path / "keras.json").write_text(json.dumps(HOSTILE))
    environment = {name: value for name, value in os.environ.items() if name != "KERAS_BACKEND"}
    environment |= {"KERAS_HOME": str(tmp_path)}
    command = [sys.executable, "-c", UNBENT]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "unbent\n"), done.stderr


def test_a_missing_tensorflow_is_the_machines_fault(monkeypatch):
    monkeypatch.setitem(sys.modules, "tensorflow", None)
    with warnings.catch_warnings(), pytest.raises(MachineError, match="TensorFlow is not installed") as caught:
        KerasImport(TrainSettings(), deterministic=False).wait()
    assert "pip install" in caught.value.hint
    monkeypatch.setattr("cnnctl.models.backend.is_installed", lambda name: True)
    with warnings.catch_warnings(), pytest.raises(MachineError, match="Keras cannot be imported: ") as caught:
        KerasImport(TrainSettings(), deterministic=False).wait()
    assert isinstance(caught.value.__cause__, ImportError)
    assert "pip install" in caught.value.hint


@pytest.mark.parametrize(("flags", "native"), [("avx512_bf16 amx_bf16", "AMX"), ("avx512_bf16", "AVX512-BF16")])
def test_depthwise_convolutions_stay_in_float32_on_a_processor(flags, native):
    reason = f"the processor has {native}, but bfloat16 slows depthwise convolutions"
    assert cpu_precision(frozenset(flags.split()), has_depthwise=True) == ("float32", reason)
    assert cpu_precision(frozenset(), has_depthwise=True) == ("float32", "the processor has no 16-bit arithmetic")


def test_float32_is_multiplied_as_it_is_on_either_backend() -> None:
    import tensorflow

    with exact_float32(JAX):
        assert jax.config.jax_default_matmul_precision == "float32"
    assert jax.config.jax_default_matmul_precision is None
    enabled = tensorflow.config.experimental.tensor_float_32_execution_enabled
    assert enabled()
    with exact_float32(TENSORFLOW):
        assert not enabled()
    assert enabled()
