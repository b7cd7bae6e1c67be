"""Images at addresses, in fsspec's own store in memory."""

import sys
from collections.abc import Iterator
from pathlib import Path

import fsspec
import numpy as np
import pytest

from cnnctl.data.decoder.images import ImageError
from cnnctl.data.file_names import is_address
from cnnctl.data.table import Columns
from cnnctl.errors import EXIT_ENVIRONMENT, DataError, MachineError
from cnnctl.inference import remote
from cnnctl.inference.inputs import expand_inputs
from cnnctl.inference.model import Classifier, load_classifier
from cnnctl.inference.stream import classify
from tests.inference.build import colour_run, paint


@pytest.fixture
def store(tmp_path: Path) -> Iterator[str]:
    """Three colours at memory://bucket/photos, and a text."""
    system = fsspec.filesystem("memory")
    for name, colour in (("red", (200, 9, 9)), ("blue", (9, 9, 200)), ("deep/green", (9, 200, 9))):
        content = Path(paint(tmp_path / f"{Path(name).name}.png", *colour)).read_bytes()
        system.pipe(f"/bucket/photos/{name}.png", content)
    system.pipe("/bucket/photos/notes.txt", b"none")
    system.pipe("/bucket/photos/.hidden.png", b"none")
    yield "memory://bucket/photos"
    system.rm("/bucket", recursive=True)


@pytest.fixture
def classifier(tmp_path: Path) -> Classifier:
    return load_classifier(colour_run(tmp_path / "run"))


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("s3://bucket/a.png", True),
        ("https://example.com/a.png", True),
        ("C:\\photos\\a.png", False),
        ("photos//a.png", False),
        ("//server/share/a.png", False),
        ("simplecache::s3://bucket/a.png", False),
    ],
)
def test_what_is_an_address(path, expected):
    assert is_address(path) == expected


def test_a_folder_a_pattern_and_an_image(store):
    assert list(remote.list_remote(store)) == [f"{store}/blue.png", f"{store}/deep/green.png", f"{store}/red.png"]
    assert list(remote.list_remote(f"{store}/*.png")) == [f"{store}/blue.png", f"{store}/red.png"]
    assert list(remote.list_remote(f"{store}/red.png")) == [f"{store}/red.png"]
    with pytest.raises(DataError, match="no image was found in memory://bucket/none"):
        list(remote.list_remote("memory://bucket/none"))


def test_the_answers_are_those_of_the_files(store, classifier, tmp_path):
    there = list(classify(classifier, list(remote.list_remote(store))))
    here = list(classify(classifier, [str(tmp_path / f"{name}.png") for name in ("blue", "green", "red")]))
    assert [answer.prediction.label for answer in there] == ["blue", "green", "red"]
    for one, other in zip(there, here, strict=True):
        np.testing.assert_array_equal(one.probabilities, other.probabilities)


def test_what_cannot_be_read_is_a_reason(store, classifier):
    gone, large = f"{store}/gone.png", f"{store}/red.png"
    (answer,) = classify(classifier, [gone])
    assert answer.prediction is None
    assert "it cannot be read" in str(answer.error)
    with pytest.raises(ImageError, match="larger than"):
        remote.read_remote(large, 10)


def test_a_table_may_list_addresses(store, tmp_path):
    (tmp_path / "list.csv").write_text(f"path\n{store}/red.png\nblue.png\n")
    found = list(expand_inputs([str(tmp_path / "list.csv")], Columns))
    assert found == [f"{store}/red.png", str(tmp_path / "blue.png")]
    assert list(expand_inputs([f"{store}/*.png"], Columns)) == [f"{store}/blue.png", f"{store}/red.png"]


def test_a_package_that_is_missing_is_named(monkeypatch):
    remote._of_scheme.cache_clear()
    with pytest.raises(MachineError, match="nosuch://") as caught:
        list(remote.list_remote("nosuch://bucket/photos"))
    assert caught.value.exit_code == EXIT_ENVIRONMENT == 5
    monkeypatch.setitem(sys.modules, "fsspec", None)
    with pytest.raises(MachineError, match="needs fsspec") as caught:
        list(remote.list_remote("s3://bucket/photos"))
    assert "'.[remote]'" in str(caught.value.hint)
    remote._of_scheme.cache_clear()
