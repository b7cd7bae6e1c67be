"""Images with several labels: how they are written, found in CSVs and folders, and spread over splits."""

import os
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cnnctl.config.schema import CsvColumns, DataSettings
from cnnctl.data.catalog import CatalogError, make_catalog
from cnnctl.data.labels import counts_of, encode, kinds_of, texts_of
from cnnctl.data.listing import list_class_folders
from cnnctl.data.several import joined, names_of, united
from cnnctl.data.shards import list_shards, shards_of
from cnnctl.data.sources import count_source_classes
from cnnctl.data.split import SPLITS, grouped, stratified_several
from cnnctl.data.table import Columns, count_labels, read_table
from cnnctl.errors import DataError
from tests.data.test_archives import tarred

SEVERAL = Columns(several=True)


def write(folder: Path, text: str, images: str = "abcd") -> Path:
    for name in images:
        (folder / f"{name}.png").touch()
    file = folder / "images.csv"
    file.write_text(text, encoding="utf-8")
    return file


def test_the_text_of_labels_is_sorted_and_has_each_once() -> None:
    assert united("dog|cat", "cat | bird") == "bird|cat|dog"
    assert united(" the\u0301 ") == "th\u00e9"
    assert united("|cat||", "") == "cat"
    assert united("", " ") == ""
    assert names_of(joined([])) == ()
    assert names_of("a|b") == ("a", "b")


def test_labels_become_rows_of_0_and_1_and_texts_again() -> None:
    classes, labels = ("bird", "cat", "dog"), ["cat|dog", "", "bird", "cat|dog"]
    rows = encode(labels, classes, "x", several=True)
    assert rows.dtype == np.uint8
    assert rows.tolist() == [[0, 1, 1], [0, 0, 0], [1, 0, 0], [0, 1, 1]]
    assert texts_of(rows, classes) == labels
    assert counts_of(rows, 3).tolist() == [1, 2, 2]
    kinds = kinds_of(rows).tolist()
    assert kinds[0] == kinds[3]
    assert len(set(kinds)) == 3
    with pytest.raises(DataError, match="x has the class owl, which the run was not trained on"):
        encode(["cat|owl"], classes, "x", several=True)
    plain = encode(["cat", "dog"], classes, "x")
    assert (plain.tolist(), texts_of(plain, classes), counts_of(plain, 3).tolist()) == (
        [1, 2],
        ["cat", "dog"],
        [0, 1, 1],
    )


def test_a_csv_has_several_labels_in_a_field_or_in_rows(tmp_path: Path) -> None:
    file = write(tmp_path, "path,label\na.png,dog | cat\nb.png,\nc.png,dog\nd.png,bird\nc.png,bird\nd.png,bird\n")
    listing = read_table(file, SEVERAL)
    assert [Path(path).name for path in listing.paths] == ["a.png", "b.png", "c.png", "d.png"]
    assert listing.labels == ["cat|dog", "", "bird|dog", "bird"]
    assert listing.classes() == ("bird", "cat", "dog")
    assert listing.counts() == {"bird": 2, "cat": 1, "dog": 2}
    assert not listing.left_out
    assert count_labels(file, SEVERAL) == 3
    with pytest.raises(DataError, match=r"has more than one label \(line 2: dog, line 3: cat\)") as caught:
        read_table(write(tmp_path, "path,label\na.png,dog\na.png,cat\n"), Columns())
    assert "output: multi_label" in str(caught.value)


COLUMNS = Columns(label=("cat", "big dog", "owl"), several=True)


def test_a_csv_has_a_column_for_each_label(tmp_path: Path) -> None:
    file = write(tmp_path, "cat,path,big dog,owl,note\n1,a.png,1.0,0,x\n0,b.png,0,0,\n0,c.png,1,true,\n")
    listing = read_table(file, COLUMNS)
    assert listing.labels == ["big dog|cat", "", "big dog|owl"]
    assert count_labels(file, COLUMNS) == 3
    empty = read_table(write(tmp_path, "path,cat,big dog,owl\na.png,1,1,0\n"), COLUMNS)
    assert empty.empty_classes == ["owl"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "path,cat,big dog,owl\na.png,1,0,0\nb.png,1,-1,0\n",
            "line 3: expected 1 or 0 in a column of labels; received",
        ),
        ("path,cat,big dog,owl\na.png,1,,0\n", "received: big dog=''"),
        ("path,cat,owl\na.png,1,0\n", "has no column big dog; its columns are path, cat, owl"),
    ],
)
def test_mistakes_of_columns_are_named(text: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=message):
        read_table(write(tmp_path, text), COLUMNS)


def tree(root: Path) -> Path:
    """cat/a.png and dog/b.png are files; a is also in dog and big by links, c in two by a linked folder."""
    for name in ("cat", "dog", "big", "more"):
        (root / "photos" / name).mkdir(parents=True)
    photos = root / "photos"
    for place in ("cat/a.png", "dog/b.png", "more/c.png"):
        (photos / place).write_bytes(place.encode())
    (photos / "dog" / "same.png").symlink_to("../cat/a.png")
    os.link(photos / "cat" / "a.png", photos / "big" / "again.png")
    (photos / "big" / "sub").symlink_to("../more")
    return photos


def test_links_in_class_folders_are_labels(tmp_path: Path) -> None:
    listing = list_class_folders(tree(tmp_path), several=True)
    found = {Path(path).name: label for path, label in zip(listing.paths, listing.labels, strict=True)}
    assert found == {"again.png": "big|cat|dog", "c.png": "big|more", "b.png": "dog"}
    assert listing.several
    assert not listing.left_out
    assert count_source_classes(str(tmp_path / "photos"), CsvColumns(), several=True) == 4
    plain = list_class_folders(tmp_path / "photos")
    assert len(plain.paths) == 5
    (tmp_path / "photos" / "cat|dog").mkdir()
    with pytest.raises(DataError, match=r"a \|, which stands between labels"):
        list_class_folders(tmp_path / "photos", several=True)


def test_a_folder_that_links_to_the_whole_is_left_out(tmp_path: Path) -> None:
    photos = tree(tmp_path)
    (photos / "cat" / "around").symlink_to("..")
    assert sorted(list_class_folders(photos, several=True).counts().items()) == [
        *(("big", 2), ("cat", 1), ("dog", 2), ("more", 1))
    ]


def test_shards_have_several_labels_in_a_cls_file(tmp_path: Path) -> None:
    pairs = {"0.png": b"x", "0.cls": b"dog|cat\n", "1.png": b"y", "1.cls": b"", "2.png": b"z", "2.cls": b"owl"}
    listing = list_shards(shards_of(tarred(tmp_path / "train.tar", pairs)), several=True)
    assert listing.labels == ["cat|dog", "", "owl"]


def labels_of(count: int, seed: int) -> list[str]:
    """Labels of six classes, from frequent to rare."""
    draws = np.random.default_rng(seed).random((count, 6)) < (0.5, 0.3, 0.2, 0.1, 0.06, 0.04)
    return [joined(name for name, has in zip("abcdef", row, strict=True) if has) for row in draws.tolist()]


@given(st.integers(150, 600), st.integers(0, 5))
def test_every_label_has_its_share_in_every_split(count: int, seed: int) -> None:
    labels = labels_of(count, seed)
    counts = Counter(name for label in labels for name in names_of(label))
    if min(counts.values()) < 3:
        return
    splits = stratified_several(labels, 0.15, 0.2, seed)
    assert np.array_equal(splits, stratified_several(labels, 0.15, 0.2, seed))
    for name, total in counts.items():
        own = Counter(split for label, split in zip(labels, splits.tolist(), strict=True) if name in names_of(label))
        assert set(own) == set(SPLITS)
        assert abs(own["test"] - 0.2 * total) <= max(2.0, 0.05 * total)
        assert abs(own["validation"] - 0.15 * total) <= max(2.0, 0.05 * total)
    sizes = Counter(splits.tolist())
    assert abs(sizes["test"] - 0.2 * count) <= 0.03 * count + 2


def test_no_group_of_images_with_several_labels_is_in_two_splits() -> None:
    labels = labels_of(600, 1)
    groups = [str(number // 4) for number in range(600)]
    splits = grouped(labels, groups, 0.15, 0.2, 0, several=True)
    assert all(len({splits[row] for row in range(600) if groups[row] == one}) == 1 for one in set(groups))
    assert Counter(splits.tolist())["train"] > 330
    alone = grouped(["a"] * 20 + [""] * 20, [str(number) for number in range(40)], 0.25, 0.25, 0, several=True)
    assert set(alone[20:].tolist()) == set(SPLITS)  # those without a label do not all go one way


def test_a_catalog_counts_images_and_labels(tmp_path: Path) -> None:
    rows = "".join(f"{number}.png,{'a|b' if number % 2 else 'a' if number % 3 else ''}\n" for number in range(40))
    for number in range(40):
        (tmp_path / f"{number}.png").touch()
    (tmp_path / "x.csv").write_text(f"path,label\n{rows}")
    data = DataSettings(train=str(tmp_path / "x.csv"), validation=0.2, test=0.2)
    catalog = make_catalog(data, 0, several=True)
    assert catalog.classes == ("a", "b")
    assert sum(catalog.totals().values()) == 40
    assert sum(one["b"] for one in catalog.counts().values()) == 20
    assert catalog.lost_classes() == []
    (tmp_path / "x.csv").write_text("path,label\n" + "".join(f"{n}.png,a\n" for n in range(9)) + "9.png,a|b\n")
    with pytest.raises(CatalogError, match=r"1 class\(es\) have too few images to split \(b: 1\); each needs 3"):
        make_catalog(data, 0, several=True)
    (tmp_path / "x.csv").write_text("path,label\n0.png,a\n1.png,\n2.png,a\n")
    with pytest.raises(CatalogError, match="the labels of 3 images have only a"):
        make_catalog(data, 0, several=True)
