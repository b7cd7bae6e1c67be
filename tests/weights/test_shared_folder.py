"""Published weights in a folder that other users may write: by the hash of Keras, or not at all."""

import hashlib
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import h5py
import numpy as np
import pytest

from cnnctl.errors import EXIT_ENVIRONMENT, MachineError
from cnnctl.weights import find
from cnnctl.weights.find import find_weights, obtain
from cnnctl.weights.published import NETWORKS
from tests.data.cache.test_trust import NOBODY, needs_root

SHAPES = {"Conv1": ((2, 3),)}


def write(path: Path, value: float) -> bytes:
    """Weights as Keras 2 wrote them, all of one value."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with h5py.File(path, "w") as file:
        file.attrs["layer_names"] = [b"Conv1"]
        group = file.create_group("Conv1")
        group.attrs["weight_names"] = [b"Conv1/kernel:0"]
        group["Conv1/kernel:0"] = np.full((2, 3), value, np.float32)
    return path.read_bytes()


Place = Callable[[str], Path]


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Place:
    """Lays weights of 1 where Keras keeps those of a network; Keras publishes their hash, but for MobileNetV2's."""
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "keras"))

    def lay(name: str) -> Path:
        path = tmp_path / "keras" / "models" / str(NETWORKS[name].file)
        digits = hashlib.md5(write(path, 1)).hexdigest()
        if NETWORKS[name].md5 is not None:
            monkeypatch.setitem(NETWORKS, name, replace(NETWORKS[name], md5=digits))
        return path

    return lay


def value_of(name: str) -> float:
    (array,) = find_weights(name, None, SHAPES).arrays["Conv1"]
    return float(array[0, 0])


def anothers(path: Path) -> None:
    os.chown(path, NOBODY, NOBODY)


def for_all(path: Path) -> None:
    path.chmod(0o666)


def for_its_group(path: Path) -> None:
    path.chmod(0o664)


def linked(path: Path) -> None:
    target = path.with_suffix(".other.h5")
    path.rename(target)
    anothers(target)
    path.symlink_to(target)


@needs_root
@pytest.mark.parametrize("change", [anothers, for_all, linked])
def test_without_a_hash_those_of_another_user_are_refused(change: Callable[[Path], None], place: Place) -> None:
    path = place("MobileNetV2")
    assert NETWORKS["MobileNetV2"].md5 is None
    assert value_of("MobileNetV2") == 1
    change(path)
    for fetch in (False, True):
        with pytest.raises(MachineError) as caught:
            obtain(NETWORKS["MobileNetV2"], fetch=fetch)
        assert caught.value.exit_code == EXIT_ENVIRONMENT
        assert caught.value.message == f"{path} may be another user's, and Keras publishes no hash of it"
    assert "KERAS_HOME" in str(caught.value.hint)
    (array,) = find_weights("MobileNetV2", str(path), SHAPES).arrays["Conv1"]  # as the hint says
    assert array[0, 0] == 1


def test_those_that_a_group_may_write_are_taken(place: Place) -> None:
    """Many systems give every user a group, and files that it may write."""
    for_its_group(place("MobileNetV2"))
    assert value_of("MobileNetV2") == 1


@needs_root
@pytest.mark.parametrize("change", [anothers, for_all, linked])
def test_with_a_hash_those_of_another_user_are_taken_if_they_have_it(
    change: Callable[[Path], None], place: Place
) -> None:
    path = place("ResNet50V2")
    change(path)
    assert value_of("ResNet50V2") == 1
    write(path, 2)
    with pytest.raises(MachineError, match="is damaged"):
        value_of("ResNet50V2")


@needs_root
def test_those_that_are_exchanged_after_their_hash_was_compared_are_refused(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = place("ResNet50V2")
    anothers(path)
    honest = find._is_whole

    def compare(*given: object) -> bool:
        same = honest(*given)  # type: ignore[arg-type]
        write(path, 2)
        return same

    monkeypatch.setattr(find, "_is_whole", compare)
    with pytest.raises(MachineError, match="was changed while it was read"):
        value_of("ResNet50V2")


@needs_root
def test_those_that_are_exchanged_while_they_are_read_are_not_seen(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = place("ResNet50V2")
    anothers(path)
    honest = find._of_hdf5

    def read(*given: object) -> object:
        write(path, 2)
        return honest(*given)  # type: ignore[arg-type]

    monkeypatch.setattr(find, "_of_hdf5", read)
    assert value_of("ResNet50V2") == 1
