"""Servers that many tests ask."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import Trained
from tests.inference.build import knowing_run
from tests.serving.build import Served, serving


@pytest.fixture(scope="session")
def colours(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run that tells red, green and blue apart, without model.keras; it was trained on reds and greens."""
    return knowing_run(tmp_path_factory.mktemp("colours") / "run").path


@pytest.fixture(scope="module")
def served(colours: Path) -> Iterator[Served]:
    """The colours, with a body limit of 1 MB and 4 images."""
    with serving(colours, "--max-megabytes", "1", "--max-images", "4") as server:
        yield server


@pytest.fixture(scope="module")
def served_digits(digits_run: Trained) -> Iterator[Served]:
    """The digits."""
    with serving(digits_run.run) as server:
        yield server
