"""A file, or values of Python code, and what overrides them -> a frozen `Config` whose paths are absolute."""

import contextlib
import json
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from numbers import Integral, Real
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from cnnctl.config import reading
from cnnctl.config.scalars import RefusedScalarError, escape, expand, resolve_scalar
from cnnctl.config.schema import Config, DataSettings, Source
from cnnctl.config.source import EXTENDS, MAX_DEPTH, Document, ValuePath, format_path
from cnnctl.errors import ConfigError, Position, Problem
from cnnctl.layers import AnyLayer, Layer, Repeat
from cnnctl.system.files import absolute

BUILT_IN_DATA = ("digits",)
"""Names that `data.train` takes instead of a path; write ./digits for a folder of that name."""
STANDARD_INPUT = Path("-")
_NAME = Path("config.yaml")
"""The file that a mapping, or stdin, is taken to be: it names the run, and its paths start in the current folder."""


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


def load_recorded(path: Path, content: bytes) -> Config:
    """The config of a run, which is the content of a file.

    What cnnctl wrote is whole: it extends nothing and asks for no variables.

    Raises:
        ConfigError: with every mistake of it.
    """
    return bind(_whole(reading.parse_bytes(content, str(path), environment=None)), path).need()


def parse_config(path: Path, assignments: Sequence[str] = (), is_recorded: bool = False) -> Loaded:
    """Read a config, `-` for the one on stdin, and keep what is right of it beside its mistakes.

    Assignments are KEY=VALUE texts. For `is_recorded` see `load_recorded`.

    Raises:
        UsageError: the file cannot be read.
        ConfigError: it is no YAML, or a base or a variable of it is missing, so that nothing can be kept.
    """
    if path == STANDARD_INPUT:
        document, path = _on_bases(reading.read_stdin(), Path(), None), _NAME
    else:
        document = read_document(path, is_recorded)
    return bind(_override(document, list(assignments), "--set"), path)


def load_values(
    values: Mapping[str, Any] | Config | str | Path,
    overrides: Mapping[str, Any] | None = None,
    is_recorded: bool = False,
) -> Loaded:
    """A config from a file, from nested mappings and lists, or as it is, with some of its values replaced.

    `overrides` are by dotted paths such as `model[0].conv2d.filters`. The paths that a mapping or the overrides hold
    are relative to the current folder. For `is_recorded` see `load_recorded`.

    Raises:
        UsageError: the file cannot be read.
        ConfigError: it is no YAML, holds values that YAML has not, or a base or a variable of it is missing.
    """
    if isinstance(values, str | Path):
        path = Path(values)
        document = read_document(path, is_recorded)
    elif isinstance(values, Config):
        from cnnctl.config.dump import to_plain

        path = Path(f"{values.name or _NAME.stem}.yaml")
        document = Document(_yaml(to_plain(values)), {})
    else:
        path = _NAME
        document = _on_bases(Document(_expanded(_yaml(values), ()), {}), Path(), None)
    given = [f"{key}={json.dumps(_given(key, value), ensure_ascii=False)}" for key, value in (overrides or {}).items()]
    return bind(_override(document, given, "overrides"), path)


def read_document(path: Path, is_recorded: bool = False) -> Document:
    """The document of a file, with those that it extends."""
    if not is_recorded:
        return _on_bases(reading.read(path), path.parent, path)
    return _whole(reading.read(path, environment=None))


def _on_bases(document: Document, folder: Path, own: Path | None) -> Document:
    """`with_bases` of a document that may extend none."""
    if EXTENDS not in document.data:
        return document
    from cnnctl.config.extends import with_bases

    return with_bases(document, folder, own)


def _whole(document: Document) -> Document:
    if EXTENDS in document.data:
        hint = "cnnctl writes it whole: train again"
        position = document.position((EXTENDS,))
        raise ConfigError([Problem("the config of a run extends no other one", EXTENDS, position, hint=hint)])
    return document


def _given(key: str, value: Any) -> Any:
    """A value of an override as the text of one has it, its variables filled in."""
    from cnnctl.config.overrides import parse_path

    return _mapped(_expanded(_yaml(value), parse_path(key) or ()), lambda text, _: escape(text))


def _expanded(value: Any, path: ValuePath) -> Any:
    """Values of Python code with the variables in their texts filled in; what they fill in is typed."""

    def expanded(text: str, at: ValuePath) -> Any:
        try:
            filled_in = expand(text, os.environ)
            return resolve_scalar(filled_in) if "${env:" in text and filled_in != text else filled_in
        except RefusedScalarError as refused:
            raise ConfigError([Problem(str(refused), format_path(at), received=text[:60], hint=refused.hint)]) from None

    return _mapped(value, expanded, path)


def _mapped(value: Any, change: Callable[[str, ValuePath], Any], path: ValuePath = ()) -> Any:
    """Plain values with each text of them changed."""
    if isinstance(value, dict):
        return {key: _mapped(item, change, (*path, key)) for key, item in value.items()}
    if isinstance(value, list):
        return [_mapped(item, change, (*path, index)) for index, item in enumerate(value)]
    return change(value, path) if isinstance(value, str) else value


def _override(document: Document, assignments: list[str], origin: str) -> Document:
    """The document with values replaced; a path that lacks a name or brackets is refused with the one that is meant."""
    if not assignments:
        return document
    from cnnctl.config.overrides import override, override_position, parse_path

    for assignment in assignments:
        path = parse_path(assignment.partition("=")[0].strip())
        if path:
            refuse_path(document, path, override_position(assignment, origin))
        document = override(document, [assignment], origin)
    return document


def refuse_path(document: Document, path: ValuePath, position: Position) -> None:
    """Raises:
    ConfigError: nothing can be set at this path, or it lacks a name or brackets.
    """
    if path[0] == EXTENDS:
        hint = "write it into the config, or into a new one"
        raise ConfigError([Problem("it is read before anything is set", EXTENDS, position, hint=hint)])
    from cnnctl.config.meant import meant_path

    right = meant_path(path, document.data)
    if right:
        hint = f"did you mean {format_path(right)}?"
        raise ConfigError([Problem("there is no such key", format_path(path), position, hint=hint)])


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
        from cnnctl.config.problems import explain

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
    """An absolute path: relative to the folder of the config that it stands in, or for `--set` to the current one."""
    is_set = any(key[: len(done)] == done for done in document.overridden)
    base = Path() if is_set else document.folders.get(key, path.parent)
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
