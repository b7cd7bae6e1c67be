"""Tables of images as other programs write them: Hugging Face's Parquet and metadata, COCO's JSON."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from PIL import Image
from pyarrow import parquet

from tests.images import encode, photo

NAMES = ("cat", "dog", "newt")


def png(seed: int, size: int = 8) -> bytes:
    return encode(Image.fromarray(photo(size, size, seed=seed)), "PNG")


def hugging_face(
    file: Path, images: Sequence[bytes], labels: Sequence[Any], names: Sequence[str] | None = NAMES, rows: int = 4
) -> Path:
    """A file as `datasets` writes it: structures of bytes and path, numbers of classes, their names in the schema."""
    kind = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
    cells = [{"bytes": image, "path": f"{number}.png"} for number, image in enumerate(images)]
    table = pa.table({"image": pa.array(cells, kind), "label": pa.array(labels)})
    features: dict[str, Any] = {"image": {"_type": "Image"}}
    if names is not None:
        features["label"] = {"names": list(names), "_type": "ClassLabel"}
    note = {"info": {"features": features}}
    parquet.write_table(table.replace_schema_metadata({"huggingface": json.dumps(note)}), file, row_group_size=rows)
    return file


def write_pngs(folder: Path, count: int, start: int = 0) -> list[str]:
    """Images in a folder; their names."""
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(count):
        (folder / f"{number}.png").write_bytes(png(start + number))
    return [f"{number}.png" for number in range(count)]


def coco(file: Path, names: Sequence[str], labels: Sequence[Sequence[str]], classes: Sequence[str] = NAMES) -> Path:
    """COCO's JSON: an annotation with a mask for each label of an image."""
    numbers = {name: 1 + 7 * place for place, name in enumerate(classes)}
    annotations = [
        {
            "id": 0,
            "image_id": 100 + at,
            "category_id": numbers[name],
            "segmentation": [[0, 0, 1, 1]],
            "bbox": [0, 0, 1, 1],
        }
        for at, found in enumerate(labels)
        for name in found
    ]
    told = {
        "images": [{"id": 100 + at, "file_name": name} for at, name in enumerate(names)],
        "annotations": annotations,
        "categories": [{"id": number, "name": name} for name, number in numbers.items()],
    }
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(told))
    return file


def damaged(file: Path, start: int, stop: int) -> None:
    """Zeros in place of some bytes of a file."""
    content = np.fromfile(file, np.uint8)
    content[start:stop] = 0
    content.tofile(file)
