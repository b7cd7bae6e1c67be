"""COCO's JSON files in a folder of images: beside them, or in annotations/, one for each split."""

from collections.abc import Iterator
from pathlib import Path

from cnnctl.data.coco import is_coco
from cnnctl.data.file_names import COCO, is_system_name
from cnnctl.data.split import TRAIN
from cnnctl.data.split_folders import look_inside, split_of_name

_ANNOTATIONS = "annotations"
_NOT_OF_CLASSES = ("captions", "keypoints", "panoptic", "stuff")
"""Words in the names of COCO's other files."""


def coco_files(folder: Path) -> dict[str, Path]:
    """The files by the keys of the data section; empty where there is none for training, or several for a split."""
    found: dict[str, Path] = {}
    for file, name in _candidates(folder):
        key = split_of_name(name) or TRAIN
        if any(word in file.name.lower() for word in _NOT_OF_CLASSES) or not is_coco(file):
            continue
        if key in found:
            return {}
        found[key] = file
    return found if TRAIN in found else {}


def _candidates(folder: Path) -> Iterator[tuple[Path, str]]:
    """JSON files, each with the name that tells its split: its own, or that of its folder."""
    inside = look_inside(folder)
    if inside.has_images or len(set(inside.folders) - {_ANNOTATIONS}) < 2 or _ANNOTATIONS in inside.folders:
        yield from ((file, file.stem) for file in _files(folder))
    if _ANNOTATIONS in inside.folders:
        yield from ((file, file.stem) for file in _files(folder / _ANNOTATIONS))
    for name in inside.folders:
        if split_of_name(name) is not None:
            yield from ((file, name) for file in _files(folder / name))


def _files(folder: Path) -> list[Path]:
    try:
        return sorted(
            file for file in folder.iterdir() if file.suffix.lower() == COCO and not is_system_name(file.name)
        )
    except OSError:
        return []
