"""Importing Keras: on the right backend, deaf to the user's keras.json, and without a line on the screen."""

import importlib
import logging
import os
import threading
import warnings

from cnnctl.data.images import opencv
from cnnctl.errors import MachineError

BACKEND = "tensorflow"


def import_keras() -> None:
    """Import Keras and TensorFlow; descriptor 2 should be captured meanwhile (see quiet.py).

    Raises:
        MachineError: they are not installed or cannot be loaded.
    """
    os.environ["KERAS_BACKEND"] = BACKEND
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    opencv()  # Keras imports cv2 where it can: let it find the one with our limits
    logging.captureWarnings(True)
    warnings.simplefilter("ignore")
    try:
        keras = importlib.import_module("keras")
        tensorflow = importlib.import_module("tensorflow")
    except ImportError as error:
        raise MachineError(f"Keras cannot be imported: {error}", "install it with: pip install cnnctl") from error
    tensorflow.get_logger().setLevel("ERROR")
    keras.config.set_image_data_format("channels_last")
    keras.config.set_floatx("float32")
    keras.config.set_epsilon(1e-7)
    keras.config.disable_interactive_logging()


class KerasImport:
    """`import_keras` in a thread of its own, so that images are decoded meanwhile; `wait` gives its outcome."""

    def __init__(self) -> None:
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name="import-keras", daemon=True)
        self._thread.start()

    def _run(self) -> None:
        try:
            import_keras()
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
