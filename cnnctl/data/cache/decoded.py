"""Decoded images on disk, memory-mapped: each file is decoded once for all epochs and all runs that see it alike.

An entry is a folder of `pixels` (uint8, images x height x width x channels), `digests` and `looks` (16 bytes an image),
`spreads` (a byte an image), `failures.json` (the images that could not be decoded) and `about.json` (what it holds).
Its name is a hash over the decoder's version, the image settings and each file's path, size, times and inode, so that
a changed file or setting is another entry. It is written aside and renamed, so that an entry is whole or not there;
one process at a time makes it, and others wait for it.
"""

import hashlib
import json
import math
import os
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import astuple, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cnnctl.data import archives
from cnnctl.data.cache import entries
from cnnctl.data.cache.decoding import Progress, decode_into
from cnnctl.data.cache.entries import DIGESTS, FAILURES, PIXEL_DIGESTS, PIXELS, VALUE_RANGES
from cnnctl.data.cache.folders import make_folder, staging_folder
from cnnctl.data.decoder import heif
from cnnctl.data.decoder.images import DECODER_VERSION, Image, ImageSpec
from cnnctl.errors import MachineError
from cnnctl.system.digests import DIGEST_BYTES
from cnnctl.system.locks import locked
from cnnctl.system.loudness import detail

_TRIES = 5


@dataclass(frozen=True)
class Decoded:
    """The images of a catalog, in its order.

    Attributes:
        pixels: uint8 (images, height, width, channels), mapped from disk or in memory; zeros for a failed one.
        digests: uint8 (images, 16), BLAKE2b of each file's bytes.
        pixel_digests: uint8 (images, 16), BLAKE2b of each image's decoded pixels.
        value_ranges: uint8 (images,), the largest less the smallest value of each image.
        failures: Reason by row, for the images that could not be decoded.
        entry: Their folder in the cache; None in memory.
        places: int64 (images,), where they are in `pixels`, -1 for one that is not; None where each has its row there.
    """

    pixels: Image
    digests: NDArray[np.uint8]
    pixel_digests: NDArray[np.uint8]
    value_ranges: NDArray[np.uint8]
    failures: dict[int, str]
    entry: Path | None = None
    places: NDArray[np.int64] | None = None


def decode_images(
    paths: Sequence[str],
    spec: ImageSpec,
    where: str,
    progress: Progress,
    waiting: Callable[[], None] = lambda: None,
) -> Decoded:
    """Decode images in parallel, or take them from the cache.

    `where` is `auto` (the user's cache folder; memory where none can be written), `off` (memory), or a folder.
    `progress` is not called when the cache has the images. `waiting` is called before waiting for another process that
    decodes the same images.

    Raises:
        MachineError: the cache cannot be written, or the disk is too small for it.
    """
    is_kept = where != "off" and bool(paths)  # numpy before 2.4 maps no empty file
    entry = entries.find_place(where, _key(paths, spec), len(paths), spec) if is_kept else None
    if entry is None:
        detail(f"decoded images: kept in memory (data.cache: {where})")
        arrays = {name: np.zeros(shape, np.uint8) for name, shape in entries.shapes(len(paths), spec).items()}
        return _decoded(arrays, decode_into(paths, spec, arrays, progress))
    for _ in range(_TRIES):
        found = _open(entry, len(paths), spec)
        if found is not None:
            detail(f"decoded images: {entry}")
            return found
        detail(f"decoded images: not in {entry.parent} yet, or the files have changed since")
        _make(entry, paths, spec, progress, waiting)  # again where somebody has cleared the cache just now
    raise MachineError(f"{entry} cannot be read", "name another folder with data.cache: PATH")


def _key(paths: Sequence[str], spec: ImageSpec) -> str:
    state = hashlib.blake2b(digest_size=16)
    heic = ("heic",) if heif.is_installed() else ()  # once it is, what could not be read can be
    state.update(repr((DECODER_VERSION, astuple(spec), len(paths), *heic)).encode())
    for path in paths:
        try:
            status = os.stat(path)
            identity: tuple[int, ...] | None = (status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino)
        except NotADirectoryError:
            identity = archives.identity(path) if archives.is_file(path) else None
        except OSError:
            identity = None
        state.update(os.fsencode(path) + repr(identity).encode())
    return state.hexdigest()


def _make(entry: Path, paths: Sequence[str], spec: ImageSpec, progress: Progress, waiting: Callable[[], None]) -> None:
    """Make an entry, unless another process has made it while we waited for its lock."""
    make_folder(entry.parent)
    try:
        with locked(entries.lock_of(entry), waiting):
            entries.sweep(entry)
            if _open(entry, len(paths), spec) is None:
                shutil.rmtree(entry, ignore_errors=True)
                _build(entry, paths, spec, progress)
    except OSError as error:
        hint = "free some space, or name another folder with data.cache: PATH"
        raise MachineError(f"the decoded images cannot be kept in {entry.parent}: {error.strerror}", hint) from None


def _build(entry: Path, paths: Sequence[str], spec: ImageSpec, progress: Progress) -> None:
    shapes = entries.shapes(len(paths), spec)
    needed = sum(math.prod(shape) for shape in shapes.values())
    staging = staging_folder(entry)
    try:
        free = shutil.disk_usage(staging).free
        if needed > free:
            raise MachineError(
                f"the decoded images need {needed / 1e9:.1f} GB and {entry.parent} has {free / 1e9:.1f} GB free",
                "name a folder on a larger disk with data.cache: PATH, or make the images smaller",
            )
        arrays = {name: _allocate(staging / name, shape) for name, shape in shapes.items()}
        failures = decode_into(paths, spec, arrays, progress)
        for array in arrays.values():
            array.flush()
        (staging / FAILURES).write_text(json.dumps(failures))
        entries.write_about(staging, paths, spec)
        try:
            staging.rename(entry)
        except OSError:
            if not entry.is_dir():  # else another process was faster, where locks are not known: its entry is as good
                raise
    finally:
        shutil.rmtree(staging, ignore_errors=True)


def _allocate(path: Path, shape: tuple[int, ...]) -> "np.memmap[Any, np.dtype[np.uint8]]":
    """A mapped file whose disk blocks are taken now: a disk that fills up later would kill the process (SIGBUS)."""
    array = np.memmap(path, np.uint8, "w+", shape=shape)
    if array.nbytes and hasattr(os, "posix_fallocate"):
        with path.open("r+b") as file:
            os.posix_fallocate(file.fileno(), 0, array.nbytes)
    return array


def _open(entry: Path, count: int, spec: ImageSpec) -> Decoded | None:
    """What an entry holds, mapped; None where it is not whole, or others can have written it."""
    shapes = entries.shapes(count, spec)
    with entries.opened_entry(entry, count, spec) as files:
        if files is None:
            return None
        try:
            failures = {int(row): str(why) for row, why in json.loads(files[FAILURES].read()).items()}
        except (ValueError, AttributeError):
            return None
        entries.mark_used(entry)
        arrays = {name: np.memmap(files[name], np.uint8, "r", shape=shape) for name, shape in shapes.items()}
    return _decoded(arrays, failures, entry)


def _decoded(arrays: Mapping[str, NDArray[np.uint8]], failures: dict[int, str], entry: Path | None = None) -> Decoded:
    return Decoded(arrays[PIXELS], arrays[DIGESTS], arrays[PIXEL_DIGESTS], arrays[VALUE_RANGES], failures, entry)


def contents_hash(digests: NDArray[np.uint8], labels: Sequence[str]) -> str:
    """A hash over the contents and the labels of all images, whatever their names and times."""
    names, ranks = np.unique(np.asarray(labels, object), return_inverse=True)
    ends = [name.encode("utf-8", "surrogateescape") + b"\0" for name in names]
    keys = np.ascontiguousarray(digests).view(f"S{DIGEST_BYTES}").ravel()
    state = hashlib.blake2b(digest_size=16)
    for row in np.lexsort((ranks, keys)):  # sorted by digest, then by label, with no Python object an image
        state.update(digests[row].tobytes() + ends[ranks[row]])
    return state.hexdigest()
