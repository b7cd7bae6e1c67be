"""The cache on disk: an entry is a folder of decoded images that says what it holds; listing and removing them."""

import glob
import json
import math
import os
import shutil
import time
from collections.abc import Sequence
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from cnnctl.data.cache.folders import cache_folder
from cnnctl.data.decoder.images import ImageSpec
from cnnctl.system.digests import DIGEST_BYTES
from cnnctl.system.files import is_folder
from cnnctl.system.home import user_cache
from cnnctl.system.inside import UnfitFileError, read_file
from cnnctl.system.locks import is_held, try_lock
from cnnctl.system.trust import is_foreign, of_this_user, opened

PIXELS, DIGESTS, PIXEL_DIGESTS, VALUE_RANGES = "pixels", "digests", "looks", "spreads"
FAILURES, ABOUT = "failures.json", "about.json"
_MOST_OF_ABOUT = 2**20


@dataclass(frozen=True)
class Entry:
    """The decoded images of one catalog.

    `source` is the folder that holds all the image files. It and `images` are None where the entry does not say.
    `shape` is the (height, width, channels) of each image, `size` counts bytes on disk, and `used` is in seconds since
    the epoch, when it was last opened.
    """

    path: Path
    source: str | None
    images: int | None
    shape: tuple[int, ...]
    fit: str
    size: int
    used: float


@dataclass(frozen=True)
class Removed:
    """What a removal did.

    `size` counts bytes, those of killed processes' leftovers included; `busy` entries are being made just now and stay,
    and so do `foreign` ones, which are other users'.
    """

    entries: tuple[Entry, ...]
    size: int
    busy: int
    foreign: int


def images_folder(where: str) -> Path:
    """The folder of all entries: `auto` is the user's cache folder, or what stands for it."""
    if where != "auto":
        return Path(where) / "images"
    return (cache_folder() or user_cache() or Path(os.devnull) / "cnnctl") / "images"


def find_place(where: str, name: str, count: int, spec: ImageSpec) -> Path | None:
    """Where the entry of that name lies or is to be made; None where it cannot be made.

    The user's own folder is read even where it cannot be written: an image of a container may bring it. Where another
    user has something of that name, ours lies beside it.
    """
    user = user_cache()
    if where == "auto" and user is not None and is_whole(user / "images" / name, count, spec):
        return user / "images" / name
    if where == "auto" and cache_folder() is None:
        return None
    places = [images_folder(where) / one for one in (name, of_this_user(name))]
    whole = next((place for place in places if is_whole(place, count, spec)), None)
    return whole or next((one for one in places if not is_foreign(one) and not is_foreign(lock_of(one))), None)


def lock_of(entry: Path) -> Path:
    """The file whose lock is held while an entry is made or removed."""
    return entry.parent / f"{entry.name}.lock"


def shapes(count: int, spec: ImageSpec) -> dict[str, tuple[int, ...]]:
    """The arrays of an entry, all of uint8: the decoded images; BLAKE2b of each file's bytes and of its decoded pixels;
    the largest less the smallest value of each image.
    """
    digests = (count, DIGEST_BYTES)
    return {PIXELS: (count, *spec.shape), DIGESTS: digests, PIXEL_DIGESTS: digests, VALUE_RANGES: (count,)}


def write_about(folder: Path, paths: Sequence[str], spec: ImageSpec) -> None:
    """Say in an entry what it holds."""
    source = os.path.commonpath([Path(min(paths)).parent, Path(max(paths)).parent]) if paths else ""
    about = {"source": source, "images": len(paths), "shape": list(spec.shape), "fit": spec.fit}
    (folder / ABOUT).write_text(json.dumps(about))


def is_whole(entry: Path, count: int, spec: ImageSpec) -> bool:
    """Whether an entry has its files at their full size, and only we or root can have written them."""
    with opened_entry(entry, count, spec) as files:
        return files is not None


def opened_entry(entry: Path, count: int, spec: ImageSpec) -> AbstractContextManager[dict[str, BinaryIO] | None]:
    """Its files, open to be read; None where it is not whole, as a crash of the machine leaves it, or not trusted."""
    arrays = {name: math.prod(shape) for name, shape in shapes(count, spec).items()}
    return opened(entry, {**arrays, FAILURES: None, ABOUT: None})


def mark_used(entry: Path) -> None:
    """Remember when an entry was last opened."""
    with suppress(OSError):  # somebody else's cache, or a read-only one
        os.utime(entry / ABOUT)


def sweep(entry: Path) -> int:
    """Remove what processes that were killed while they made this entry left behind; whoever calls holds its lock.

    Returns:
        Bytes that were freed.
    """
    freed = 0
    for left in _staged(entry):
        if not is_foreign(left):
            freed += _size(left)
            shutil.rmtree(left, ignore_errors=True)
    return freed


def left_behind(base: Path) -> int:
    """Bytes below an images folder that belong to no entry, and to none that is being made just now."""
    return sum(_size(left) for entry in _begun(base) if not is_held(lock_of(entry)) for left in _staged(entry))


def _begun(base: Path) -> set[Path]:
    """The entries that are being made, or were when their makers were killed."""
    return {base / path.name.split(".")[1] for path in base.glob(".*.*")}


def _staged(entry: Path) -> list[Path]:
    return list(entry.parent.glob(f".{glob.escape(entry.name)}.*"))


def list_entries(base: Path) -> list[Entry]:
    """All entries below an images folder, the last used first."""
    if not is_folder(base):
        return []
    found = [_read(path) for path in base.iterdir() if _is_entry(path)]
    return sorted(found, key=lambda entry: -entry.used)


def remove_entries(base: Path, older_than: float = 0.0) -> Removed:
    """Remove the entries of an images folder that were not opened for some time, and what killed processes left behind.

    A training that has an entry open keeps it: the disk space is given back when it ends. `older_than` is in seconds; 0
    removes all.

    Raises:
        OSError: a file cannot be removed.
    """
    removed, freed, busy, foreign = [], 0, 0, 0
    latest = time.time() - older_than
    known = {entry.path: entry for entry in list_entries(base)}
    for path in sorted({*known, *_begun(base)}):
        if not _is_ours_to_remove(path) or not _is_ours_to_remove(lock_of(path)):
            foreign += path in known
            continue
        lock = try_lock(lock_of(path))
        if lock is None:
            busy += 1
            continue
        freed += sweep(path)
        entry = known.get(path)
        if entry is not None and entry.used <= latest:
            shutil.rmtree(path)
            removed.append(entry)
            freed += entry.size
        lock.release(remove=True)
    return Removed(tuple(removed), freed, busy, foreign)


def _is_entry(path: Path) -> bool:
    return not path.name.startswith(".") and path.is_dir() and not path.is_symlink()


def _is_ours_to_remove(path: Path) -> bool:
    """Whether a path is not another user's; root may remove everybody's."""
    return not is_foreign(path) or (hasattr(os, "geteuid") and os.geteuid() == 0 and not path.is_symlink())


def _read(path: Path) -> Entry:
    try:
        about = json.loads(read_file(path, path / ABOUT, _MOST_OF_ABOUT))
        source, images = str(about["source"]), int(about["images"])
        shape, fit = tuple(int(side) for side in about["shape"]), str(about["fit"])
        used = (path / ABOUT).lstat().st_mtime
    except (OSError, UnfitFileError, ValueError, KeyError, TypeError, OverflowError, RecursionError):
        return Entry(path, None, None, (), "", _size(path), path.stat().st_mtime)
    return Entry(path, source, images, shape, fit, _size(path), used)


def _size(folder: Path) -> int:
    """Bytes of the files in a folder, as far as they can be seen; no link is followed."""
    total = 0
    for place, _, names in os.walk(folder):
        for name in names:
            with suppress(OSError):  # it goes just now
                total += (Path(place) / name).lstat().st_size
    return total
