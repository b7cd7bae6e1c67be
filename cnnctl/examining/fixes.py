"""fixes.csv: what was found, for a person to decide on, and what the decisions make of the data."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from cnnctl.config.schema import DataSettings
from cnnctl.data.catalog import list_sources
from cnnctl.data.labels import describe_unknown
from cnnctl.data.listing import Listing
from cnnctl.errors import DataError, UsageError
from cnnctl.examining.findings import DROP, KEEP, RELABEL, Diagnosis
from cnnctl.examining.rows import Row, read_rows
from cnnctl.system import files

FILE = "fixes.csv"
COLUMNS = ("path", "label", "split", "finding", "about", "group", "suggestion", "new_label", "action")
ACTIONS = (KEEP, DROP, RELABEL)

_NEEDED = ("path", "label", "new_label", "action")
_MADE_BY = f"it is the {FILE} that cnnctl doctor writes, with the column action filled in"
_NAMED = 20


def fix_rows(diagnosis: Diagnosis) -> Iterator[tuple[object, ...]]:
    """A row for each finding; `action` is empty: a person fills it in."""
    subject = diagnosis.subject
    for one in diagnosis.findings:
        path, label = subject.paths[one.row], subject.classes[subject.labels[one.row]]
        if is_writable(path):
            split = subject.splits[one.row]
            yield path, label, split, one.kind, one.about, one.group or "", one.suggestion, one.new_label, ""


def is_writable(path: str) -> bool:
    """Whether a path is text that a CSV can hold: Python keeps bytes that are no UTF-8 as letters of their own."""
    return not any("\ud800" <= letter <= "\udfff" for letter in path)


@dataclass(frozen=True)
class Applied:
    """What was written.

    Attributes:
        written: The new CSV of each source, by the key of data that is to name it: `train`, `validation`, `test`.
        relabelled: How many images have another label.
        dropped: How many images are left out.
        images: How many images the new files list.
    """

    written: Mapping[str, Path]
    relabelled: int
    dropped: int
    images: int


@dataclass(frozen=True)
class _Change:
    """What is to become of an image: its new label, or None to leave it out."""

    label: str | None
    line: int


def apply_fixes(data: DataSettings, fixes: Path, folder: Path) -> Applied:
    """Write the images and labels of a config anew, as the actions of a fixes.csv say; nothing else is touched.

    Each source of the data whose images change gets a CSV in the folder, called as its key; `train` always does.

    Raises:
        DataError: rows that cannot be applied, each with its line; or the data cannot be listed.
        UsageError: a file is there already.
        DiskError: one cannot be written.
    """
    listings = list_sources(data)
    changes = _changes(fixes, listings)
    made = {}
    for key, listing in listings.items():
        if key == "train" or any(path in changes for path in listing.paths):
            made[key] = _changed(listing, changes)
    classes = set(listings["train"].labels)
    lost = sorted(classes - set(made["train"].labels))
    if lost:
        raise DataError(f"{fixes} leaves no training image of the class {lost[0]}", "keep some, or remove the class")
    for listing in made.values():
        odd = next((path for path in listing.paths if not is_writable(path)), None)
        if odd is not None:
            raise DataError(f"a CSV cannot hold the file name {odd!r}: it is not UTF-8 text", "rename the file")

    places = {key: files.absolute(folder / f"{key}.csv") for key in made}
    for place in places.values():
        if files.exists(place):
            raise UsageError(f"{place} is there already", "choose another folder with --output")
    label = data.csv.label
    assert isinstance(label, str)  # else the images have several labels, which data_of refuses
    for key, listing in made.items():
        columns = [(data.csv.path, listing.paths), (label, listing.labels)]
        if listing.groups and data.csv.group is not None:
            columns.append((data.csv.group, listing.groups))
        files.write_csv(
            places[key], [name for name, _ in columns], zip(*(values for _, values in columns), strict=True)
        )
    gone = sum(change.label is None for change in changes.values())
    return Applied(places, len(changes) - gone, gone, sum(len(one.paths) for one in made.values()))


def _changed(listing: Listing, changes: Mapping[str, _Change]) -> Listing:
    kept = [row for row, path in enumerate(listing.paths) if path not in changes or changes[path].label is not None]
    labels = []
    for row in kept:
        change = changes.get(listing.paths[row])
        labels.append(listing.labels[row] if change is None or change.label is None else change.label)
    groups = [listing.groups[row] for row in kept] if listing.groups else []
    return replace(listing, paths=[listing.paths[row] for row in kept], labels=labels, groups=groups)


def _changes(fixes: Path, listings: Mapping[str, Listing]) -> dict[str, _Change]:
    """What becomes of each image that a row has an action for.

    Raises:
        DataError: with every row that cannot be applied.
    """
    labels = {path: label for one in listings.values() for path, label in zip(one.paths, one.labels, strict=True)}
    classes = sorted(set(listings["train"].labels))
    changes: dict[str, _Change] = {}
    kept: dict[str, int] = {}
    faults = []
    for row in read_rows(fixes, _NEEDED, _MADE_BY):
        path, action = row.texts["path"], row.texts["action"].strip().lower()
        fault = _fault(row, action, labels.get(path), classes)
        if fault is None and action in (DROP, RELABEL):
            change = _Change(None if action == DROP else row.texts["new_label"].strip(), row.line)
            before = changes.setdefault(path, change)
            if before.label != change.label:
                fault = f"line {before.line} says otherwise of {path}"
            elif path in kept:
                fault = f"line {kept[path]} says to keep {path}"
        elif fault is None and action == KEEP:
            kept.setdefault(path, row.line)
            if path in changes:
                fault = f"line {changes[path].line} says otherwise of {path}"
        if fault is not None:
            faults.append(f"line {row.line}: {fault}")
    if faults:
        more = f"\n  and {len(faults) - _NAMED:,} more" if len(faults) > _NAMED else ""
        listing = "\n  ".join(faults[:_NAMED])
        count = f"{len(faults):,} row{'s' if len(faults) > 1 else ''}"
        raise DataError(f"{fixes}: {count} cannot be applied:\n  {listing}{more}", "nothing was written: correct them")
    return changes


def _fault(row: Row, action: str, label: str | None, classes: Sequence[str]) -> str | None:
    """What is wrong with a row, on its own."""
    texts = row.texts
    if label is None:
        return f"the data has no image {texts['path']}"
    if texts["label"].strip() != label:
        return (
            f"the label of {texts['path']} is {label}, not {texts['label'].strip() or 'empty'}; was the data changed?"
        )
    if action not in ("", *ACTIONS):
        return f"the action {texts['action'].strip()} is none of {', '.join(ACTIONS)}, or nothing"
    new = texts["new_label"].strip()
    if action == RELABEL and not new:
        return "the action relabel needs a class in the column new_label"
    if action == RELABEL and new not in classes:
        return f"the data has no class {new}: {describe_unknown(new, classes, 'the classes are')}"
    return None
