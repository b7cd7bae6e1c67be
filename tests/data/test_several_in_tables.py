"""Images with several labels, or none, in tables that have lists: COCO's JSON, JSON Lines, metadata, Parquet."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from pyarrow import parquet

from cnnctl.config.schema import CsvColumns, DataSettings, Source
from cnnctl.data.catalog import find_images, make_catalog
from cnnctl.data.sources import count_source_classes
from cnnctl.data.table import Columns, read_paths
from cnnctl.errors import DataError
from tests.data.tables import NAMES, coco, png, write_pngs

SEVERAL = Columns(several=True)
LABELS = [["dog", "cat"], [], ["newt", "cat", "dog"], ["cat"], ["dog", "dog"]]
TEXTS = ["cat|dog", "", "cat|dog|newt", "cat", "dog"]
NUMBERS = [[NAMES.index(name) for name in labels] for labels in LABELS]
_CLASSES = {"names": list(NAMES), "_type": "ClassLabel"}


def lines(file: Path, labels: Sequence[Any], key: str = "file_name") -> Path:
    """JSON Lines, and the images beside it."""
    names = write_pngs(file.parent, len(labels))
    rows = [{key: name, "labels": value} for name, value in zip(names, labels, strict=True)]
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return file


def table(file: Path, labels: Sequence[Any], feature: Any = None) -> Path:
    """A Parquet file of images and lists, with what Hugging Face's library says of these."""
    made = pa.table({"image": [png(number) for number in range(len(labels))], "labels": pa.array(labels)})
    features = {"image": {"_type": "Image"}, **({} if feature is None else {"labels": feature})}
    note = json.dumps({"info": {"features": features}})
    file.parent.mkdir(parents=True, exist_ok=True)
    parquet.write_table(made.replace_schema_metadata({"huggingface": note}), file)
    return file


@pytest.mark.parametrize("kind", ["coco", "jsonl", "metadata", "beside", "parquet"])
def test_all_labels_of_an_image_are_taken_and_one_without_stays(tmp_path: Path, kind: str) -> None:
    match kind:
        case "coco":
            source = coco(tmp_path / "a.json", write_pngs(tmp_path, len(LABELS)), LABELS)
        case "jsonl":
            source = lines(tmp_path / "a.jsonl", LABELS, "path")
        case "metadata":
            source = lines(tmp_path / "metadata.jsonl", LABELS).parent
        case "beside":
            source = tmp_path / "train"
            names = [f"train/{name}" for name in write_pngs(source, len(LABELS))]
            rows = [{"file_name": name, "labels": value} for name, value in zip(names, LABELS, strict=True)]
            (tmp_path / "metadata.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
        case _:
            source = table(tmp_path / "a.parquet", LABELS)
    listing = find_images(str(source), SEVERAL)
    assert listing.labels == TEXTS
    assert listing.classes() == NAMES
    assert (listing.counts(), dict(listing.left_out)) == ({"cat": 3, "dog": 3, "newt": 1}, {})
    assert count_source_classes(str(source), CsvColumns(), several=True) == 3
    with pytest.raises(DataError, match=r"2 of [45] images have more than one label"):
        find_images(str(source), Columns())


def test_an_image_without_categories_is_predicted_and_counted_in_no_class(tmp_path: Path) -> None:
    file = coco(tmp_path / "a.json", write_pngs(tmp_path, 3), [["cat"], [], ["dog"]])
    assert len(read_paths(file, Columns())) == 3
    assert count_source_classes(str(file), CsvColumns()) == 2


def test_the_catalog_of_a_coco_file_and_its_validation(tmp_path: Path) -> None:
    labels = [list(NAMES[: number % 4]) for number in range(40)]
    train = coco(tmp_path / "train.json", write_pngs(tmp_path / "train", 40), labels)
    validation = coco(tmp_path / "val.json", write_pngs(tmp_path / "val", 4, 40), labels[:4])
    data = DataSettings(train=str(train), validation=Source(str(validation)), test=0.25)
    catalog = make_catalog(data, 0, several=True)
    assert catalog.totals() == {"train": 30, "validation": 4, "test": 10}
    assert sum(one["cat"] for one in catalog.counts().values()) == 33
    assert "" in set(catalog.frame.label[catalog.frame.split == "validation"])


@pytest.mark.parametrize(
    "feature",
    [
        {"feature": _CLASSES, "_type": "Sequence"},
        {"feature": _CLASSES, "_type": "List"},
        {"feature": _CLASSES, "length": -1, "_type": "LargeList"},
        [_CLASSES],
    ],
)
def test_numbers_of_classes_in_lists_are_named(tmp_path: Path, feature: Any) -> None:
    numbers = [[*NUMBERS[0], -1, None], *NUMBERS[1:]]
    assert find_images(str(table(tmp_path / "a.parquet", numbers, feature)), SEVERAL).labels == TEXTS


@pytest.mark.parametrize(
    "feature", [{"feature": [], "_type": "Sequence"}, {"_type": "List"}, [], "x", [[[[_CLASSES]]]]]
)
def test_what_is_no_feature_of_classes_leaves_numbers(tmp_path: Path, feature: Any) -> None:
    found = find_images(str(table(tmp_path / "a.parquet", NUMBERS, feature)), SEVERAL)
    assert found.labels == ["0|1", "", "0|1|2", "0", "1"]


def test_a_bar_in_a_name_is_refused(tmp_path: Path) -> None:
    file = coco(tmp_path / "a.json", write_pngs(tmp_path, 2), [["cat"], ["a|b"]], ("cat", "a|b"))
    with pytest.raises(DataError, match=r"a.json, row 2: the label a\|b has a \|, which stands between labels"):
        find_images(str(file), SEVERAL)
    assert find_images(str(file), Columns()).labels == ["cat", "a|b"]
    with pytest.raises(DataError, match=r"row 1: the label a\|b"):
        find_images(str(lines(tmp_path / "b" / "a.jsonl", [["a|b", "c"], []], "path")), SEVERAL)
    texts = lines(tmp_path / "c" / "a.jsonl", ["dog|cat", "", None], "path")
    assert find_images(str(texts), SEVERAL).labels == ["cat|dog", "", ""]


@pytest.mark.parametrize("labels", [[[1, 0, 0], [0, 1, 1]], [[True, False, False], [False, True, True]]])
def test_rows_of_0_and_1_name_no_label(tmp_path: Path, labels: list[list[int]]) -> None:
    with pytest.raises(DataError, match="the lists of labels are rows of 0 and 1, which name no label") as caught:
        find_images(str(table(tmp_path / "a.parquet", labels)), SEVERAL)
    assert "a column for each label" in (caught.value.hint or "")
    pairs = table(tmp_path / "b.parquet", [[0, 1], [1, 0]])
    assert find_images(str(pairs), SEVERAL).labels == ["0|1", "0|1"]


@pytest.mark.parametrize("kind", ["jsonl", "parquet"])
def test_a_column_of_0_and_1_for_each_label(tmp_path: Path, kind: str) -> None:
    names = write_pngs(tmp_path, 3)
    columns: dict[str, list[Any]] = {"path": names, "cat": [1, 0, 1], "dog": [True, False, False]}
    if kind == "jsonl":
        rows = [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]
        file = tmp_path / "a.jsonl"
        file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    else:
        file = tmp_path / "a.parquet"
        parquet.write_table(pa.table(columns), file)
    listing = find_images(str(file), Columns(label=("cat", "dog"), several=True))
    assert listing.labels == ["cat|dog", "", "cat"]
