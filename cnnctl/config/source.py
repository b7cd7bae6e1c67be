"""YAML text -> plain values with the position of each, and nothing that a config has no use for.

Scalars follow YAML 1.2's core schema (https://yaml.org/spec/1.2.2/#103-core-schema): `no` is text, `1e-3` is a
number. Beyond that: keys are always text, an integer with leading zeros is refused rather than guessed at, and so
are tags, merge keys, duplicate keys, several documents, and files that are large or deep beyond any config.
Variables such as `${env:DATA}` are filled in while a text is parsed.
"""

import contextlib
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from cnnctl.config.scalars import (
    MAX_EXPANDED,
    UNPRINTABLE,
    RefusedScalarError,
    expand,
    resolve_scalar,
    shield,
    unshield,
)
from cnnctl.errors import ConfigError, Position, Problem

EXTENDS = "extends"
"""The key that names the config below; `extends.py` reads it."""

TYPE_NAMES = {list: "a list", int: "a whole number", float: "a number", bool: "true or false"}

MAX_BYTES = 1_000_000
MAX_DEPTH = 40
MAX_VALUES = 20_000

ValuePath = tuple[str | int, ...]


@dataclass(frozen=True)
class Document:
    """A parsed config: the position of a value is at its key where it has one, else at the value itself.

    `overridden` are the paths of values that came from `--set`, whose file paths are relative to the current folder.
    `folders` are those that file paths from other configs are relative to, by the path of each of their values.
    """

    data: dict[str, Any]
    positions: Mapping[ValuePath, Position]
    overridden: frozenset[ValuePath] = frozenset()
    folders: Mapping[ValuePath, Path] = field(default_factory=dict)

    def position(self, path: ValuePath) -> Position | None:
        """The position of `path`, or of the nearest value that encloses it."""
        for length in range(len(path), -1, -1):
            found = self.positions.get(path[:length])
            if found is not None:
                return found
        return None

    def overridden_below(self, path: ValuePath) -> Position | None:
        """The position of an override of something inside the value at `path`, which it may have spoilt."""
        inside = [one for one in self.overridden if one[: len(path)] == path]
        return self.position(inside[0]) if inside else None


@dataclass
class _Node:
    """A value before aliases are followed; `children` holds (key, key's mark, value) of a mapping or a list."""

    mark: Position
    value: Any = None
    is_mapping: bool = False
    children: list[tuple[str | int, Position, "_Node"]] | None = None


@dataclass
class _Composer:
    """Builds nodes from PyYAML's events and refuses what a config must not hold."""

    origin: str
    lines: list[str]
    events: Iterator[yaml.Event]
    environment: Mapping[str, str] | None
    is_shielded: bool = False
    expanded: int = 0
    anchors: dict[str, _Node] = field(default_factory=dict)
    open_anchors: set[str] = field(default_factory=set)
    problems: list[Problem] = field(default_factory=list)

    def root(self) -> _Node | None:
        """The first document; None where there is none."""
        next(self.events)  # the start of the stream
        if isinstance(next(self.events), yaml.StreamEndEvent):
            return None
        return self.node(next(self.events), 0)

    def at(self, mark: Any) -> Position:
        return _position(self.origin, self.lines, mark.line, mark.column)

    def refuse(self, position: Position, message: str, hint: str | None = None, received: str | None = None) -> None:
        self.problems.append(Problem(message, position=position, hint=hint, received=received))

    def node(self, event: yaml.Event, depth: int) -> _Node:
        position = self.at(event.start_mark)
        if depth > MAX_DEPTH:
            self.refuse(position, f"expected at most {MAX_DEPTH} levels of nesting")
            raise ConfigError(self.problems)
        if isinstance(event, yaml.AliasEvent):
            return self._alias(str(event.anchor), position)
        if not isinstance(event, yaml.ScalarEvent | yaml.SequenceStartEvent | yaml.MappingStartEvent):
            raise TypeError(f"unexpected YAML event {event!r}")
        if event.tag not in (None, "!"):
            hint = "write the value without the tag; put it in quotes if it is text"
            self.refuse(position, "tags are not used in a config", hint, f"tag {event.tag}")
        anchor = event.anchor
        node = _Node(position)
        if anchor is not None:
            self.anchors[anchor] = node
            self.open_anchors.add(anchor)
        if isinstance(event, yaml.ScalarEvent):
            node.value = self._scalar(event, position)
        elif isinstance(event, yaml.SequenceStartEvent):
            node.children = list(self._items(depth))
        else:
            node.is_mapping = True
            node.children = list(self._pairs(depth))
        self.open_anchors.discard(anchor or "")
        return node

    def _alias(self, anchor: str, position: Position) -> _Node:
        if anchor in self.open_anchors:
            self.refuse(
                position, f"the alias *{anchor} is inside the value that it refers to", hint="write the value out"
            )
        elif anchor not in self.anchors:
            self.refuse(position, f"the alias *{anchor} has no anchor &{anchor} before it")
        else:
            return self.anchors[anchor]
        return _Node(position)

    def _scalar(self, event: yaml.ScalarEvent, position: Position) -> Any:
        written = self._plain(event.value)
        if "\0" in written:
            self.refuse(position, "a text must not hold the character NUL", hint="remove \\0")
        text = written
        try:
            text = expand(written, self.environment)
            if text != written:
                self._count(len(text), position)
            return text if event.style else resolve_scalar(text)
        except RefusedScalarError as refused:
            self.refuse(position, str(refused), received=text[:60], hint=refused.hint)
            return text

    def _plain(self, text: str) -> str:
        return unshield(text) if self.is_shielded else text

    def _count(self, length: int, position: Position) -> None:
        """Refuse variables that would fill the memory."""
        self.expanded += length
        if self.expanded > MAX_EXPANDED:
            self.refuse(position, f"expected at most {MAX_EXPANDED:,} characters once variables are filled in")
            raise ConfigError(self.problems)

    def _items(self, depth: int) -> Iterator[tuple[int, Position, _Node]]:
        index = 0
        while not isinstance(event := next(self.events), yaml.SequenceEndEvent):
            node = self.node(event, depth + 1)
            yield index, self.at(event.start_mark), node
            index += 1

    def _pairs(self, depth: int) -> Iterator[tuple[str, Position, _Node]]:
        seen: dict[str, Position] = {}
        while not isinstance(event := next(self.events), yaml.MappingEndEvent):
            position = self.at(event.start_mark)
            if not isinstance(event, yaml.ScalarEvent):
                self.refuse(position, "a key must be plain text", "remove the brackets or the alias before the ':'")
                self.node(event, depth + 1)
                self.node(next(self.events), depth + 1)
                continue
            key = self._plain(event.value)
            if event.tag not in (None, "!"):
                self.refuse(position, "tags are not used in a config", received=f"tag {event.tag}")
            value = self.node(next(self.events), depth + 1)
            if key == "<<" and not event.style:
                hint = "write the keys out, or use an alias for a whole value"
                self.refuse(position, "merge keys are not used in a config", hint)
            elif key in seen:
                first = f"first on line {seen[key].line}"
                self.refuse(position, f"the key `{key}` appears twice in this mapping", "remove one of the two", first)
            else:
                seen[key] = position
                yield key, position, value


def parse(text: str, origin: str, environment: Mapping[str, str] | None = os.environ) -> Document:
    """Parse the text of a config; `origin` is the file as the user named it, for messages.

    Without an environment no variables are filled in.

    Raises:
        ConfigError: naming every problem that can be found in one pass, each with line and column.
    """
    root = _compose(text, origin, environment)
    if not root.is_mapping:
        hint = "a config begins like this: data: {train: photos}"
        raise error_at("expected keys such as `data`, `model` and `train`", root.mark, hint=hint)
    positions: dict[ValuePath, Position] = {(): root.mark}
    return Document(_follow(root, positions, origin), positions)


def parse_value(text: str, origin: str) -> Any:
    """The value of a single YAML text, as after the `=` of `--set`; nothing is null, as after a key."""
    if not text.strip():
        return None
    return _follow(_compose(text, origin, os.environ), {}, origin)


def error_at(message: str, position: Position, received: str | None = None, hint: str | None = None) -> ConfigError:
    """The error of one mistake at a place in a text."""
    return ConfigError([Problem(message, "", position, received, hint)])


def _compose(text: str, origin: str, environment: Mapping[str, str] | None) -> _Node:
    """The one document of a text, or all that is wrong with it."""
    if len(text.encode("utf-8", "surrogatepass")) > MAX_BYTES:
        raise too_large(origin)
    if unprintable := UNPRINTABLE.search(text):
        shown = UNPRINTABLE.sub("\N{REPLACEMENT CHARACTER}", text)
        position = position_after(text[: unprintable.start()], origin, shown)
        raise error_at("a config is UTF-8 text without control characters", position)
    lines = text.splitlines() or [""]
    shielded = shield(text)
    composer = _Composer(origin, lines, _events(shielded), environment, shielded != text)
    try:
        root = composer.root()
        if root is None:
            raise error_at("the file is empty", Position(origin, 1, 1, ""), hint="`cnnctl schema` describes a config")
        next(composer.events)  # the end of the document
        if not isinstance(after := next(composer.events), yaml.StreamEndEvent):
            hint = "remove the `---` and what follows it"
            composer.refuse(composer.at(after.start_mark), "expected one YAML document", hint)
    except yaml.MarkedYAMLError as error:
        _refuse_depth_before(error, shielded, origin, lines)
        raise ConfigError([*composer.problems, _syntax_problem(error, origin, lines)]) from None
    if composer.problems:
        raise ConfigError(composer.problems)
    return root


def _events(text: str) -> Iterator[yaml.Event]:
    events: Iterator[yaml.Event] = yaml.parse(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    return events


def _refuse_depth_before(error: yaml.MarkedYAMLError, text: str, origin: str, lines: list[str]) -> None:
    """Refuse the one level too many, where the text before the parser's error has it.

    PyYAML looks for the ':' of a key up to 1,024 characters ahead, and what it refuses there (since 6.0.4 its own
    limit of nesting, too) hides the events before. They come when the text ends where the error stands.
    """
    if error.problem_mark is not None:
        with contextlib.suppress(yaml.MarkedYAMLError):
            _Composer(origin, lines, _events(text[: error.problem_mark.index]), None).root()


def _syntax_problem(error: yaml.MarkedYAMLError, origin: str, lines: list[str]) -> Problem:
    mark = error.problem_mark or error.context_mark
    if mark is not None and (mark.line, mark.column) >= (len(lines) - 1, len(lines[-1])):
        mark = error.context_mark or mark  # what the end of the text cuts off is better shown where it begins
    position = _position(origin, lines, mark.line, mark.column) if mark else Position(origin, 1, 1, lines[0])
    what = " ".join(part for part in (error.problem, error.context) if part)
    hint = None
    indent = position.text[: len(position.text) - len(position.text.lstrip())]
    if "\t" in indent or "'\\t'" in what or "tab" in what:
        what, hint = "YAML is indented with spaces, not tabs", "replace each tab with two spaces"
    elif "could not find expected ':'" in what:
        hint = "a key is followed by a colon and a space: `epochs: 20`"
    elif "did not find expected ',' or" in what or "expected ',' or" in what:
        hint = "a bracket or a brace is not closed, or a comma is missing"
    elif "unexpected end of stream" in what:
        hint = "a quote is not closed"
    return Problem(
        f"this is not YAML: {what}" if hint is None or "tabs" not in what else what, position=position, hint=hint
    )


def _follow(root: _Node, positions: dict[ValuePath, Position], origin: str) -> Any:
    """Follow the aliases, recording positions; the number of values is bounded, so an alias bomb ends early."""
    budget = MAX_VALUES

    def follow(node: _Node, path: ValuePath) -> Any:
        nonlocal budget
        budget -= 1
        if budget < 0 or len(path) > MAX_DEPTH:
            message = f"expected at most {MAX_VALUES:,} values and {MAX_DEPTH} levels once aliases are followed"
            raise error_at(message, positions.get(()) or Position(origin, 1, 1, ""))
        if node.children is None:
            return node.value
        values = []
        for key, position, child in node.children:
            positions[(*path, key)] = position
            values.append((key, follow(child, (*path, key))))
        return dict(values) if node.is_mapping else [value for _, value in values]

    return follow(root, ())


def _position(origin: str, lines: list[str], line: int, column: int) -> Position:
    """The position of a mark that counts from 0; the end of the text is the end of its last line."""
    if line >= len(lines):
        line, column = len(lines) - 1, len(lines[-1])
    return Position(origin, line + 1, column + 1, lines[line])


def position_after(before: str, origin: str, text: str) -> Position:
    """The position of the character after the beginning of a text."""
    lines = (before + "x").splitlines()
    return _position(origin, text.splitlines(), len(lines) - 1, len(lines[-1]) - 1)


def too_large(origin: str) -> ConfigError:
    """Of a text of more than MAX_BYTES."""
    return error_at(f"expected a config of at most {MAX_BYTES:,} bytes", Position(origin, 1, 1, ""))


def format_path(path: ValuePath) -> str:
    """`("model", 3, "conv2d", "filters")` as `model[3].conv2d.filters`."""
    text = ""
    for part in path:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else str(part)
    return text
