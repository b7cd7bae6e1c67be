"""Pydantic's validation errors -> `Problem`s in the grammar of errors.py: expected, received, hint, line and column."""

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from cnnctl.config.meant import meant_key, meant_name, meant_names, section_at, suggest
from cnnctl.config.scalars import reads_as_text
from cnnctl.config.schema import CHOICES
from cnnctl.config.source import Document, ValuePath, format_path
from cnnctl.errors import Problem

_EMPTY = "expected at least one item"
_MISSING = "a required key is missing"
_EXAMPLES = {
    "augmentation": "- random_flip: {mode: horizontal}",
    "optimizer": "optimizer: {sgd: {learning_rate: 0.01}}",
    "schedule": "schedule: {cosine: {warmup_epochs: 1}}",
    "layer": "- conv2d: {filters: 32, kernel_size: 3}",
}
_BOUNDS = {
    "greater_than_equal": ("ge", "of at least"),
    "greater_than": ("gt", "above"),
    "less_than_equal": ("le", "of at most"),
    "less_than": ("lt", "below"),
}


def explain(error: ValidationError, document: Document, base: ValuePath = ()) -> list[Problem]:
    """Every mistake of a validation of the part at `base`, in the order of the file, each named once."""
    problems: dict[tuple[str, str], Problem] = {}
    for details in error.errors(include_url=False):
        problem = _explain(details, document, (*base, *details["loc"]))
        problems.setdefault((problem.path, problem.message), problem)
    found = list(problems.values())
    return in_order(problem for problem in found if not _follows_from_another(problem, found))


def _follows_from_another(problem: Problem, found: list[Problem]) -> bool:
    """Whether a list only seems empty because each item is a mistake, or a key only missing because it is misspelt."""
    if problem.message == _EMPTY:
        return any(other.path.startswith(f"{problem.path}[") for other in found)
    section, _, key = problem.path.rpartition(".")
    return problem.message == _MISSING and any(
        other.hint == f"did you mean {key}?" and other.path.rpartition(".")[0] == section for other in found
    )


def in_order(problems: Iterable[Problem]) -> list[Problem]:
    """Problems by their exit codes, then file by file, each from its first line on."""
    placed = sorted(problems, key=lambda one: (one.exit_code, *_place(one)))
    files = list(dict.fromkeys(map(_file, placed)))
    return sorted(placed, key=lambda one: (one.exit_code, files.index(_file(one))))


def _file(problem: Problem) -> str | None:
    return problem.position.origin if problem.position else None


def _place(problem: Problem) -> tuple[int, int]:
    return (problem.position.line, problem.position.column) if problem.position else (0, 0)


def _explain(details: ErrorDetails, document: Document, path: ValuePath) -> Problem:
    kind = details["type"]
    context: Mapping[str, Any] = details.get("ctx", {})
    value = details["input"]
    received: str | None = f"{_name(path)}={show(value)}"
    position = document.position(path)
    hint = None
    match kind:
        case "missing":
            message, received = _MISSING, None
            hint = f"add it: {path[-1]}: {show(_example(path))}"
        case "extra_forbidden":
            message, received = "there is no such key", None
            hint = meant_key(path, document.data, value)
        case "union_tag_invalid":
            tag = str(context["tag"])
            message, received = f"there is no {_what(path)} called {tag}", None
            position = document.position((*path, tag))
            hint = meant_name(tag, _what(path)) or f"{_what(path)}s are {', '.join(CHOICES[_what(path)])}"
        case "union_tag_not_found":
            message = f"expected the name of one {_what(path)}, alone or with its settings"
            hint = f"for example: {_EXAMPLES[_what(path)]}"
            if isinstance(value, dict) and len(value) > 1 and value.keys() <= CHOICES[_what(path)].keys():
                hint = f"keep one of {' and '.join(value)}: {_name(path)}={{{[*value][-1]}: ...}}"
            position = document.overridden_below(path) or position
        case "literal_error":
            options = [part.strip("'") for part in str(context["expected"]).replace(" or ", ", ").split(", ")]
            message = f"expected {either(options)}"
            hint = suggest(str(value), options, None)
        case "int_type" | "int_parsing" | "int_from_float":
            message = "expected a whole number"
            hint = meant_names(str(path[-1]), value) if path else None
        case "float_type" | "float_parsing" | "finite_number":
            message = "expected a number"
            if isinstance(value, str) and value.replace(",", "", 1).isdigit():
                hint = f"write a decimal point: {value.replace(',', '.')}"
        case "bool_type":
            message = "expected true or false"
            hint = "YAML 1.2 knows true and false only" if value in ("yes", "no", "on", "off") else None
        case "string_type":
            message = "expected text"
            hint = "put it in quotes if it is text" if isinstance(value, int | float) else None
        case "string_pattern_mismatch":
            message = "expected letters, digits, -, _ and . alone, not beginning with - or ."
        case "string_too_short":
            message = "expected some text"
        case "too_short":
            message, received = _EMPTY, None
        case "tuple_type" | "list_type":
            message = "expected a list"
            hint = "begin each item on a line of its own with `- `"
        case "model_type" | "model_attributes_type" | "dict_type":
            message = "expected keys and values"
            example = _with_value(_example(path), value) if path else None
            hint = f"for example {path[-1]}: {show(example)}" if example else None
        case kind if kind in _BOUNDS:
            key, word = _BOUNDS[kind]
            bound = context[key]
            message = f"expected a number {word} {bound:{',' if isinstance(bound, int) else 'g'}}"
        case "too_long":
            message = f"expected at most {context['max_length']} items"
        case _:
            message = details["msg"]
            received = received if path else None
    return Problem(message, format_path(path), position, received, hint)


def either(options: Sequence[str]) -> str:
    """`a, b or c`."""
    *most, last = options
    return f"{', '.join(most)} or {last}" if most else last


def _name(path: ValuePath) -> str:
    names = [index for index, part in enumerate(path) if isinstance(part, str)]
    return format_path(path[names[-1] :]) if names else "the file"


def show(value: Any) -> str:
    """A value as it would stand in the YAML text, cut to one short line."""
    if isinstance(value, str):
        plain = value.isprintable() and value == value.strip() and reads_as_text(value)
        text = value if plain else json.dumps(value, ensure_ascii=not value.isprintable())
    elif isinstance(value, dict):
        text = "{" + ", ".join(f"{key}: {show(item)}" for key, item in value.items()) + "}"
    elif isinstance(value, list | tuple):
        text = "[" + ", ".join(show(item) for item in value) + "]"
    else:
        text = json.dumps(value) if isinstance(value, bool) or value is None else str(value)
    return text if len(text) <= 80 else text[:77] + "..."


def _with_value(example: Any, value: Any) -> Any:
    """The example with the value that was given in the place of its only key: `dense: 10` means units."""
    if isinstance(example, dict) and len(example) == 1 and isinstance(value, int | float) and value is not True:
        return dict.fromkeys(example, value)
    return example


def _what(path: ValuePath) -> str:
    names = [part for part in path if isinstance(part, str)]
    last = names[-1] if names else ""
    return {"augment": "augmentation"}.get(last, last if last in CHOICES else "layer")


def _example(path: ValuePath) -> Any:
    """An example value of a key, from the schema."""
    section = section_at(path[:-1])
    field = section.model_fields.get(str(path[-1])) if section else None
    if field is not None and field.examples:
        return field.examples[0]
    inner = section_at(path)
    if inner is None:
        return "..."
    required = {name: field for name, field in inner.model_fields.items() if field.is_required()}
    return {name: field.examples[0] if field.examples else "..." for name, field in required.items()}
