"""`cnnctl.doctor` and `cnnctl.apply_fixes`."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cnnctl.api.configs import Source
from cnnctl.api.guests import hosted
from cnnctl.api.runs import TrainedRun
from cnnctl.api.shown import Shown
from cnnctl.config import Config
from cnnctl.config.load import load_values
from cnnctl.errors import UsageError
from cnnctl.examining.doctor import Examined, look_at
from cnnctl.examining.findings import Confused
from cnnctl.examining.fixes import Applied
from cnnctl.examining.fixes import apply_fixes as write_data
from cnnctl.examining.subject import Subject, data_of, find_subject, subject_of_config
from cnnctl.system.files import absolute
from cnnctl.system.watcher import Watcher


@dataclass(frozen=True)
class Found:
    """One thing about one image.

    Attributes:
        kind: `leak`, `conflict`, `label`, `duplicate`, `unreadable`, `empty`, `foreign`, `blurred`, `dark` or `bright`.
        path: The image.
        label: Its label.
        split: Its split.
        about: The evidence in words.
        suggestion: `keep`, `drop`, `relabel`, or `look` where only a person can tell.
        new_label: The class that it may be of; None where none is suggested.
        group: A number that near-duplicates share; None of others.
    """

    kind: str
    path: str
    label: str
    split: str
    about: str
    suggestion: str
    new_label: str | None
    group: int | None


class Diagnosis(Shown):
    """What the doctor found. Its text is what the command prints.

    Attributes:
        page: The HTML page with pictures.
        fixes: The CSV for `apply_fixes`, whose column `action` is to be filled in.
        findings: Those of a kind one after the other, the surest first.
        confused: Pairs of classes that are taken for each other.
    """

    def __init__(self, examined: Examined, source: str) -> None:
        self._examined, self._source = examined, source
        subject = examined.diagnosis.subject
        self.page, self.fixes = absolute(examined.page), absolute(examined.fixes)
        self.confused: tuple[Confused, ...] = examined.diagnosis.confused
        self.findings: tuple[Found, ...] = tuple(
            Found(
                one.kind,
                subject.paths[one.row],
                subject.classes[subject.labels[one.row]],
                str(subject.splits[one.row]),
                one.about,
                one.suggestion,
                one.new_label or None,
                one.group or None,
            )
            for one in examined.diagnosis.findings
        )

    def to_dict(self) -> dict[str, Any]:
        """What `doctor --json` prints."""
        return self._examined.to_json()

    def _show(self) -> None:
        from cnnctl.terminal.doctor import print_examined

        print_examined(self._examined, self._source)

    def __repr__(self) -> str:
        images = len({one.path for one in self.findings})
        total = len(self._examined.diagnosis.subject.paths)
        return f"<Diagnosis: {images:,} of {total:,} images are worth a look>"


def doctor(
    source: Source | TrainedRun,
    overrides: Mapping[str, Any] | None = None,
    *,
    output: str | Path | None = None,
    predictions: str | Path | None = None,
    with_images: bool = False,
    progress: bool | Watcher | None = None,
) -> Diagnosis:
    """Look for mistakes in images and labels, as `cnnctl doctor` does, and write a page and a CSV to decide on.

    Args:
        source: A run, which tells more, or a config as `load_config` takes it.
        overrides: Values of a config by dotted paths, as `load_config` takes them.
        output: A new or empty folder; when left out, the next number in doctor/NAME/.
        predictions: The predictions.csv of a cross-validation, whose networks have not seen the images.
        with_images: As for `report`.
        progress: True prints to stderr how far it is; or a watcher that is told. When
            left out, a notebook shows a bar, and nothing is printed elsewhere.

    Raises:
        ConfigError: the config has mistakes, or its images have several labels each.
        DataError: the images cannot be listed, or none can be decoded.
        RunError: there is no such run, or it has no usable model.
        UsageError: `output` is not empty.
        MachineError: it cannot be written.

    Example: `[one.path for one in doctor("runs/photos/1").findings if one.kind == "label"]`
    """
    subject, name = _subject(source, overrides)
    places = [None if one is None else Path(one) for one in (output, predictions)]
    with hosted("examining images", progress) as (watcher, _):
        return Diagnosis(look_at(subject, name, places[0], places[1], with_images, watcher.progress), name)


def apply_fixes(
    source: Source | TrainedRun,
    fixes: str | Path,
    *,
    output: str | Path | None = None,
) -> dict[str, Path]:
    """Write new data CSVs with the actions of a fixes.csv, as `cnnctl doctor --apply` does; nothing else is changed.

    Args:
        source: The run or config that the file is about.
        fixes: The file, with actions in it.
        output: The folder of the new CSVs; when left out, that of `fixes`.

    Returns:
        Each new CSV by the key of `data` that is to name it: `train`, and maybe `validation` and `test`.

    Raises:
        DataError: rows that cannot be applied, each with its line.
        UsageError: a file is there already.
        CnnctlError: as `doctor`.

    Example: `load_config("photos.yaml", {"data.train": str(apply_fixes("photos.yaml", "fixes.csv")["train"])})`
    """
    path = Path(fixes)
    if isinstance(source, Mapping | Config):
        data = load_values(source, None).need().data
    else:
        data = data_of(source.path if isinstance(source, TrainedRun) else Path(source))
    applied: Applied = write_data(data, path, path.parent if output is None else Path(output))
    return {key: absolute(place) for key, place in applied.written.items()}


def _subject(source: Source | TrainedRun, overrides: Mapping[str, Any] | None) -> tuple[Subject, str]:
    """The images that are meant, and how a command would name them."""
    if isinstance(source, TrainedRun):
        source = source.path
    if isinstance(source, Mapping | Config):
        config = load_values(source, overrides).need()
        return subject_of_config(config), "CONFIG"
    if overrides:
        if Path(source).is_dir():
            raise UsageError("overrides change a config, not a run", f"name the config in place of {source}")
        return subject_of_config(load_values(source, overrides).need()), str(source)
    return find_subject(Path(source)), str(source)
