"""Class folders -> file names with their labels, and what was left out on the way."""

import os
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from cnnctl.errors import DataError, Notice
from cnnctl.formatting import differences, name_form

IMAGE_SUFFIXES = frozenset(
    ".jpg .jpeg .jpe .jfif .png .bmp .dib .webp .gif .tif .tiff .jp2 .avif .pbm .pgm .ppm .pnm".split(" ")
)
"""Files that are read as images."""

_CAMERA_RAW = ".dng .nef .nrw .cr2 .cr3 .crw .arw .sr2 .srf .orf .rw2 .rwl .raf .pef .srw .3fr .fff .iiq .x3f .erf .mrw"
_CAMERA_RAW += " .mef .mos .dcr .kdc .gpr"
UNSUPPORTED_SUFFIXES = frozenset(f".heic .heif .jxl .psd .svg {_CAMERA_RAW}".split(" "))
"""Files that are images to their owner: taken along, so that they are named as what cannot be decoded."""

_TAKEN_SUFFIXES = IMAGE_SUFFIXES | UNSUPPORTED_SUFFIXES


def looks_like_image(name: str) -> bool:
    """Whether a file name ends as images do."""
    return os.path.splitext(name)[1].lower() in _TAKEN_SUFFIXES


LINKS = "links out of the folder"
_SYSTEM_FILES = frozenset(("thumbs.db", "desktop.ini", "icon\r"))
_SPLIT_NAMES = {"train": "train", "training": "train", "val": "validation", "valid": "validation"}
_SPLIT_NAMES |= {"validation": "validation", "test": "test", "testing": "test", "eval": "test"}


@dataclass
class Listing:
    """Images found, in order of their class and name.

    Each image has an absolute path, a label and, where there are groups, a group. `empty_classes` are class folders
    without a single image; `left_out` counts the files that were not taken, by sort. `notices` say what was changed or
    assumed.
    """

    paths: list[str] = field(default_factory=list)
    labels: list[str] = field(default_factory=list)
    groups: list[str] = field(default_factory=list)
    empty_classes: list[str] = field(default_factory=list)
    left_out: Counter[str] = field(default_factory=Counter)
    notices: list[Notice] = field(default_factory=list)


def list_class_folders(root: Path) -> Listing:
    """The images under `root/<class>/`, at any depth; the first level's names are the classes.

    Raises:
        DataError: there is no such folder, it holds no class folders, or it holds train/ and test/ folders instead.
    """
    listing = Listing()
    folders = []
    loose = 0
    for entry in _entries(root):
        match _sort(entry, root, IMAGE_SUFFIXES):
            case "folder":
                folders.append(entry.name)
            case "image":
                loose += 1
            case other:
                listing.left_out[other] += 1

    splits = _by_split(folders)
    if splits:
        keys = ", ".join(f"{key}: {root / name}" for key, name in splits.items())
        raise DataError(
            f"{root} holds {', '.join(folders)}: these are splits, not classes",
            f"name each of them: data: {{{keys}}}",
        )
    if not folders:
        what = (
            f"but its {loose:,} images are not in folders"
            if loose
            else "and it is empty"
            if not listing.left_out
            else ""
        )
        raise DataError(
            f"expected a folder for each class in {root}, {what or 'but there is none'}",
            "make one folder for each class, with the name of the class; or list the images in a CSV",
        )

    if loose:
        listing.left_out["images outside the class folders"] += loose
    for name, alike in _class_names(folders).items():
        found = [path for folder in alike for path in sorted(_walk(root / folder, root, listing.left_out))]
        listing.paths += found
        listing.labels += [name] * len(found)
        if not found:
            listing.empty_classes.append(name)
        listing.notices += _describe_alike(root, name, alike)
    return listing


def _class_names(folders: Iterable[str]) -> dict[str, list[str]]:
    """Class names in the form in which they are compared, sorted, with the folders of each; macOS writes é as two."""
    names: dict[str, list[str]] = {}
    for folder in sorted(folders):
        names.setdefault(name_form(folder) or folder, []).append(folder)
    return dict(sorted(names.items()))


def _describe_alike(root: Path, name: str, folders: list[str]) -> Iterator[Notice]:
    if len(folders) > 1:
        differ = differences(folders[0], folders[1])
        yield Notice(
            f"{len(folders)} folders in {root} have the name {name} and are taken for one class; they differ: {differ}",
            "move their images into one folder",
        )
    elif folders[0].strip() != folders[0]:
        message = f"blanks around the name of the folder {folders[0]!r} in {root} are left out of the class name"
        yield Notice(message, "rename the folder to be rid of this warning")


def list_images(root: Path) -> tuple[list[str], Counter[str]]:
    """All images under a folder at any depth, sorted, and what was left out.

    Raises:
        DataError: there is no such folder.
    """
    left_out: Counter[str] = Counter()
    if not root.is_dir():
        raise DataError(f"there is no folder {root}")
    return sorted(_walk(root, root, left_out)), left_out


def count_classes(root: Path) -> int:
    """The number of classes by the folders' names, from one directory listing."""
    folders = (entry.name for entry in _entries(root) if _sort(entry, root, IMAGE_SUFFIXES) == "folder")
    return len(_class_names(folders))


def split_folders(root: Path) -> dict[str, str]:
    """The folders of a data set that is split already, by key: `{"train": "training", "test": "test"}`; else nothing.

    Raises:
        DataError: `root` cannot be read.
    """
    if root.is_file():
        return {}
    folders = [entry.name for entry in _entries(root) if not _is_hidden(entry.name) and _is_folder(entry)]
    splits = _by_split(folders)
    return splits if len(splits) == len(folders) else {}


def _by_split(folders: list[str]) -> dict[str, str]:
    """Folders by the split that each is named after, where all are and one is for training; else nothing."""
    splits = {_SPLIT_NAMES.get(name.lower(), ""): name for name in folders}
    return splits if len(folders) > 1 and "" not in splits and "train" in splits else {}


def _entries(root: Path) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(root) as entries:
            return sorted(entries, key=lambda entry: entry.name)
    except FileNotFoundError:
        raise DataError(f"there is no folder {root}", describe_parent(root)) from None
    except NotADirectoryError:
        raise DataError(f"expected a folder or a CSV, but {root} is a file") from None
    except OSError as error:
        raise DataError(f"{root} cannot be read: {error.strerror}") from None


def describe_parent(root: Path) -> str:
    """What there is in the nearest folder that exists, of a path that does not."""
    for parent in root.parents:
        if parent.is_dir() and os.access(parent, os.R_OK | os.X_OK):
            names = sorted(child.name for child in parent.iterdir() if not _is_hidden(child.name))[:8]
            return f"{parent} holds {', '.join(names)}" if names else f"{parent} is empty"
    return "check the path"


def _walk(folder: Path, root: Path, left_out: Counter[str]) -> list[str]:
    """The images below a folder of the tree `root`; links that lead out of the tree are left out."""
    found: list[str] = []
    stack = [str(folder)]
    seen: set[tuple[int, int]] = set()
    while stack:
        place = stack.pop()
        try:
            status = os.stat(place)
            if (status.st_dev, status.st_ino) in seen:
                continue  # a link back to a folder that was walked
            seen.add((status.st_dev, status.st_ino))
            with os.scandir(place) as entries:
                for entry in entries:
                    match _sort(entry, root, _TAKEN_SUFFIXES):
                        case "folder":
                            stack.append(entry.path)
                        case "image":
                            found.append(entry.path)
                        case other:
                            left_out[other] += 1
        except OSError as error:
            raise DataError(f"{place} cannot be read: {error.strerror}") from None
    return found


def _sort(entry: os.DirEntry[str], root: Path, suffixes: frozenset[str]) -> str:
    """What an entry of the tree `root` is: a `folder`, an `image` by one of these suffixes, or what is left out."""
    if _is_hidden(entry.name):
        return "hidden or system"
    if _leads_out(entry, root):
        return LINKS
    if _is_folder(entry):
        return "folder"
    return "image" if os.path.splitext(entry.name)[1].lower() in suffixes else "other"


def _leads_out(entry: os.DirEntry[str], root: Path) -> bool:
    """Whether an entry is a link to something that exists and is not below `root`."""
    if not entry.is_symlink():
        return False
    target, tree = os.path.realpath(entry.path), os.path.realpath(root)
    return Path(target).exists() and not target.startswith(tree.rstrip(os.sep) + os.sep) and target != tree


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link to itself
        return False


def _is_hidden(name: str) -> bool:
    return name.startswith(".") or name.lower() in _SYSTEM_FILES or name == "__MACOSX"


def describe_left_out(left_out: Counter[str]) -> str | None:
    """One line for what was not taken, such as `left out: 3 hidden or system files, 1 other file`."""
    if not left_out:
        return None
    parts = []
    for what, count in left_out.items():
        noun = "" if what.startswith(("images", "rows", "links")) else " files" if count > 1 else " file"
        parts.append(f"{count:,} {what}{noun}")
    return "left out: " + ", ".join(parts)
