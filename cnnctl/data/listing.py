"""Class folders -> file names with their labels, and what was left out on the way."""

import os
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from cnnctl.data.archives import Entry, identity, is_folder, scan
from cnnctl.data.file_names import IMAGE_SUFFIXES, TAKEN_SUFFIXES, is_system_name
from cnnctl.data.several import BETWEEN, joined, names_of
from cnnctl.errors import DataError, Notice
from cnnctl.formatting import differences, name_form

if TYPE_CHECKING:
    from cnnctl.data.split_folders import Splits

HIDDEN = "hidden or system"
LINKS_AGAIN = "links to folders that are read anyway"
LINKS_AROUND = "links to a folder that holds this one"
_OUTSIDE = "images outside the class folders"
_NOUNS = {  # of one, and of several
    LINKS_AGAIN: ("link to a folder that is read anyway", LINKS_AGAIN),
    LINKS_AROUND: (f"link{LINKS_AROUND.removeprefix('links')}", LINKS_AROUND),
    _OUTSIDE: (f"image{_OUTSIDE.removeprefix('images')}", _OUTSIDE),
}


@dataclass
class Listing:
    """Images found, in order of their class and name.

    Each image has an absolute path, a label and, where there are groups, a group. `empty_classes` are class folders
    without a single image; `left_out` counts the files that were not taken, by sort. `notices` say what was changed or
    assumed. Images that may have `several` labels have texts as data/labels.py writes them.
    """

    paths: list[str] = field(default_factory=list)
    labels: list[str] = field(default_factory=list)
    groups: list[str] = field(default_factory=list)
    empty_classes: list[str] = field(default_factory=list)
    left_out: Counter[str] = field(default_factory=Counter)
    notices: list[Notice] = field(default_factory=list)
    several: bool = False

    def counts(self) -> Counter[str]:
        """How many images have each class."""
        return Counter(name for label in self.labels for name in (names_of(label) if self.several else (label,)))

    def classes(self) -> tuple[str, ...]:
        """The names of all classes, sorted."""
        return tuple(sorted(self.counts()))


def list_class_folders(root: Path, known: Collection[str] | None = (), several: bool = False) -> Listing:
    """The images under `root/<class>/`, at any depth; the first level's names are the classes.

    Links are followed, and every folder is read once, whatever links lead to it: as the class where it really is.

    Args:
        known: Names that are classes even where they look like splits; None: all are.
        several: Whether an image may have several labels: those of all class folders that it is in, by symbolic or hard
            links to it or to a folder.

    Raises:
        DataError: there is no such folder, it holds no class folders, or it holds train/ and test/ folders instead.
    """
    folders: list[Entry] = []
    loose = 0
    entries = _entries(root)
    tree = _Tree(root, several)
    for entry in entries:
        match _sort(entry, IMAGE_SUFFIXES):
            case "folder":
                folders.append(entry)
            case "image":
                loose += 1
            case other:
                tree.left_out[other] += 1

    _refuse_splits(root, [entry.name for entry in folders], known)
    if not folders:
        what = (
            f"but its {loose:,} images are not in folders" if loose else "and it is empty" if not tree.left_out else ""
        )
        raise DataError(
            f"expected a folder for each class in {root}, {what or 'but there is none'}",
            "make one folder for each class, with the name of the class; or list the images in a CSV",
        )

    if loose:
        tree.left_out[_OUTSIDE] += loose
    listing = Listing(left_out=tree.left_out)
    found_in = tree.walk(folders)
    for name, alike in _class_names(found_in).items():
        found = [path for folder in alike for path in found_in[folder]]
        listing.paths += found
        listing.labels += [name] * len(found)
        if not found:
            listing.empty_classes.append(name)
        listing.notices += _describe_alike(root, name, alike)
    return _united(listing, root) if several else listing


def _united(listing: Listing, root: Path) -> Listing:
    """The same with each image once, by whatever links it was found, with the labels of all of them.

    Raises:
        DataError: a class cannot be told from several.
    """
    for name in {*listing.labels, *listing.empty_classes}:
        if BETWEEN in name:
            raise DataError(
                f"the name of the folder {root / name} has a {BETWEEN}, which stands between labels", "rename it"
            )
    found: dict[tuple[int, ...] | str, list[int]] = {}
    for row, path in enumerate(listing.paths):
        found.setdefault(_file(path), []).append(row)
    first = [next((row for row in rows if not os.path.islink(listing.paths[row])), rows[0]) for rows in found.values()]  # noqa: PTH114
    texts = [joined(listing.labels[row] for row in rows) for rows in found.values()]
    return replace(listing, paths=[listing.paths[row] for row in first], labels=texts, several=True)


def _file(path: str) -> tuple[int, ...] | str:
    """What tells a file from another, whatever links lead to it; in archives, which have no links, its path."""
    try:
        status = os.stat(path)
    except OSError:
        return path
    return status.st_dev, status.st_ino


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
    if not is_folder(root):
        raise DataError(f"there is no folder {root}")
    tree = _Tree(root)
    return tree.walk_whole(), tree.left_out


def count_classes(root: Path, known: Collection[str] | None = ()) -> int:
    """The number of class folders, from one directory listing; `known` as for `list_class_folders`.

    Raises:
        DataError: there is no such folder, or it holds splits.
    """
    names = [entry.name for entry in _entries(root) if _sort(entry, IMAGE_SUFFIXES) == "folder"]
    _refuse_splits(root, names, known)
    return len(_class_names(names))


def split_folders(root: Path) -> "Splits | None":
    """The splits that a folder holds; None where it holds classes.

    Raises:
        DataError: it cannot be read.
    """
    from cnnctl.data.split_folders import find_splits

    return find_splits(root, [entry.name for entry in _entries(root) if _sort(entry, IMAGE_SUFFIXES) == "folder"])


def _refuse_splits(root: Path, names: Sequence[str], known: Collection[str] | None) -> None:
    if known is not None and not set(_class_names(names)) <= set(known):
        from cnnctl.data.split_folders import refuse_splits

        refuse_splits(root, names)


def _entries(root: Path) -> list[Entry]:
    try:
        with scan(root) as entries:
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
        if is_folder(parent) and os.access(parent, os.R_OK | os.X_OK):
            names = sorted(child.name for child in parent.iterdir() if not is_system_name(child.name))[:8]
            return f"{parent} holds {', '.join(names)}" if names else f"{parent} is empty"
    return "check the path"


class _Tree:
    """A folder and what lies below it, also behind links; each real folder is read once.

    `left_out` counts what is not taken, by sort. If images may have `several` labels, each of the folders at the top is
    read for itself.
    """

    def __init__(self, root: Path, several: bool = False) -> None:
        self.left_out: Counter[str] = Counter()
        self._root = root
        self._several = several
        self._seen: set[tuple[int | str, ...]] = set()
        real = Path(os.path.realpath(root))
        self._around = {_identity(str(folder)) for folder in real.parents}  # a link there leads to the whole disk
        self._links: list[tuple[str, str]] = []

    def walk_whole(self) -> list[str]:
        """The images below the root, sorted."""
        found: dict[str, list[str]] = {"": []}
        self._read("", str(self._root), found)
        return self._follow(found)[""]

    def walk(self, tops: Sequence[Entry]) -> dict[str, list[str]]:
        """The images below each of the root's folders `tops`, sorted, by the folder's name.

        Links are followed when all else is read, so that an image is in the folder where it really is.
        """
        found: dict[str, list[str]] = {entry.name: [] for entry in sorted(tops, key=lambda entry: entry.name)}
        self._seen.add(_identity(str(self._root)))
        for entry in tops:
            if entry.is_symlink():
                self._links.append((entry.name, entry.path))
            else:
                self._read(entry.name, entry.path, found)
        return self._follow(found)

    def _follow(self, found: dict[str, list[str]]) -> dict[str, list[str]]:
        while self._links:
            links, self._links = sorted(self._links), []
            for top, link in links:
                self._read(top, link, found)
        return {top: sorted(paths) for top, paths in found.items()}

    def _read(self, top: str, folder: str, found: dict[str, list[str]]) -> None:
        """Take the images below a folder into those of `top`; links to folders are left for later."""
        stack = [folder]
        while stack:
            place = stack.pop()
            try:
                if not self._is_new(place, top):
                    continue
                with scan(place) as entries:
                    for entry in entries:
                        match _sort(entry, TAKEN_SUFFIXES):
                            case "folder" if entry.is_symlink():
                                self._links.append((top, entry.path))
                            case "folder":
                                stack.append(entry.path)
                            case "image":
                                found[top].append(entry.path)
                            case other:
                                self.left_out[other] += 1
            except OSError as error:
                raise DataError(f"{place} cannot be read: {error.strerror}") from None

    def _is_new(self, folder: str, top: str) -> bool:
        identity = _identity(folder)
        seen: tuple[int | str, ...] = (*identity, top) if self._several else identity
        if identity in self._around or identity in self._seen or seen in self._seen:
            self.left_out[LINKS_AROUND if identity in self._around else LINKS_AGAIN] += 1
            return False
        self._seen.add(seen)
        return True


def _identity(folder: str) -> tuple[int, ...]:
    found = identity(folder)
    return found[:2] if os.path.isdir(folder) else found  # noqa: PTH112 - a folder may change meanwhile


def _sort(entry: Entry, suffixes: frozenset[str]) -> str:
    """What an entry of a folder is: a `folder`, an `image` by one of these suffixes, or what is left out."""
    if is_system_name(entry.name):
        return HIDDEN
    if _is_folder(entry):
        return "folder"
    return "image" if os.path.splitext(entry.name)[1].lower() in suffixes else "other"


def _is_folder(entry: Entry) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link to itself
        return False


def describe_left_out(left_out: Counter[str]) -> str | None:
    """One line for what was not taken, such as `left out: 3 hidden or system files, 1 other file`."""
    if not left_out:
        return None
    parts = []
    for what, count in left_out.items():
        one, several = _NOUNS.get(what, (what, what) if what.startswith("rows") else (f"{what} file", f"{what} files"))
        parts.append(f"{count:,} {one if count == 1 else several}")
    return "left out: " + ", ".join(parts)
