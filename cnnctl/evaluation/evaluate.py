"""Judge a run on its own images or on new ones, and write down what was seen."""

import shlex
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cnnctl.config import Config
from cnnctl.config.load import BUILT_IN_DATA
from cnnctl.config.schema import CsvColumns
from cnnctl.data.catalog import find_images
from cnnctl.data.labels import Labels, encode
from cnnctl.data.listing import Listing, describe_left_out
from cnnctl.data.several import BETWEEN
from cnnctl.data.sources import is_table
from cnnctl.data.split import SPLITS, TEST, TRAIN, VALIDATION
from cnnctl.data.split_folders import SplitsError
from cnnctl.data.table import Columns
from cnnctl.errors import DataError, Notice, RunError, UsageError
from cnnctl.evaluation.metrics import Metrics
from cnnctl.evaluation.plots.write import write_plots
from cnnctl.evaluation.score import ScoredSplit
from cnnctl.inference.model import Classifier, load_classifier
from cnnctl.inference.sets import SetScores, read_scores, score_sets
from cnnctl.inference.stream import classify
from cnnctl.inference.thresholds import choose_thresholds, read_thresholds
from cnnctl.runs import Run
from cnnctl.runs.directory import own
from cnnctl.system import files
from cnnctl.system.loudness import lap
from cnnctl.system.packages import insist_on

_OF_THE_MODEL = ("onnx", "calibration", "unknown")
"""What metrics.json has beside the figures of splits."""

Progress = Callable[[int, int], None]
"""Called with (images done, images in all)."""


@dataclass(frozen=True)
class Evaluation:
    """What was judged and what came out.

    `split` is `train`, `validation` or `test`, for new data its path. `folder` has predictions.csv and the plots.
    `content` is what metrics.json (the run's own, or the one in `folder`) now holds. `left_out` counts the files of
    new data that were not taken, by sort, and `notices` say what was changed or assumed in its labels.
    """

    metrics: Metrics
    split: str
    folder: Path
    content: dict[str, Any]
    left_out: Counter[str] = field(default_factory=Counter)
    notices: tuple[Notice, ...] = ()


def evaluate(
    run: Run, data: str | None, split: str | None, progress: Progress, folder: str | None = None
) -> Evaluation:
    """Judge a run on new images as `evaluate_data` does, or where `data` is None on its own as `evaluate_split` does.

    The names in a CSV are looked up in `folder`, or beside the CSV.

    Raises:
        UsageError: there is no such split, new images are to be one, or a folder is named without a CSV.
        MachineError: a package that it needs is not installed.
        CnnctlError: as `evaluate_split` and `evaluate_data`.
    """
    if split is not None and split not in SPLITS:
        raise UsageError(f"there is no split {split}", f"splits are {', '.join(SPLITS)}")
    if split is not None and data is not None:
        raise UsageError(
            "data and split cannot be combined", "data evaluates on new images, split on a split of the run"
        )
    if folder is not None and (data is None or not is_table(Path(data))):
        raise UsageError("a folder can only be named for a CSV", "it is where the file names of the CSV are looked up")
    insist_on("sklearn", "matplotlib")
    if data is None:
        return evaluate_split(run, split, progress)
    config = run.read_config()
    source = data if data in BUILT_IN_DATA else str(files.absolute(Path(data)))
    columns = config.data.csv.model_copy(update={"folder": folder})
    return evaluate_data(run, source, columns, progress, config.data.csv.folder)


def evaluate_split(run: Run, split: str | None, progress: Progress) -> Evaluation:
    """Judge a run on a split of its own; its metrics.json is brought up to date.

    `split` is `train`, `validation` or `test`; None takes test, else validation, else train.

    Raises:
        RunError: the run has no model, or no such split.
        BusyError: it is being trained or evaluated by another process.
        DataError: an image of it is gone or damaged.
    """
    run.refuse_links(deep=True)
    classifier = load_classifier(run, threads=1, tells_unknown=True)
    chosen = split or default_split(run)
    paths, labels = run.read_split(chosen)
    if not paths:
        has = [name for name in SPLITS if run.read_split(name)[0]]
        raise DataError(f"the run {run.path} has no {chosen} images", f"it has {' and '.join(has)}: --split {has[-1]}")
    truth = encode(labels, classifier.classes, str(run.split), classifier.several)
    title, scores = f"{run.title}, {chosen} images", set_scores_for(run, chosen)
    scored = _score(classifier, title, paths, truth, scores, progress)
    lock = own(run)
    try:
        if classifier.several:
            found = thresholds_for(run, run.read_config(), chosen, scored.probabilities, truth, classifier.classes)
            scored = replace(scored, thresholds=found)
        return save_evaluation(run, chosen, scored, is_main=chosen == default_split(run))
    finally:
        lock.release(remove=True)


def evaluate_data(
    run: Run, source: str, columns: CsvColumns, progress: Progress, training_folder: str | None = None
) -> Evaluation:
    """Judge a run on labelled images that it has never seen; the result goes under evaluations/, nowhere else.

    `source` names class folders, a CSV with these `columns`, or a built-in data set. `training_folder` is where the
    training had the files of its CSV; a hint names it.

    Raises:
        DataError: nothing is there, a class is unknown to the run, or an image is damaged.
    """
    run.refuse_links(deep=True)
    classifier = load_classifier(run, threads=1, tells_unknown=True)
    listing = _find(source, columns, classifier, training_folder)
    if not listing.paths:
        raise DataError(f"no image was found in {source}", describe_left_out(listing.left_out))
    truth = encode(listing.labels, classifier.classes, source, classifier.several)
    title, scores = f"{run.title}, {Path(source).name}", set_scores_for(run, source)
    scored = _score(classifier, title, listing.paths, truth, scores, progress)
    folder = run.next_evaluation()
    content = {"split": source, **scored.metrics.to_json()}
    run.write_json(folder / "metrics.json", content)
    _write_predictions(run, folder, scored)
    write_plots(run, folder / "plots", scored)
    return Evaluation(scored.metrics, source, folder, content, listing.left_out, tuple(listing.notices))


def _find(source: str, columns: CsvColumns, classifier: Classifier, training_folder: str | None) -> Listing:
    names = Columns(
        columns.path,
        columns.label,
        folder=columns.folder,
        are_in_config=False,
        other_folder=training_folder,
        several=classifier.several,
    )
    try:
        return find_images(source, names, classifier.classes)
    except SplitsError as error:
        splits = error.splits
        places = [splits.labelled[key] for key in reversed(SPLITS) if key in splits.labelled]
        hint = "list its images in a CSV, with their labels"
        if places:
            hint = f"evaluate one of them: --data {shlex.quote(str(places[0]))}"
        raise DataError(error.message, hint) from None


def default_split(run: Run) -> str:
    """What a run is evaluated on: test where it has one, else validation, else the training images themselves.

    Raises:
        RunError: it has no images.
    """
    present = {row["split"] for row in run.read_rows(run.need(run.split), ("split",))}
    chosen = next((split for split in (TEST, VALIDATION, TRAIN) if split in present), None)
    if chosen is None:
        raise RunError(f"{run.split} names no images", "train it again")
    return chosen


def set_scores_for(run: Run, split: str) -> SetScores | None:
    """Those that the run has; None for the split whose images they come from."""
    if not run.has(run.prediction_sets):
        return None
    scores = read_scores(run)
    return None if scores.split == split else scores


def thresholds_for(
    run: Run, config: Config, split: str, probabilities: NDArray[np.float32], truth: Labels, classes: Sequence[str]
) -> NDArray[np.float32]:
    """From which probability on the images of a split get each label: those that the run has, float32 (classes,).

    By the validation images they are chosen, and written.
    """
    rule = config.output.multi_label
    if split == VALIDATION and rule is not None:
        chosen = choose_thresholds(probabilities, truth, classes, split, rule.precision)
        run.write_json(run.thresholds, chosen.to_json())
    return read_thresholds(run, classes)


def save_evaluation(run: Run, split: str, scored: ScoredSplit, is_main: bool, draws: bool = True) -> Evaluation:
    """Write the figures of a split of a run: at the top of metrics.json for the main split, else nested.

    `is_main` says whether the run as a whole is judged by this split; `draws`, whether to make its pictures, which
    takes a second. What prediction sets need comes from the validation images.
    """
    before, figures = run.read_metrics(), scored.metrics.to_json()
    if is_main:
        nested = {key: value for key, value in before.items() if key in (*SPLITS, *_OF_THE_MODEL) and key != split}
        content = {"split": split, **figures, **nested}
        folder = run.path
    else:
        content = {**before, split: figures}
        folder = run.evaluations / split
    _write_predictions(run, folder, scored)
    if split == VALIDATION and scored.thresholds is None:
        truth = scored.truth.astype(np.int64)
        run.write_json(run.prediction_sets, score_sets(scored.probabilities, truth, split).to_json())
    lap(f"the metrics of the {split} images")
    if draws:
        write_plots(run, folder / "plots", scored)
        lap("drawing")
    run.write_json(run.metrics, content)
    return Evaluation(scored.metrics, split, folder, content)


def _score(
    classifier: Classifier,
    title: str,
    paths: Sequence[str],
    truth: Labels,
    set_scores: SetScores | None,
    progress: Progress,
) -> ScoredSplit:
    """What a model makes of images, batch by batch."""
    result = np.zeros((len(paths), len(classifier.classes)), np.float32)
    unknown = None if classifier.familiar is None else np.zeros(len(paths), bool)
    broken = []
    for row, answer in enumerate(classify(classifier, paths, top=1)):
        if answer.prediction is None:
            broken.append(f"{answer.path}: {answer.error}")
        else:
            result[row] = answer.prediction.probabilities
            if unknown is not None:
                unknown[row] = answer.prediction.unknown
        if (row + 1) % 256 == 0 or row + 1 == len(paths):
            progress(row + 1, len(paths))
    lap(f"decoding and answering {len(paths):,} images")
    if broken:
        raise DataError(f"{len(broken):,} of {len(paths):,} images cannot be used: " + "; ".join(broken[:5]))
    thresholds = classifier.thresholds
    return ScoredSplit(
        title, classifier.classes, paths, truth, result, classifier.spec, set_scores, unknown, thresholds
    )


def _write_predictions(run: Run, folder: Path, scored: ScoredSplit) -> None:
    """A row for each image; where it may have several labels, also the probability of each class."""
    header = ["path", "label", "predicted", "probability", "correct"]
    rows = ((*row, "true" if is_right else "false") for *row, is_right in scored.rows())
    if scored.thresholds is not None:
        each = (BETWEEN.join(f"{one:.6g}" for one in chances) for chances in scored.probabilities.tolist())
        header, rows = [*header, "probabilities"], ((*row, of_all) for row, of_all in zip(rows, each, strict=True))
    run.write_csv(folder / "predictions.csv", header, rows)
