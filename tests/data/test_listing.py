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
    assert line == "left out: 7 hidden or system files, 3 other files, 1 image outside the class folders"


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


@pytest.mark.parametrize("classes", [["train"], ["train", "bus"], ["test", "val"]])
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
        list_class_folders(tree(tmp_path, "data.7z") / "data.7z")


def test_links_in_a_circle_end(tmp_path: Path) -> None:
    """A link back up, a link to itself beside the classes and in one, and an image that a link leads to."""
    tree(tmp_path, "cat/in/1.png", "cat/2.png", "dog/1.png")
    (tmp_path / "cat/in/up").symlink_to(tmp_path / "cat", target_is_directory=True)
    (tmp_path / "cat/self").symlink_to("self")
    (tmp_path / "self").symlink_to("self")
    (tmp_path / "dog/link.png").symlink_to(tmp_path / "cat/2.png")
    listing = list_class_folders(tmp_path)
    assert Counter(listing.labels) == {"cat": 2, "dog": 2}
    assert listing.left_out == {"other": 2, "links to folders that are read anyway": 1}
    assert count_classes(tmp_path) == 2
    assert len(list_images(tmp_path)[0]) == 4


def test_list_images_is_flat_and_sorted(tmp_path: Path) -> None:
    paths, left_out = list_images(tree(tmp_path, "b.png", "a/z.jpg", ".x.png", "t.txt", "c.heic"))
    assert [os.path.relpath(path, tmp_path) for path in paths] == ["a/z.jpg", "b.png", "c.heic"]
    assert left_out == {"hidden or system": 1, "other": 1}


def test_links_out_of_the_tree_are_followed(tmp_path: Path) -> None:
    """A folder, images and a class that lie elsewhere, as DVC, git-annex and Kaggle link them."""
    write_classes(tmp_path / "pets", {"cat": 2, "dog": 2})
    write_classes(tmp_path / "elsewhere", {"cow": 2, "calf": 1})
    root = tmp_path / "pets"
    (root / "cow").symlink_to(tmp_path / "elsewhere" / "cow", target_is_directory=True)
    (root / "cat" / "more").symlink_to("../../elsewhere/calf", target_is_directory=True)
    (root / "cat" / "one.png").symlink_to(tmp_path / "elsewhere" / "cow" / "0.png")
    (root / "dog" / "inside.png").symlink_to("../cat/0.png")
    listing = list_class_folders(root)
    found = [Path(path).relative_to(root).as_posix() for path in listing.paths]
    assert found == [
        *("cat/0.png", "cat/1.png", "cat/more/0.png", "cat/one.png"),
        *("cow/0.png", "cow/1.png", "dog/0.png", "dog/1.png", "dog/inside.png"),
    ]
    assert listing.labels == [name.partition("/")[0] for name in found]
    assert not listing.left_out
    assert count_classes(root) == 3
    assert [Path(path).relative_to(root).as_posix() for path in list_images(root)[0]] == found


def test_a_folder_with_several_links_to_it_is_read_once_and_where_it_is(tmp_path: Path) -> None:
    """Also where the link comes first by name; what is left out is counted for classes and for all images alike."""
    write_classes(tmp_path / "set" / "pets", {"cat": 2, "dog": 2})
    root = tmp_path / "set" / "pets"
    for link, target in (("cat/all", "../dog"), ("cat/self", "."), ("dog/up", ".."), ("dog/far", tmp_path)):
        (root / link).symlink_to(target, target_is_directory=True)
    listing = list_class_folders(root)
    assert Counter(listing.labels) == {"cat": 2, "dog": 2}
    assert listing.left_out == {
        "links to folders that are read anyway": 3,
        "links to a folder that holds this one": 1,
    }
    assert list_images(root) == (listing.paths, listing.left_out)
    assert describe_left_out(listing.left_out) == (
        "left out: 3 links to folders that are read anyway, 1 link to a folder that holds this one"
    )


def test_a_class_that_is_a_link_to_another_is_empty(tmp_path: Path) -> None:
    write_classes(tmp_path, {"dog": 2, "owl": 2})
    (tmp_path / "cat").symlink_to("dog", target_is_directory=True)
    listing = list_class_folders(tmp_path)
    assert listing.empty_classes == ["cat"]
    assert Counter(listing.labels) == {"dog": 2, "owl": 2}


def test_links_that_lead_nowhere_and_pipes_are_taken_along_to_be_named(tmp_path: Path) -> None:
    write_classes(tmp_path, {"cat": 1, "dog": 1})
    (tmp_path / "cat" / "gone.jpg").symlink_to("/nowhere/1.jpg")
    os.mkfifo(tmp_path / "dog" / "now.jpg")
    names = [Path(path).name for path in list_class_folders(tmp_path).paths]
    assert names == ["0.png", "gone.jpg", "0.png", "now.jpg"]


SYSTEM = (
    *("@eaDir", "lost+found", "$RECYCLE.BIN", "$Recycle.Bin", "System Volume Information", ".ipynb_checkpoints"),
    *("__MACOSX", ".Trash-1000", ".Trashes", ".AppleDouble", "@Recycle", "#recycle", "#snapshot", "RECYCLER"),
    *("FOUND.000", "LOST.DIR", "__pycache__", ".@__thumb", "Temporary Items"),
)


@pytest.mark.parametrize("name", SYSTEM)
def test_folders_of_systems_are_no_classes_and_hold_no_images(tmp_path: Path, name: str) -> None:
    tree(tmp_path, "cat/1.png", "dog/1.png", f"{name}/cat/2.png", f"cat/{name}/3.png", f"dog/in/{name}/4.png")
    listing = list_class_folders(tmp_path)
    assert (listing.labels, listing.left_out) == (["cat", "dog"], {"hidden or system": 3})
    assert count_classes(tmp_path) == 2
    assert len(list_images(tmp_path)[0]) == 2


@pytest.mark.parametrize("name", ["found", "recycle", "lost and found", "trash", "found.dog", "eaDir"])
def test_classes_with_names_like_those_of_systems(tmp_path: Path, name: str) -> None:
    assert list_class_folders(tree(tmp_path, f"{name}/1.png", "zebra/1.png")).labels == [name, "zebra"]


def test_a_folder_that_is_itself_reached_by_a_link(tmp_path: Path) -> None:
    write_classes(tmp_path / "pets", {"cat": 2, "dog": 2})
    (tmp_path / "link").symlink_to("pets", target_is_directory=True)
    assert len(list_class_folders(tmp_path / "link").paths) == 4
