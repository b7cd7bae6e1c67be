"""A config that Python code gives as values instead of YAML text."""

import json
from collections.abc import Mapping
from numbers import Integral, Real
from pathlib import Path
from typing import Any

from cnnctl.config import source
from cnnctl.config.dump import to_plain
from cnnctl.config.load import Loaded, bind
from cnnctl.config.schema import Config
from cnnctl.config.source import MAX_DEPTH, Document
from cnnctl.errors import ConfigError, Problem

_NAME = Path("config.yaml")
"""The file that a mapping is taken to come from: it names the run, and its paths are relative to the current folder."""


def load_values(values: Mapping[str, Any] | Config | str | Path, overrides: Mapping[str, Any] | None = None) -> Loaded:
    """A config from a file, from nested mappings and lists, or as it is, with some of its values replaced.

    Args:
        values: A YAML file, the same as a mapping, or a config; paths of a mapping are relative to the current folder.
        overrides: Values by dotted paths such as `train.epochs` or `model[0].conv2d.filters`; paths among them are
            relative to the current folder.

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
    return bind(source.override(document, given, "overrides"), path)


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
