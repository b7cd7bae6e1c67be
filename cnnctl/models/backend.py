"""Importing Keras: on the right backend, deaf to the user's keras.json, and without a line on the screen."""

import importlib
import logging
import os
import sys
import threading
import warnings
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from contextvars import ContextVar
from typing import Any

from cnnctl.config.training import TrainSettings
from cnnctl.data.decoder.images import opencv
from cnnctl.errors import MachineError
from cnnctl.models.processes import join
from cnnctl.system.backends import (
    BACKENDS,
    JAX,
    TENSORFLOW,
    choose_backend,
    how_to_mend,
    not_installed,
    title,
)
from cnnctl.system.cluster import Cluster
from cnnctl.system.home import lend_folders
from cnnctl.system.packages import is_installed

__all__ = ["JAX", "TENSORFLOW", "choose_backend", "title"]

_guest: ContextVar[ExitStack | None] = ContextVar("guest", default=None)
"""What ends with the block of `settings_kept`; None in a command, whose process is ours."""


def import_keras(
    backend: str = TENSORFLOW,
    settings: TrainSettings | None = None,
    deterministic: bool = False,
    cluster: Cluster | None = None,
) -> None:
    """Import Keras and its backend; descriptor 2 should be captured meanwhile (see quiet.py).

    JAX is told the device of the settings before it looks for one. `deterministic` is for runs that are equal on a GPU
    too. JAX joins the processes of a cluster.

    Raises:
        MachineError: they are not installed or cannot be loaded, Keras runs on another backend already, or other
            processes cannot be reached.
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
    try:
        library = importlib.import_module(backend)
        if cluster is not None:
            join(cluster)
        keras = importlib.import_module("keras")
    except ImportError as error:
        if not is_installed(backend):
            raise not_installed(backend) from None
        raise MachineError(f"Keras cannot be imported: {error}", how_to_mend(backend)) from error
    if backend == TENSORFLOW:
        library.get_logger().setLevel("ERROR")
    keras.config.set_image_data_format("channels_last")
    keras.config.set_floatx("float32")
    keras.config.set_epsilon(1e-7)
    keras.config.disable_interactive_logging()


def _insist_on_backend(backend: str) -> None:
    """Refuse a backend where this process has imported Keras on another one, which stays."""
    keras = sys.modules.get("keras")
    running = keras.backend.backend() if keras is not None else backend
    if running != backend:
        other = f", or train with backend: {running}" if running in BACKENDS else ""
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
    with warnings.catch_warnings(), ExitStack() as stack:
        token = _guest.set(stack)
        try:
            yield
        finally:
            _guest.reset(token)
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
    """`import_keras` for a computation that is no training: a GPU, which others may use, is left alone.

    In a process that is not ours (see `settings_kept`) a later training is to find the GPU, so it is not hidden.
    """
    guest = _guest.get()
    if guest is not None:
        import_keras(backend)
        guest.enter_context(_on_the_processor(backend))
        return
    if backend == JAX:
        os.environ["JAX_PLATFORMS"] = "cpu"
    import_keras(backend)
    if backend == TENSORFLOW:
        sys.modules[TENSORFLOW].config.set_visible_devices([], "GPU")


@contextmanager
def _on_the_processor(backend: str) -> Iterator[None]:
    """A block in which the backend computes on the processor; of a GPU it takes little memory."""
    library = sys.modules[backend]
    if backend == JAX:
        with library.default_device(library.devices("cpu")[0]):
            yield
        return
    with suppress(RuntimeError):  # this process has used the GPU before
        for gpu in library.config.list_physical_devices("GPU"):
            library.config.experimental.set_memory_growth(gpu, True)
    with library.device("CPU:0"):
        yield


def _prepare_jax(settings: TrainSettings | None, deterministic: bool) -> None:
    """What JAX reads from the environment when it is imported."""
    os.environ.setdefault("XLA_PYTHON_CLIENT_PREALLOCATE", "false")
    if settings is not None and settings.device == "cpu":
        os.environ["JAX_PLATFORMS"] = "cpu"
    if deterministic:
        os.environ["XLA_FLAGS"] = os.environ.get("XLA_FLAGS", "") + " --xla_gpu_deterministic_ops=true"


class KerasImport:
    """`import_keras` in a thread of its own, so that images are decoded meanwhile; `wait` gives its outcome."""

    def __init__(self, settings: TrainSettings, deterministic: bool, cluster: Cluster | None = None) -> None:
        self.backend = choose_backend(settings.backend)
        self._arguments = (self.backend, settings, deterministic, cluster)
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
