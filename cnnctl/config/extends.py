"""`extends: base.yaml`: a config on top of another one, in which every value keeps its position and its folder."""

import os
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from cnnctl.config import reading
from cnnctl.config.overrides import with_long_output
from cnnctl.config.source import EXTENDS, Document, ValuePath
from cnnctl.errors import ConfigError, Position, Problem, UsageError

MAX_CONFIGS = 20
"""Configs in one chain."""
_CHOSEN_BY_NAME = ("optimizer", "schedule")
"""Mappings whose only key is a name: another name is another mapping."""
_SIDES = ("height", "width")


def with_bases(document: Document, folder: Path, own: Path | None) -> Document:
    """The document on top of the config that it extends, and that one on top of its own, and so on.

    A mapping is merged key by key; anything else replaces what the base has. `folder` is where the document's paths
    start, and `own` its file, None where it has none.

    Raises:
        ConfigError: a base is not there, is no config, or extends what extends it.
    """
    chain = [document]
    files = [] if own is None else [own]
    while EXTENDS in chain[-1].data:
        upper = chain[-1]
        path = _base(upper, folder)
        if os.path.realpath(path) in map(os.path.realpath, files):
            circle = " -> ".join(map(str, [*files, path]))
            raise _refused(upper, f"these configs extend each other: {circle}", "remove one of these lines")
        if len(chain) == MAX_CONFIGS:
            raise _refused(upper, f"expected a chain of at most {MAX_CONFIGS} configs", "merge some of them")
        base, folder = _read(upper, path), path.parent
        files.append(path)
        chain.append(replace(base, folders=dict.fromkeys(base.positions, folder)))

    merged = chain.pop()
    while chain:
        merged = _merge(chain.pop(), merged)
    return merged


def _base(document: Document, folder: Path) -> Path:
    text = document.data[EXTENDS]
    if not isinstance(text, str) or not text:
        raise _refused(document, "expected the path of one config", "for example extends: base.yaml")
    return folder / os.path.expanduser(text)  # noqa: PTH111 - leaves an unknown ~user as it is


def _read(upper: Document, path: Path) -> Document:
    try:
        return reading.read(path)
    except UsageError as error:
        raise _refused(upper, error.message, error.hint) from None


def _refused(document: Document, message: str, hint: str | None) -> ConfigError:
    return ConfigError([Problem(message, EXTENDS, document.position((EXTENDS,)), hint=hint)])


def _merge(upper: Document, lower: Document) -> Document:
    merge = _Merge(upper, lower)
    own = {key: value for key, value in upper.data.items() if key != EXTENDS}
    return Document(merge.mappings(own, lower.data, ()), merge.positions, folders=merge.folders)


@dataclass
class _Merge:
    """Two documents becoming one; the positions and the folders of what is left of each."""

    upper: Document
    lower: Document
    positions: dict[ValuePath, Position] = field(default_factory=dict)
    folders: dict[ValuePath, Path] = field(default_factory=dict)

    def mappings(self, upper: dict[str, Any], lower: dict[str, Any], path: ValuePath) -> dict[str, Any]:
        """What two mappings at `path` become."""
        self._keep_place(self.upper, path)
        if path and path[-1] in _CHOSEN_BY_NAME and upper.keys() != lower.keys():
            lower = {}
        if path == ("data", "image"):
            lower = _of_other_form(upper, lower)
        if not path and isinstance(upper.get("output"), dict):
            lower = with_long_output(lower)
        merged: dict[str, Any] = {}
        for key in {**lower, **upper}:
            place = (*path, key)
            if key not in upper:
                merged[key] = self._kept(self.lower, lower[key], place)
            elif isinstance(upper[key], dict) and isinstance(lower.get(key), dict):
                merged[key] = self.mappings(upper[key], lower[key], place)
            else:
                merged[key] = self._kept(self.upper, upper[key], place)
        return merged

    def _kept(self, document: Document, value: Any, path: ValuePath) -> Any:
        """A value of one of the two as it is."""
        self._keep_place(document, path)
        inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
        for key, item in inner:
            self._kept(document, item, (*path, key))
        return value

    def _keep_place(self, document: Document, path: ValuePath) -> None:
        position, folder = document.position(path), document.folders.get(path)
        if position is not None:
            self.positions[path] = position
        if folder is not None:
            self.folders[path] = folder


def _of_other_form(upper: dict[str, Any], lower: dict[str, Any]) -> dict[str, Any]:
    """The image settings of a base, its size in the form of those on top: `size`, or `height` and `width`."""
    rest = {key: value for key, value in lower.items() if key not in ("size", *_SIDES)}
    if "size" in upper:
        return rest
    if "size" in lower and any(side in upper for side in _SIDES):
        return {**rest, **dict.fromkeys(_SIDES, lower["size"])}
    return lower
