"""A `Config` back to YAML text: every default written out, readable by config/source.py to the same `Config`."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel

from cnnctl.config.scalars import escape, reads_as_text
from cnnctl.settings import Named


def to_plain(value: Any) -> Any:
    """Settings as dicts, lists and scalars, in the form of the YAML text."""
    if isinstance(value, Named):
        settings = {name: to_plain(getattr(value, name)) for name in type(value).model_fields}
        return {value.kind: settings} if settings else value.kind
    if isinstance(value, BaseModel):
        return {name: to_plain(getattr(value, name)) for name in type(value).model_fields}
    if isinstance(value, dict):
        return {key: to_plain(item) for key, item in value.items()}
    if isinstance(value, tuple | list):
        return [to_plain(item) for item in value]
    if isinstance(value, Path | str):
        return str(value)
    return float(value) if isinstance(value, float) else value


def leaves(value: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """(dotted path, value) of everything in what `to_plain` gives that is neither a dict nor a list, or is empty."""
    if isinstance(value, Mapping) and value:
        for key, item in value.items():
            yield from leaves(item, f"{path}.{key}" if path else str(key))
    elif isinstance(value, list) and value:
        for index, item in enumerate(value):
            yield from leaves(item, f"{path}[{index}]")
    else:
        yield path, value


class _Dumper(yaml.SafeDumper):
    """PyYAML writes YAML 1.1; this one quotes what YAML 1.2 would not read back as the same text."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


def _represent_text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    style = '"' if not text.isprintable() else None if reads_as_text(text) else "'"
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


def _represent_list(dumper: yaml.SafeDumper, items: list[Any]) -> yaml.SequenceNode:
    flow = all(isinstance(item, int | float) or (isinstance(item, list) and len(item) == 2) for item in items)
    return dumper.represent_sequence("tag:yaml.org,2002:seq", items, flow_style=flow)


_Dumper.add_representer(str, _represent_text)
_Dumper.add_representer(list, _represent_list)


def _escaped(value: Any) -> Any:
    """Plain values whose texts are read back as they are, though they look like `${env:NAME}`."""
    if isinstance(value, dict):
        return {key: _escaped(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_escaped(item) for item in value]
    return escape(value) if isinstance(value, str) else value


def to_yaml(value: BaseModel) -> str:
    """YAML text of a config."""
    return yaml.dump(_escaped(to_plain(value)), Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=110)
