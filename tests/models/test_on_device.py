"""Batches that are made on a device hold what batches of the processor hold, bit for bit."""

from dataclasses import replace
from types import SimpleNamespace

import cv2
import jax
import keras
import numpy as np
import pytest

from cnnctl.config.augmentations import RandomFlip, RandomTranslation
from cnnctl.data.augment import augmenter
from cnnctl.data.augment.moves import whole_moves
from cnnctl.models.backend import JAX
from cnnctl.models.devices import Device
from cnnctl.models.on_device import has_room, on_device

GPU = Device("gpu", "a GPU", "float32", "", deterministic=False)


@pytest.mark.parametrize("fill_mode", ["constant", "mirror"])
def test_moved_images(fill_mode: str) -> None:
    images = np.random.default_rng(0).integers(0, 256, (50, 9, 7, 3), np.uint8)
    shift = RandomTranslation(
        height_factor=(-0.3, 0.3),
        width_factor=(-0.3, 0.3),
        interpolation="nearest",
        fill_mode=fill_mode,  # type: ignore[arg-type]
        fill_value=9,
    )
    steps = [RandomFlip(mode="horizontal"), shift]
    vary = augmenter(steps, 3, images.__getitem__, len(images))
    assert vary is not None
    take = on_device(images, whole_moves(steps, 3, 9, 7))
    for epoch in (0, 5):
        numbers = np.random.default_rng(epoch).permutation(50)[:20]
        batch = take(numbers, epoch)
        assert isinstance(batch, jax.Array)
        assert batch.dtype == np.uint8
        expected = np.stack([vary(int(number), epoch).image for number in numbers])
        same = (np.asarray(batch) == expected).all(axis=(1, 2, 3))
        assert same.all() if cv2.__version__ >= "5" else same.mean() >= 0.9  # OpenCV 4 rounds otherwise


def test_features_as_they_are() -> None:
    features = np.random.default_rng(0).normal(size=(30, 4)).astype(np.float32)
    numbers = np.array([3, 3, 29, 0])
    assert np.array_equal(np.asarray(on_device(features)(numbers, 1)), features[numbers])


def test_room_is_a_quarter_of_the_memory_of_a_gpu_of_jax(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keras.backend, "backend", lambda: JAX)
    monkeypatch.setattr(jax, "devices", lambda: [SimpleNamespace(memory_stats=lambda: {"bytes_limit": 4000})])
    assert has_room(GPU, 1000)
    assert not has_room(GPU, 1001)
    assert not has_room(Device("cpu", "a processor", "float32", "", deterministic=True), 1000)
    assert not has_room(replace(GPU, count=2), 1000)
    assert not has_room(replace(GPU, processes=2), 1000)
    monkeypatch.setattr(jax, "devices", lambda: [SimpleNamespace(memory_stats=lambda: None)])
    assert not has_room(GPU, 1)
    monkeypatch.setattr(keras.backend, "backend", lambda: "tensorflow")
    assert not has_room(GPU, 1)
