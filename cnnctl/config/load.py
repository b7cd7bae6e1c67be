"""A file and its `--set` overrides -> a frozen `Config` whose paths are absolute."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from cnnctl.config import source
from cnnctl.config.problems import explain
from cnnctl.config.schema import Config, DataSettings
from cnnctl.config.source import Document, ValuePath
from cnnctl.config.training import TrainSettings
from cnnctl.errors import ConfigError, Problem
from cnnctl.layers import AnyLayer, Layer

BUILT_IN_DATA = ("digits",)
"""Names that `data.train` takes instead of a path; write ./digits for a folder of that name."""


@dataclass(frozen=True)
class Loaded:
    """What could be understood of a config file.

    Attributes:
        path: The file.
        document: Its values with their positions.
        problems: Every mistake of the vocabulary; where there is one, `config` is None.
        config: The whole config.
        data: The data section, if it is right on its own, so that the data can be checked all the same.
        layers: The leading layers that are right, so that their shapes can be checked all the same.
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


def load(path: Path, assignments: Sequence[str] = ()) -> Loaded:
    """Read a config that is right in its vocabulary; `config` is not None.

    Raises:
        UsageError: the file cannot be read.
        ConfigError: with every mistake of it.
    """
    loaded = parse_config(path, assignments)
    if loaded.problems:
        raise ConfigError(loaded.problems)
    return loaded


def parse_config(path: Path, assignments: Sequence[str] = ()) -> Loaded:
    """Read a config and keep what is right of it beside its mistakes.

    Args:
        path: The YAML file.
        assignments: KEY=VALUE texts that override its values.

    Raises:
        UsageError: the file cannot be read.
        ConfigError: it is no YAML, so that nothing can be kept.
    """
    document = source.override(source.read(path), list(assignments))
    return bind(document, path)


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
        data = _section(DataSettings, document.data.get("data"))
        layers = _leading_layers(document.data.get("model"))
    data = data and _absolute(data, document, path)
    if config is not None and data is not None:
        name = config.name or _safe_name(path.stem)
        config = config.model_copy(
            update={"data": data, "name": name, "train": _absolute_start(config, document, path)}
        )
    return Loaded(path, document, tuple(problems), config, data, layers)


def _section(section: type[DataSettings], value: Any) -> DataSettings | None:
    try:
        return section.model_validate(value)
    except ValidationError:
        return None


def _leading_layers(items: Any) -> tuple[AnyLayer, ...]:
    adapter: TypeAdapter[AnyLayer] = TypeAdapter(Layer)
    layers: list[AnyLayer] = []
    for item in items if isinstance(items, list) else []:
        try:
            layers.append(adapter.validate_python(item))
        except ValidationError:
            break
    return tuple(layers)


def _safe_name(stem: str) -> str:
    """A file's stem as the name of a folder: whatever a name must not hold becomes a dash."""
    safe = "".join(char if char.isascii() and (char.isalnum() or char in "-_.") else "-" for char in stem)
    return safe.lstrip("-.")[:100] or "config"


def _resolve(text: str, key: ValuePath, document: Document, path: Path) -> str:
    """An absolute path: relative to the config's folder, or for `--set` to the current one."""
    base = Path.cwd() if any(key[: len(done)] == done for done in document.overridden) else path.parent
    return str((base / os.path.expanduser(text)).absolute())  # noqa: PTH111 - leaves an unknown ~user as it is


def _absolute_start(config: Config, document: Document, path: Path) -> TrainSettings:
    """The train section with an absolute path to the initial weights."""
    text = config.train.initial_weights
    if text is None:
        return config.train
    key = ("train", "initial_weights")
    return config.train.model_copy(update={"initial_weights": _resolve(text, key, document, path)})


def _absolute(data: DataSettings, document: Document, path: Path) -> DataSettings:
    """The data section with absolute paths."""

    def resolve(text: str, key: ValuePath) -> str:
        return _resolve(text, key, document, path)

    update: dict[str, Any] = {}
    for name in ("train", "validation", "test"):
        value = getattr(data, name)
        if isinstance(value, str) and value not in BUILT_IN_DATA:
            update[name] = resolve(value, ("data", name))
    if data.cache not in ("auto", "off"):
        update["cache"] = resolve(data.cache, ("data", "cache"))
    if data.csv.folder is not None:
        update["csv"] = data.csv.model_copy(update={"folder": resolve(data.csv.folder, ("data", "csv", "folder"))})
    return data.model_copy(update=update)
