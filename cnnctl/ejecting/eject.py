"""A checked config and its decoded images -> train.py, its split and maybe its backbone, on disk."""

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from cnnctl.architecture import Plan
from cnnctl.architecture.keras_file import read_keras_file
from cnnctl.checks import Findings
from cnnctl.config import Config
from cnnctl.data.archives import is_inside
from cnnctl.data.catalog import image_spec
from cnnctl.data.file_names import PARQUET
from cnnctl.data.split import TRAIN
from cnnctl.data.statistics import channel_statistics
from cnnctl.ejecting.backbone import EjectedBackbone, ejected_backbone, is_in_keras
from cnnctl.ejecting.reading import choose_reader
from cnnctl.ejecting.script import Facts, InitialWeights, compose
from cnnctl.errors import RunError, UsageError
from cnnctl.runs import find_run
from cnnctl.system import files


@dataclass(frozen=True)
class Ejected:
    """What was written: the script, the CSV that it reads (path, label, split), and how many images each split has.

    `warnings` say what the script does otherwise than the config; they are comments in it too. `backbone` is the file
    of the pretrained network, where keras.applications does not have it.
    """

    script: Path
    split: Path
    counts: dict[str, int]
    warnings: tuple[str, ...]
    backbone: Path | None = None


def split_path(script: Path) -> Path:
    """The CSV beside a script."""
    return script.with_name(f"{script.stem}-split.csv")


def backbone_path(script: Path) -> Path:
    """The pretrained network beside a script."""
    return script.with_name(f"{script.stem}-backbone.keras")


def refuse_output(script: Path) -> None:
    """Raises:
    UsageError: a script cannot go there, or something is there already.
    """
    if script.suffix != ".py":
        raise UsageError(f"a Keras script is a Python file; received: --output {script}", "use the ending .py")
    for path in (script, split_path(script)):
        _refuse_existing(path)


def _refuse_existing(path: Path) -> None:
    if os.path.lexists(path):
        hint = "choose another file with --output, or remove this one"
        raise UsageError(f"{path} already exists; eject overwrites nothing", hint)


def _refuse_archives(paths: Sequence[str]) -> None:
    inside = next((path for path in paths if is_inside(path)), None)
    if inside is not None:
        is_row = PARQUET in inside.lower()
        raise UsageError(
            f"a Keras script reads files, and this image is in {'a table' if is_row else 'an archive'}: {inside}",
            f"{'write its images as files' if is_row else 'unpack it'}, and name their folder in the config",
        )


def eject(name: str, config: Config, findings: Findings, output: Path) -> Ejected:
    """Write the script of a config, whose paths are absolute, and the split of its images.

    The findings are without problems and with the images decoded.

    Raises:
        UsageError: something is there already, or the config asks for what a script cannot do.
        RunError: the weights to begin with, or those of the backbone, do not fit the network.
        MachineError: the weights of the backbone are not here, or Keras cannot be imported.
        DiskError: it cannot be written.
    """
    refuse_output(output)
    assert findings.plan is not None
    assert findings.prepared is not None
    prepared = findings.prepared
    _refuse_archives(prepared.paths)
    pixels, rows, classes = prepared.pixels, prepared.rows, prepared.classes
    reader = choose_reader(prepared.paths, rows.tolist(), pixels, image_spec(config.data.image))
    statistics = None
    if config.data.image.scaling == "standardize":
        statistics = channel_statistics(pixels, rows[prepared.splits == TRAIN])
    start = _initial_weights(config, findings.plan, classes)
    with _written_whole() as written:
        backbone = _write_backbone(config, findings.plan, output, written)
        facts = Facts(
            name,
            config,
            classes,
            prepared.totals(),
            statistics,
            reader,
            start,
            not any("\ud800" <= letter <= "\udfff" for path in prepared.paths for letter in path),
            prepared.undecodable,
            backbone,
        )
        split = split_path(output)
        script = compose(facts, split.name)
        below = f"{files.absolute(output.parent)}{os.sep}"  # so that the script and its images can be moved together
        listing = ((path.removeprefix(below), label, name) for path, label, name in prepared.listing())
        written.append(split)
        files.write_csv(split, ("path", "label", "split"), listing)
        written.append(output)
        files.write_text(output, script.text)
    file = output.with_name(backbone.file) if backbone is not None and backbone.file is not None else None
    return Ejected(output, split, dict(facts.counts), script.warnings, file)


@contextmanager
def _written_whole() -> Iterator[list[Path]]:
    """A list for the files that a block is about to write: all of them, or none."""
    written: list[Path] = []
    try:
        yield written
    except BaseException:
        for path in written:
            path.unlink(missing_ok=True)
        raise


def _write_backbone(config: Config, plan: Plan, output: Path, written: list[Path]) -> EjectedBackbone | None:
    """What the script is told of its backbone, which is written beside it where keras.applications does not have it.

    Raises:
        UsageError: there is such a file already, or the script would need it in other numbers.
        RunError: the weights cannot be read, or are not of this network.
        MachineError: the weights are not here, or Keras cannot be imported.
        DiskError: it cannot be written.
    """
    if plan.backbone is None:
        return None
    if is_in_keras(plan.backbone):
        return ejected_backbone(config, None)
    path, precision = backbone_path(output), config.train.precision
    _refuse_existing(path)
    if precision not in ("auto", "float32"):
        message = f"train.precision: a script loads this backbone from a file, in float32 and not in {precision}"
        raise UsageError(message, "eject with --set train.precision=float32")

    from cnnctl.models.backbone import backbone_weights, save_backbone
    from cnnctl.models.backend import choose_backend, import_keras_on_the_processor

    found = backbone_weights(plan)
    import_keras_on_the_processor(choose_backend("auto"))
    written.append(path)
    arrays = found.arrays if found is not None else None
    return ejected_backbone(config, path.name, save_backbone(plan, config.seed, arrays, path))


def _initial_weights(config: Config, plan: Plan, classes: tuple[str, ...]) -> InitialWeights | None:
    """Where the weights begin, as models/warm_start.py has it; looked at without Keras.

    Raises:
        RunError: the two are not the same network but for the output layer.
    """
    place = config.train.initial_weights
    if place is None:
        return None
    path, theirs = Path(place), None
    if path.suffix != ".keras":
        run = find_run(path)
        path, theirs = run.need(run.keras_model), run.read_classes()
    weighted = [_weighted(one) for one in (plan, read_keras_file(path))]
    if weighted[0][:-1] != weighted[1][:-1]:
        mend = "the layers must be those of the config that it was trained with; only the output layer may differ"
        raise RunError(f"the layers of {path} have other weights than this network", mend)
    same_output = weighted[0][-1] == weighted[1][-1]
    return InitialWeights(files.absolute(path), same_output and (theirs is None or tuple(theirs) == classes))


def _weighted(plan: Plan) -> list[tuple[str, int]]:
    """(kind, parameters) of the layers that have some, those of a backbone in its place."""
    rows = [row for outer in plan.layers for row in outer.inner or (outer,)]
    return [(row.kind, row.params) for row in rows if row.params]
