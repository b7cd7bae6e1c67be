"""Importing Keras: on the right backend, deaf to the user's keras.json, and without a line on the screen."""

import importlib
import importlib.util
import logging
import os
import sys
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from cnnctl.config.training import TrainSettings
from cnnctl.data.decoder.images import opencv
from cnnctl.errors import MachineError, how_to_install
from cnnctl.system.home import lend_folders

TENSORFLOW, JAX = "tensorflow", "jax"
_TITLES = {TENSORFLOW: "TensorFlow", JAX: "JAX"}
_EXPORTERS = {TENSORFLOW: ("onnx", "tf2onnx"), JAX: ("onnx", "jax2onnx")}
"""What writes model.onnx: better missed before the training than after it."""
_HAS_TENSORFLOW = sys.version_info < (3, 14)
"""Whether there is a TensorFlow to install for this Python."""


def choose_backend(wanted: str) -> str:
    """The backend that Keras is to run on.

    `auto` is what KERAS_BACKEND says, else TensorFlow, else JAX where only that is installed.

    Raises:
        MachineError: KERAS_BACKEND names another one.
    """
    if wanted != "auto":
        return wanted
    said = os.environ.get("KERAS_BACKEND")
    if said in _TITLES:
        return said
    if said:
        raise MachineError(f"KERAS_BACKEND is {said}, which cnnctl does not support", "set it to tensorflow or jax")
    return JAX if not _is_installed(TENSORFLOW) and _is_installed(JAX) else TENSORFLOW


def _is_installed(name: str) -> bool:
    return name in sys.modules or importlib.util.find_spec(name) is not None


def title(backend: str) -> str:
    """The backend as its makers write it."""
    return _TITLES[backend]


def import_keras(backend: str = TENSORFLOW, settings: TrainSettings | None = None, deterministic: bool = False) -> None:
    """Import Keras and its backend; descriptor 2 should be captured meanwhile (see quiet.py).

    JAX is told the device of the settings before it looks for one. `deterministic` is for runs that are equal on a GPU
    too.

    Raises:
        MachineError: they are not installed or cannot be loaded, or Keras runs on another backend already.
    """
    _insist_on_backend(backend)
    os.environ["KERAS_BACKEND"] = backend
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    if backend == JAX:
        _prepare_jax(settings, deterministic)
    lend_folders()
    opencv()  # Keras imports cv2 where it can: let it find the one with our limits
    logging.captureWarnings(True)
    warnings.simplefilter("ignore")
    missing = next((name for name in _EXPORTERS[backend] if not _is_installed(name)), None)
    if _is_installed(backend) and missing is not None:
        raise MachineError(f"{missing}, which writes model.onnx, is not installed", f"pip install {missing}")
    try:
        library = importlib.import_module(backend)
        keras = importlib.import_module("keras")
    except ImportError as error:
        if not _is_installed(backend):
            raise MachineError(f"{title(backend)} is not installed", _mend(backend)) from None
        raise MachineError(f"Keras cannot be imported: {error}", _mend(backend)) from error
    if backend == TENSORFLOW:
        library.get_logger().setLevel("ERROR")
    keras.config.set_image_data_format("channels_last")
    keras.config.set_floatx("float32")
    keras.config.set_epsilon(1e-7)
    keras.config.disable_interactive_logging()


def _mend(backend: str) -> str:
    """What to do where a backend is not installed."""
    if backend == JAX:
        return f"install it with: {how_to_install(JAX)}"
    if _HAS_TENSORFLOW:
        return "install it with: pip install tensorflow, or train with train.backend: jax"
    needed = "" if _is_installed(JAX) else f", which {how_to_install(JAX)} installs"
    return f"TensorFlow has no package for this Python yet: train with train.backend: jax{needed}"


def _insist_on_backend(backend: str) -> None:
    """Refuse a backend where this process has imported Keras on another one, which stays."""
    keras = sys.modules.get("keras")
    running = keras.backend.backend() if keras is not None else backend
    if running != backend:
        other = f", or train with backend: {running}" if running in _TITLES else ""
        raise MachineError(
            f"Keras runs on {running} in this process already, and {backend} is asked for",
            f"start a new process (in a notebook: restart the kernel){other}",
        )


@contextmanager
def settings_kept() -> Iterator[None]:
    """A block that may import Keras and train; after it, warnings, Keras and TensorFlow behave as they did before."""
    keras = sys.modules.get("keras")
    policy = keras.config.dtype_policy() if keras is not None else "float32"
    is_talking = keras is None or keras.config.is_interactive_logging_enabled()
    kept = ("image_data_format", "floatx", "epsilon")
    before = {name: getattr(keras.config, name)() for name in kept} if keras is not None else {}
    was_deterministic = TENSORFLOW in sys.modules and _determinism().is_op_determinism_enabled()
    were_logged = warnings.showwarning.__module__ == logging.__name__
    with warnings.catch_warnings():
        try:
            yield
        finally:
            if not were_logged:
                logging.captureWarnings(False)
            if TENSORFLOW in sys.modules and not was_deterministic:
                _determinism().disable_op_determinism()
            keras = sys.modules.get("keras")
            if keras is not None:
                keras.config.set_dtype_policy(policy)
                if is_talking:
                    keras.config.enable_interactive_logging()
                for name, value in before.items():
                    getattr(keras.config, f"set_{name}")(value)


def _determinism() -> Any:
    """TensorFlow's switch, which it only exports as something to turn on."""
    return importlib.import_module("tensorflow.python.framework.config")


def import_keras_on_the_processor(backend: str) -> None:
    """`import_keras` for a computation that is no training: a GPU, which others may use, is left alone."""
    if backend == JAX:
        os.environ["JAX_PLATFORMS"] = "cpu"
    import_keras(backend)
    if backend == TENSORFLOW:
        sys.modules[TENSORFLOW].config.set_visible_devices([], "GPU")


def _prepare_jax(settings: TrainSettings | None, deterministic: bool) -> None:
    """What JAX reads from the environment when it is imported."""
    os.environ.setdefault("XLA_PYTHON_CLIENT_PREALLOCATE", "false")
    if settings is not None and settings.device == "cpu":
        os.environ["JAX_PLATFORMS"] = "cpu"
    if deterministic:
        os.environ["XLA_FLAGS"] = os.environ.get("XLA_FLAGS", "") + " --xla_gpu_deterministic_ops=true"


class KerasImport:
    """`import_keras` in a thread of its own, so that images are decoded meanwhile; `wait` gives its outcome."""

    def __init__(self, settings: TrainSettings, deterministic: bool) -> None:
        self.backend = choose_backend(settings.backend)
        self._arguments = (self.backend, settings, deterministic)
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name="import-keras", daemon=True)
        self._thread.start()

    def _run(self) -> None:
        try:
            import_keras(*self._arguments)
        except BaseException as error:
            self._error = error

    def join(self) -> None:
        """Return once the import is over, whatever came of it: a process that ends before that is aborted."""
        self._thread.join()

    def wait(self) -> None:
        """Return once Keras is there; raise what its import raised."""
        self._thread.join()
        if self._error is not None:
            raise self._error
