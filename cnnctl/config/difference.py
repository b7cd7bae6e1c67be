"""Where several configs differ, each place by its dotted path."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import Any

from cnnctl.config.dump import to_plain
from cnnctl.config.schema import Config
from cnnctl.settings import Named, Settings, given


class _Absent:
    """What a config has in a place that it lacks."""


ABSENT = _Absent()

_FREE = ("name",)
"""Keys that say nothing of the training; the file's name is a default of theirs."""

_LIKENESS: tuple[Callable[[Named], str], ...] = (repr, lambda one: one.kind, lambda one: one.kind.split("_")[-1])
"""Equal items are matched first; between them those of a kind, then max_pooling2d with average_pooling2d."""


@dataclass(frozen=True)
class Difference:
    """A place in which configs differ, such as `train.epochs` or `model[3].dropout.rate`.

    A layer has its number in the first config that has it. `values` are what each config has there, in the form of the
    YAML text, or ABSENT; of a layer or of settings that not all of them have, what is not as it would be by default.
    """

    path: str
    values: tuple[Any, ...]


def differences(configs: Sequence[Config]) -> tuple[Difference, ...]:
    """Where configs differ, in the order of their keys; their names are left aside.

    Lists of layers and of augmentations are laid side by side: one layer more is one difference, not as many as come
    after it.
    """
    fields = [field for field in Config.model_fields if field not in _FREE]
    return tuple(one for field in fields for one in _differ(field, [getattr(config, field) for config in configs]))


def _differ(path: str, values: Sequence[Any]) -> Iterator[Difference]:
    first = values[0]
    if all(type(value) is type(first) and value == first for value in values):
        return
    if isinstance(first, Settings) and all(type(value) is type(first) for value in values):
        within = f"{path}.{first.kind}" if isinstance(first, Named) else path
        decisive = {field for value in values for field in given(value)}
        for field in type(first).model_fields:
            if field in decisive:  # what else differs follows from another setting
                yield from _differ(f"{within}.{field}", [getattr(value, field) for value in values])
    elif all(isinstance(value, dict) and value for value in values):
        for key in dict.fromkeys(key for value in values for key in value):
            yield from _differ(f"{path}.{key}", [value.get(key, ABSENT) for value in values])
    elif all(_is_list_of_layers(value) for value in values):
        for slot in _side_by_side(values):
            number = next(place for place in slot if place is not None)
            items = [value[place] if place is not None else ABSENT for value, place in zip(values, slot, strict=True)]
            yield from _differ(f"{path}[{number}]", items)
    else:
        yield _leaf(path, values)


def _leaf(path: str, values: Sequence[Any]) -> Difference:
    kinds = {value.kind for value in values if isinstance(value, Named)}
    if len(kinds) == 1 and all(value is ABSENT or isinstance(value, Named) for value in values):
        return Difference(f"{path}.{kinds.pop()}", tuple(v if v is ABSENT else _settings(v) for v in values))
    return Difference(path, tuple(value if value is ABSENT else _brief(value) for value in values))


def _brief(value: Any) -> Any:
    """`to_plain` without what is as it would be by default."""
    if isinstance(value, Named):
        settings = _settings(value)
        return {value.kind: settings} if settings else value.kind
    if isinstance(value, Settings):
        return _settings(value)
    return [_brief(item) for item in value] if isinstance(value, tuple | list) else to_plain(value)


def _settings(value: Settings) -> dict[str, Any]:
    return {name: _brief(setting) for name, setting in given(value).items()}


def _is_list_of_layers(value: Any) -> bool:
    return isinstance(value, tuple) and all(isinstance(item, Named) for item in value)


def _side_by_side(lists: Sequence[Sequence[Named]]) -> list[list[int | None]]:
    """Which item of each list stands beside which of the others: a row a place, None for a list that has none there.

    Example: of [conv2d, flatten] and [conv2d, dropout, flatten]: [[0, 0], [None, 1], [1, 2]].
    """
    items = list(lists[0])
    rows: list[list[int | None]] = [[place] for place in range(len(items))]
    for done, others in enumerate(lists[1:], start=1):
        pairs = _aligned(items, others)
        rows = [[*(rows[old] if old is not None else [None] * done), new] for old, new in pairs]
        items = [items[old] if old is not None else others[new or 0] for old, new in pairs]
    return rows


def _aligned(first: Sequence[Named], second: Sequence[Named], level: int = 0) -> list[tuple[int | None, int | None]]:
    """The pairs of places that stand side by side, each list in its order; None beside what has no partner."""
    if level == len(_LIKENESS):
        return [*((place, None) for place in range(len(first))), *((None, place) for place in range(len(second)))]
    key = _LIKENESS[level]
    matcher = SequenceMatcher(None, list(map(key, first)), list(map(key, second)), autojunk=False)
    pairs: list[tuple[int | None, int | None]] = []
    for tag, one, one_end, two, two_end in matcher.get_opcodes():
        if tag == "equal":
            pairs += zip(range(one, one_end), range(two, two_end), strict=True)
        else:
            inner = _aligned(first[one:one_end], second[two:two_end], level + 1)
            pairs += [(a if a is None else one + a, b if b is None else two + b) for a, b in inner]
    return pairs
