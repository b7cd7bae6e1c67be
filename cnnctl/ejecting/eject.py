"""A checked config and its decoded images -> train.py and its split, on disk."""

import os
from dataclasses import dataclass
from pathlib import Path

from cnnctl.architecture import Plan
from cnnctl.architecture.keras_file import read_keras_file
from cnnctl.checks import Findings
from cnnctl.config import Config
from cnnctl.data.catalog import image_spec
from cnnctl.data.split import TRAIN
from cnnctl.data.statistics import channel_statistics
from cnnctl.ejecting.reading import choose_reader
from cnnctl.ejecting.script import Facts, InitialWeights, compose
from cnnctl.errors import RunError, UsageError
from cnnctl.runs import find_run
from cnnctl.system import files


@dataclass(frozen=True)
class Ejected:
    """What was written: the script, the CSV that it reads (path, label, split), and how many images each split has.

    `warnings` say what the script does otherwise than the config; they are comments in it too.
    """

    script: Path
    split: Path
    counts: dict[str, int]
    warnings: tuple[str, ...]


def split_path(script: Path) -> Path:
    """The CSV beside a script."""
    return script.with_name(f"{script.stem}-split.csv")


def refuse_output(script: Path) -> None:
    """Raises:
    UsageError: a script cannot go there, or something is there already.
    """
    if script.suffix != ".py":
        raise UsageError(f"a Keras script is a Python file; received: --output {script}", "use the ending .py")
    for path in (script, split_path(script)):
        if os.path.lexists(path):
            hint = "choose another file with --output, or remove this one"
            raise UsageError(f"{path} already exists; eject overwrites nothing", hint)


def eject(name: str, config: Config, findings: Findings, output: Path) -> Ejected:
    """Write the script of a config, whose paths are absolute, and the split of its images.

    The findings are without problems and with the images decoded.

    Raises:
        UsageError: something is there already.
        RunError: the weights to begin with do not fit the network.
        DiskError: it cannot be written.
    """
    refuse_output(output)
    assert findings.plan is not None
    if findings.plan.backbone is not None:
        raise UsageError("eject cannot write a backbone", "train it with cnnctl train")
    assert findings.prepared is not None
    prepared = findings.prepared
    pixels, rows, classes = prepared.pixels, prepared.rows, prepared.classes
    reader = choose_reader(prepared.paths, rows.tolist(), pixels, image_spec(config.data.image))
    statistics = None
    if config.data.image.scaling == "standardize":
        statistics = channel_statistics(pixels, rows[prepared.splits == TRAIN])
    facts = Facts(
        name,
        config,
        classes,
        {split: sum(counts.values()) for split, counts in prepared.counts().items()},
        statistics,
        reader,
        _initial_weights(config, findings.plan, classes),
        not any("\ud800" <= letter <= "\udfff" for path in prepared.paths for letter in path),
        prepared.undecodable,
    )
    split = split_path(output)
    script = compose(facts, split.name)
    below = f"{files.absolute(output.parent)}{os.sep}"  # so that the script and its images can be moved together
    listing = ((path.removeprefix(below), label, name) for path, label, name in prepared.listing())
    files.write_csv(split, ("path", "label", "split"), listing)
    files.write_text(output, script.text)
    return Ejected(output, split, dict(facts.counts), script.warnings)


def _initial_weights(config: Config, plan: Plan, classes: tuple[str, ...]) -> InitialWeights | None:
    """Where the weights begin, as training/warm_start.py has it; looked at without Keras.

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
    weighted = [[(row.kind, row.params) for row in one.layers if row.params] for one in (plan, read_keras_file(path))]
    if weighted[0][:-1] != weighted[1][:-1]:
        mend = "the layers must be those of the config that it was trained with; only the output layer may differ"
        raise RunError(f"the layers of {path} have other weights than this network", mend)
    same_output = weighted[0][-1] == weighted[1][-1]
    return InitialWeights(files.absolute(path), same_output and (theirs is None or tuple(theirs) == classes))
