"""Cross-validation: every image is held out once, and judged by a network that has not seen it."""

import json
import math
import shlex
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cnnctl.checks import check
from cnnctl.config import Config, Loaded
from cnnctl.config.dump import leaves, to_plain
from cnnctl.config.schema import Source
from cnnctl.data.split import TEST, TRAIN, VALIDATION
from cnnctl.errors import (
    EXIT_BUSY,
    EXIT_INTERRUPTED,
    EXIT_OK,
    InterruptedTrainingError,
    RunError,
    UsageError,
)
from cnnctl.evaluation.metrics import METRICS, ClassMetrics, Metrics, are_of_several, read_figures
from cnnctl.formatting import percent
from cnnctl.runs.directory import is_complete
from cnnctl.sweeping.folds import Fold, make_folds, pool_of
from cnnctl.sweeping.process import Training, wait_for
from cnnctl.system import files
from cnnctl.system.locks import locked

if TYPE_CHECKING:
    from cnnctl.sweeping.ensemble import Ensemble

CONFIDENCE = 0.95
STATE = "cross_validation.json"
_ELSEWHERE = "choose another folder with --output"

Tell = Callable[[str], None]


@dataclass(frozen=True)
class Spread:
    """A metric over all folds.

    `low` and `high` are the 95% interval of the mean, None of a single fold; Nadeau and Bengio's (2003), which heeds
    that the trainings share images.
    """

    key: str
    mean: float
    deviation: float
    low: float | None
    high: float | None
    values: tuple[float, ...]


@dataclass(frozen=True)
class CrossValidation:
    """What came out: `matrix` counts all images that were held out, once in each repetition."""

    folder: Path
    config: str
    folds: int
    repeat: int
    runs: tuple[Path, ...]
    spreads: tuple[Spread, ...]
    pooled: Metrics
    ensemble: "Ensemble | None" = None

    def to_json(self) -> dict[str, Any]:
        """The form of cross_validation.json and of `--json`."""
        return {
            "folder": str(self.folder),
            "folds": self.folds,
            "repeat": self.repeat,
            "runs": [str(path) for path in self.runs],
            "metrics": {
                one.key: {
                    "mean": one.mean,
                    "deviation": one.deviation,
                    "interval": None if one.low is None else [one.low, one.high],
                    "values": list(one.values),
                }
                for one in self.spreads
            },
            "images": self.pooled.images,
            "classes": list(self.pooled.classes),
            **self._matrix_json(),
            "ensemble": None if self.ensemble is None else str(self.ensemble.path),
            "ensemble_difference": None if self.ensemble is None else self.ensemble.difference,
        }

    def _matrix_json(self) -> dict[str, Any]:
        """The confusion matrix, which images with several labels have not: they have figures of each class."""
        if not self.pooled.several:
            return {"confusion_matrix": [list(row) for row in self.pooled.confusion_matrix]}
        pairs = zip(self.pooled.classes, self.pooled.per_class, strict=True)
        return {"per_class": {name: asdict(one) for name, one in pairs}}


def cross_validate(
    loaded: Loaded, output: Path, folds: int, repeat: int, command: Sequence[str], tell: Tell, ensemble: bool = False
) -> CrossValidation:
    """Train a config once for each fold, each time without the images of that fold, and judge it on them.

    Started again, it goes on where it was; started twice at once, the two share the folds.

    Raises:
        ConfigError: with every mistake of the config and its data.
        DataError: a class is too small for so many folds.
        UsageError: the folder has something else in it, or there are no images for the thresholds of an ensemble.
        InterruptedTrainingError: by a signal.
        CnnctlError: a training failed; the others are kept.
    """
    if folds < 2 or repeat < 1:
        raise UsageError(f"folds={folds} and repeat={repeat}: expected two folds or more, and one repetition or more")
    findings = check(loaded, lambda done, total: None, decode=False)
    findings.raise_if_problems()
    config, catalog = loaded.need(), findings.catalog
    assert catalog is not None
    has_validation = isinstance(config.data.validation, Source)
    if ensemble and config.output.multi_label is not None and not has_validation:
        raise UsageError(
            "the thresholds of an ensemble need validation images that no fold trains on; received: "
            f"data.validation={config.data.validation}",
            "name images of their own as data.validation, or leave --ensemble out",
        )
    folder = files.absolute(output)
    line = resume_line(loaded, output, folds, repeat, ensemble)
    with files.writing(folder):
        folder.mkdir(parents=True, exist_ok=True)
        with locked(folder / ".beginning.lock", lambda: None):
            _begin_or_join(config, folds, repeat, output, folder)
            pool = pool_of(config, catalog)
            made = make_folds(config, pool, folds, repeat, folder)
    try:
        for is_last_look in (False, True):  # what another process trains is waited for at the end
            for fold in made:
                _train(fold, len(made), command, tell, is_last_look)
    except KeyboardInterrupt as stop:
        done = sum(is_complete(fold.run) for fold in made)
        message = f"interrupted after {done} of {len(made)} folds; the epochs of the one under way are kept"
        code = getattr(stop, "exit_code", EXIT_INTERRUPTED)
        raise InterruptedTrainingError(message, f"resume with: {line}", code) from None
    result = _write(config, made, folds, repeat, folder)
    if ensemble:
        from cnnctl.sweeping.ensemble import write_ensemble

        kept_out = catalog.frame[catalog.frame.split.isin([VALIDATION, TEST] if has_validation else [TEST])]
        listing = [(path, label, TRAIN) for path, label in zip(pool.paths, pool.labels, strict=True)]
        listing += list(zip(kept_out.path, kept_out.label, kept_out.split, strict=True))
        runs = [fold.run for fold in made]
        result = replace(result, ensemble=write_ensemble(runs, folder / "ensemble", config, listing))
        files.write_json(folder / STATE, {**_identity(config, folds, repeat), "result": result.to_json()})
    return result


def resume_line(loaded: Loaded, output: Path, folds: int, repeat: int, ensemble: bool) -> str:
    """The command that goes on with a cross-validation."""
    words = ["cnnctl", "cross-validate", str(loaded.path), "--folds", str(folds), "--output", str(output)]
    more = [*(["--repeat", str(repeat)] if repeat > 1 else []), *(["--ensemble"] if ensemble else [])]
    return shlex.join([*words, *more]) + (", with the same --set" if loaded.document.overridden else "")


def _identity(config: Config, folds: int, repeat: int) -> dict[str, Any]:
    plain = {path: value for path, value in leaves(to_plain(config)) if path not in ("name", "data.cache")}
    return {"folds": folds, "repeat": repeat, "config": json.loads(json.dumps(plain))}


def _begin_or_join(config: Config, folds: int, repeat: int, output: Path, folder: Path) -> None:
    state, identity = folder / STATE, _identity(config, folds, repeat)
    if not files.is_file(state):
        if any(not child.name.startswith(".") for child in folder.iterdir()):
            raise UsageError(f"{output} is not empty and is no cross-validation", _ELSEWHERE)
        files.write_json(state, identity)
        return
    try:
        there, here = dict(leaves(json.loads(state.read_text(encoding="utf-8")))), dict(leaves(identity))
    except (OSError, ValueError) as error:
        raise RunError(f"{state} cannot be read: {error}", "restore it, or choose another folder") from None
    changed = [
        f"{key}: {there.get(key)!r} there, {here.get(key)!r} here"
        for key in {**there, **here}
        if not key.startswith("result.") and there.get(key) != here.get(key)
    ]
    if changed:
        raise UsageError(f"{output} is a cross-validation of something else:\n  " + "\n  ".join(changed), _ELSEWHERE)


def _train(fold: Fold, count: int, command: Sequence[str], tell: Tell, waits: bool) -> None:
    """Train a fold, unless it is complete, or another process trains it and is not to be waited for."""
    name = f"fold {fold.number} of {count}"
    while not is_complete(fold.run) or not fold.run.has(fold.run.environment):
        if waits:
            wait_for(fold.run)
        with Training(fold.config, fold.run.path, command) as training:
            for epoch in training.news():
                if epoch.number == epoch.total:
                    tell(f"{name}: {epoch.total} epochs are done; evaluating")
        ended = training.ended
        assert ended is not None
        if ended.code == EXIT_BUSY and not waits:
            tell(f"{name}: another process trains it")
            return
        if ended.code == EXIT_OK:
            tell(f"{name}: accuracy {percent(float(fold.run.read_metrics()['accuracy']))}")
        elif ended.code != EXIT_BUSY:
            raise ended.error()


def _write(config: Config, made: Sequence[Fold], folds: int, repeat: int, folder: Path) -> CrossValidation:
    """The metrics of all folds, predictions.csv, the confusion matrix and its picture."""
    contents = [fold.run.read_metrics() for fold in made]
    try:
        figures = [read_figures(content) for content in contents]
        classes = contents[0]["classes"]
        several = any(are_of_several(one) for one in figures)
        matrices = [] if several else [content["confusion_matrix"] for content in contents]
    except (LookupError, TypeError, ValueError) as error:
        raise RunError(
            f"a metrics.json in {folder / 'folds'} cannot be read: {error}", "train that fold anew"
        ) from None
    spreads = tuple(
        spread(metric.key, [float(one[metric.key]) for one in figures], folds)
        for metric in METRICS
        if metric.better is not None and all(metric.key in one for one in figures)
    )
    pooled = _pooled_labels(classes, made) if several else _pooled(classes, matrices)
    runs = tuple(fold.run.path for fold in made)
    result = CrossValidation(folder, str(config.name), folds, repeat, runs, spreads, pooled)
    _write_predictions(made, folder / "predictions.csv", several)
    files.write_json(folder / STATE, {**_identity(config, folds, repeat), "result": result.to_json()})
    _draw(result)
    return result


def spread(key: str, values: Sequence[float], folds: int) -> Spread:
    """Mean, standard deviation and interval of a metric's values."""
    import numpy as np
    from scipy.stats import t

    mean, count = float(np.mean(values)), len(values)
    if count < 2:
        return Spread(key, mean, 0.0, None, None, tuple(values))
    deviation = float(np.std(values, ddof=1))
    error = deviation * math.sqrt(1 / count + 1 / (folds - 1))
    reach = float(t.ppf((1 + CONFIDENCE) / 2, count - 1)) * error
    most = math.inf if key == "loss" else 1.0
    return Spread(key, mean, deviation, max(0.0, mean - reach), min(most, mean + reach), tuple(values))


def _pooled(classes: Sequence[str], matrices: Sequence[Any]) -> Metrics:
    """What the sum of confusion matrices says."""
    import numpy as np

    matrix = np.sum(np.asarray(matrices, np.int64), axis=0)
    right, support, answered = np.diag(matrix), matrix.sum(axis=1), matrix.sum(axis=0)
    recall = right / np.maximum(support, 1)
    precision = right / np.maximum(answered, 1)
    f1 = 2 * right / np.maximum(support + answered, 1)
    per_class = tuple(
        ClassMetrics(float(p), float(r), float(f), int(n))
        for p, r, f, n in zip(precision, recall, f1, support, strict=True)
    )
    figures = {"images": int(matrix.sum()), "accuracy": float(right.sum() / matrix.sum())}
    return Metrics(figures, tuple(classes), per_class, tuple(map(tuple, matrix.tolist())), (), ())


def _pooled_labels(classes: Sequence[str], made: Sequence[Fold]) -> Metrics:
    """What the answers of all folds say where images may have several labels."""
    from cnnctl.data.labels import encode
    from cnnctl.evaluation.labels import f1

    names = ("label", "predicted", "correct")
    rows = [row for fold in made for row in fold.run.read_rows(fold.run.need(fold.run.predictions), names)]
    truth, given = (encode([row[name] for row in rows], classes, "predictions.csv", True) > 0 for name in names[:2])
    right, true, said = (one.sum(axis=0) for one in (truth & given, truth, given))
    each = f1(right, true, said)
    columns = zip(right / said.clip(1), right / true.clip(1), each, true, strict=True)
    per_class = tuple(ClassMetrics(float(p), float(r), float(f), int(n)) for p, r, f, n in columns)
    figures = {
        "images": len(rows),
        "accuracy": sum(row["correct"] == "true" for row in rows) / len(rows),
        "macro_f1": float(each.mean()),
        "micro_f1": float(f1(right.sum(), true.sum(), said.sum())),
    }
    return Metrics(figures, tuple(classes), per_class, (), (), ())


def _write_predictions(made: Sequence[Fold], path: Path, several: bool) -> None:
    columns = ("path", "label", "predicted", "probability", "correct", *(["probabilities"] if several else []))
    rows = (
        (fold.repetition, fold.fold, *(row[name] for name in columns))
        for fold in made
        for row in fold.run.read_rows(fold.run.need(fold.run.predictions), columns)
    )
    files.write_csv(path, ("repetition", "fold", *columns), rows)


def _draw(result: CrossValidation) -> None:
    from cnnctl.evaluation.plots.classes import confusion_figure, f1_figure
    from cnnctl.pictures import style

    several = result.pooled.several
    repeated = f", {result.repeat} times" if result.repeat > 1 else ""
    title = f"{result.config}, images held out in {result.folds} folds{repeated}"
    with style.drawing():
        figure = (
            f1_figure(result.pooled, title) if several else confusion_figure(result.pooled, title, normalised=False)
        )
        picture = style.png(figure)
    files.write_bytes(result.folder / ("f1.png" if several else "confusion_matrix.png"), picture)
