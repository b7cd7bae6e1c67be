"""Folders that are splits, and those that are classes although they are called alike."""

from pathlib import Path

import pytest

from cnnctl.data.listing import count_classes, list_class_folders, split_folders
from cnnctl.data.split_folders import SplitsError
from cnnctl.errors import DataError

CATS_AND_DOGS = ("cat/1.png", "dog/2.png")


def tree(root: Path, **folders: tuple[str, ...]) -> Path:
    """Empty files in folders of `root`; `__` stands for a slash."""
    for folder, names in folders.items():
        for name in names or (".keep",):
            path = root / folder.replace("__", "/") / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch()
    return root


def below(*names: str) -> dict[str, tuple[str, ...]]:
    return dict.fromkeys(names, CATS_AND_DOGS)


def flat(*names: str) -> dict[str, tuple[str, ...]]:
    return dict.fromkeys(names, ("1.jpg", "2.jpg"))


@pytest.mark.parametrize(
    ("folders", "keys"),
    [
        (below("train", "val", "test"), {"train": "train", "validation": "val", "test": "test"}),
        (below("Train", "Valid"), {"train": "Train", "validation": "Valid"}),
        (below("train", "test") | flat("extra"), {"train": "train", "test": "test"}),
        (below("train", "test", "one more"), {"train": "train", "test": "test"}),
        (below("seg_train", "seg_test") | flat("seg_pred"), {"train": "seg_train", "test": "seg_test"}),
        (below("training_set", "test_set"), {"train": "training_set", "test": "test_set"}),
        (below("TrainingSet", "TestSet"), {"train": "TrainingSet", "test": "TestSet"}),
        (below("trainset", "valset", "testset"), {"train": "trainset", "validation": "valset", "test": "testset"}),
        (below("train") | flat("test1"), {"train": "train"}),
        (below("train_images", "test_images"), {"train": "train_images", "test": "test_images"}),
        (below("images__train", "images__val"), {"train": "images/train", "validation": "images/val"}),
        (below("archive__train", "archive__test"), {"train": "archive/train", "test": "archive/test"}),
        (
            below("seg_train__seg_train", "seg_test__seg_test"),
            {"train": "seg_train/seg_train", "test": "seg_test/seg_test"},
        ),
        (below("train") | {"test": ("unknown/1.png",)}, {"train": "train"}),
        (below("train", "more"), {"train": "train"}),
        (below("train2017", "val2017") | {"annotations": ()}, {"train": "train2017", "validation": "val2017"}),
        (below("train_val", "test"), {"train": "train_val", "test": "test"}),
    ],
)
def test_splits_are_refused_with_keys_that_can_be_written(folders, keys, tmp_path):
    root = tree(tmp_path, **folders)
    with pytest.raises(SplitsError, match="these are splits, not classes") as caught:
        list_class_folders(root)
    written = ", ".join(f"{key}: {root / place}" for key, place in keys.items())
    assert f"data: {{{written}}}" in (caught.value.hint or "")
    assert "if they are classes: data: {folders_are_classes: true}" in (caught.value.hint or "")
    for place in keys.values():
        assert list_class_folders(root / place).labels == ["cat", "dog"]
    with pytest.raises(SplitsError):
        count_classes(root)


@pytest.mark.parametrize(
    "folders",
    [flat("train", "test1"), flat("train", "val", "test", "extra"), flat("Train", "Valid"), flat("trainA", "testA")],
)
def test_splits_without_class_folders_are_refused_too(folders, tmp_path):
    with pytest.raises(SplitsError, match="these are splits") as caught:
        list_class_folders(tree(tmp_path, **folders))
    assert "holds no class folders: make one for each class, or list the images in a CSV" in (caught.value.hint or "")


@pytest.mark.parametrize(
    "folders",
    [
        flat("apple", "test"),
        flat("train", "bus", "plane"),
        flat("bullet train", "test tube", "car"),
        flat("trains", "tests"),
        flat("valid", "invalid"),
        flat("apple", "pear", "plum", "test", "train"),
        below("cat", "dog"),
        {"train": ("steam/1.png", "diesel/2.png"), "bus": ("city/1.png", "school/2.png")},
        {"cat": ("train/1.png", "test/2.png"), "dog": ("train/1.png", "test/2.png")},
    ],
)
def test_classes_that_are_called_like_splits(folders, tmp_path):
    assert split_folders(tree(tmp_path, **folders)) is None
    assert set(list_class_folders(tmp_path).labels) == set(folders)


def test_classes_by_the_users_word(tmp_path):
    root = tree(tmp_path, **below("train", "test", "apple"))
    assert set(list_class_folders(root, None).labels) == {"apple", "test", "train"}
    assert set(list_class_folders(root, ("apple", "pear", "test", "train")).labels) == {"apple", "test", "train"}
    with pytest.raises(DataError):
        list_class_folders(root, ("apple", "train"))
    assert count_classes(root, None) == 3


def test_keys_with_odd_names_can_be_read_as_yaml(tmp_path):
    import yaml

    root = tree(tmp_path / "a, b: #c", **below("train", "test"))
    with pytest.raises(SplitsError) as caught:
        list_class_folders(root)
    written = (caught.value.hint or "").partition("name each of them: ")[2].partition("; if")[0]
    assert yaml.safe_load(written) == {"data": {"train": str(root / "train"), "test": str(root / "test")}}
