"""The same image in two splits, images of one colour, classes that a split lacks: named before training."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from cnnctl.data.cache.decoded import decode_images
from cnnctl.data.catalog import Catalog
from cnnctl.data.decoder.images import ImageSpec
from cnnctl.data.leakage import suspicions
from cnnctl.errors import Notice
from tests.images import photo

Find = Callable[..., list[Notice]]


def silent(done: int, total: int) -> None:
    """A progress that nobody watches."""


@pytest.fixture
def find(tmp_path: Path) -> Find:
    """The suspicions about images given as (name, split, label); the files lie in tmp_path."""

    def look(*rows: tuple[str, str, str]) -> list[Notice]:
        frame = pd.DataFrame(rows, columns=["path", "split", "label"])
        frame["path"] = [str(tmp_path / name) for name in frame.path]
        decoded = decode_images(frame.path.tolist(), ImageSpec(6, 6), "off", silent)
        assert not decoded.failures
        return suspicions(Catalog(frame, tuple(sorted(set(frame.label)))), decoded)

    return look


def write(folder: Path, name: str, seed: int) -> Path:
    Image.fromarray(photo(6, 6, seed=seed)).save(folder / name)
    return folder / name


def test_nothing_to_say(find: Find, tmp_path: Path) -> None:
    """Twice in one split is no leak."""
    for number in range(4):
        write(tmp_path, f"{number}.png", number)
    (tmp_path / "again.png").write_bytes((tmp_path / "0.png").read_bytes())
    splits = ("train", "train", "validation", "test")
    rows = [(f"{number}.png", split, "a") for number, split in enumerate(splits)]
    assert find(*rows, ("again.png", "train", "a")) == []


def test_the_same_bytes(find: Find, tmp_path: Path) -> None:
    data = write(tmp_path, "first.png", 1).read_bytes()
    (tmp_path / "second.png").write_bytes(data)
    (tmp_path / "third.png").write_bytes(data)
    write(tmp_path, "other.png", 2)
    (one,) = find(
        ("first.png", "train", "a"),
        ("third.png", "train", "a"),
        ("other.png", "train", "a"),
        ("second.png", "test", "a"),
    )
    assert one.message.splitlines() == [
        "1 image is in two splits, byte for byte:",
        f"  {tmp_path / 'first.png'} (train) and {tmp_path / 'second.png'} (test)",
    ]
    assert "one split" in one.hint


def test_the_same_pixels_in_other_bytes(find: Find, tmp_path: Path) -> None:
    write(tmp_path, "one.png", 1)
    write(tmp_path, "one.bmp", 1)
    write(tmp_path, "two.png", 2)
    (one,) = find(("one.png", "train", "a"), ("two.png", "train", "a"), ("one.bmp", "validation", "a"))
    assert "1 image is in two splits, pixel for pixel:" in one.message
    assert f"{tmp_path / 'one.png'} (train) and {tmp_path / 'one.bmp'} (validation)" in one.message


def test_long_lists_are_cut(find: Find, tmp_path: Path) -> None:
    rows = []
    for number in range(14):
        data = write(tmp_path, f"a{number}.png", number).read_bytes()
        (tmp_path / f"b{number}.png").write_bytes(data)
        rows += [(f"a{number}.png", "train", "a"), (f"b{number}.png", "test", "a")]
    (one,) = find(*rows)
    lines = one.message.splitlines()
    assert lines[0] == "14 images are in two splits, byte for byte:"
    assert len(lines) == 12
    assert lines[-1] == "  and 4 more"


def test_images_of_one_colour(find: Find, tmp_path: Path) -> None:
    """Named once, and not as leaks too although they are alike."""
    nearly = np.full((6, 6, 3), 100, np.uint8)
    nearly[2, 2] = 102
    Image.fromarray(nearly).save(tmp_path / "nearly.png")
    Image.fromarray(nearly).save(tmp_path / "nearly.bmp")
    nearly[2, 2] = 103
    Image.fromarray(nearly).save(tmp_path / "enough.png")
    (one,) = find(("nearly.png", "train", "a"), ("enough.png", "train", "a"), ("nearly.bmp", "test", "a"))
    assert one.message.splitlines()[0] == "2 images are of a single colour:"
    assert "enough" not in one.message


def test_a_class_that_a_split_lacks(find: Find, tmp_path: Path) -> None:
    for number in range(5):
        write(tmp_path, f"{number}.png", number)
    (one,) = find(
        ("0.png", "train", "cat"), ("1.png", "train", "dog"), ("2.png", "train", "eel"), ("3.png", "test", "dog")
    )
    assert one.message == "the test images have none of 2 of the 3 classes: cat, eel"
