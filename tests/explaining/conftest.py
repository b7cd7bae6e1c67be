"""Keras, imported once as the command imports it."""

from collections.abc import Iterator
from types import ModuleType

import pytest

from cnnctl.models.backend import import_keras


@pytest.fixture(autouse=True, scope="session")
def keras() -> Iterator[ModuleType]:
    """Keras on TensorFlow."""
    import_keras()
    import keras

    yield keras
    keras.config.set_dtype_policy("float32")
