"""JSON Lines, Hugging Face's metadata of a folder, COCO's JSON: what they list, and what is said of wrong ones."""

import json
import shutil
from pathlib import Path

import pytest

from cnnctl.config.schema import CsvColumns
from cnnctl.data.catalog import find_images
from cnnctl.data.sources import count_source_classes
from cnnctl.data.split_folders import SplitsError
from cnnctl.data.table import Columns, MissingImagesError, read_paths
from cnnctl.errors import DataError
from tests.data.tables import coco, png, write_pngs
from tests.images import write_classes


def lines(file: Path, rows: list[dict[str, object]]) -> Path:
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return file


class TestJsonLines:
    def test_labels_are_text(self, tmp_path: Path) -> None:
        names = write_pngs(tmp_path, 4)
        labels: list[object] = ["no", 7, True, "NA"]
        rows = [{"path": name, "label": label, "box": {"x": 1}} for name, label in zip(names, labels, strict=True)]
        file = lines(tmp_path / "list.jsonl", rows)
        listing = find_images(str(file), Columns())
        assert listing.labels == ["no", "7", "true", "NA"]
        assert listing.paths == [str(tmp_path / name) for name in names]
        assert count_source_classes(str(file), CsvColumns()) == 4
        assert read_paths(file, Columns()) == listing.paths

    @pytest.mark.parametrize("line", ["[1]", '{"path": ', "7", "[" * 10_000])
    def test_a_line_that_is_no_object(self, tmp_path: Path, line: str) -> None:
        (tmp_path / "list.jsonl").write_text(f'{{"path": "a"}}\n\n{line}\n')
        with pytest.raises(DataError, match=r"list.jsonl, line 3: expected an object of JSON"):
            find_images(str(tmp_path / "list.jsonl"), Columns())

    def test_missing_images_are_named_by_their_line(self, tmp_path: Path) -> None:
        file = lines(tmp_path / "list.jsonl", [{"path": "gone.png", "label": "a"}])
        with pytest.raises(MissingImagesError, match=r"line 1: .*gone\.png"):
            find_images(str(file), Columns())


def folder_of(root: Path, form: str, label: str = "label") -> Path:
    """Hugging Face's folder: six images and their metadata."""
    names = write_pngs(root, 6)
    rows = [{"file_name": name, label: "ab"[at % 2]} for at, name in enumerate(names)]
    if form == "jsonl":
        lines(root / "metadata.jsonl", rows)
    else:
        body = "".join(f"{row['file_name']}{form}{row[label]}\n" for row in rows)
        (root / "metadata.csv").write_text(f"file_name{form}{label}\n{body}")
    return root


class TestMetadata:
    @pytest.mark.parametrize("form", [",", ";", "jsonl"])
    @pytest.mark.parametrize("label", ["label", "species", "what it is"])
    def test_a_folder_with_its_metadata(self, tmp_path: Path, form: str, label: str) -> None:
        root = folder_of(tmp_path / "photos", form, label)
        listing = find_images(str(root), Columns())
        assert listing.labels == ["a", "b"] * 3
        assert listing.paths == [str(root / f"{number}.png") for number in range(6)]
        assert find_images(str(root), Columns(path="file_name", label=label)).labels == listing.labels
        assert count_source_classes(str(root), CsvColumns()) == 2

    def test_in_an_archive(self, tmp_path: Path) -> None:
        root = folder_of(tmp_path / "photos", ",")
        packed = shutil.make_archive(str(tmp_path / "packed"), "zip", root)
        listing = find_images(packed, Columns())
        assert (listing.labels, listing.paths[0]) == (["a", "b"] * 3, f"{packed}/0.png")

    def test_of_two_columns_neither_is_guessed(self, tmp_path: Path) -> None:
        names = write_pngs(tmp_path, 2)
        lines(tmp_path / "metadata.jsonl", [{"file_name": name, "width": 8, "colour": "red"} for name in names])
        with pytest.raises(DataError, match="has no column label; its columns are file_name, width, colour"):
            find_images(str(tmp_path), Columns())

    def test_splits_with_metadata_of_their_own(self, tmp_path: Path) -> None:
        for name in ("train", "test"):
            folder_of(tmp_path / name, ",")
        with pytest.raises(SplitsError) as caught:
            find_images(str(tmp_path), Columns())
        assert f"train: {tmp_path}/train, test: {tmp_path}/test" in (caught.value.hint or "")
        assert find_images(str(tmp_path / "test"), Columns()).labels == ["a", "b"] * 3

    def test_splits_with_metadata_above_them(self, tmp_path: Path) -> None:
        rows = []
        for name, start in (("train", 0), ("test", 50)):
            rows += [{"file_name": f"{name}/{one}", "label": name[1]} for one in write_pngs(tmp_path / name, 3, start)]
        lines(tmp_path / "metadata.jsonl", rows)
        with pytest.raises(SplitsError) as caught:
            find_images(str(tmp_path), Columns())
        assert f"train: {tmp_path}/train, test: {tmp_path}/test" in (caught.value.hint or "")
        shutil.rmtree(tmp_path / "test")  # one split does not need the other
        listing = find_images(str(tmp_path / "train"), Columns())
        assert listing.paths == [str(tmp_path / "train" / f"{number}.png") for number in range(3)]
        assert listing.labels == ["r"] * 3

    def test_class_folders_stay_class_folders(self, tmp_path: Path) -> None:
        root = write_classes(tmp_path / "photos", {"a": 2, "b": 2})
        names = [f"{name}/{number}.png" for name in "ab" for number in range(2)]
        lines(root / "metadata.jsonl", [{"file_name": name, "label": name[0]} for name in names])
        listing = find_images(str(root), Columns())
        assert (listing.labels, listing.notices) == (["a", "a", "b", "b"], [])
        lines(root / "metadata.jsonl", [{"file_name": name, "label": name[2]} for name in names])
        listing = find_images(str(root), Columns())
        assert listing.labels == ["a", "a", "b", "b"]
        assert "are its folders, and not the labels in metadata.jsonl" in listing.notices[0].message
        assert find_images(str(root / "metadata.jsonl"), Columns()).labels == ["0", "1"] * 2
        lines(root / "metadata.jsonl", [{"file_name": name, "width": 8} for name in names])
        assert find_images(str(root), Columns()).notices == []


class TestCoco:
    def test_images_beside_and_below(self, tmp_path: Path) -> None:
        for place in ("flat", "coco/train2017"):
            names = write_pngs(tmp_path / place, 4)
        labels = [["cat"], ["newt", "newt"], ["dog"], ["cat"]]
        places = {"flat/a.json": "flat", "coco/annotations/a.json": "coco/train2017"}
        for name, place in places.items():
            file = tmp_path / name
            listing = find_images(str(coco(file, names, labels)), Columns())
            assert listing.paths == [str(tmp_path / place / name) for name in names]
            assert listing.labels == ["cat", "newt", "dog", "cat"]
            assert count_source_classes(str(file), CsvColumns()) == 3

    def test_a_named_folder(self, tmp_path: Path) -> None:
        names = write_pngs(tmp_path / "elsewhere" / "deep" / "images", 2)
        file = coco(tmp_path / "coco" / "a.json", names, [["cat"], ["dog"]])
        folder = tmp_path / "elsewhere" / "deep" / "images"
        assert find_images(str(file), Columns(folder=str(folder))).paths == [str(folder / name) for name in names]
        shutil.move(tmp_path / "elsewhere", tmp_path / "coco" / "a" / "b" / "c" / "d")
        with pytest.raises(DataError, match=r"the images of .* are not in") as caught:
            find_images(str(file), Columns())
        assert caught.value.hint == "data.csv.folder names their folder"

    def test_images_without_a_label_are_left_out(self, tmp_path: Path) -> None:
        names = write_pngs(tmp_path, 4)
        listing = find_images(str(coco(tmp_path / "a.json", names, [["cat"], [], ["dog"], []])), Columns())
        assert (listing.labels, dict(listing.left_out)) == (["cat", "dog"], {"rows of images without a label": 2})

    def test_several_categories_are_counted(self, tmp_path: Path) -> None:
        names = write_pngs(tmp_path, 3)
        file = coco(tmp_path / "a.json", names, [["cat", "dog"], ["dog"], ["newt", "cat", "dog"]])
        with pytest.raises(DataError, match="2 of 3 images have more than one label"):
            find_images(str(file), Columns())
        assert len(read_paths(file, Columns())) == 3

    @pytest.mark.parametrize(
        ("content", "reason"),
        [
            ("{", "is no JSON"),
            ("[" * 100_000, "is no JSON"),
            ("{}", "is not COCO's JSON"),
            ('{"images": [], "annotations": [], "categories": 3}', "is not COCO's JSON"),
            ('{"images": [1], "annotations": [], "categories": []}', "images holds something else than objects"),
            ('{"images": [{"id": 1}], "annotations": [], "categories": []}', "1 of 1 images have no file_name"),
            ('{"images": [], "annotations": [{"image_id": 1, "category_id": 9}], "categories": []}', "has no name"),
            ('{"images": [], "annotations": [{"category_id": [9]}], "categories": []}', "has no name"),
        ],
    )
    def test_other_json(self, tmp_path: Path, content: str, reason: str) -> None:
        (tmp_path / "a.json").write_text(content)
        with pytest.raises(DataError, match=reason):
            find_images(str(tmp_path / "a.json"), Columns())


def test_utf_16_of_excel(tmp_path: Path) -> None:
    (tmp_path / "größe.png").write_bytes(png(0))
    for encoding in ("utf-16", "utf-16-le", "utf-16-be"):
        mark = "" if encoding == "utf-16" else "\ufeff"
        (tmp_path / "list.csv").write_bytes(f"{mark}path\tlabel\r\ngröße.png\tköter\r\n".encode(encoding))
        assert find_images(str(tmp_path / "list.csv"), Columns()).labels == ["köter"]


def test_metadata_that_is_damaged(tmp_path: Path) -> None:
    root = folder_of(tmp_path / "photos", ",")
    (root / "metadata.csv").write_text('file_name,label\n"0.png,a\n')
    with pytest.raises(DataError, match="the double quote in line 2 is never closed"):
        find_images(str(root), Columns())
    (root / "metadata.csv").write_text("file_name,label\n0.png,a,b\n")
    with pytest.raises(DataError, match="has no column path"):
        find_images(str(root), Columns())
    classes = write_classes(tmp_path / "classes", {"a": 2, "b": 2})
    (classes / "metadata.jsonl").write_text("[1]\n")
    assert find_images(str(classes), Columns()).labels == ["a", "a", "b", "b"]
