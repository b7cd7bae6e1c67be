"""Folders as people have them, and worse: links, loops, pipes, sockets, splits, system folders, names of any kind."""

import os
import random
import shutil
import signal
import socket
import tempfile
import unicodedata
from collections.abc import Callable
from functools import cache
from pathlib import Path

import numpy as np
from PIL import Image as Pillow

from cnnctl.config.schema import DataSettings
from cnnctl.data.catalog import make_catalog
from cnnctl.data.decoder.images import ImageError, ImageSpec, read_image
from cnnctl.data.file_names import IMAGE_SUFFIXES, is_system_name
from cnnctl.data.listing import count_classes, list_class_folders, list_images
from cnnctl.data.split_folders import SplitsError
from cnnctl.errors import CnnctlError, DataError
from cnnctl.init.choose import choose
from cnnctl.init.compose import compose
from cnnctl.init.look import look
from tests.images import encode

FOLDER = Path(tempfile.mkdtemp(prefix="cnnctl-fuzz."))
SPEC = ImageSpec(4, 4)
SECONDS = 20
"""After which a tree counts as one that is waited for."""

SYSTEM = ("@eaDir", "lost+found", "$RECYCLE.BIN", "System Volume Information", ".ipynb_checkpoints", "__MACOSX")
SPLIT_NAMES = ("train", "Train", "val", "Valid", "test", "test1", "seg_train", "seg_test", "training_set", "images")
NAMES = ("cat", "dog", "apple", "a b", " lead", "café", "cafe\u0301", "it's", 'say "x"', "a,b", "-x", "~", "#1", "🐱")
SUFFIXES = (".png", ".PNG", ".jpg", ".txt", "", ".heic", ".png.bak")


@cache
def picture() -> bytes:
    pixels = np.random.default_rng(0).integers(0, 256, (6, 6, 3), dtype=np.uint8)
    return encode(Pillow.fromarray(pixels), "PNG")


def name_of(chance: random.Random) -> str:
    made = "".join(chance.choice("aZ0 .-_\n\t\\%$'\"é漢\udce9") for _ in range(chance.randint(1, 12)))
    kinds = (NAMES, NAMES, SPLIT_NAMES, SYSTEM, (made,))
    name = chance.choice(chance.choice(kinds))
    return "x" if name in (".", "..") else name


def grow(folder: Path, chance: random.Random, depth: int, places: list[Path]) -> None:
    """Put anything into a folder; `places` are all folders and files so far, for links to lead to."""
    for _ in range(chance.randint(0, 5 if depth else 4)):
        path = folder / name_of(chance)
        kind = chance.choice(("folder", "folder", "image", "image", "image", "link", "pipe", "socket", "wrong"))
        if kind != "folder":
            path = path.with_name(path.name + chance.choice(SUFFIXES))
        if os.path.lexists(path):
            continue
        match kind:
            case "folder":
                path.mkdir()
                if depth < 3:
                    grow(path, chance, depth + 1, places)
            case "image":
                path.write_bytes(picture())
            case "wrong":
                path.write_bytes(b"no image")
            case "link":
                target = chance.choice((*places, Path("nowhere"), path, Path("/dev/zero"), FOLDER))
                path.symlink_to(os.path.relpath(target, folder) if chance.random() < 0.5 else target)
            case "pipe":
                os.mkfifo(path)
            case "socket":
                bind(path)
        places.append(path)


def bind(path: Path) -> None:
    """A socket whose path may be longer than a socket's may be."""
    before = Path.cwd()
    os.chdir(path.parent)
    try:
        with socket.socket(socket.AF_UNIX) as made:
            made.bind(path.name)
    finally:
        os.chdir(before)


def real_images(root: Path) -> set[str]:
    """The images that no link leads to, by another way than the product's."""
    found = set()
    for place, folders, names in os.walk(root):
        folders[:] = [name for name in folders if not is_system_name(name)]
        for name in names:
            path = Path(place) / name
            if path.is_file() and not path.is_symlink() and path.suffix.lower() in IMAGE_SUFFIXES:
                found |= set() if is_system_name(name) else {str(path)}
    return found


def check_list(root: Path) -> None:
    """Every real image is there; nothing of a system, nothing twice, no folder twice."""
    paths, _ = list_images(root)
    assert len(paths) == len(set(paths)), paths
    assert real_images(root) <= set(paths), real_images(root) - set(paths)
    folders = {Path(path).parent for path in paths}
    assert len({os.path.realpath(folder) for folder in folders}) == len(folders), folders
    for path in paths:
        assert not any(map(is_system_name, Path(path).relative_to(root).parts)), path
        try:
            assert read_image(path, SPEC).shape == SPEC.shape
            assert Path(path).is_file(), path
        except ImageError as error:
            assert error.message
            assert Path(path).is_file() or "regular" in error.message or "link" in error.message, error.message


def check_classes(root: Path) -> None:
    """Class folders hold what the whole folder holds, each image under its class, unless these are splits."""
    try:
        listing = list_class_folders(root)
    except SplitsError as error:
        for place in error.splits.labelled.values():
            assert list_class_folders(place).labels is not None
        return
    except DataError as error:
        assert error.hint, error.message
        return
    assert count_classes(root) == len(set(listing.labels) | set(listing.empty_classes))
    below = [path for path in list_images(root)[0] if Path(path).parent != root]
    assert len(listing.paths) == len(below), (listing.paths, below)
    real = real_images(root)
    for path, label in zip(listing.paths, listing.labels, strict=True):
        assert class_name(Path(path).relative_to(root).parts[0]) == label or path not in real, (path, label)


def class_name(folder: str) -> str:
    return unicodedata.normalize("NFC", folder.strip()) or folder


def check_init(root: Path) -> None:
    """What init writes is never refused as splits, nor for classes that the training images do not have."""
    try:
        seen = look(str(root))
    except DataError:
        return
    sources = seen.sources
    compose(seen, choose(seen), "fuzz", FOLDER)
    try:
        make_catalog(DataSettings(train=sources["train"], test=sources.get("test")), 0)
    except DataError as error:
        assert "splits" not in error.message, error.message
        assert "do not have" not in error.message, error.message
        assert "no image was found" not in error.message or "test" in error.message, error.message


def within(seconds: int, work: Callable[[], None]) -> None:
    """Call `work`, for so long at most."""

    def stop(number: int, frame: object) -> None:
        raise AssertionError(f"it took more than {seconds} seconds")

    before = signal.signal(signal.SIGALRM, stop)
    signal.alarm(seconds)
    try:
        work()
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


def once(chance: random.Random) -> None:
    """One tree, listed as classes, as images for `predict`, and as init looks at it."""
    root = FOLDER / "tree"
    root.mkdir()
    try:
        grow(root, chance, 0, [root])
        within(SECONDS, lambda: check_list(root))
        within(SECONDS, lambda: check_classes(root))
        within(SECONDS, lambda: check_init(root))
    except CnnctlError as error:
        raise AssertionError(f"an error that nobody expected: {error}") from error
    finally:
        shutil.rmtree(root)
