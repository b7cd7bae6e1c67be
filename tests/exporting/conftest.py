"""Keras, imported once as the command imports it; every form of one run, made once."""

from collections.abc import Iterator
from types import ModuleType

import pytest

from cnnctl.exporting.export import Exported, ExportRequest, export
from cnnctl.exporting.formats import Format
from cnnctl.models.backend import import_keras
from cnnctl.runs import Run
from tests.conftest import Trained
from tests.exporting.build import EVERY_FORM
from tests.training.build import Listener


@pytest.fixture(autouse=True, scope="session")
def keras() -> Iterator[ModuleType]:
    """Keras on TensorFlow."""
    import_keras()
    import keras

    yield keras
    keras.config.set_dtype_policy("float32")


@pytest.fixture(scope="session")
def exported(
    digits_run: Trained, tmp_path_factory: pytest.TempPathFactory
) -> dict[tuple[Format, str | None], Exported]:
    """The digits run in every form, in one folder."""
    folder = tmp_path_factory.mktemp("exported")
    return {
        (form, quantization): export(
            Run(digits_run.run), ExportRequest(form, quantization, folder / f"{quantization}{form.ending}"), Listener()
        )
        for form, quantization in EVERY_FORM
    }
