"""Batches and images that devices cannot share are refused, with what they can."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from cnnctl.config import Loaded, parse_config
from cnnctl.data.prepare import Prepared
from cnnctl.errors import EXIT_CONFIG, EXIT_DATA, ConfigError, DataError
from cnnctl.models.devices import Device
from cnnctl.models.shares import insist_on_even_batches, insist_on_shares

CONFIG = """\
classes: 10
data: {train: digits}
model: [flatten]
train:
  batch_size: 100
"""


def device(count: int, processes: int = 1) -> Device:
    return Device("gpu", "a GPU", "float32", "", True, count, processes=processes)


@pytest.fixture
def loaded(tmp_path: Path) -> Loaded:
    (tmp_path / "config.yaml").write_text(CONFIG)
    return parse_config(tmp_path / "config.yaml")


def prepared(training: int, validation: int) -> Prepared:
    count = training + validation
    splits = np.array(["train"] * training + ["validation"] * validation, object)
    numbers = np.zeros(count, np.int64)
    pixels = np.zeros((count, 1, 1, 1), np.uint8)
    return Prepared(("a", "b"), (), numbers, splits, numbers, pixels, np.zeros((count, 16), np.uint8))


@pytest.mark.parametrize(
    ("devices", "processes", "hint"),
    [
        (8, 1, "batch_size: 96 or batch_size: 104, or --devices 5"),
        (2, 4, "batch_size: 96 or batch_size: 104, or --devices 1"),
        (1, 3, "batch_size: 99 or batch_size: 102"),
        (128, 1, "batch_size: 128, or --devices 100"),
    ],
)
def test_uneven_batches_by_their_line(loaded: Loaded, devices: int, processes: int, hint: str) -> None:
    with pytest.raises(ConfigError) as caught:
        insist_on_even_batches(loaded, devices, processes)
    (problem,) = caught.value.problems
    assert caught.value.exit_code == EXIT_CONFIG
    assert (problem.path, problem.received, problem.hint) == ("train.batch_size", "100", hint)
    assert problem.message == f"{devices * processes} devices cannot share a batch evenly"
    assert problem.position is not None
    assert problem.position.line == 5


def test_even_batches(loaded: Loaded) -> None:
    insist_on_shares(loaded, prepared(4, 4), device(4))
    insist_on_shares(loaded, prepared(20, 0), device(5, processes=4))
    insist_on_shares(loaded, prepared(1, 0), device(1))


@pytest.mark.parametrize(
    ("images", "chosen", "message", "hint"),
    [
        ((3, 9), device(5), "5 devices cannot share 3 train images", "--devices 3"),
        ((9, 3), device(2, 2), "4 devices cannot share 3 validation images", "--devices 1"),
        ((9, 1), device(1, 2), "2 devices cannot share 1 validation images", "use fewer processes"),
    ],
)
def test_too_few_images(loaded: Loaded, images: tuple[int, int], chosen: Device, message: str, hint: str) -> None:
    with pytest.raises(DataError) as caught:
        insist_on_shares(loaded, prepared(*images), chosen)
    assert (caught.value.message, caught.value.hint, caught.value.exit_code) == (message, hint, EXIT_DATA)


@pytest.mark.parametrize(
    ("images", "batch_size", "hint"),
    [(130, 256, "batch_size: 128, or data.keep: all"), (63, 64, "data.keep: all"), (128, 128, None)],
)
def test_parts_that_fill_no_batch(loaded: Loaded, images: int, batch_size: int, hint: str | None) -> None:
    loaded = parse_config(loaded.path, (f"train.batch_size={batch_size}",))
    dealt = replace(prepared(images, 1), parts=np.arange(images + 1) % 64)
    if hint is None:
        insist_on_shares(loaded, dealt, device(1))
        return
    with pytest.raises(DataError) as caught:
        insist_on_shares(loaded, dealt, device(1))
    assert caught.value.message == f"{images} training images in 64 parts do not fill a batch of {batch_size}"
    assert caught.value.hint == hint
