"""COCO's JSON of images with their labels: the categories of the annotations of an image are its labels."""

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from cnnctl.data.columns import FILE_NAME, LABEL
from cnnctl.data.dialect import content_of
from cnnctl.data.image_folders import MOST_FOLDERS, searched
from cnnctl.data.missing import locate
from cnnctl.errors import DataError
from cnnctl.system.files import absolute

_TRIED = 50
"""Images that are looked for."""

WITHOUT = "rows of images without a label"
_PARTS = ("images", "annotations", "categories")


def read_coco(
    file: Path, folder: str | None = None, keeps_unlabelled: bool = False
) -> tuple[list[str], list[tuple[int, list[Any]]], Counter[str]]:
    """The columns file_name and label, (number from 1, values) of each image, and how many were left out, by sort.

    A label is the list of all categories of an image, each once. `folder` is where the images are; else they are
    looked for.

    Raises:
        DataError: it is missing, no such file, or its images are nowhere to be found.
    """
    told = _parsed(file)
    categories = {str(one.get("id")): one.get("name") for one in told["categories"]}
    labels: dict[str, list[str]] = {}
    for one in told["annotations"]:
        name = categories.get(str(one.get("category_id")))
        if not isinstance(name, str):
            said = f"an annotation of the image {one.get('image_id')} has the category {one.get('category_id')}"
            raise DataError(f"{file}: {said}, which has no name", "add it to categories")
        labels.setdefault(str(one.get("image_id")), []).append(name)
    images = [(str(one.get("id")), str(one.get("file_name") or "")) for one in told["images"]]
    nameless = sum(not name for _, name in images)
    if nameless:
        raise DataError(f"{file}: {nameless:,} of {len(images):,} images have no file_name", "it is COCO's key of them")
    base = Path(folder) if folder is not None else _folder_of(file, [name for _, name in images])
    rows: list[tuple[int, list[Any]]] = []
    left_out: Counter[str] = Counter()
    for number, (identity, name) in enumerate(images, 1):
        found = list(dict.fromkeys(labels.get(identity, ())))
        if found or keeps_unlabelled:
            rows.append((number, [str(absolute(base / name)), found]))
        else:
            left_out[WITHOUT] += 1
    return [FILE_NAME, LABEL], rows, left_out


def images_folder(file: Path) -> Path:
    """Where the images of a file are.

    Raises:
        DataError: they are nowhere to be found.
    """
    return _folder_of(file, [str(one.get("file_name")) for one in _parsed(file)["images"]])


def is_coco(file: Path) -> bool:
    """Whether a file is one of these."""
    try:
        _parsed(file)
    except DataError:
        return False
    return True


def _parsed(file: Path) -> Mapping[str, Sequence[Mapping[str, Any]]]:
    def without_masks(found: dict[str, Any]) -> dict[str, Any]:
        found.pop("segmentation", None)  # which is most of a file, and no label
        return found

    try:
        told = json.loads(content_of(file), object_hook=without_masks)
    except (ValueError, RecursionError) as error:
        raise DataError(f"{file} is no JSON: {error}", "name COCO's JSON, or another table of images") from None
    if not isinstance(told, dict) or not all(isinstance(told.get(part), list) for part in _PARTS):
        message = f"{file} is not COCO's JSON: expected the lists images, annotations and categories"
        raise DataError(message, "other tables of images: CSV, JSON Lines (.jsonl), Parquet")
    for part in _PARTS:
        if not all(isinstance(one, dict) for one in told[part]):
            raise DataError(f"{file} is not COCO's JSON: {part} holds something else than objects")
    return told


def _folder_of(file: Path, names: Sequence[str]) -> Path:
    """The folder beside or around a file in which most of its first images are, the nearest of several."""
    tried = names[:_TRIED]
    best, most = None, 0
    for folders in searched(file.parent, here=False):
        for folder in folders:
            hits = sum(locate(folder, name) is not None for name in tried)
            if hits > most:
                best, most = folder, hits
        if most == len(tried):
            break
    if best is None:
        looked = f"{file.parent} and up to {MOST_FOLDERS} folders in and beside it"
        raise DataError(
            f"the images of {file} are not in {looked} ({names[0] if names else 'it lists none'})",
            "data.csv.folder names their folder",
        )
    return best
