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
    for number in range(4):
        write(tmp_path, f"{number}.png", number)
    splits = ("train", "train", "validation", "test")
    assert find(*((f"{number}.png", split, "a") for number, split in enumerate(splits))) == []


def test_twice_in_one_class(find: Find, tmp_path: Path) -> None:
    """Twice in one split is no leak, and each file after the first is one too many."""
    for number in range(3):
        write(tmp_path, f"{number}.png", number)
    for name in ("again.png", "more.png"):
        (tmp_path / name).write_bytes((tmp_path / "0.png").read_bytes())
    write(tmp_path, "pixels.bmp", 0)
    names = ("0.png", "1.png", "again.png", "2.png", "more.png", "pixels.bmp")
    same, alike = find(*((name, "train", "a") for name in names))
    first, again, more, pixels = (str(tmp_path / name) for name in ("0.png", "again.png", "more.png", "pixels.bmp"))
    assert same.message.splitlines() == [
        "2 images are twice in one class, byte for byte:",
        f"  {first} and {again}",
        f"  {first} and {more}",
    ]
    assert alike.message.splitlines()[1:] == [f"  {first} and {pixels}"]
    assert (same.pairs, alike.pairs) == (((first, again), (first, more)), ((first, pixels),))


def test_in_two_classes(find: Find, tmp_path: Path) -> None:
    """By bytes or by pixels, in one split or in two, where it is a leak as well."""
    for number in range(3):
        write(tmp_path, f"{number}.png", number)
    (tmp_path / "same.png").write_bytes((tmp_path / "0.png").read_bytes())
    write(tmp_path, "alike.bmp", 1)
    same, alike, leak = find(
        ("0.png", "train", "cat"),
        ("1.png", "train", "dog"),
        ("2.png", "train", "dog"),
        ("same.png", "train", "dog"),
        ("alike.bmp", "test", "cat"),
    )[:3]
    assert same.message.splitlines() == [
        "1 image is in two classes, byte for byte:",
        f"  {tmp_path / '0.png'} (cat) and {tmp_path / 'same.png'} (dog)",
    ]
    assert alike.message.splitlines() == [
        "1 image is in two classes, pixel for pixel:",
        f"  {tmp_path / '1.png'} (dog) and {tmp_path / 'alike.bmp'} (cat)",
    ]
    assert same.pairs == ((str(tmp_path / "0.png"), str(tmp_path / "same.png")),)
    assert "in two splits, pixel for pixel" in leak.message


def test_a_file_that_a_table_lists_twice(find: Find, tmp_path: Path) -> None:
    path = write(tmp_path, "0.png", 0)
    write(tmp_path, "1.png", 1)
    (one,) = find(("0.png", "train", "cat"), ("1.png", "train", "dog"), ("0.png", "train", "dog"))
    assert one.message.splitlines()[1] == f"  {path} (cat) and {path} (dog)"


def test_the_same_bytes(find: Find, tmp_path: Path) -> None:
    data = write(tmp_path, "first.png", 1).read_bytes()
    (tmp_path / "second.png").write_bytes(data)
    (tmp_path / "third.png").write_bytes(data)
    write(tmp_path, "other.png", 2)
    one, twice = find(
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
    assert twice.pairs == ((str(tmp_path / "first.png"), str(tmp_path / "third.png")),)


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


def test_programs_are_told_of_more_but_not_of_all(find: Find, tmp_path: Path) -> None:
    data = write(tmp_path, "0.png", 0).read_bytes()
    rows = []
    for number in range(130):
        (tmp_path / f"{number}.png").write_bytes(data)
        rows.append((f"{number}.png", "train", "a"))
    (one,) = find(*rows)
    assert one.message.splitlines()[0] == "129 images are twice in one class, byte for byte:"
    assert one.message.splitlines()[-1] == "  and 119 more"
    assert len(one.pairs) == 100


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
