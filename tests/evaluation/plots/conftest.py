"""Every test of the pictures is inside the style's block."""

from collections.abc import Iterator

import pytest

from cnnctl.pictures import style


@pytest.fixture(autouse=True)
def drawing() -> Iterator[None]:
    with style.drawing():
        yield
