"""The types that config values are made of: pairs, paddings, `none`, and settings that are chosen by name.

Each accepts the short forms that a person writes and yields one normal form, and each carries its JSON Schema, so
that what an editor accepts and what cnnctl accepts is the same.
"""

import re
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, get_args

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    GetCoreSchemaHandler,
    GetJsonSchemaHandler,
    PlainValidator,
    TypeAdapter,
    WithJsonSchema,
)
from pydantic_core import CoreSchema, PydanticCustomError, core_schema

MAX_SIDE = 100_000


class Settings(BaseModel):
    """Base of all config sections: frozen, strict about types, unknown keys forbidden."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, allow_inf_nan=False)


class Named(Settings):
    """Settings that are chosen by a name: a layer, an optimizer, an augmentation."""

    kind: ClassVar[str]
    """That name: the class's in snake case, as Keras makes it, where the class does not say another."""
    one_of: ClassVar[tuple[str, ...]] = ()
    """Settings of which one must be given, though each has a default."""

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if "kind" not in vars(cls):
            cls.kind = re.sub(r"(?<=.)(?=[A-Z][a-z])", "_", cls.__name__).lower()


def described(text: str, *examples: Any, **limits: Any) -> Any:
    """The pydantic Field of a setting: its description, examples of its value, and limits such as `ge=0`."""
    return Field(description=text, examples=list(examples) or None, **limits)


def needs_settings(settings: type[Settings]) -> bool:
    """Whether a bare name will not do, because a key has no default."""
    if issubclass(settings, Named) and settings.one_of:
        return True
    return any(field.is_required() for field in settings.model_fields.values())


def given(settings: Settings) -> dict[str, Any]:
    """The settings that have no default or are not as they would be by default, which may follow from another one."""
    fields = type(settings).model_fields
    required = {name: getattr(settings, name) for name, field in fields.items() if field.is_required()}
    if isinstance(settings, Named):
        chosen = {name: getattr(settings, name) for name in settings.one_of}
        required |= {name: value for name, value in chosen.items() if value is not None}
    default = type(settings).model_validate(required)
    values = {name: getattr(settings, name) for name in fields}
    return {name: value for name, value in values.items() if name in required or value != getattr(default, name)}


@dataclass(frozen=True)
class ByName:
    """Annotation of a union of `Named` classes: YAML `relu_like` or `conv2d: {filters: 8}` picks the class.

    The name becomes a step of the path in every error, as it is in the YAML text.
    """

    what: str

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        members: tuple[type[Named], ...] = get_args(source)
        choices = {member.kind: self._choice(member, handler) for member in members}
        return core_schema.tagged_union_schema(choices, discriminator=_name_of, metadata={"members": members})

    def _choice(self, member: type[Named], handler: GetCoreSchemaHandler) -> CoreSchema:
        def unwrap(value: Any) -> Any:
            if isinstance(value, str):
                return {}
            if isinstance(value, dict):
                settings = value[member.kind]
                return {} if settings is None else settings
            return value

        return core_schema.no_info_before_validator_function(unwrap, handler.generate_schema(member))

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        union: Any = schema
        while "choices" not in union:  # a validator of the field lies around it
            union = union["schema"]
        choices: dict[str, CoreSchema] = union["choices"]
        members: tuple[type[Named], ...] = union["metadata"]["members"]
        bare = [member.kind for member in members if not needs_settings(member)]
        wrapped = []
        for name, choice in choices.items():
            settings: dict[str, Any] = handler(choice)
            if one_of := next(member.one_of for member in members if member.kind == name):
                given = [{"required": [key], "properties": {key: {"type": "string"}}} for key in one_of]
                settings = {"allOf": [settings], "anyOf": given}
            if name in bare:
                settings = {"anyOf": [settings, {"type": "null"}]}
            entry: dict[str, Any] = {"type": "object", "properties": {name: settings}}
            wrapped.append({**entry, "required": [name], "additionalProperties": False})
        plain = [{"enum": bare}] if bare else []
        return {"title": self.what, "anyOf": [*plain, *wrapped]}


def _name_of(value: Any) -> str | None:
    if isinstance(value, str):
        return value
    if isinstance(value, dict) and len(value) == 1:
        return str(next(iter(value)))
    if isinstance(value, Named):
        return value.kind
    return None


def expected(what: str) -> PydanticCustomError:
    """The error of a value of the wrong form: `expected {what}`."""
    return PydanticCustomError("expected", "expected {what}", {"what": what})


def is_whole(value: Any, least: int) -> bool:
    """Whether `value` is an integer from `least` to MAX_SIDE; True and False are not."""
    return type(value) is int and least <= value <= MAX_SIDE


def colour(value: Any) -> tuple[int, int, int]:
    """[red, green, blue] of 0 to 255 as a tuple."""
    if isinstance(value, list | tuple) and len(value) == 3 and all(is_whole(item, 0) and item <= 255 for item in value):
        return (value[0], value[1], value[2])
    raise expected("[red, green, blue], each from 0 to 255")


def _pair(value: Any) -> tuple[int, int]:
    if is_whole(value, 1):
        return (value, value)
    if isinstance(value, list | tuple) and len(value) == 2 and all(is_whole(item, 1) for item in value):
        return (value[0], value[1])
    raise expected("a whole number of at least 1, or two of them: [height, width]")


def _list_of(items: dict[str, Any], count: int) -> dict[str, Any]:
    return {"type": "array", "items": items, "minItems": count, "maxItems": count}


_WHOLE = {"type": "integer", "minimum": 1, "maximum": MAX_SIDE}
_FROM_ZERO = {"type": "integer", "minimum": 0, "maximum": MAX_SIDE}
_SIDES = _list_of(_list_of(_FROM_ZERO, 2), 2)
COLOUR_SCHEMA = _list_of({"type": "integer", "minimum": 0, "maximum": 255}, 3)

Colour = Annotated[tuple[int, int, int], BeforeValidator(colour), WithJsonSchema(COLOUR_SCHEMA)]
Pair = Annotated[tuple[int, int], BeforeValidator(_pair), WithJsonSchema({"anyOf": [_WHOLE, _list_of(_WHOLE, 2)]})]
"""An integer or [height, width]; normal form (height, width), each from 1."""

Sides = tuple[tuple[int, int], tuple[int, int]]
"""((top, bottom), (left, right)) in pixels."""


def _sides(value: Any) -> Sides | None:
    if is_whole(value, 0):
        return ((value, value), (value, value))
    if isinstance(value, list | tuple) and len(value) == 2:
        pairs = [tuple(pair) for pair in value if isinstance(pair, list | tuple) and len(pair) == 2]
        if len(pairs) == 2 and all(is_whole(item, 0) for pair in pairs for item in pair):
            return ((pairs[0][0], pairs[0][1]), (pairs[1][0], pairs[1][1]))
    return None


def _zero_padding(value: Any) -> Sides:
    sides = _sides(value)
    if sides is None:
        raise expected("a whole number of pixels, or [[top, bottom], [left, right]]")
    return sides


def _padding(value: Any) -> str | Sides:
    if value in ("valid", "same"):
        return str(value)
    sides = _sides(value)
    if sides is None:
        raise expected("valid, same, a whole number of pixels, or [[top, bottom], [left, right]]")
    return sides


def _pool_padding(value: Any) -> str:
    if value in ("valid", "same"):
        return str(value)
    if _sides(value) is not None:
        raise PydanticCustomError(
            "pool_padding", "pooling takes valid or same: padding with zeros would change what it computes"
        )
    raise expected("valid or same")


ZeroPadding = Annotated[Sides, BeforeValidator(_zero_padding), WithJsonSchema({"anyOf": [_FROM_ZERO, _SIDES]})]
Padding = Annotated[
    str | Sides, BeforeValidator(_padding), WithJsonSchema({"anyOf": [{"enum": ["valid", "same"]}, _FROM_ZERO, _SIDES]})
]
"""`valid`, `same`, or zeros: an integer n, or [[top, bottom], [left, right]]."""
PoolPadding = Annotated[str, BeforeValidator(_pool_padding), WithJsonSchema({"enum": ["valid", "same"]})]


@dataclass(frozen=True)
class Words:
    """Annotation of an optional type: bare words that stand for other values."""

    meanings: tuple[tuple[str, Any], ...]

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        meanings = dict(self.meanings)

        def replace(value: Any) -> Any:
            return meanings.get(value, value) if isinstance(value, str) else value

        return core_schema.no_info_before_validator_function(replace, handler(source))

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        built: dict[str, Any] = handler(schema)
        return {**built, "anyOf": [*built["anyOf"], {"enum": [word for word, _ in self.meanings]}]}


@dataclass(frozen=True)
class OrItsKey:
    """Annotation of a section: a value that is no mapping means the section with this key.

    `bare` are the words that may stand so, where they are not those of the key; `meanings` says which of them stand for
    other keys.
    """

    key: str
    bare: Any = None
    meanings: tuple[tuple[str, Any], ...] = ()

    def __get_pydantic_core_schema__(self, source: type[Settings], handler: GetCoreSchemaHandler) -> CoreSchema:
        key = self._of(source)

        def validate(value: Any, whole: core_schema.ValidatorFunctionWrapHandler) -> Any:
            if isinstance(value, dict | source):
                return whole(value)
            word = key.validate_python(value)
            return source(**dict(self.meanings).get(word, {self.key: word}))

        return core_schema.no_info_wrap_validator_function(validate, handler(source), metadata={"section": source})

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        union: Any = schema
        while "section" not in union.get("metadata", {}):
            union = union["schema"]
        return {"anyOf": [self._of(union["metadata"]["section"]).json_schema(), handler(schema)]}

    def _of(self, section: type[Settings]) -> TypeAdapter[Any]:
        annotation: Any = section.model_fields[self.key].annotation if self.bare is None else self.bare
        return TypeAdapter(annotation, config=ConfigDict(strict=True))


OrNone = Words((("none", None),))
"""Annotation of a type that may be None: the word `none` means the same as YAML's null."""


@dataclass(frozen=True)
class Range:
    """Annotation of a `tuple[float, float]`: one number f means [-f, f], or [0, f] where nothing may be below 0.

    That is what Keras' augmentation layers make of one number.
    """

    lowest: float
    highest: float

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_before_validator_function(self._validate, handler(source))

    @property
    def _least(self) -> float:
        """The smallest f that may stand alone: its sign does not matter where the range has both."""
        return -self._most if self.lowest < 0 else 0.0

    @property
    def _most(self) -> float:
        """The largest f that may stand alone."""
        return min(-self.lowest, self.highest) if self.lowest < 0 else self.highest

    def _validate(self, value: Any) -> tuple[float, float]:
        what = f"a number up to {self._most:g}, or [lower, upper] within {self.lowest:g} to {self.highest:g}"
        if type(value) in (int, float):
            if not self._least <= value <= self._most:
                raise expected(what)
            pair = [-abs(value) if self.lowest < 0 else 0.0, abs(value)]
        elif isinstance(value, list | tuple) and len(value) == 2 and all(type(item) in (int, float) for item in value):
            pair = list(value)
        else:
            raise expected(what)
        if not self.lowest <= pair[0] <= pair[1] <= self.highest:
            raise expected(what)
        return (float(pair[0]), float(pair[1]))

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        number = {"type": "number", "minimum": self._least, "maximum": self._most}
        bound = {"type": "number", "minimum": self.lowest, "maximum": self.highest}
        return {"anyOf": [number, _list_of(bound, 2)]}


MOST = 1e6
"""The largest factor or offset."""


def _numbers(value: Any) -> float | tuple[float, ...]:
    items = value if isinstance(value, list | tuple) else [value]
    if not 0 < len(items) <= MAX_SIDE or not all(type(one) in (int, float) and abs(one) <= MOST for one in items):
        raise expected(f"a number from {-MOST:,.0f} to {MOST:,.0f}, or a list of such numbers")
    return tuple(map(float, items)) if items is value else float(value)


_NUMBER = {"type": "number", "minimum": -MOST, "maximum": MOST}
Numbers = Annotated[
    float | tuple[float, ...],
    PlainValidator(_numbers),
    WithJsonSchema({"anyOf": [_NUMBER, {"type": "array", "items": _NUMBER, "minItems": 1, "maxItems": MAX_SIDE}]}),
]
"""A number, or one for each channel."""

Count = Annotated[int, Field(ge=1, le=MAX_SIDE)]
FromZero = Annotated[int, Field(ge=0, le=MAX_SIDE)]
Share = Annotated[float, Field(ge=0, lt=1)]
Positive = Annotated[float, Field(gt=0)]
Text = Annotated[str, Field(min_length=1)]
Epsilon = Annotated[Positive, described("Keeps the division finite.")]
Signed = Annotated[tuple[float, float], Range(-1, 1)]
Unsigned = Annotated[tuple[float, float], Range(0, 1)]
