"""The network that is meant by a config, a run or a .keras file, without Keras and, where it can be, without data."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from cnnctl.architecture import Plan, make_plan
from cnnctl.architecture.planner import plan_of
from cnnctl.config import Config, Loaded, parse_config
from cnnctl.config.budget import Budget
from cnnctl.config.schema import TestTime, views_of
from cnnctl.config.source import format_path
from cnnctl.config.training import TrainSettings
from cnnctl.errors import ConfigError, DataError, Problem
from cnnctl.system.files import is_file, is_folder

if TYPE_CHECKING:
    from cnnctl.runs import Run

CONFIG_SUFFIXES = (".yaml", ".yml")


@dataclass(frozen=True)
class Subject:
    """What is summed up: a network and, for a config or a run, how it is trained."""

    name: str
    plan: Plan
    train: TrainSettings | None
    test_time: TestTime | None = None
    budget: Budget | None = None

    @property
    def views(self) -> int:
        """How often an image goes through the network in a prediction."""
        return views_of(self.test_time)


def find_subject(source: Path | None, assignments: Sequence[str]) -> Subject:
    """The network that is meant by an argument, or by none.

    Raises:
        CnnctlError: there is none, or it is wrong.
    """
    if source is not None and source.suffix in CONFIG_SUFFIXES and is_file(source):
        return subject_of(parse_config(source, assignments))
    from cnnctl.runs.find import find_run, names_run

    if source is None:
        configs = sorted(path for path in Path().iterdir() if path.suffix in CONFIG_SUFFIXES)
        if len(configs) != 1:
            return _of_run(find_run(None))
        source = configs[0]
    if source.suffix == ".keras":
        from cnnctl.architecture.keras_file import read_keras_file

        return Subject(source.name, read_keras_file(source), None)
    if is_folder(source) or names_run(str(source)):
        return _of_run(find_run(source))
    return subject_of(parse_config(source, assignments))


def subject_of_run(path: Path) -> Subject:
    """The network of a run, or of the best of a name.

    Raises:
        RunError: there is none.
    """
    from cnnctl.runs import find_run

    return _of_run(find_run(path))


def subject_of(loaded: Loaded) -> Subject:
    """The network of a config.

    Raises:
        ConfigError: it has mistakes, or its shapes are impossible.
        DataError: neither the config nor the data tells how many classes there are.
    """
    config = loaded.need()
    image = config.data.image
    plan = make_plan(config.model, (image.height, image.width, image.channels), summary_classes(config), config.output)
    if plan.problems:
        raise ConfigError(
            [
                Problem(one.message, format_path(one.path), loaded.document.position(one.path), one.received, one.hint)
                for one in plan.problems
            ]
        )
    return Subject(loaded.name, plan, config.train, config.test_time, config.budget)


def summary_classes(config: Config) -> int:
    """The number of classes for `summary`: the config's word, else a glance at the data.

    Raises:
        DataError: neither tells.
    """
    if config.output.kind == "sigmoid":
        return 2
    if config.classes is not None:
        return config.classes
    from cnnctl.data.sources import count_source_classes
    from cnnctl.data.split_folders import SplitsError

    try:
        several = config.output.multi_label is not None
        found = count_source_classes(config.data.train, config.data.csv, config.data.folders_are_classes, several)
        if found < 2:
            raise DataError(f"expected at least two classes in {config.data.train}, which has {found or 'none'}")
        return found
    except SplitsError:
        raise
    except DataError as error:
        raise DataError(
            error.message, "add `classes: 10` at the top of the config to use summary without the data"
        ) from None


def _of_run(run: "Run") -> Subject:
    config = run.read_config()
    plan = plan_of(config, len(run.read_classes()), run.config, run.checked(run.keras_model))
    return Subject(str(run.path), plan, config.train, config.test_time, config.budget)
