"""Which run is meant: a directory, the newest of a name, the latest, or the best."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from cnnctl.errors import RunError
from cnnctl.runs.directory import LATEST, RUNS, Run, is_complete
from cnnctl.system import files

if TYPE_CHECKING:
    from cnnctl.runs.listing import Listed

BEST = "best"
_LONGEST_PATH = 2**15


def find_run(path: Path | None) -> Run:
    """`_find` of a run that has no link under one of its names.

    Raises:
        RunError: it has one, or there is no run; the hint says which command makes one.
    """
    run = _find(path)
    run.refuse_links()
    return run


def _find(path: Path | None) -> Run:
    """The run at a run directory, the newest one with a model in a folder `runs/<name>`, or with None the latest one.

    `best` is the best run beside the latest one, and `runs/<name>/best` the best of that name.

    Raises:
        RunError: there is none; the hint says which command makes one.
    """
    if path is None or (path == Path(RUNS) / LATEST and files.is_file(path)):
        return _latest()
    if path.name == BEST and not files.is_folder(path):
        return _best(_latest().path.parent if path == Path(BEST) else path.parent)
    if _lies(path / "config.yaml") or _lies(path / "classes.json"):
        return Run(path)
    if files.is_folder(path):
        numbered = _numbered(path)
        complete = next((Run(child) for child in reversed(numbered) if is_complete(Run(child))), None)
        if complete is not None:
            return complete
        raise RunError(
            f"{path} is not a run directory", "a run is a folder such as runs/digits/1, made by cnnctl train"
        )
    raise RunError(f"there is no run at {path}", "`cnnctl runs` lists those there are; `cnnctl train CONFIG` makes one")


def _numbered(folder: Path) -> list[Path]:
    """What lies in a folder under a number, by number.

    Raises:
        RunError: the folder cannot be read.
    """
    try:
        return sorted(
            (child for child in folder.iterdir() if child.name.isdecimal()), key=lambda child: int(child.name)
        )
    except OSError as error:
        raise RunError(f"{folder} cannot be read: {error.strerror}", "ask its owner for the permission") from None


def names_run(word: str) -> bool:
    """Whether a word of a command line is a run, or the name of some, and not an image or a folder of images."""
    path = Path(word)
    if path.name == BEST:
        return not files.exists(path)
    if not files.is_folder(path) or _is_run(path):
        return files.is_folder(path)
    try:
        return any(_is_run(path / name) for name in os.listdir(path) if name.isdecimal())
    except OSError:  # who reads it as images says why it cannot be read
        return False


def names_missing_run(word: str) -> bool:
    """Whether a word can only be meant as a run, such as runs/digits/7, and there is no such one."""
    path = Path(word)
    return len(path.parts) > 1 and path.parts[0] == RUNS and not path.suffix and not files.exists(path)


def find_begun(path: Path) -> Path:
    """The directory of a run that may be unfinished: that one, the newest one in a folder `runs/<name>`, or the best.

    Raises:
        RunError: there is no best one.
    """
    if path.name == BEST and not files.is_folder(path):
        return find_run(path).path
    if not files.is_folder(path) or _lies(path / "config.yaml"):
        return path
    return next((child for child in reversed(_numbered(path)) if _lies(child / "config.yaml")), path)


def _is_run(path: Path) -> bool:
    return _lies(path / "config.yaml") and _lies(path / "classes.json")


def _lies(path: Path) -> bool:
    """Whether there is anything at a path, be it a link to nowhere: who opens it says what is wrong with it."""
    return os.path.lexists(path)


def latest_of(folder: Path) -> Path | None:
    """Where `latest` in a folder of runs points, though that may be gone; None where there is no `latest`."""
    latest = folder / LATEST
    if latest.is_symlink():
        target = folder / latest.readlink()
    elif latest.is_file():
        with latest.open("rb") as file:
            target = folder / os.fsdecode(file.read(_LONGEST_PATH).partition(b"\0")[0]).strip()
    else:
        return latest if latest.is_dir() else None
    return Path(os.path.normpath(target))


def latest_around(base: Path) -> Path | None:
    """What a command takes to which no run is named, where `base` is the folder of runs or one in it."""
    around = [base.parent] if files.absolute(base).parent.name == RUNS else []
    for place in (base, *around, Path(RUNS)):
        latest = latest_of(place)
        if latest is not None:
            return latest
    return None


def _latest() -> Run:
    target = latest_of(Path(RUNS))
    if target is None or not target.is_dir():
        from cnnctl.runs.listing import list_runs

        if target is None and list_runs(Path(RUNS)):  # copied or moved there
            raise RunError(
                f"there is no latest run in {files.absolute(Path(RUNS))}", "name one that `cnnctl runs` lists"
            )
        raise RunError(
            "the latest run is gone" if target is not None else f"there is no run yet in {files.absolute(Path(RUNS))}",
            "`cnnctl train CONFIG` makes one; or name the directory of a run in another folder",
        )
    return Run(target)


def _best(folder: Path) -> Run:
    from cnnctl.runs.listing import list_runs

    best = best_of(list_runs(folder)) if files.is_folder(folder) else None
    if best is None:
        raise RunError(f"there is no complete run in {folder}", "`cnnctl runs` lists those there are")
    return best.run


def best_of(found: "Sequence[Listed]") -> "Listed | None":
    """The complete run of the highest accuracy; those that were evaluated on test images before all others."""
    from cnnctl.runs.listing import COMPLETE

    complete = [one for one in found if one.status == COMPLETE and one.accuracy is not None]
    for split in ("test", "validation", "train"):
        alike = [one for one in complete if one.split == split]
        if alike:
            return max(alike, key=lambda one: (one.accuracy or 0.0, one.date))
    return None


def best_of_each(found: "Sequence[Listed]") -> "list[Listed]":
    """The best run of each folder that holds some, in the order in which they are listed."""
    folders = {one.run.path.parent for one in found}
    best = {folder: best_of([one for one in found if one.run.path.parent == folder]) for folder in folders}
    return [one for one in found if best[one.run.path.parent] is one]


def runs_in(folder: Path | None, only_best: bool = False) -> "tuple[Path, list[Listed], Path | None]":
    """(a folder of runs, those in it, the latest run, wherever it is); the folder is `runs` where none is named.

    Raises:
        RunError: there is no such folder.
    """
    from cnnctl.runs.listing import list_runs

    base = Path(RUNS) if folder is None else folder
    if not files.is_folder(base) and (folder is not None or files.exists(base)):
        what = "is a file, not a folder" if files.exists(base) else "is not there"
        raise RunError(f"{base} {what}", "name a folder that holds runs, such as runs/digits")
    found = list_runs(base)
    return base, best_of_each(found) if only_best else found, latest_around(base)


def missing_weights(path: Path) -> RunError | None:
    """Why no weights can be read from a run or a .keras file, as far as the disk tells; None where they can."""
    if path.suffix == ".keras":
        return None if files.is_file(path) else RunError(f"there is no file {path}", "it takes a run or a .keras file")
    try:
        run = find_run(path)
        run.need(run.keras_model)
    except RunError as error:
        return error
    return None
