"""Class folders: what is taken, what is left out and counted, what is refused."""

import os
from collections import Counter
from pathlib import Path

import pytest

from cnnctl.data.listing import count_classes, describe_left_out, list_class_folders, list_images
from cnnctl.errors import DataError
from tests.images import write_classes

ODD_NAMES = [
    "no",
    "on",
    "1e3",
    "007",
    "NA",
    "null",
    "a b",
    " lead",
    "café",
    "🐱",
    "it's",
    'say "x"',
    "two\nlines",
    "a,b",
]


def tree(root: Path, *names: str) -> Path:
    """Empty files, with their folders; a name that ends in / is a folder."""
    for name in names:
        path = root / name
        (path if name.endswith("/") else path.parent).mkdir(parents=True, exist_ok=True)
        if not name.endswith("/"):
            path.touch()
    return root


def test_images_at_any_depth_in_order(tmp_path: Path) -> None:
    tree(tmp_path, "dog/2.png", "dog/1.JPG", "cat/a/b/3.Tiff", "cat/4.webp", "cat/5.jpeg")
    listing = list_class_folders(tmp_path)
    assert listing.labels == ["cat", "cat", "cat", "dog", "dog"]
    assert [os.path.relpath(path, tmp_path) for path in listing.paths] == [
        "cat/4.webp",
        "cat/5.jpeg",
        "cat/a/b/3.Tiff",
        "dog/1.JPG",
        "dog/2.png",
    ]
    assert not listing.left_out
    assert not listing.groups


def test_what_is_left_out_is_counted(tmp_path: Path) -> None:
    tree(tmp_path, ".DS_Store", "readme.md", "loose.jpg", ".git/x.png", "__MACOSX/cat/y.png")
    tree(tmp_path, "cat/1.png", "cat/._1.png", "cat/Thumbs.db", "cat/.cache/2.png", "cat/notes.txt", "cat/desktop.ini")
    tree(tmp_path, "dog/1.png", "dog/noending")
    listing = list_class_folders(tmp_path)
    assert listing.labels == ["cat", "dog"]
    assert listing.left_out == {"hidden or system": 7, "other": 3, "images outside the class folders": 1}
    line = describe_left_out(listing.left_out)
    assert line == "left out: 7 hidden or system files, 3 other files, 1 images outside the class folders"


def test_nothing_left_out_has_no_line() -> None:
    assert describe_left_out(Counter()) is None
    assert describe_left_out(Counter(other=1)) == "left out: 1 other file"


def test_images_of_formats_that_cannot_be_read_are_taken_along(tmp_path: Path) -> None:
    """So that decoding names them with their reason; silence would lose images."""
    listing = list_class_folders(tree(tmp_path, "cat/1.HEIC", "cat/2.dng", "cat/3.svg", "cat/4.RW2", "cat/5.pef"))
    assert len(listing.paths) == 5
    assert not listing.left_out


def test_an_empty_class_is_reported(tmp_path: Path) -> None:
    listing = list_class_folders(tree(tmp_path, "cat/1.png", "dog/", "owl/.keep"))
    assert listing.empty_classes == ["dog", "owl"]
    assert listing.labels == ["cat"]


@pytest.mark.parametrize("name", ODD_NAMES)
def test_class_names_stay_as_they_are(tmp_path: Path, name: str) -> None:
    listing = list_class_folders(tree(tmp_path, f"{name}/1.png", "zebra/1.png"))
    assert sorted(listing.labels) == sorted([name.strip(), "zebra"])
    assert bool(listing.notices) is (name.strip() != name)
    assert count_classes(tmp_path) == 2


def test_folders_whose_names_differ_only_to_machines_are_one_class(tmp_path: Path) -> None:
    """macOS writes é as two letters; a blank after a name is not seen."""
    root = tree(tmp_path, "cafe\u0301/1.png", "caf\u00e9/1.png", "the\u0301/1.png", "zebra/1.png", "zebra /2.png")
    listing = list_class_folders(root)
    assert listing.labels == ["caf\u00e9"] * 2 + ["th\u00e9"] + ["zebra"] * 2
    assert count_classes(root) == 3
    assert [notice.message.partition(" differ: ")[2] for notice in listing.notices] == [
        "LATIN SMALL LETTER E, COMBINING ACUTE ACCENT in place of LATIN SMALL LETTER E WITH ACUTE",
        "nothing in place of SPACE",
    ]


@pytest.mark.parametrize(
    ("names", "message", "hint"),
    [
        ((), "it is empty", "one folder for each class"),
        (("1.png", "2.jpg"), "2 images are not in folders", "one folder for each class"),
        (("readme.md",), "there is none", "one folder for each class"),
        (("train/cat/1.png", "test/cat/1.png"), "holds test, train: these are splits, not classes", "train: "),
        (("train/", "Val/"), "these are splits, not classes", "validation: "),
        (("training/", "valid/", "eval/"), "these are splits, not classes", "test: "),
    ],
)
def test_folders_that_are_no_classes(tmp_path: Path, names: tuple[str, ...], message: str, hint: str) -> None:
    with pytest.raises(DataError) as caught:
        list_class_folders(tree(tmp_path, *names))
    assert message in caught.value.message
    assert hint in (caught.value.hint or "")


def test_split_folders_are_named_with_their_keys(tmp_path: Path) -> None:
    with pytest.raises(DataError) as caught:
        list_class_folders(tree(tmp_path, "train/", "val/", "test/"))
    hint = caught.value.hint or ""
    for key, folder in (("train", "train"), ("validation", "val"), ("test", "test")):
        assert f"{key}: {tmp_path / folder}" in hint


@pytest.mark.parametrize("classes", [["train"], ["train", "bus"], ["test", "val"], ["plane", "test", "train"]])
def test_a_class_may_be_called_train(tmp_path: Path, classes: list[str]) -> None:
    """Where anything else stands beside it, or no train, these are classes."""
    listing = list_class_folders(tree(tmp_path, *(f"{name}/1.png" for name in classes)))
    assert listing.labels == classes if classes == sorted(classes) else sorted(listing.labels) == sorted(classes)


def test_a_missing_folder_says_what_is_there(tmp_path: Path) -> None:
    tree(tmp_path, "photos/", "other/", ".hidden/")
    with pytest.raises(DataError, match="there is no folder") as caught:
        list_class_folders(tmp_path / "fotos" / "train")
    assert caught.value.hint == f"{tmp_path} holds other, photos"
    with pytest.raises(DataError, match="there is no folder"):
        list_images(tmp_path / "fotos")


def test_a_file_is_no_folder(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="is a file"):
        list_class_folders(tree(tmp_path, "data.zip") / "data.zip")


def test_links_in_a_circle_end(tmp_path: Path) -> None:
    """A link back up, a link to itself beside the classes and in one, and an image that a link leads to."""
    tree(tmp_path, "cat/in/1.png", "cat/2.png", "dog/1.png")
    (tmp_path / "cat/in/up").symlink_to(tmp_path / "cat", target_is_directory=True)
    (tmp_path / "cat/self").symlink_to("self")
    (tmp_path / "self").symlink_to("self")
    (tmp_path / "dog/link.png").symlink_to(tmp_path / "cat/2.png")
    listing = list_class_folders(tmp_path)
    assert Counter(listing.labels) == {"cat": 2, "dog": 2}
    assert listing.left_out == {"other": 2}
    assert count_classes(tmp_path) == 2
    assert len(list_images(tmp_path)[0]) == 4


def test_list_images_is_flat_and_sorted(tmp_path: Path) -> None:
    paths, left_out = list_images(tree(tmp_path, "b.png", "a/z.jpg", ".x.png", "t.txt", "c.heic"))
    assert [os.path.relpath(path, tmp_path) for path in paths] == ["a/z.jpg", "b.png", "c.heic"]
    assert left_out == {"hidden or system": 1, "other": 1}


def test_links_out_of_the_tree_are_not_followed(tmp_path: Path) -> None:
    """A folder, an image and a class that lie elsewhere; links inside the tree are followed."""
    write_classes(tmp_path / "pets", {"cat": 2, "dog": 2})
    write_classes(tmp_path / "elsewhere", {"cow": 2})
    root = tmp_path / "pets"
    (root / "cow").symlink_to(tmp_path / "elsewhere" / "cow", target_is_directory=True)
    (root / "cat" / "more").symlink_to(tmp_path / "elsewhere" / "cow", target_is_directory=True)
    (root / "cat" / "one.png").symlink_to(tmp_path / "elsewhere" / "cow" / "0.png")
    (root / "cat" / "relative.png").symlink_to("../../elsewhere/cow/1.png")
    (root / "dog" / "inside.png").symlink_to("../cat/0.png")
    listing = list_class_folders(root)
    assert [Path(path).relative_to(root).as_posix() for path in listing.paths] == [
        "cat/0.png",
        "cat/1.png",
        "dog/0.png",
        "dog/1.png",
        "dog/inside.png",
    ]
    assert listing.left_out == {"links out of the folder": 4}
    assert describe_left_out(listing.left_out) == "left out: 4 links out of the folder"
    assert count_classes(root) == 2


def test_a_folder_that_is_itself_reached_by_a_link(tmp_path: Path) -> None:
    write_classes(tmp_path / "pets", {"cat": 2, "dog": 2})
    (tmp_path / "link").symlink_to("pets", target_is_directory=True)
    assert len(list_class_folders(tmp_path / "link").paths) == 4
