"""Images that lie in Parquet files: found, labelled, read in blocks, and told apart as files are."""

import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from pyarrow import parquet

from cnnctl.config.schema import CsvColumns
from cnnctl.data import archives, parquet_images
from cnnctl.data.cache.decoded import _key, contents_hash, decode_images
from cnnctl.data.catalog import find_images
from cnnctl.data.decoder.images import ImageError, ImageSpec, read_image
from cnnctl.data.decoder.reading import read_bytes
from cnnctl.data.parquet import list_parquet
from cnnctl.data.sources import count_source_classes
from cnnctl.data.table import ColumnError, Columns
from cnnctl.errors import CnnctlError, DataError, MachineError
from tests.data.tables import NAMES, damaged, hugging_face, png

SPEC = ImageSpec(8, 8)
IMAGES = [png(number) for number in range(10)]
LABELS = [number % 3 for number in range(10)]


@pytest.fixture
def table(tmp_path: Path) -> Path:
    return hugging_face(tmp_path / "photos.parquet", IMAGES, LABELS)


def test_rows_are_images_with_the_names_of_their_classes(table: Path) -> None:
    listing = find_images(str(table), Columns())
    assert listing.paths == [f"{table}/{row}" for row in range(10)]
    assert listing.labels == [NAMES[label] for label in LABELS]
    assert [read_bytes(path) for path in listing.paths] == IMAGES
    assert count_source_classes(str(table), CsvColumns()) == 3


def test_files_together_by_pattern_and_by_folder(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    for number in range(3):
        hugging_face(tmp_path / "data" / f"part-{number}.parquet", IMAGES, LABELS)
    for source in (tmp_path / "data", tmp_path / "data" / "part-*.parquet"):
        listing = find_images(str(source), Columns())
        assert len(listing.paths) == 30
        assert listing.paths[10] == f"{tmp_path / 'data' / 'part-1.parquet'}/0"
        assert read_bytes(listing.paths[29]) == IMAGES[9]


def test_splits_by_the_names_of_files(tmp_path: Path) -> None:
    for name in ("train-00000-of-00002", "train-00001-of-00002", "test-00000-of-00001"):
        hugging_face(tmp_path / f"{name}.parquet", IMAGES, LABELS)
    with pytest.raises(DataError, match="these are splits, not one set") as caught:
        find_images(str(tmp_path), Columns())
    hint = f'train: "{tmp_path}/train*.parquet", test: {tmp_path}/test-00000-of-00001.parquet'
    assert hint in (caught.value.hint or "")
    assert len(find_images(str(tmp_path / "train*.parquet"), Columns()).paths) == 20


@pytest.mark.parametrize("labels", [["b", "a"] * 5, [True, False] * 5, [7, 12] * 5])
def test_plain_bytes_and_other_labels(tmp_path: Path, labels: list[object]) -> None:
    file = tmp_path / "plain.parquet"
    texts = [str(number) * 2000 for number in range(10)]
    parquet.write_table(pa.table({"picture": IMAGES, "kind": labels, "text": texts}), file)
    listing = find_images(str(file), Columns())
    assert listing.labels == [str(label).lower() if isinstance(label, bool) else str(label) for label in labels]
    assert find_images(str(file), Columns(path="picture", label="kind")).paths == listing.paths
    assert read_bytes(listing.paths[3]) == IMAGES[3]


def test_several_columns_of_images_and_names_of_files(tmp_path: Path) -> None:
    file = tmp_path / "two.parquet"
    parquet.write_table(pa.table({"left": IMAGES, "right": IMAGES[::-1], "label": ["a", "b"] * 5}), file)
    with pytest.raises(ColumnError, match="no column path; its columns are left, right, label"):
        find_images(str(file), Columns())
    with pytest.raises(DataError, match="several columns of images: left, right"):
        list_parquet(file, Columns())
    listing = find_images(str(file), Columns(path="right"))
    assert listing.paths[0] == f"{file}/right/0"
    assert read_bytes(listing.paths[0]) == IMAGES[9]
    for number, image in enumerate(IMAGES):
        (tmp_path / f"{number}.png").write_bytes(image)
    names = pa.table({"path": [f"{number}.png" for number in range(10)], "label": ["a", "b"] * 5})
    parquet.write_table(names, tmp_path / "names.parquet")
    listing = find_images(str(tmp_path / "names.parquet"), Columns())
    assert listing.paths == [str(tmp_path / f"{number}.png") for number in range(10)]


def test_blocks_of_large_row_groups(table: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In any order and by several threads, with few of the blocks kept."""
    monkeypatch.setattr(parquet_images, "_BLOCK", 400)
    monkeypatch.setattr(parquet_images, "_KEPT", 900)
    file = hugging_face(tmp_path / "one.parquet", IMAGES * 5, LABELS * 5, rows=50)
    order = np.random.default_rng(0).permutation(np.tile(np.arange(50), 4))
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda row: read_bytes(f"{file}/{row}"), order))
    assert all(one == IMAGES[row % 10] for one, row in zip(found, order, strict=True))
    assert parquet_images._BLOCKS._bytes <= 900 + 3 * max(map(len, IMAGES))


def test_the_cache_and_the_fingerprint(table: Path, tmp_path: Path) -> None:
    paths = find_images(str(table), Columns()).paths
    key = _key(paths, SPEC)
    found = decode_images(paths, SPEC, str(tmp_path / "cache"), lambda *_: None)
    assert not found.failures
    assert np.array_equal(found.pixels[4], read_image(paths[4], SPEC))
    (tmp_path / "files").mkdir()
    files = []
    for number, image in enumerate(IMAGES):
        (tmp_path / "files" / f"{number}.png").write_bytes(image)
        files.append(str(tmp_path / "files" / f"{number}.png"))
    same = decode_images(files, SPEC, "off", lambda *_: None)
    names = [NAMES[label] for label in LABELS]
    assert contents_hash(found.digests, names) == contents_hash(same.digests, names)
    hugging_face(table, IMAGES[::-1], LABELS)
    assert _key(paths, SPEC) != key


def test_sizes_are_known_roughly(table: Path) -> None:
    assert 0.5 < archives.size(f"{table}/2") / len(IMAGES[2]) < 2
    assert archives.size(f"{table}/99") == 0


@pytest.mark.parametrize("name", ["10", "-1", "01", "1.0", "x", "", "image/1/2", "other/1", "9" * 30, "٣"])
def test_what_is_no_row(table: Path, name: str) -> None:
    assert not archives.is_file(f"{table}/{name}")
    with pytest.raises(ImageError, match="there is no such file"):
        read_image(f"{table}/{name}", SPEC)


def test_reasons_of_single_images(tmp_path: Path) -> None:
    file = hugging_face(tmp_path / "bad.parquet", [IMAGES[0], b"text", None, IMAGES[1][:60]], [0, 1, 0, 1])  # type: ignore[list-item]
    reasons = decode_images([f"{file}/{row}" for row in range(4)], SPEC, "off", lambda *_: None).failures
    assert reasons[1] == "it is a text file"
    assert reasons[2] == "its row has no bytes of an image"
    assert reasons[3].startswith("the PNG file is cut off")
    assert list(reasons) == [1, 2, 3]
    with pytest.raises(ImageError, match="larger than"):
        read_image(f"{file}/0", ImageSpec(8, 8, max_bytes=50))


@pytest.mark.parametrize("label", [-1, None])
def test_rows_without_a_label(tmp_path: Path, label: int | None) -> None:
    file = hugging_face(tmp_path / "test.parquet", IMAGES[:3], [0, label, 1])
    with pytest.raises(DataError, match=r"1 row\(s\) have nothing in the column label \(line 2\)"):
        find_images(str(file), Columns())


def test_wrong_columns_and_files(tmp_path: Path, table: Path) -> None:
    with pytest.raises(ColumnError, match="no column species"):
        find_images(str(table), Columns(label="species"))
    with pytest.raises(DataError, match="no such Parquet file"):
        find_images(str(tmp_path / "none-*.parquet"), Columns())
    other = tmp_path / "photos2.parquet"
    parquet.write_table(pa.table({"image": IMAGES, "kind": LABELS}), other)
    with pytest.raises(DataError, match="has the columns"):
        find_images(str(tmp_path / "photos*.parquet"), Columns())
    parquet.write_table(pa.table({"image": IMAGES, "label": [["a", "b"]] * 10}), other)
    with pytest.raises(DataError, match="10 of 10 images have more than one label"):
        find_images(str(other), Columns())


@pytest.mark.parametrize("cut", [0, 3, 100, 1000])
def test_damaged_files_are_named(tmp_path: Path, table: Path, cut: int) -> None:
    file = tmp_path / "cut.parquet"
    file.write_bytes(table.read_bytes()[:cut])
    with pytest.raises(DataError, match=r"cut\.parquet is damaged, or no Parquet file"):
        find_images(str(file), Columns())
    with pytest.raises(ImageError, match="damaged, or no Parquet file"):
        read_image(f"{file}/0", SPEC)


def test_damaged_pages_are_damaged_images(tmp_path: Path) -> None:
    """Whatever bytes change, an image is read, or named with a reason."""
    whole = hugging_face(tmp_path / "whole.parquet", IMAGES, LABELS)
    size = whole.stat().st_size
    for start in range(4, size, size // 40):
        file = tmp_path / f"{start}.parquet"
        file.write_bytes(whole.read_bytes())
        damaged(file, start, start + 30)
        for row in range(10):
            with suppress(CnnctlError):
                read_image(f"{file}/{row}", SPEC)


def test_without_pyarrow(table: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(MachineError, match="Parquet needs pyarrow"):
        find_images(str(table), Columns())
