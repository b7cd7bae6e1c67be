"""Why the files that a CSV names are not there, and what mends it."""

import os
import unicodedata
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path

from cnnctl.data import archives
from cnnctl.data.file_names import IMAGE_SUFFIXES, TAKEN_SUFFIXES, is_system_name
from cnnctl.formatting import printable

_LOOKED_AT = 5
"""Names that a mend has to fit."""

_FOLDERS_LOOKED_INTO = 200


def how_to_mend(names: Sequence[str], base: Path, key: str, other: str | None = None) -> str:
    """The hint for names that are not there in the folder `base`; `key` is the option or key that names another, and
    `other` one that may be meant.
    """
    if not base.is_dir():
        return f"there is no folder {printable(str(base))}"
    looked_at = names[:_LOOKED_AT]
    found = [next(_others(name, base), None) for name in looked_at]
    first = found[0]
    targets = {one[1] for one in found if one is not None and first is not None and one[0] == first[0]}
    if first is not None and len(targets) == len(set(looked_at)):  # else two names would become one
        reasons, there = first
        return f"the file names {' and '.join(reasons)}: write {printable(there)} instead of {printable(names[0])}"
    folder = _other_folder(looked_at, base, other)
    where = "" if folder is None else f", and the files are in {printable(str(folder))}"
    return f"file names are looked up in {printable(str(base))}{where}; {key} names another folder"


def locate(base: Path, name: str) -> str | None:
    """The file that a table means: as it is written, else without blanks around or in the other form of Unicode."""
    bare = name.strip()
    for form in (name, bare, unicodedata.normalize("NFC", bare), unicodedata.normalize("NFD", bare)):
        path = str(base / form)
        if is_there(path):
            return path
    return None


def is_there(path: str) -> bool:
    """Whether there is such a file, whatever it is; False for a folder, and for what no file can be called."""
    if os.path.exists(path):  # noqa: PTH110 - pathlib raises over a NUL
        return not os.path.isdir(path)  # noqa: PTH112
    return archives.is_file(path)


def _others(name: str, base: Path) -> Iterator[tuple[tuple[str, ...], str]]:
    """Names like this one that are there, each with what is wrong with this one."""
    for reasons, plain in _plainer(name):
        for ending, whole in _with_endings(plain):
            there = (*reasons, ending) if ending else reasons
            if there and os.path.isfile(base / whole):  # noqa: PTH113 - as above
                yield there, whole


def _plainer(name: str) -> Iterator[tuple[tuple[str, ...], str]]:
    reasons: tuple[str, ...] = ()
    yield reasons, name
    if name != name.strip():
        name = name.strip()
        reasons = (*reasons, "have blanks around them")
        yield reasons, name
    if "\\" in name:
        name = name.replace("\\", "/")
        reasons = (*reasons, "have backslashes, as on Windows")
        yield reasons, name
    parts = name.split("/")
    for at in range(1, len(parts)):
        yield (*reasons, f"begin with {printable('/'.join(parts[:at]))}/, which is not here"), "/".join(parts[at:])


def _with_endings(name: str) -> Iterator[tuple[str | None, str]]:
    yield None, name
    endings = sorted(IMAGE_SUFFIXES) + sorted(suffix.upper() for suffix in IMAGE_SUFFIXES)
    stem, suffix = os.path.splitext(name)
    for ending in endings:
        yield "lack their ending", name + ending
    if suffix.lower() in TAKEN_SUFFIXES:
        for ending in endings:
            yield "have another ending", stem + ending


def _other_folder(names: Sequence[str], base: Path, other: str | None) -> Path | None:
    """The folder above `base`, one in it, or `other`, where all these names are."""
    try:
        with os.scandir(base) as entries:
            within = (entry.path for entry in entries if not is_system_name(entry.name) and entry.is_dir())
            folders = sorted(islice(within, _FOLDERS_LOOKED_INTO))
    except OSError:
        folders = []
    candidates = [*([Path(other)] if other else []), base.parent, *map(Path, folders)]
    fit = [folder for folder in candidates if all(os.path.isfile(folder / name) for name in names)]  # noqa: PTH113
    return fit[0] if len(set(fit)) == 1 else None  # of several it cannot be told which is meant
