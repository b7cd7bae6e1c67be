"""Folders that look like the splits of a data set (train/, test/) and not like its classes, by their names and by
what is in them.
"""

import json
import os
import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from cnnctl.data.archives import scan
from cnnctl.data.file_names import METADATA_NAMES, PARQUET, TAKEN_SUFFIXES, is_system_name
from cnnctl.errors import DataError

_TRAIN = "train"
_SPLIT_WORDS = {  # by the keys of the data section; the one for training comes first
    _TRAIN: ("train", "training", "trn", "trainval"),
    "validation": ("val", "valid", "validate", "validation", "dev"),
    "test": ("test", "testing", "tst", "eval", "evaluation", "holdout"),
}
_SPLIT_OF = {word: split for split, words in _SPLIT_WORDS.items() for word in words}
_SPLIT_WORD = re.compile(
    rf"(?P<word>{'|'.join(sorted(_SPLIT_OF, key=len, reverse=True))})"
    r"(?:sets?|datas?|datasets?|images?|imgs?|pics?|pictures?|photos?|files?|dirs?|folders?|splits?)?"
)
_WITHOUT_MEANING = re.compile(
    r"set|data|dataset|images?|imgs?|pics?|pictures?|photos?|files?|dir|folder|split|part|fold|v|rev|version|"
    r"stg|stage|phase|round|x|px|full|all|raw|resized|small|large|hr|lr|jpe?g|png|tiff?|bmp|webp|\d+|[a-z]"
)
"""Words that may stand beside the name of a split and say nothing of what is in it: train_images, test_stg1."""

_COMPANIONS = re.compile(
    r"(un|non)labell?ed|unsup(ervised)?|pred(ict(ions?)?)?|inference|submissions?|extras?|samples?|examples?|"
    r"images?|labels?|annotations?|masks?|bbox(es)?|boxes|meta(data)?|docs?|scripts?|code|models?|outputs?|results?|"
    r"csvs?|json|xml"
)
"""What stands beside the splits of a data set and is no class, where there are splits."""

_CONTAINERS = frozenset(("images", "image", "imgs", "img", "jpegimages", "data", "dataset", "photos", "pictures"))
_WORDS = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])|\d+|[^\W\d_]")
_PLAIN = re.compile(r"[\w./][\w./ -]*")


@dataclass(frozen=True)
class Inside:
    """What a folder holds itself: its folders' names, without those of the system, whether there are images, the names
    of its Parquet files, and whether there is a table of the images in it.
    """

    folders: tuple[str, ...] = ()
    has_images: bool = False
    tables: tuple[str, ...] = ()
    has_metadata: bool = False

    @property
    def is_of_classes(self) -> bool:
        """Whether it may be class folders."""
        return bool(self.folders) and not self.has_images

    @property
    def is_of_tables(self) -> bool:
        """Whether it holds a table of Parquet files and nothing else."""
        return bool(self.tables) and not self.folders and not self.has_images and not self.has_metadata

    @property
    def has_labels(self) -> bool:
        """Whether what it holds says of which class images are, whatever its folders are called."""
        return self.has_metadata or self.is_of_tables


@dataclass(frozen=True)
class Splits:
    """Folders that are splits: `names` are all folders of `root`, `rest` those that are no splits; or Parquet files,
    which are all called after splits where they are.

    `labelled` are those that hold folders of the training's classes, by the key of the data section that names them;
    `unlabelled` are the others, each with what it holds.
    """

    root: Path
    names: tuple[str, ...]
    labelled: Mapping[str, Path]
    unlabelled: Mapping[str, tuple[Path, Inside]]
    rest: tuple[str, ...]
    are_files: bool = False

    def reasons(self) -> dict[str, str]:
        """Why a split of `unlabelled` cannot be used, by its key."""
        return {
            key: f"{place} holds no folders of classes"
            if content.has_images or not content.folders
            else f"{place} holds folders that are not the classes of {self.labelled.get(_TRAIN, _TRAIN)}"
            for key, (place, content) in self.unlabelled.items()
        }


class SplitsError(DataError):
    """Splits where classes are expected; `mend` is the hint without what is to be done if they are classes."""

    def __init__(self, splits: Splits) -> None:
        shown = ", ".join(splits.names[:8]) + (", ..." if len(splits.names) > 8 else "")
        self.mend = _mend(splits)
        self.splits = splits
        super().__init__(
            f"{splits.root} holds {shown}: these are splits, not {'one set' if splits.are_files else 'classes'}",
            self.mend if splits.are_files else f"{self.mend}; if they are classes: data: {{folders_are_classes: true}}",
        )


def _mend(splits: Splits) -> str:
    """What to write in the config, as far as the folders can be named there."""
    places = dict(splits.labelled)
    if _TRAIN not in places:
        places |= {key: place for key, (place, _) in splits.unlabelled.items()}
    keys = ", ".join(f"{key}: {_yaml(places[key])}" for key in _SPLIT_WORDS if key in places)
    mend = f"name each of them: data: {{{keys}}}"
    if _TRAIN not in splits.labelled:
        train = places.get(_TRAIN, splits.root)
        return f"{mend}; but {train} holds no class folders: make one for each class, or list the images in a CSV"
    return mend + "".join(f" (without {key}: {reason})" for key, reason in splits.reasons().items())


def _yaml(path: Path) -> str:
    text = str(path)
    return text if _PLAIN.fullmatch(text) and text == text.strip() else json.dumps(text, ensure_ascii=False)


def refuse_splits(root: Path, names: Sequence[str]) -> None:
    """Refuse the folders `names` of `root` as classes, where they look like splits.

    Raises:
        SplitsError: they do.
    """
    splits = find_splits(root, names)
    if splits is not None:
        raise SplitsError(splits)


def find_splits(root: Path, names: Sequence[str]) -> Splits | None:
    """The splits among the folders `names` of `root`; None where these look like classes.

    Two kinds of split, one of which is for training, are splits, unless they are a minority beside folders that hold
    images just like them. One kind alone is, where its folder and another hold folders of the same names.
    """
    own = look_inside(root)
    if own.is_of_tables:
        return _splits_of_files(root, own.tables)
    kinds = _by_kind(names)
    inside = {name: look_inside(root / name) for found in kinds.values() for name in found}
    if _TRAIN in kinds and len(kinds) > 1:
        rest = [name for name in names if name not in inside and not _COMPANIONS.fullmatch(name.lower())]
        known = (inside[name].is_of_classes or inside[name].has_labels for name in kinds[_TRAIN])
        if any(known) or len(inside) >= len(rest):
            return _splits(root, names, kinds, inside, own.has_metadata)
    elif kinds and _have_classes_in_common(root, names, inside):
        return _splits(root, names, kinds, inside, own.has_metadata)
    for name in names:
        if name.lower() in _CONTAINERS or len(names) == 1:
            within = find_splits(root / name, look_inside(root / name).folders)
            if within is not None:
                return within
    return None


def _splits_of_files(root: Path, names: Sequence[str]) -> Splits | None:
    """The splits that Parquet files are called after: train-00000-of-00002.parquet, test-00000-of-00001.parquet."""
    found: dict[str, list[str]] = {}
    for name in names:
        word = re.match("[A-Za-z]*", name)
        kind = _SPLIT_OF.get(word[0].lower()) if word is not None else None
        if kind is None:
            return None
        found.setdefault(kind, []).append(name)
    if _TRAIN not in found or len(found) < 2:
        return None
    places = {kind: root / (one[0] if len(one) == 1 else _pattern(one)) for kind, one in found.items()}
    return Splits(root, tuple(names), places, {}, (), are_files=True)


def _pattern(names: Sequence[str]) -> str:
    """A pattern of files that begin with the same word."""
    words = {re.sub("[^A-Za-z].*", "", name) for name in names}
    return f"{min(words, key=len)}*{PARQUET}"


def _splits(
    root: Path,
    names: Sequence[str],
    kinds: Mapping[str, list[str]],
    inside: Mapping[str, Inside],
    has_metadata: bool,
) -> Splits:
    labelled: dict[str, Path] = {}
    unlabelled: dict[str, tuple[Path, Inside]] = {}
    known: set[str] = set()
    for kind, found in kinds.items():
        best = min(found, key=lambda name: _rank(inside[name], name, known))
        place, content = _unpack(root / best, inside[best])
        if content.has_labels or (has_metadata and content.has_images):
            labelled[kind] = place
        elif content.is_of_classes and (kind == _TRAIN or set(content.folders) <= known):
            labelled[kind] = place
            known = known or set(content.folders)
        else:
            unlabelled[kind] = place, content
    rest = tuple(name for name in names if name not in inside)
    return Splits(root, tuple(names), labelled, unlabelled, rest)


def _rank(content: Inside, name: str, known: set[str]) -> tuple[bool, int, int, str]:
    """Of several folders of one kind the first is taken: with the most classes, then with the shortest name."""
    classes = set(content.folders) & known if known else content.folders
    return not content.is_of_classes, -len(classes), len(name), name


def _unpack(place: Path, content: Inside) -> tuple[Path, Inside]:
    """The folder of the classes, where an archive was unpacked into a folder of its own name: train/train/<class>."""
    while content.is_of_classes and len(content.folders) == 1:
        within = place / content.folders[0]
        deeper = look_inside(within)
        if not deeper.is_of_classes:
            break
        place, content = within, deeper
    return place, content


def _have_classes_in_common(root: Path, names: Iterable[str], inside: Mapping[str, Inside]) -> bool:
    """Whether a folder that is called like a split and another one hold folders of the same names, two at least."""
    split_names = [name for name in inside if inside[name].is_of_classes]
    if not split_names:
        return False
    contents = {name: set(look_inside(root / name).folders) for name in names}
    return any(len(contents[name] & other) >= 2 for name in split_names for at, other in contents.items() if at != name)


def _by_kind(names: Iterable[str]) -> dict[str, list[str]]:
    """Names by the split that each is called after, `train` first.

    A name such as seg_train, with words of its own, is one where the same words name another split: seg_test. So
    `bullet train` and `test tube` are none.
    """
    found: dict[str, dict[str, tuple[str, ...]]] = {}
    for name in names:
        kind, others = _kind(name)
        if kind is not None:
            found.setdefault(kind, {})[name] = others
    of_words: dict[tuple[str, ...], set[str]] = {}
    for kind, named in found.items():
        for words in named.values():
            of_words.setdefault(words, set()).add(kind)
    kinds = {
        kind: [name for name, words in found.get(kind, {}).items() if not words or len(of_words[words]) > 1]
        for kind in _SPLIT_WORDS
    }
    return {kind: chosen for kind, chosen in kinds.items() if chosen}


def _kind(name: str) -> tuple[str | None, tuple[str, ...]]:
    """The split that a name is called after, and the other words of it that mean something."""
    words = [word.lower() for word in _WORDS.findall(unicodedata.normalize("NFKC", name))]
    found = [(at, match["word"]) for at, word in enumerate(words) if (match := _SPLIT_WORD.fullmatch(word))]
    kinds = {_SPLIT_OF[word] for _, word in found}
    if not kinds or (len(kinds) > 1 and "test" in kinds):
        return None, ()
    places = {at for at, _ in found}
    others = (word for at, word in enumerate(words) if at not in places and not _WITHOUT_MEANING.fullmatch(word))
    return _TRAIN if _TRAIN in kinds else kinds.pop(), tuple(others)  # train_val is for training


def split_of_name(name: str) -> str | None:
    """The split that a name is called after, as the key of the data section has it."""
    return _kind(name)[0]


def look_inside(folder: Path) -> Inside:
    """What a folder holds; nothing where it cannot be read."""
    folders, tables, has_images, has_metadata = [], [], False, False
    try:
        with scan(folder) as entries:
            for entry in entries:
                suffix = os.path.splitext(entry.name)[1].lower()
                if is_system_name(entry.name):
                    continue
                if entry.is_dir():
                    folders.append(entry.name)
                elif entry.name in METADATA_NAMES:
                    has_metadata = True
                elif suffix == PARQUET:
                    tables.append(entry.name)
                else:
                    has_images = has_images or suffix in TAKEN_SUFFIXES
    except (OSError, DataError):
        return Inside()
    return Inside(tuple(sorted(folders)), has_images, tuple(sorted(tables)), has_metadata)
