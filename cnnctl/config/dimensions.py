"""What a sweep varies: one key of a config, with its values or its range."""

import math
from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import BeforeValidator, Field, ValidationError, model_validator
from pydantic_core import PydanticCustomError

from cnnctl.config.meant import suggest
from cnnctl.config.overrides import parse_path
from cnnctl.config.problems import explain, show
from cnnctl.config.source import Document, ValuePath
from cnnctl.errors import ConfigError, Position, Problem
from cnnctl.settings import Settings, expected

_MOST_STEPS = 100_000
_KEYS = ("from", "to", "step", "log")


def _number(value: Any) -> Any:
    if type(value) not in (int, float) or not math.isfinite(value):
        raise expected("a number")
    return value


Number = Annotated[Any, BeforeValidator(_number)]


class Range(Settings):
    """Numbers from one to another, by steps or evenly in their logarithm."""

    low: Number = Field(alias="from")
    high: Number = Field(alias="to")
    step: Number = None
    log: bool = False

    @model_validator(mode="after")
    def _goes_up(self) -> "Range":
        if not self.low < self.high:
            raise PydanticCustomError("order", "expected from to be less than to")
        if self.log and self.step is not None:
            raise PydanticCustomError("log_step", "step and log cannot be combined")
        if self.log and self.low <= 0:
            raise PydanticCustomError("log", "log needs numbers above 0")
        if self.step is not None and not 0 < self.step <= self.high - self.low:
            raise PydanticCustomError("step", "expected a step above 0, and no larger than from from to to")
        if self.step is not None and (self.high - self.low) / self.step > _MOST_STEPS:
            raise PydanticCustomError("steps", "expected fewer steps")
        return self

    @property
    def is_whole(self) -> bool:
        """Whether it is written in whole numbers."""
        return all(isinstance(one, int) for one in (self.low, self.high, 0 if self.step is None else self.step))

    @property
    def steps(self) -> int | None:
        """How many steps it has after its first number; None where there is no step."""
        return None if self.step is None else math.floor((self.high - self.low) / self.step + 1e-9)

    @property
    def last(self) -> Any:
        """The largest number that is tried."""
        return self.high if self.steps is None else self.low + self.steps * self.step


@dataclass(frozen=True)
class Dimension:
    """One key of the space.

    Attributes:
        key: As it is written, such as `model[0].conv2d.filters`.
        path: The same in parts.
        position: Where it stands.
        options: Its values; None where it has a range.
        range: Its range; None where it has values.
        is_whole: Whether the range is of whole numbers.
    """

    key: str
    path: ValuePath
    position: Position
    options: tuple[Any, ...] | None
    range: Range | None
    is_whole: bool = False

    @property
    def ends(self) -> tuple[Any, ...]:
        """Its values, or the lowest and the highest number."""
        if self.options is not None:
            return self.options
        assert self.range is not None
        return self.range.low, self.range.last

    @property
    def grid(self) -> tuple[Any, ...] | None:
        """All its values; None where they cannot be counted."""
        if self.options is not None or self.range is None:
            return self.options
        steps, step = self.range.steps, self.range.step
        if steps is None and self.is_whole and not self.range.log:
            steps, step = self.range.high - self.range.low, 1
        return None if steps is None else tuple(self.range.low + number * step for number in range(steps + 1))


def read_dimension(document: Document, key: str, value: Any) -> Dimension:
    """What stands at a key of `space`.

    Raises:
        ConfigError: it is neither a list of different values nor a range, or the key is no path.
    """
    position, path = document.position(("space", key)), parse_path(key)
    assert position is not None  # it was read from there
    if path is None:
        hint = "for example train.batch_size or model[0].conv2d.filters"
        raise ConfigError([Problem("expected the path of a key", key, position, hint=hint)])
    if isinstance(value, list) and value:
        if len({show(one) for one in value}) < len(value):
            raise ConfigError([Problem("expected values that differ", key, position, show(value))])
        return Dimension(key, path, position, tuple(value), None)
    if not isinstance(value, dict):
        hint = f"for example {key}: [32, 64], or {key}: {{from: 32, to: 64}}"
        raise ConfigError([Problem("expected a list of values, or from and to", key, position, show(value), hint)])
    try:
        return Dimension(key, path, position, None, Range.model_validate(value))
    except ValidationError as error:
        raise ConfigError([_renamed(one, key) for one in explain(error, document, ("space", key))]) from None


def _renamed(problem: Problem, key: str) -> Problem:
    """A problem of a range: its path without `space`, its hint of the keys of a range."""
    word = problem.path.rpartition(".")[2]
    hint = problem.hint
    if problem.message == "there is no such key":
        hint = suggest(word, _KEYS, "the keys here are")
    elif problem.message == "a required key is missing":
        hint = f"for example {key}: {{from: 16, to: 64, step: 16}}"
    elif problem.path == f"space.{key}":
        hint = None
    path = problem.path.removeprefix("space.")
    return Problem(problem.message, path, problem.position, problem.received, hint)
