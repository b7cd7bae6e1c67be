"""What the doctor looks at: the images of a config, or those that a run was trained and judged on."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from cnnctl.config import Config, load
from cnnctl.config.schema import DataSettings
from cnnctl.data.catalog import make_catalog
from cnnctl.data.labels import label_numbers
from cnnctl.data.split import SPLITS
from cnnctl.errors import ConfigError, Problem, RunError, UsageError
from cnnctl.network_source import CONFIG_SUFFIXES
from cnnctl.system.files import is_file, is_folder

if TYPE_CHECKING:
    from cnnctl.runs import Run


@dataclass(frozen=True)
class Subject:
    """Images with their labels and splits, in a fixed order.

    Attributes:
        name: Of the config, or of the run.
        config: It says where the images are and how they are read.
        classes: The class names in label order.
        paths: Of the images, absolute.
        labels: int64 (images,), their class numbers.
        splits: (images,), the names of their splits.
        run: The run that the images are of; None of a config.
    """

    name: str
    config: Config
    classes: tuple[str, ...]
    paths: Sequence[str]
    labels: NDArray[np.int64]
    splits: NDArray[np.object_]
    run: "Run | None" = None


def find_subject(source: Path, assignments: Sequence[str] = ()) -> Subject:
    """What an argument means: a config, or a run.

    Raises:
        CnnctlError: there is none, or its data cannot be used.
        UsageError: a run is to be changed by `assignments`.
    """
    if not _is_run(source):
        return subject_of_config(load(source, assignments))
    return subject_of_run(_find_run(source, assignments))


def data_of(source: Path, assignments: Sequence[str] = ()) -> DataSettings:
    """Where the images of a config or a run are; raises as `find_subject`."""
    config = _find_run(source, assignments).read_config() if _is_run(source) else load(source, assignments)
    _refuse_several_labels(config)
    return config.data


def _find_run(source: Path, assignments: Sequence[str]) -> "Run":
    from cnnctl.runs import find_run

    if assignments:
        raise UsageError("--set changes a config, not a run", f"name the config in place of {source}")
    return find_run(source)


def _is_run(source: Path) -> bool:
    from cnnctl.runs.find import names_missing_run, names_run

    if source.suffix in CONFIG_SUFFIXES and is_file(source):
        return False
    return is_folder(source) or names_run(str(source)) or names_missing_run(str(source))


def subject_of_config(config: Config) -> Subject:
    """The images that a training of a config would take.

    Raises:
        DataError: they cannot be listed.
        ConfigError: its images have several labels each.
    """
    _refuse_several_labels(config)
    catalog = make_catalog(config.data, config.seed)
    number = {name: index for index, name in enumerate(catalog.classes)}
    frame = catalog.frame
    labels = np.asarray(frame.label.map(number), np.int64)
    return Subject(str(config.name), config, catalog.classes, frame.path.tolist(), labels, frame.split.to_numpy(object))


def subject_of_run(run: "Run") -> Subject:
    """The images that a run was trained and judged on, as its split.csv has them.

    Raises:
        RunError: the run is not complete, or holds what cnnctl does not write.
        ConfigError: its images have several labels each.
    """
    config, classes = run.read_config(), run.read_classes()
    _refuse_several_labels(config)
    rows = [
        (row["path"], row["label"], row["split"])
        for row in run.read_rows(run.need(run.split), ("path", "label", "split"))
    ]
    paths, labels, splits = zip(*rows, strict=True) if rows else ((), (), ())
    odd = next((split for split in splits if split not in SPLITS), None)
    if odd is not None:
        raise RunError(f"{run.split} has the split {odd}, and splits are {', '.join(SPLITS)}", "train it again")
    numbers = label_numbers(labels, classes, str(run.split))
    return Subject(run.title, config, classes, paths, numbers, np.array(splits, object), run)


def _refuse_several_labels(config: Config) -> None:
    if config.output.multi_label is not None or not isinstance(config.data.csv.label, str):
        message = "the doctor looks at images with one label each, and output: multi_label gives them several"
        hint = "name a config whose images have one label each; `cnnctl check` finds equal images of this one"
        raise ConfigError([Problem(message, "output", received="output=multi_label", hint=hint)])
