"""Archives of labelled images: class folders, or WebDataset's pairs of an image and a .cls file with its class.

A folder that holds archives alone, such as shards/train-0000.tar to train-0099.tar, is one set of images.
"""

import os
from pathlib import Path

from cnnctl.data import archives
from cnnctl.data.archives import scan
from cnnctl.data.file_names import ARCHIVE_SUFFIXES, IMAGE_SUFFIXES, is_system_name
from cnnctl.data.listing import Listing, list_class_folders
from cnnctl.data.several import united
from cnnctl.errors import DataError

LABEL_SUFFIX = ".cls"
_MOST_OF_A_NAME = 1000  # bytes


def shards_of(source: Path) -> list[Path]:
    """The archives that are a set of images together; empty where a source is something else.

    Raises:
        DataError: an archive is damaged.
    """
    if archives.is_archive(source):
        with scan(source) as entries:
            return [source] if any(entry.name.endswith(LABEL_SUFFIX) for entry in entries) else []
    try:
        with scan(source) as entries:
            shown = sorted((entry for entry in entries if not is_system_name(entry.name)), key=lambda entry: entry.name)
    except OSError:
        return []
    suffixes = {os.path.splitext(entry.name)[1].lower() for entry in shown if not entry.is_dir()}
    if any(entry.is_dir() for entry in shown) or suffixes & IMAGE_SUFFIXES or not suffixes & set(ARCHIVE_SUFFIXES):
        return []
    return [Path(entry.path) for entry in shown if archives.is_archive(entry.path)]


def list_shards(shards: list[Path], several: bool = False) -> Listing:
    """The images of several archives, in their order; where they may have `several` labels, a .cls file has cat|dog.

    Raises:
        DataError: one is damaged, an image has no label, or an archive holds no classes.
    """
    listing, empty = Listing(several=several), set[str]()
    for shard in shards:
        found = (
            _list_pairs(shard, several)
            if shards_of(shard)
            else list_class_folders(archives.unwrapped(shard), None, several)
        )
        listing.paths += found.paths
        listing.labels += found.labels
        listing.left_out.update(found.left_out)
        listing.notices += found.notices
        empty.update(found.empty_classes)
    listing.empty_classes = sorted(empty - set(listing.counts()))
    return listing


def _list_pairs(shard: Path, several: bool) -> Listing:
    """The images at the top of an archive, each with the class in the .cls file of its name."""
    listing = Listing()
    with scan(shard) as entries:
        members = [entry for entry in entries if not entry.is_dir()]
    labels = {os.path.splitext(one.name)[0]: one.path for one in members if one.name.endswith(LABEL_SUFFIX)}
    for one in members:
        name, suffix = os.path.splitext(one.name)
        if is_system_name(one.name):
            listing.left_out["hidden or system"] += 1
        elif suffix.lower() in IMAGE_SUFFIXES:
            if name not in labels:
                raise DataError(f"{one.path} has no label", f"add {name}{LABEL_SUFFIX} with the name of its class")
            listing.paths.append(one.path)
            listing.labels.append(_label(labels[name], several))
        elif suffix != LABEL_SUFFIX:
            listing.left_out["other"] += 1
    return listing


def _label(path: str, several: bool) -> str:
    try:
        label = (archives.read(path, _MOST_OF_A_NAME) or b"").decode().strip()
    except (archives.MemberError, UnicodeDecodeError) as error:
        raise DataError(f"{path} is not the name of a class: {error}") from None
    if several:
        return united(label)
    if not label:
        raise DataError(f"{path} is empty", "write the name of the class of its image into it")
    return label
