"""The config described: as a JSON Schema, and as Markdown with each key's type, default, meaning and an example."""

from collections.abc import Iterator
from typing import Any, get_args

from cnnctl.config.budget import Budget
from cnnctl.config.dump import to_plain
from cnnctl.config.problems import either, show
from cnnctl.config.schema import CHOICES, Config, CsvColumns, DataSettings, ImageSettings, TestTime
from cnnctl.config.source import EXTENDS
from cnnctl.config.training import EarlyStopping, FineTune, Lookahead, TrainSettings
from cnnctl.layers.base import ActivationName, Regularizer
from cnnctl.layers.initializers import (
    ORDINARY,
    BiasInitializerName,
    FilterInitializerName,
    InitializerName,
    Whitening,
)
from cnnctl.layers.output import MultiLabel, OutputSettings
from cnnctl.settings import MAX_SIDE, Named, Settings, needs_settings

_HEAD = """# The config, key by key

<!-- Written by `cnnctl schema --markdown`: change the schema, not this page. -->

Paths are relative to the folder of the config; paths in `--set` are relative to the current folder. Scalars follow
YAML 1.2: `no` is a class name and `1e-3` is a number. `none` means no value. A layer, an optimizer, a schedule or an
augmentation is written as its bare name, or as its name with settings: `{adam: {learning_rate: 0.01}}`.

`${env:NAME}` in a value is an environment variable, `${env:NAME:default}` has a default, and `$${` is a plain `${`.
With `extends: base.yaml` a config is merged onto another one. [Sharing configs](training.md#sharing-configs) describes
both.
"""
_SECTIONS: tuple[tuple[str, str, type[Settings]], ...] = (
    ("Top level", "", Config),
    ("data", "data", DataSettings),
    ("data.csv", "csv", CsvColumns),
    ("data.image", "image", ImageSettings),
    ("output", "output", OutputSettings),
    ("output.multi_label", "multi_label", MultiLabel),
    ("test_time", "test_time", TestTime),
    ("budget", "budget", Budget),
    ("train", "train", TrainSettings),
    ("train.early_stopping", "early_stopping", EarlyStopping),
    ("train.fine_tune", "fine_tune", FineTune),
    ("train.lookahead", "lookahead", Lookahead),
)
_CHOSEN = (
    ("Layers", "layer", "The items of `model`. The output layer is added."),
    (
        "Augmentations",
        "augmentation",
        "The items of `augment`. They apply to training images only, in the order of the list.",
    ),
    ("Optimizers", "optimizer", "The value of `train.optimizer`."),
    ("Schedules", "schedule", "The value of `train.schedule`; it scales the optimizer's learning rate."),
)
_HEADINGS = {name: heading for heading, name, _ in _SECTIONS if name}
_LINKS = {
    "model": "list of [layers](#layers)",
    "layers": "list of [layers](#layers)",
    "augment": "list of [augmentations](#augmentations)",
    "optimizer": "[an optimizer](#optimizers)",
    "schedule": "[a schedule](#schedules)",
}
_NAMES: dict[tuple[str, ...], str] = {
    get_args(ActivationName): "[an activation](#activations)",
    get_args(FilterInitializerName): "[an initializer](#initializers)",
    get_args(InitializerName): "[an initializer](#initializers) but `dirac` and `whitening`",
    get_args(BiasInitializerName): "[an initializer](#initializers) but `orthogonal`, `dirac` and `whitening`",
}
_BASE = "base.yaml"
_EXTENDS = {
    "description": "Config that this one is merged onto, relative to the folder of this one.",
    "examples": [_BASE],
    "minLength": 1,
    "type": "string",
}
_VARIABLE = {
    "description": "An environment variable.",
    "pattern": r"\$\{env:[A-Za-z_][A-Za-z0-9_]*(:[^}]*)?\}",
    "type": "string",
}
_ABOUT = ("title", "description", "default", "examples")
_KEYS = "keys and values"
_INITIALIZERS = f"""\
`dirac` and `whitening` are for the kernels of `conv2d`.

### dirac

The first filters pass their input through, as many as there are both channels and filters; in each group, where there
are groups. Such a filter is 1 in the middle of its own channel, and 0 elsewhere. The other filters begin by
`{ORDINARY}`."""
_COLUMNS = "| key | type | default | meaning | example |\n| --- | --- | --- | --- | --- |"


def json_schema() -> dict[str, Any]:
    """JSON Schema, draft 2020-12, of the YAML text of a config."""
    schema = _with_variables(Config.model_json_schema())
    definitions, data = schema["$defs"], schema["$defs"]["DataSettings"]
    needs_all = {"required": schema["required"], "properties": {"data": {"required": data["required"]}}}
    without = {"title", "required", "$defs"}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "cnnctl config",
        "$defs": {
            **definitions,
            "DataSettings": {key: value for key, value in data.items() if key != "required"},
            "Variable": _VARIABLE,
        },
        **{key: value for key, value in schema.items() if key not in without},
        "properties": {EXTENDS: _EXTENDS, **schema["properties"]},
        "if": {"required": [EXTENDS]},
        "else": needs_all,
    }


def _with_variables(schema: Any) -> Any:
    """A schema in which `${env:NAME}` may stand for every scalar."""
    if isinstance(schema, list):
        return [_with_variables(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    is_scalar = schema.get("type") in ("integer", "number", "boolean") or "enum" in schema or "pattern" in schema
    if is_scalar:
        about = {key: value for key, value in schema.items() if key in _ABOUT}
        rest = {key: value for key, value in schema.items() if key not in _ABOUT}
        return {**about, "anyOf": [rest, {"$ref": "#/$defs/Variable"}]}
    kept = (*_ABOUT, "required")
    return {key: value if key in kept else _with_variables(value) for key, value in schema.items()}


def markdown() -> str:
    """The reference page."""
    schema = Config.model_json_schema()
    definitions = {**schema["$defs"], "Config": schema}
    parts = [_HEAD]
    for heading, _, section in _SECTIONS:
        parts.append(f"## {heading}\n\n{_table(section, definitions)}")
    for heading, what, introduction in _CHOSEN:
        parts.append(f"## {heading}\n\n{introduction}")
        for name, member in CHOICES[what].items():
            text = _sentence(member)
            table = f"\n\n{_table(member, definitions)}" if member.model_fields else ""
            bare = "" if needs_settings(member) else f" The bare name `{name}` is allowed."
            parts.append(f"### {name}\n\n{text}{bare}{table}")
    parts.append(f"## Regularizers\n\n{Regularizer.__doc__}\n\n{_table(Regularizer, definitions)}")
    parts.append(f"## Activations\n\n{_listed(ActivationName)}")
    parts.append(f"## Initializers\n\n{_listed(FilterInitializerName)}\n\n{_INITIALIZERS}")
    whitening = Whitening.model_json_schema()
    parts.append(f"### whitening\n\n{_sentence(Whitening)}\n\n{_table(Whitening, {'Whitening': whitening})}")
    return "\n\n".join(part.strip() for part in parts) + "\n"


def _listed(names: Any) -> str:
    return ", ".join(f"`{name}`" for name in get_args(names))


def _sentence(section: type[Settings]) -> str:
    return " ".join((section.__doc__ or "").split())


def _table(section: type[Settings], definitions: dict[str, Any]) -> str:
    properties = definitions[section.__name__]["properties"]
    rows = [_row(section, key, properties[key], definitions) for key in section.model_fields]
    short = properties.get("size")
    if short is not None:
        rows.insert(0, _cells("size", _type(short, definitions), "", short["description"], 64))
    if section is Config:
        rows.insert(0, _cells(EXTENDS, "text", "", str(_EXTENDS["description"]), _BASE))
    return "\n".join([_COLUMNS, *rows])


def _row(section: type[Settings], key: str, schema: dict[str, Any], definitions: dict[str, Any]) -> str:
    field = section.model_fields[key]
    meaning = field.description or ""
    example = field.examples[0] if field.examples else None
    if key in _LINKS and (section, key) != (FineTune, "layers"):
        kind = _LINKS[key]
    elif key in _HEADINGS and (section, key) != (DataSettings, "train"):
        link = f"[keys and values](#{_HEADINGS[key].replace('.', '')})"
        kind = _type(schema, definitions).replace(_KEYS, link)
    else:
        kind = _type(schema, definitions)
    if field.is_required():
        return _cells(key, kind, "required", meaning, example)
    value = field.default
    if isinstance(value, Settings) and not isinstance(value, Named):  # its own keys have the defaults
        text = _sentence(type(value))
        first = next(iter(type(value).model_fields))
        return _cells(key, kind, "", meaning or text, example or {first: to_plain(getattr(value, first))})
    plain = value.kind if isinstance(value, Named) else to_plain(value)
    return _cells(key, kind, f"`{_shown(plain)}`", meaning, plain if example is None else example)


def _cells(key: str, kind: str, default: str, meaning: str, example: Any) -> str:
    cells = [f"`{key}`", kind, default, meaning.replace("|", "\\|"), f"`{key}: {_shown(example)}`"]
    return "| " + " | ".join(cells) + " |"


def _shown(value: Any) -> str:
    return "none" if value is None else show(value)


def _type(schema: dict[str, Any], definitions: dict[str, Any]) -> str:
    """What a value may be, in words."""
    return either(list(dict.fromkeys(_kinds(schema, definitions))))


def _kinds(schema: dict[str, Any], definitions: dict[str, Any]) -> Iterator[str]:
    if "anyOf" in schema:
        for option in schema["anyOf"]:
            yield from _kinds(option, definitions)
    elif "$ref" in schema:
        yield from _kinds(definitions[schema["$ref"].rpartition("/")[2]], definitions)
    elif "const" in schema:
        yield f"`{_shown(schema['const'])}`"
    elif "enum" in schema:
        words = [word for word in schema["enum"] if word is not None]
        yield from [_NAMES[tuple(words)]] if tuple(words) in _NAMES else (f"`{_shown(word)}`" for word in words)
    elif schema.get("type") == "null":
        yield "`none`"
    elif schema.get("type") == "array":
        yield _list(schema)
    elif schema.get("type") == "object":
        only = schema.get("required") if len(schema.get("properties", ())) == 1 else None
        yield f"`{only[0]}` with settings" if only else _KEYS
    else:
        yield _scalar(schema)


def _list(schema: dict[str, Any]) -> str:
    items = schema["items"]
    if "enum" in items:
        return f"list of {' or '.join(_kinds(items, {}))}"
    if items.get("type") == "array":
        return "`[[a, b], [c, d]]`"
    if schema["minItems"] < schema.get("maxItems", MAX_SIDE):
        return f"list of {_scalar(items)}s"
    return f"`[{', '.join('abc'[: schema['minItems']])}]`, each a {_scalar(items)}"


def _scalar(schema: dict[str, Any]) -> str:
    words = {"integer": "whole number", "number": "number", "boolean": "`true` or `false`", "string": "text"}
    bounds = {"minimum": "from", "exclusiveMinimum": "above", "maximum": "to", "exclusiveMaximum": "below"}
    known = [f"{text} {schema[key]:g}" for key, text in bounds.items() if abs(schema.get(key, MAX_SIDE)) < MAX_SIDE]
    return " ".join([words[schema["type"]], *known])
