"""A file, or values of Python code, and what overrides them -> a frozen `Config` whose paths are absolute."""

import contextlib
import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from numbers import Integral, Real
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from cnnctl.config import source
from cnnctl.config.dump import to_plain
from cnnctl.config.meant import meant_path
from cnnctl.config.problems import explain
from cnnctl.config.schema import Config, DataSettings, Source
from cnnctl.config.source import MAX_DEPTH, Document, ValuePath, format_path
from cnnctl.errors import ConfigError, Problem
from cnnctl.layers import AnyLayer, Layer, Repeat
from cnnctl.system.files import absolute

BUILT_IN_DATA = ("digits",)
"""Names that `data.train` takes instead of a path; write ./digits for a folder of that name."""
_NAME = Path("config.yaml")
"""The file that a mapping is taken to come from: it names the run, and its paths are relative to the current folder."""


@dataclass(frozen=True)
class Loaded:
    """What could be understood of a config file.

    `config` is None where there are `problems`. Then `data`, and `layers`, the leading ones, are what is right on its
    own, so that images and shapes can be checked all the same.
    """

    path: Path
    document: Document
    problems: tuple[Problem, ...]
    config: Config | None
    data: DataSettings | None
    layers: tuple[AnyLayer, ...]

    @property
    def name(self) -> str:
        """The name of the run's folder."""
        return self.config.name if self.config is not None and self.config.name else self.path.stem

    def need(self) -> Config:
        """The whole config.

        Raises:
            ConfigError: with every mistake of it.
        """
        if self.config is None:
            raise ConfigError(self.problems)
        return self.config


def load(path: Path, assignments: Sequence[str] = ()) -> Config:
    """Read a config that is right in its vocabulary.

    Raises:
        UsageError: the file cannot be read.
        ConfigError: with every mistake of it.
    """
    return parse_config(path, assignments).need()


def parse_config(path: Path, assignments: Sequence[str] = ()) -> Loaded:
    """Read a config and keep what is right of it beside its mistakes; assignments are KEY=VALUE texts.

    Raises:
        UsageError: the file cannot be read.
        ConfigError: it is no YAML, so that nothing can be kept.
    """
    return bind(_override(source.read(path), list(assignments), "--set"), path)


def load_values(values: Mapping[str, Any] | Config | str | Path, overrides: Mapping[str, Any] | None = None) -> Loaded:
    """A config from a file, from nested mappings and lists, or as it is, with some of its values replaced.

    `overrides` are by dotted paths such as `model[0].conv2d.filters`. The paths that a mapping or the overrides hold
    are relative to the current folder.

    Raises:
        UsageError: the file cannot be read.
        ConfigError: it is no YAML, or holds values that YAML has not.
    """
    if isinstance(values, str | Path):
        path = Path(values)
        document = source.read(path)
    else:
        path = _NAME if isinstance(values, Mapping) else Path(f"{values.name or _NAME.stem}.yaml")
        document = Document(_yaml(to_plain(values) if isinstance(values, Config) else values), {})
    given = [f"{key}={json.dumps(_yaml(value), ensure_ascii=False)}" for key, value in (overrides or {}).items()]
    return bind(_override(document, given, "overrides"), path)


def _override(document: Document, assignments: list[str], origin: str) -> Document:
    """The document with values replaced; a path that lacks a name or brackets is refused with the one that is meant."""
    for assignment in assignments:
        path = source.parse_path(assignment.partition("=")[0].strip())
        right = path and meant_path(path, document.data)
        if path and right:
            raise ConfigError(
                [
                    Problem(
                        "there is no such key",
                        format_path(path),
                        source.override_position(assignment, origin),
                        hint=f"did you mean {format_path(right)}?",
                    )
                ]
            )
        document = source.override(document, [assignment], origin)
    return document


def _yaml(value: Any, depth: int = 0) -> Any:
    """A value as YAML would have given it: dicts with text for keys, lists, text and plain numbers."""
    if depth > MAX_DEPTH:
        raise ConfigError([Problem(f"expected at most {MAX_DEPTH} levels of nesting")])
    if isinstance(value, Mapping):
        return {str(key): _yaml(item, depth + 1) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_yaml(item, depth + 1) for item in value]
    if value is None or isinstance(value, bool | str):
        return value
    if isinstance(value, Path):
        return str(value)
    if isinstance(value, Integral):
        return int(value)
    if isinstance(value, Real):
        return float(value)
    message = "expected text, numbers, true or false, lists and mappings"
    raise ConfigError([Problem(message, received=f"a value of type {type(value).__name__}")])


def bind(document: Document, path: Path) -> Loaded:
    """Type, default and normalise a parsed document that stands (or would stand) at `path`."""
    problems: list[Problem] = []
    config, data = None, None
    try:
        config = Config.model_validate(document.data)
    except ValidationError as error:
        problems = explain(error, document)
    if config is not None:
        data, layers = config.data, config.model
    else:
        with contextlib.suppress(ValidationError):
            data = DataSettings.model_validate(document.data.get("data"))
        layers = _leading_layers(document.data.get("model"))
    data = data and _absolute(data, document, path)
    layers = _absolute_layers(layers, document, path)
    if config is not None and data is not None:
        train = config.train
        if train.initial_weights is not None:
            start = _resolve(train.initial_weights, ("train", "initial_weights"), document, path)
            train = train.model_copy(update={"initial_weights": start})
        name = config.name or _safe_name(path.stem)
        config = config.model_copy(update={"data": data, "name": name, "model": layers, "train": train})
    return Loaded(path, document, tuple(problems), config, data, layers)


def _leading_layers(items: Any) -> tuple[AnyLayer, ...]:
    adapter: TypeAdapter[AnyLayer] = TypeAdapter(Layer)
    layers: list[AnyLayer] = []
    with contextlib.suppress(ValidationError):
        for item in items if isinstance(items, list) else []:
            layers.append(adapter.validate_python(item))
    return tuple(layers)


def _safe_name(stem: str) -> str:
    """A file's stem as the name of a folder: whatever a name must not hold becomes a dash."""
    safe = "".join(char if char.isascii() and (char.isalnum() or char in "-_.") else "-" for char in stem)
    return safe.lstrip("-.")[:100] or "config"


def _resolve(text: str, key: ValuePath, document: Document, path: Path) -> str:
    """An absolute path: relative to the config's folder, or for `--set` to the current one."""
    base = Path() if any(key[: len(done)] == done for done in document.overridden) else path.parent
    return str(absolute(base / os.path.expanduser(text)))  # noqa: PTH111 - leaves an unknown ~user as it is


def _absolute_layers(layers: tuple[AnyLayer, ...], document: Document, path: Path) -> tuple[AnyLayer, ...]:
    """The layers with absolute paths; what a `repeat` repeats has none."""

    def with_paths(index: int, layer: AnyLayer) -> AnyLayer:
        if isinstance(layer, Repeat):
            return layer
        return layer.with_paths(lambda key, text: _resolve(text, ("model", index, layer.kind, key), document, path))

    return tuple(with_paths(index, layer) for index, layer in enumerate(layers))


def _absolute(data: DataSettings, document: Document, path: Path) -> DataSettings:
    """The data section with absolute paths."""
    resolve = partial(_resolve, document=document, path=path)
    update: dict[str, Any] = {}
    for split, place in data.sources.items():
        if place not in BUILT_IN_DATA:
            update[split] = Source(resolve(place, ("data", split)))
    if data.cache not in ("auto", "off"):
        update["cache"] = resolve(data.cache, ("data", "cache"))
    if data.csv.folder is not None:
        update["csv"] = data.csv.model_copy(update={"folder": resolve(data.csv.folder, ("data", "csv", "folder"))})
    return data.model_copy(update=update)
