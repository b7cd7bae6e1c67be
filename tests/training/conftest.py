"""Keras, imported once as the command imports it."""

from collections.abc import Iterator
from types import ModuleType

import pytest

from cnnctl.training.backend import import_keras


@pytest.fixture(scope="session")
def keras() -> ModuleType:
    """Keras on TensorFlow."""
    import_keras()
    import keras

    return keras


@pytest.fixture(autouse=True)
def _clean(keras: ModuleType) -> Iterator[None]:
    """Every test leaves Keras' policy at float32, whatever the networks that it built."""
    yield
    keras.config.set_dtype_policy("float32")
