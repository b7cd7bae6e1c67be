"""Tables of images that are no CSV, mistreated: COCO's JSON, Hugging Face's metadata, Parquet files with images."""

import copy
import json
import random
import shutil
import tempfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pyarrow as pa
from pyarrow import parquet

from cnnctl.config.schema import CsvColumns
from cnnctl.data.catalog import find_images
from cnnctl.data.decoder.images import ImageError, ImageSpec, read_image
from cnnctl.data.parquet import list_parquet
from cnnctl.data.sources import count_source_classes
from cnnctl.data.table import Columns, read_paths
from cnnctl.errors import DataError
from cnnctl.init.look import look
from tests.data.tables import NAMES, coco, hugging_face, png, write_pngs
from tests.fuzz.images import damage

FOLDER = Path(tempfile.mkdtemp(prefix="cnnctl-fuzz."))
SPEC = ImageSpec(8, 8)
COUNT = 6
IMAGES = [png(number) for number in range(COUNT)]
LABELS = [list(NAMES[: number % 4]) for number in range(COUNT)]
VALUES: tuple[Any, ...] = (
    *(None, True, 0, -1, 1, 10**30, 1e400, 0.5, "", "x", "a|b", "\0", "\ud800", "../0.png", "/", "x" * 5000),
    *([], {}, [[]], [None], ["cat", ["dog"]], {"bytes": "x"}, "0.png", ["0.png"]),
)
KEYS = ("path", "file_name", "label", "labels", "id", "image_id", "category_id", "name", "image", "images", "bytes", "")
COLUMNS = (Columns(), Columns(several=True), Columns(label=("cat", "dog"), several=True), Columns(path="image"))


def changed(value: Any, chance: random.Random) -> Any:
    """A value of JSON with something else at some place in it."""
    value = copy.deepcopy(value)
    parent: Any = value
    while True:
        places: list[Any] = list(parent) if isinstance(parent, dict) else list(range(len(parent)))
        if not places:
            return value
        place = chance.choice(places)
        if isinstance(parent[place], dict | list) and parent[place] and chance.random() < 0.8:
            parent = parent[place]
            continue
        match chance.randrange(4):
            case 0:
                del parent[place]
            case 1 if isinstance(parent, dict):
                parent[chance.choice(KEYS)] = parent.pop(place)
            case 2 if isinstance(parent, list):
                parent.insert(place, chance.choice((parent[place], *VALUES)))
            case _:
                parent[place] = chance.choice(VALUES)
        return value


def read(source: Path) -> None:
    """Every reader gives images, each of which is one or not for a reason, or says what is wrong with which file."""
    readers: list[Callable[[Columns], object]] = [
        lambda columns: find_images(str(source), columns),
        lambda columns: count_source_classes(str(source), CsvColumns(label=columns.label), several=columns.several),
    ]
    if source.is_file():
        readers.append(lambda columns: read_paths(source, columns))
    if source.suffix == ".parquet":
        readers.append(lambda columns: list(list_parquet(source, columns)))
    for columns in COLUMNS:
        for reader in readers:
            try:
                reader(columns)
            except DataError as error:
                assert str(FOLDER) in error.message, error.message
                assert len(error.message) < 20_000, error.message[:500]
    with suppress(DataError):
        for path in find_images(str(source), COLUMNS[1]).paths:
            with suppress(ImageError):
                assert read_image(path, SPEC).shape == SPEC.shape
    with suppress(DataError):
        look(str(source if source.is_dir() else source.parent))


def of_coco(folder: Path, chance: random.Random) -> Path:
    write_pngs(folder, COUNT)
    file = coco(folder / "a.json", [f"{number}.png" for number in range(COUNT)], LABELS)
    told = json.loads(file.read_text())
    for _ in range(chance.randint(1, 3)):
        told = changed(told, chance)
    text = json.dumps(told).encode("utf-8", "surrogatepass")
    file.write_bytes(damage(text, chance) if chance.random() < 0.3 else text)
    return file


def of_metadata(folder: Path, chance: random.Random) -> Path:
    names = write_pngs(folder, COUNT)
    several = chance.random() < 0.5
    rows: Any = [
        {"file_name": name, "label": label if several else "ab"[number % 2], "width": 8}
        for number, (name, label) in enumerate(zip(names, LABELS, strict=True))
    ]
    for _ in range(chance.randint(1, 3)):
        rows = changed(rows, chance)
    text = "".join(json.dumps(row) + "\n" for row in rows).encode()
    name = chance.choice(("metadata.jsonl", "metadata.jsonl", "list.jsonl"))
    (folder / name).write_bytes(damage(text, chance) if chance.random() < 0.3 else text)
    return folder / name if chance.random() < 0.5 else folder


def of_parquet(folder: Path, chance: random.Random) -> Path:
    folder.mkdir(parents=True)
    file = folder / "a.parquet"
    if chance.random() < 0.5:
        hugging_face(file, IMAGES, [number % 3 for number in range(COUNT)], rows=chance.choice((1, 4, 100)))
        file.write_bytes(damage(file.read_bytes(), chance))
        return file
    bytes_of = {"image": IMAGES, "picture": [None, b"", b"no image", *IMAGES[3:]]}
    whole = [{"bytes": image, "path": "0.png"} for image in IMAGES]
    lists: list[Any] = [
        *(["cat", "dog"] * 3, LABELS, [0, 1, 2, -1, None, 9], [[0], [1, 9], [], None, [-1], [2, 2]], [True, None] * 3),
        *(
            [0.5] * 6,
            [None] * 6,
            [{"bytes": 1}] * 6,
            [{"bytes": None, "x": 1}] * 6,
            [[[0]], [], [[]], None, [[1]], [[]]],
        ),
        *(["0.png", "", None] * 2, [b"cat"] * 6, ["a|b"] * 6, [["a|b"]] * 6, whole, [None, *whole[1:]]),
        pa.array(["cat", "dog"] * 3).dictionary_encode(),
        pa.array([2**63] * 6, pa.uint64()),
        pa.array([["cat", "dog"]] * 6, pa.list_(pa.string(), 2)),
        pa.array([b"x" * 4] * 6, pa.binary(4)),
        pa.array([[("a", 1)]] * 6, pa.map_(pa.string(), pa.int32())),
    ]
    columns: dict[str, Any] = {}
    for _ in range(chance.randint(1, 4)):
        name = chance.choice((*KEYS, "picture", "cat", "dog"))
        columns[name] = bytes_of[name] if name in bytes_of and chance.random() < 0.6 else chance.choice(lists)
    about: Any = {"label": {"names": list(NAMES), "_type": "ClassLabel"}, "image": {"_type": "Image"}}
    about["labels"] = {"feature": about["label"], "_type": "Sequence"}
    note: Any = {"info": {"features": about}}
    for _ in range(chance.choice((0, 1, 2))):
        note = changed(note, chance)
    table = pa.table(columns)
    if chance.random() < 0.7:
        table = table.replace_schema_metadata({"huggingface": json.dumps(note)})
    parquet.write_table(table, file, row_group_size=chance.choice((1, 4, 100)))
    return file


def once(chance: random.Random) -> None:
    """One file of each sort."""
    for make in (of_coco, of_metadata, of_parquet):
        place = FOLDER / "one"
        try:
            read(make(place, chance))
        finally:
            shutil.rmtree(place, ignore_errors=True)
