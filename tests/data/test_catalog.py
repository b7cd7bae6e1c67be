"""A data section -> the table of images, and everything that makes a training impossible."""

import os
import re
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cnnctl.config.schema import CsvColumns, DataSettings, ImageSettings
from cnnctl.data import sources
from cnnctl.data.catalog import Catalog, image_spec, make_catalog
from cnnctl.data.decoder.images import ImageSpec, read_image
from cnnctl.data.sources import count_source_classes
from cnnctl.errors import DataError
from tests.images import write_classes


def catalog(train: Path | str, seed: int = 0, **settings: Any) -> Catalog:
    return make_catalog(DataSettings(train=str(train), **settings), seed)


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    return write_classes(tmp_path / "photos", {"dog": 20, "cat": 10})


def test_fractions(photos: Path) -> None:
    found = catalog(photos, validation=0.2, test=0.1)
    assert found.classes == ("cat", "dog")
    assert list(found.frame.columns) == ["path", "label", "split"]
    assert found.counts() == {
        "train": {"cat": 7, "dog": 14},
        "validation": {"cat": 2, "dog": 4},
        "test": {"cat": 1, "dog": 2},
    }
    assert len(set(found.frame.path)) == 30
    assert all(Path(row.path).parent.name == row.label for row in found.frame.itertuples())
    assert found.frame.equals(catalog(photos, validation=0.2, test=0.1).frame)
    assert not found.frame.equals(catalog(photos, seed=1, validation=0.2, test=0.1).frame)


def test_splits_that_are_not_asked_for_are_not_there(photos: Path) -> None:
    assert catalog(photos, validation=0).counts() == {"train": {"cat": 10, "dog": 20}}
    assert list(catalog(photos).counts()) == ["train", "validation"]


def test_validation_and_test_with_folders_of_their_own(photos: Path, tmp_path: Path) -> None:
    """A class without an image there is a 0; what was left out is added up."""
    validation = write_classes(tmp_path / "validation", {"cat": 2, "dog": 3})
    test = write_classes(tmp_path / "test", {"dog": 4})
    for folder in (photos, validation, test):
        (folder / ".DS_Store").touch()
    found = catalog(photos, validation=str(validation), test=str(test))
    assert found.counts() == {
        "train": {"cat": 10, "dog": 20},
        "validation": {"cat": 2, "dog": 3},
        "test": {"cat": 0, "dog": 4},
    }
    assert found.left_out == {"hidden or system": 3}


def test_a_csv_with_groups(photos: Path, tmp_path: Path) -> None:
    rows = [f"{name}/{number}.png,{name},{number // 2}" for name in ("cat", "dog") for number in range(10)]
    file = tmp_path / "photos.csv"
    file.write_text("file,what,who\n" + "\n".join(rows) + "\n")
    columns = CsvColumns(path="file", label="what", group="who", folder=str(photos))
    frame = catalog(file, csv=columns, validation=0.2, test=0.2).frame
    split_of: dict[str, str] = {}
    for row in frame.itertuples():
        assert split_of.setdefault(str(int(Path(row.path).stem) // 2), row.split) == row.split
    assert Counter(frame.split) == {"train": 12, "validation": 4, "test": 4}


@pytest.mark.parametrize(
    ("counts", "settings", "message"),
    [
        ({"cat": 5}, {}, "at least two classes, but all 5 images are of the class cat"),
        ({"cat": 5, "dog": 0, "owl": 0}, {}, "no image was found for the class dog, owl"),
        ({"cat": 5, "dog": 1}, {}, "1 class(es) have too few images to split (dog: 1); each needs 2"),
        ({"cat": 5, "dog": 2, "owl": 1}, {"test": 0.1}, "2 class(es) have too few images to split (dog: 2, owl: 1)"),
        ({"cat": 0, "dog": 0}, {}, "no image was found in "),
        ({"train": 1, "test": 1}, {}, "these are splits, not classes"),
    ],
)
def test_what_makes_a_training_impossible(
    tmp_path: Path, counts: dict[str, int], settings: dict[str, Any], message: str
) -> None:
    write_classes(tmp_path, counts)
    with pytest.raises(DataError, match=re.escape(message)) as caught:
        catalog(tmp_path, **settings)
    assert caught.value.hint


def test_one_image_a_class_will_do_without_a_split(tmp_path: Path) -> None:
    assert catalog(write_classes(tmp_path, {"a": 1, "b": 1}), validation=0).counts() == {"train": {"a": 1, "b": 1}}


def test_an_unknown_class_in_the_test_images_is_refused_by_name(photos: Path, tmp_path: Path) -> None:
    test = write_classes(tmp_path / "test", {"cat": 1, "Dog": 1})
    with pytest.raises(DataError, match="test has the class Dog, which the training images do not have") as caught:
        catalog(photos, test=str(test))
    assert caught.value.hint == "the classes are cat, dog"


def test_an_empty_test_folder(photos: Path, tmp_path: Path) -> None:
    write_classes(tmp_path / "test", {"cat": 0, "dog": 0})
    with pytest.raises(DataError, match="no image was found in"):
        catalog(photos, test=str(tmp_path / "test"))


def test_a_class_whose_groups_all_went_elsewhere(tmp_path: Path) -> None:
    write_classes(tmp_path, {"cat": 6, "dog": 1, "owl": 1})
    file = tmp_path / "photos.csv"
    rows = [*[f"cat/{number}.png,cat,{number}" for number in range(6)], "dog/0.png,dog,8", "owl/0.png,owl,9"]
    file.write_text("path,label,g\n" + "\n".join(rows) + "\n")
    lost = 0
    for seed in range(20):
        try:
            found = catalog(file, seed, csv=CsvColumns(group="g"), validation=0.4, test=0.3)
        except DataError as error:
            assert "its groups all went to other splits" in error.message  # noqa: PT017
            lost += 1
        else:
            assert set(found.frame.label[found.frame.split == "train"]) == {"cat", "dog", "owl"}
    assert lost


@pytest.mark.skipif(os.name == "nt", reason="file names are text there")
def test_a_class_name_that_is_not_utf8_is_refused(tmp_path: Path) -> None:
    """JSON, ONNX and the screen could not hold it; such names of images are fine."""
    write_classes(tmp_path, {"a": 3, "b": 3})
    odd = os.fsdecode(b"\xff.png")
    (tmp_path / "a" / "0.png").rename(tmp_path / "a" / odd)
    assert odd in {Path(path).name for path in catalog(tmp_path).frame.path}
    (tmp_path / "b").rename(tmp_path / os.fsdecode(b"caf\xe9"))
    with pytest.raises(DataError, match=r"class name 'caf\\udce9' in .* is not UTF-8"):
        catalog(tmp_path)


class TestDigits:
    def test_all_of_them(self) -> None:
        found = catalog("digits", validation=0.2, test=0.2)
        assert found.classes == tuple("0123456789")
        assert len(found.frame) == 1797
        assert sum(found.counts()["test"].values()) == pytest.approx(0.2 * 1797, abs=5)
        assert not found.left_out

    def test_pixels_are_scikit_learns(self) -> None:
        from sklearn.datasets import load_digits

        digits = load_digits()
        folder = sources.digits_folder()
        for number in range(0, 1797, 37):
            path = folder / str(digits.target[number]) / f"{number:04}.png"
            found = read_image(path, ImageSpec(8, 8, channels=1))[:, :, 0]
            assert np.array_equal(found, np.rint(digits.images[number] * 255 / 16)), number

    def test_are_written_once(self, cache_home: Path) -> None:
        folder = sources.digits_folder()
        before = (folder / "0" / "0000.png").stat().st_mtime_ns
        assert sources.digits_folder() == folder
        assert (folder / "0" / "0000.png").stat().st_mtime_ns == before
        assert [child.name for child in (cache_home / "cnnctl").iterdir()] == [folder.name]

    def test_another_process_may_be_faster(self, cache_home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        folder = sources.digits_folder()
        sources._write_digits(folder)
        assert [child.name for child in (cache_home / "cnnctl").iterdir()] == [folder.name]


def test_classes_are_counted_without_looking_at_images(photos: Path, tmp_path: Path) -> None:
    file = tmp_path / "photos.csv"
    file.write_text("path,label\nx.png,no\ny.png,007\nz.png,NA\n")
    assert count_source_classes(str(photos), CsvColumns()) == 2
    assert count_source_classes(str(file), CsvColumns()) == 3
    assert count_source_classes("digits", CsvColumns()) == 10
    with pytest.raises(DataError, match="there is no folder"):
        count_source_classes(str(tmp_path / "gone"), CsvColumns())


def test_image_settings_become_the_decoders() -> None:
    settings = ImageSettings(height=5, width=6, channels=1, fit="pad", background=(1, 2, 3))
    assert image_spec(settings) == ImageSpec(5, 6, 1, "pad", (1, 2, 3))
