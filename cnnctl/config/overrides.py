"""`--set KEY=VALUE` and the overrides of Python: values put into a parsed config by their dotted paths."""

import re
from dataclasses import replace
from typing import Any

from cnnctl.config.scalars import UNPRINTABLE
from cnnctl.config.source import TYPE_NAMES, Document, ValuePath, error_at, parse_value
from cnnctl.errors import Position


def override(document: Document, assignments: list[str], origin: str = "--set") -> Document:
    """Apply `--set KEY=VALUE` to a parsed config; `origin` is what gave them, for messages.

    KEY is a dotted path such as `model[0].conv2d.filters`, VALUE is YAML.

    Raises:
        ConfigError: an assignment that is not of the form KEY=VALUE, or whose path leads through a plain value.
    """
    for assignment in assignments:
        key, equals, text = assignment.partition("=")
        start = override_position(assignment, origin)
        path = parse_path(key.strip())
        if not equals or path is None:
            raise error_at("expected KEY=VALUE", start, hint="for example train.epochs=3")
        document = put(document, path, parse_value(text, origin), start)
        document = replace(document, overridden=document.overridden | {path})
    return document


def put(document: Document, path: ValuePath, value: Any, position: Position) -> Document:
    """The document with the value at a path replaced by one that stands at a position.

    Raises:
        ConfigError: the path leads through a plain value.
    """
    data = with_long_output(document.data) if path[0] == "output" and len(path) > 1 else document.data
    kept = {old: where for old, where in document.positions.items() if old[: len(path)] != path}
    made = (path[:length] for length in range(1, len(path)) if not _is_there(data, path[:length]))
    positions = {**kept, **dict.fromkeys([*made, path], position)}
    return replace(document, data=_assign(data, path, value, position), positions=positions)


def _is_there(value: Any, path: ValuePath) -> bool:
    """Whether there is a value at a path; `adam` in place of a mapping has the path `adam`."""
    for part in path:
        if isinstance(value, str):
            return value == part
        if not isinstance(value, dict | list) or (isinstance(value, dict) and part not in value):
            return False
        if isinstance(value, list) and not (isinstance(part, int) and part < len(value)):
            return False
        value = value[part]  # type: ignore[index]
    return True


def with_long_output(data: dict[str, Any]) -> dict[str, Any]:
    """The values of a config in which a word such as `output: sigmoid` is written out, to set other keys."""
    output = data.get("output")
    if not isinstance(output, str):
        return data
    return {**data, "output": {"multi_label": {}} if output == "multi_label" else {"activation": output}}


def override_position(assignment: str, origin: str) -> Position:
    """Where an override stands: in no file, so that it is the line itself."""
    return Position(origin, 1, 1, UNPRINTABLE.sub("\N{REPLACEMENT CHARACTER}", assignment))


def parse_path(key: str) -> ValuePath | None:
    """`model[3].conv2d.filters` as ("model", 3, "conv2d", "filters"); None where it is no path."""
    if UNPRINTABLE.search(key):
        return None
    parts: list[str | int] = []
    for piece in key.split("."):
        match = re.fullmatch(r"([^\[\]]+)((?:\[[0-9]{1,6}\])*)", piece)
        if match is None:
            return None
        parts.append(match[1])
        parts.extend(int(index) for index in re.findall(r"\[([0-9]+)\]", match[2]))
    return tuple(parts)


def _assign(container: Any, path: ValuePath, value: Any, position: Position) -> Any:
    """A copy of `container` with the value at `path` replaced; missing mappings on the way are made."""
    if not path:
        return value
    head, rest = path[0], path[1:]
    if isinstance(head, int):
        if not isinstance(container, list) or head >= len(container):
            length = len(container) if isinstance(container, list) else 0
            raise error_at(f"there is no item [{head}] to set", position, f"a list of {length} items")
        items = list(container)
        if isinstance(items[head], str) and rest and rest[0] != items[head]:
            raise error_at(f"item [{head}] is not `{rest[0]}`", position, items[head])
        items[head] = _assign(items[head], rest, value, position)
        return items
    if container is None or isinstance(container, str):
        container = {}  # `- flatten` and `optimizer: adam` are short for a mapping without settings
    if isinstance(container, list) and head.isdecimal():
        raise error_at(f"`{head}` is not an item of a list", position, hint=f"write [{head}] instead of .{head}")
    if not isinstance(container, dict):
        raise error_at(f"`{head}` cannot be set inside {TYPE_NAMES[type(container)]}", position)
    return {**container, head: _assign(container.get(head), rest, value, position)}
