"""A SWEEP.yaml -> what a sweep tries: a config, what is set in it, and the space of what is varied."""

import itertools
import math
import random
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import ValidationError

from cnnctl.config import reading
from cnnctl.config.dimensions import Dimension, read_dimension
from cnnctl.config.load import Loaded, bind, read_document, refuse_path
from cnnctl.config.meant import suggest
from cnnctl.config.overrides import parse_path, put
from cnnctl.config.problems import explain, show
from cnnctl.config.source import Document, ValuePath
from cnnctl.errors import ConfigError, Position, Problem, UsageError
from cnnctl.settings import Count, FromZero, Named, OrNone, Settings, Text, described

MOST_CORNERS = 256
_MISSING, _UNKNOWN = "a required key is missing", "there is no such key"
_EXAMPLES = {"config": "photos.yaml", "trials": 40, "space": {"train.batch_size": [32, 64]}}


class Median(Named):
    """Ends a trial whose best epoch so far is worse than the median of the others at the same epoch."""

    startup_trials: Annotated[FromZero, described("Trials that are complete before any is ended.")] = 5
    warmup_epochs: Annotated[FromZero, described("Epochs of each trial that are never judged.")] = 0


class Hyperband(Named):
    """Gives many trials few epochs, and the best of them more (Li et al. 2018)."""

    min_epochs: Annotated[Count, described("Epochs that every trial has.")] = 1
    reduction_factor: Annotated[int, described("Of so many trials one goes on.", ge=2, le=100)] = 3


_PRUNERS: dict[str, type[Named]] = {"median": Median, "hyperband": Hyperband}


class SweepSettings(Settings):
    """A whole SWEEP.yaml."""

    config: Annotated[Text, described("The config that is varied.", "photos.yaml")]
    trials: Annotated[Count, described("Number of trainings.", 40)]
    metric: Annotated[
        Literal["val_accuracy", "val_loss", "accuracy", "loss"],
        described("The column of history.csv by which trials are judged, in the epoch whose weights are kept."),
    ] = "val_accuracy"
    sampler: Annotated[Literal["tpe", "random", "grid"], described("How Optuna chooses what is tried.")] = "tpe"
    prune: Annotated[Any, described("Which trials end early: none, median or hyperband.")] = None
    storage: Annotated[
        Text | None, OrNone, described("Address of a PostgreSQL or MySQL database; none: SQLite in the output folder.")
    ] = None
    heartbeat: Annotated[
        Count, described("Seconds between two signs of life; a worker that lacks six of them is taken for dead.")
    ] = 10
    set: Annotated[dict[str, Any], described("Values of the config that all trials have.")] = {}  # noqa: RUF012
    space: Annotated[dict[str, Any], described("What is varied: a list of values, or from and to.", min_length=1)]


@dataclass(frozen=True)
class Sweep:
    """A SWEEP.yaml that is right in its own vocabulary.

    Attributes:
        path: The file.
        settings: What it says, `prune` as Median or Hyperband.
        dimensions: What is varied, in the order of the file.
        base: The config with what `set` sets.
        base_path: Its file.
        position: Where the key of the metric stands.
    """

    path: Path
    settings: SweepSettings
    dimensions: tuple[Dimension, ...]
    base: Document
    base_path: Path
    position: Position | None

    def loaded(self, values: Mapping[str, Any]) -> Loaded:
        """The config with these values of the space.

        Raises:
            ConfigError: a value cannot be set where it is to be.
        """
        document = self.base
        for one in self.dimensions:
            if one.key in values:
                document = _put(document, one.path, values[one.key], one.position, self.path.parent)
        return bind(document, self.base_path)

    def corners(self) -> Iterator[dict[str, Any]]:
        """Values at the borders of the space: all combinations, or where they are many, each value and some of them."""
        ends = {one.key: one.ends for one in self.dimensions}
        if math.prod(map(len, ends.values())) <= MOST_CORNERS:
            yield from (dict(zip(ends, values, strict=True)) for values in itertools.product(*ends.values()))
            return
        lowest = {key: values[0] for key, values in ends.items()}
        yield from ({**lowest, key: value} for key, values in ends.items() for value in values)
        yield {key: values[-1] for key, values in ends.items()}
        chance = random.Random(0)
        for _ in range(MOST_CORNERS - sum(map(len, ends.values())) - 1):
            yield {key: chance.choice(values) for key, values in ends.items()}


def load_sweep(path: Path) -> Sweep:
    """Read a SWEEP.yaml, and the config that it names.

    Raises:
        UsageError: one of the files cannot be read.
        ConfigError: with every mistake of it; those of the values of the config are found by `Sweep.loaded`.
    """
    document = reading.read(path)
    settings = _settings(document)
    base_path = path.parent / settings.config
    try:
        base = read_document(base_path)
    except UsageError as error:
        position = document.position(("config",))
        raise ConfigError([Problem(error.message, "config", position, hint=error.hint)]) from None
    dimensions: list[Dimension] = []
    problems: list[Problem] = []
    for key, value in settings.set.items():
        try:
            base = _checked_put(base, document, "set", key, value, path.parent)
        except ConfigError as error:
            problems += error.problems
    for key, value in settings.space.items():
        try:
            one = read_dimension(document, key, value)
            if key in settings.set:
                raise ConfigError(
                    [Problem("it is set and varied", key, one.position, hint="remove it from one of the two")]
                )
            _checked_put(base, document, "space", key, one.ends[0], path.parent)
            dimensions.append(one)
        except ConfigError as error:
            problems += error.problems
    problems += _overlaps(dimensions)
    if problems:
        raise ConfigError(problems)
    sweep = Sweep(path, settings, tuple(dimensions), base, base_path, document.position(("metric",)))
    whole = tuple(replace(one, is_whole=_takes_whole_numbers(sweep, one)) for one in dimensions)
    sweep = replace(sweep, dimensions=whole)
    if settings.sampler == "grid":
        _refuse_endless(sweep)
    return sweep


def _overlaps(dimensions: list[Dimension]) -> Iterator[Problem]:
    """Keys inside of others: whichever were set last would undo the other."""
    for outer, inner in itertools.permutations(dimensions, 2):
        if inner.path[: len(outer.path)] == outer.path:
            message = f"{outer.key}, which holds it, is varied too"
            hint = f"give the values of {outer.key} their own settings, such as {{sgd: {{momentum: 0.9}}}}"
            yield Problem(message, inner.key, inner.position, hint=hint)


def _settings(document: Document) -> SweepSettings:
    try:
        settings = SweepSettings.model_validate(document.data)
    except ValidationError as error:
        problems = explain(error, document)
        raise ConfigError([_hinted(one, tuple(SweepSettings.model_fields)) for one in problems]) from None
    _refuse_storage(settings.storage, document)
    return settings.model_copy(update={"prune": _pruner(settings.prune, document)})


def _refuse_storage(storage: str | None, document: Document) -> None:
    """Refuse storages that do not notice that a worker is gone."""
    scheme, separator, rest = (storage or "").partition("://")
    dialect = scheme.partition("+")[0]
    if storage is None or (separator and dialect in ("postgresql", "mysql", "mariadb")):
        return
    message = "expected the address of a PostgreSQL or MySQL database, or sqlite:///FILE"
    if dialect == "sqlite" and separator:
        if rest.strip("/") not in ("", ":memory:"):
            return
        message = "SQLite in memory ends with its worker, and no other one sees it"
    elif dialect in ("redis", "rediss", "grpc", "journal") or storage.endswith((".log", ".journal")):
        message = "a journal and a gRPC proxy have no heartbeat: the trial of a killed worker would never end"
    hint = "leave it out for SQLite in the output folder, or for example postgresql://user@host/database"
    shown = f"storage={scheme}://..." if separator else f"storage={show(storage)}"
    raise ConfigError([Problem(message, "storage", document.position(("storage",)), shown, hint)])


def _hinted(problem: Problem, known: tuple[str, ...]) -> Problem:
    """A problem whose hint is of this file, not of a config."""
    key = problem.path.rpartition(".")[2]
    if problem.message == _UNKNOWN:
        return replace(problem, hint=suggest(key, known, "the keys here are"))
    if problem.message == _MISSING:
        return replace(problem, hint=f"add it: {key}: {show(_EXAMPLES.get(key, '...'))}")
    if problem.path == "space":
        return replace(problem, hint=f"for example space: {show(_EXAMPLES['space'])}")
    return problem


def _pruner(value: Any, document: Document) -> Named | None:
    """`none`, a name, or a name with settings."""
    if value in (None, "none"):
        return None
    name, given = next(iter(value.items())) if isinstance(value, dict) and len(value) == 1 else (value, None)
    if not isinstance(name, str) or name not in _PRUNERS:
        hint = suggest(str(name), [*_PRUNERS, "none"], None)
        message = "expected none, median or hyperband, with its settings or without"
        raise ConfigError([Problem(message, "prune", document.position(("prune",)), f"prune={show(value)}", hint)])
    try:
        return _PRUNERS[name].model_validate({} if given is None else given)
    except ValidationError as error:
        problems = explain(error, document, ("prune", name))
        raise ConfigError([_hinted(one, tuple(_PRUNERS[name].model_fields)) for one in problems]) from None


def _checked_put(base: Document, document: Document, section: str, key: str, value: Any, folder: Path) -> Document:
    """`_put` of a key of `set` or `space`.

    Raises:
        ConfigError: it is no key of the config, or leads through a plain value.
    """
    position = document.position((section, key))
    assert position is not None  # it was read from there
    path = parse_path(key)
    if path is None:
        hint = "for example train.batch_size or model[0].conv2d.filters"
        raise ConfigError([Problem("expected the path of a key", key, position, hint=hint)])
    refuse_path(base, path, position)
    return _put(base, path, value, position, folder)


def _put(document: Document, path: ValuePath, value: Any, position: Position, folder: Path) -> Document:
    """The config with a value whose file paths start in the folder of the SWEEP.yaml."""
    changed = put(document, path, value, position)
    return replace(changed, folders={**changed.folders, **dict.fromkeys(_below(path, value), folder)})


def _below(path: ValuePath, value: Any) -> Iterator[ValuePath]:
    yield path
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in items:
        yield from _below((*path, key), item)


def _takes_whole_numbers(sweep: Sweep, one: Dimension) -> bool:
    """Whether a range is of whole numbers: its ends are, and the config refuses what lies between them."""
    if one.range is None or not one.range.is_whole:
        return False
    values = {other.key: other.ends[0] for other in sweep.dimensions}
    problems = sweep.loaded({**values, one.key: one.range.low + 0.5}).problems
    return any(problem.position == one.position for problem in problems)


def _refuse_endless(sweep: Sweep) -> None:
    endless = [one for one in sweep.dimensions if one.grid is None]
    hint = "add a step, or list the values"
    message = "a grid needs values that can be counted"
    if endless:
        raise ConfigError([Problem(message, one.key, one.position, hint=hint) for one in endless])
