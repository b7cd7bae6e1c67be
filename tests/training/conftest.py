"""Keras, imported once as the command imports it."""

from collections.abc import Iterator
from types import ModuleType

import pytest

from cnnctl.evaluation import evaluate
from cnnctl.models.backend import import_keras
from cnnctl.pictures import style


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


@pytest.fixture(autouse=True)
def _without_pictures(monkeypatch: pytest.MonkeyPatch) -> None:
    """Drawing takes longer than training here; runs of module fixtures, and tests/evaluation, have every picture."""
    monkeypatch.setattr(evaluate, "write_plots", lambda *_: None)
    monkeypatch.setattr(style, "png", lambda _: b"\x89PNG")  # the curves are written still
