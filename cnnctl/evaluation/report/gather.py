"""What a run's files say, as the content of the page."""

import shlex
from collections import Counter
from collections.abc import Sequence
from typing import Any

from cnnctl.architecture.plan import Plan
from cnnctl.architecture.planner import plan_of
from cnnctl.config import Config
from cnnctl.data.several import names_of
from cnnctl.data.split import SPLITS, TEST, TRAIN, VALIDATION
from cnnctl.errors import RunError
from cnnctl.evaluation.metrics import METRICS, RANKING
from cnnctl.evaluation.report.content import Balance, Figure, Report, Share, Table
from cnnctl.evaluation.report.trust import belongs_to_another, data_folders, read_plot, shows_unknown_images
from cnnctl.evaluation.verdict import verdict
from cnnctl.formatting import duration, size
from cnnctl.layers.notation import format_shape
from cnnctl.pictures import style
from cnnctl.pictures.network import network_figure
from cnnctl.pictures.page import compact
from cnnctl.pictures.preview import OUTSIDE, UNKNOWN, Sample, make_samples, preview_figure
from cnnctl.runs import Run
from cnnctl.system.files import absolute

SAMPLES, VARIATIONS = 6, 4
MOST_ROWS = 300
"""Of a table; more would make a page that no phone opens."""

_MOST_CONFIG = 100_000
"""Characters of a config."""


def gather(run: Run, with_images: bool = False) -> Report:
    """Everything about a run that was trained and evaluated.

    Images are shown where the run is the user's own, they lie in the data folders of its config, and their contents are
    those that it was trained on: only who has a file knows its digest, while a stranger can name any file and folder.
    With `with_images` they are shown wherever its split.csv says.

    Raises:
        RunError: a file of it is missing; the hint says which command makes it.
        CnnctlError: its config is wrong.
    """
    metrics = run.read_evaluation()
    environment = run.read_environment()
    config, classes = run.read_config(), run.read_classes()
    plan = plan_of(config, len(classes), run.config, run.checked(run.keras_model))
    split = str(metrics["split"])
    with style.drawing():
        network = _figure(
            style.png(network_figure(plan, run.title)), "The network", "Every layer that makes new values, to scale."
        )
        samples, missing, withheld = _samples(run, config, with_images)
    several = config.output.multi_label is not None
    words = _MISTAKES_OF_SEVERAL if several else _MISTAKES
    mistakes = _plots(run, (("mistakes", "The most confident mistakes", words),))
    if mistakes and not with_images and shows_unknown_images(run, frozenset(run.read_digests())):
        mistakes, withheld = (), withheld or _MISTAKES_WITHHELD
    try:
        tiles, splits = _tiles(metrics, plan, environment), _splits(metrics)
        subtitle, versions = _subtitle(run, environment), _environment(environment)
        commands, curves = _commands(run, environment), _curves_words(environment)
        calibrated, said = _calibrated_words(metrics), verdict(metrics)
    except (LookupError, TypeError, ValueError, AttributeError, ArithmeticError) as error:
        what = f"{run.metrics.name} or {run.environment.name} of {run.path} does not hold what cnnctl writes"
        raise RunError(f"{what}: {error!r}", "cnnctl evaluate writes metrics.json again") from error
    return Report(
        title=run.title,
        verdict=f"{said[0].upper()}{said[1:]}.",
        subtitle=subtitle,
        tiles=tiles,
        splits=splits,
        result=_result(run, split, calibrated, several),
        training=_plots(run, (("curves", "Loss, accuracy and learning rate", curves),)),
        mistakes=mistakes,
        balance=_balance(run, classes, several),
        samples=samples,
        samples_missing=missing,
        withheld=withheld,
        network=network,
        layers=_layers(plan),
        totals=f"{plan.total_params:,} parameters ({plan.trainable_params:,} trained), "
        f"{plan.multiply_adds:,} multiply-adds an image."
        + (f" The first {MOST_ROWS} of {len(plan.layers):,} layers:" if len(plan.layers) > MOST_ROWS else ""),
        config=_config_text(run),
        environment=versions,
        commands=commands,
    )


_MISTAKES = (
    "Images that were taken for something else, the surest first: the true class, the answer, its probability and the "
    "file. A wrong label often stands here before any other."
)
_MISTAKES_OF_SEVERAL = (
    "Images that got other labels than theirs, the surest first: \u2212 stands before a label that was not found, + "
    "before one too many. The probability is that of the whole answer. A wrong label often stands here before others."
)


_MISTAKES_WITHHELD = (
    "The picture of the mistakes is not shown: the run's checkpoints do not say that it was trained and evaluated on "
    "these files"
)


def _figure(content: bytes, title: str, caption: str) -> Figure:
    kind, packed = compact(content)
    return Figure(kind, packed, title, caption)


def _plots(run: Run, wanted: Sequence[tuple[str, str, str]]) -> tuple[Figure, ...]:
    """The plots of (name, title, caption) that there are."""
    figures = []
    for name, title, caption in wanted:
        content = read_plot(run, run.plots / f"{name}.png")
        if content is not None:
            figures.append(_figure(content, title, caption))
    return tuple(figures)


def _subtitle(run: Run, environment: dict[str, Any]) -> str:
    finished = str(environment.get("finished") or "")[:16].replace("T", " ")
    known = [
        f"finished {finished} (UTC)" if finished else "",
        f"on {environment['device']['name']}" if environment.get("device") else "",
        f"in {environment['precision']['policy']}" if environment.get("precision") else "",
    ]
    said = " ".join(part for part in known if part)
    return f"{absolute(run.path)}{': ' if said else ''}{said}"


def _tiles(metrics: dict[str, Any], plan: Plan, environment: dict[str, Any]) -> tuple[tuple[str, str, str], ...]:
    """(what, figure, warning) of the most asked figures."""
    interval = RANKING.interval_text(metrics)
    captions = {
        RANKING.key: f"95% interval {interval}" if interval else "",
        "loss": f"{metrics['images']:,} images" if metrics.get("loss") is not None else "",
        "mean_average_precision": "mean area under the precision-recall curves of the classes",
        "macro_f1": "mean F1 of the classes, by their thresholds",
        "roc_auc": "area under the ROC curve",
    }
    tiles = []
    for metric in METRICS:
        if metric.key in captions and metrics.get(metric.key) is not None:
            on = f" on {metrics['split']} images" if metric is RANKING else ""
            tiles.append((metric.named(metrics) + on, metric.text(metrics), captions[metric.key]))
    epochs = environment.get("epochs")
    if epochs:
        tiles.append(("epochs", f"{epochs:,}", f"epoch {environment.get('best_epoch', '?')} is kept"))
    latency = environment.get("latency_ms")
    if latency:
        tiles.append(("latency", f"{latency:.3g} ms", "for one image, by ONNX Runtime in one thread"))
    seconds = (environment.get("seconds") or {}).get("total")
    if seconds:
        tiles.append(("time", duration(seconds), "from start to finished run"))
    tiles.append(("parameters", f"{plan.total_params:,}", f"{size(4 * plan.total_params)} in float32"))
    return tuple(tiles)


def _splits(metrics: dict[str, Any]) -> Table:
    """The figures of every split that was evaluated, the main one first."""
    scored = [(str(metrics["split"]), metrics), *((name, metrics[name]) for name in SPLITS if name in metrics)]
    shown = [one for one in METRICS if any(figures.get(one.key) is not None for _, figures in scored)]
    rows = tuple((name, *(one.text(figures, in_column=True) for one in shown)) for name, figures in scored)
    return Table(("split", *(one.column or one.title for one in shown)), rows, (False, *(True for _ in shown)))


def _result(run: Run, split: str, calibrated: str, several: bool) -> tuple[Figure, ...]:
    of_classes = (
        " Each class has a panel, the lowest average precision first, with a mark at its threshold." if several else ""
    )
    predictions = "labels that are predicted" if several else "predictions"
    wanted = (
        ("f1", "F1 of each class", "The lowest first: where more or better images would help most."),
        (
            "confusion_matrix_normalised",
            "Confusion matrix, in per cent",
            f"Rows are the true classes of the {split} images, columns the answers: off the diagonal are the mistakes.",
        ),
        ("confusion_matrix", "Confusion matrix, in images", "The same in counts."),
        ("roc", "ROC curve", "True positive rate against false positive rate at every threshold."),
        (
            "precision_recall",
            "Precision and recall",
            f"Precision against recall at every threshold.{of_classes}",
        ),
        (
            "reliability",
            "Reliability",
            f"Whether {predictions} with a probability of 80% are right 8 times out of 10. On the diagonal the "
            f"probabilities are calibrated.{calibrated}",
        ),
    )
    return _plots(run, wanted)


def _calibrated_words(metrics: dict[str, Any]) -> str:
    """What the temperature did to the images that it was fitted on; nothing where there is none."""
    said = metrics.get("calibration")
    if said is None:
        return ""
    before, after = (float(said[f"expected_calibration_error_{when}"]) for when in ("before", "after"))
    return (
        f" The temperature {float(said['temperature']):.2f}, fitted on {int(said['images']):,} {said['split']} images, "
        f"changed their expected calibration error from {before:.3f} to {after:.3f}."
    )


def _curves_words(environment: dict[str, Any]) -> str:
    best = environment.get("best_epoch")
    kept = f" The weights of epoch {best} are the model." if best else ""
    return f"Where the training loss falls and the validation loss does not, the network overfits.{kept}"


def _balance(run: Run, classes: Sequence[str], several: bool) -> Balance:
    labels = {split: run.read_split(split)[1] for split in (TRAIN, VALIDATION, TEST)}
    counts = {
        split: Counter(name for label in of for name in (names_of(label) if several else (label,)))
        for split, of in labels.items()
    }
    splits = tuple(split for split in counts if counts[split])
    most = max(counts[TRAIN].values(), default=1)
    shown = sorted(classes, key=lambda name: -counts[TRAIN][name])
    half = MOST_ROWS // 2
    shown = list(classes) if len(classes) <= MOST_ROWS else [*shown[:half], *shown[-half:]]
    shares = tuple(
        Share(name, tuple(f"{counts[split][name]:,}" for split in splits), 100 * counts[TRAIN][name] / most)
        for name in shown
    )
    least = min((counts[TRAIN][name] for name in classes), default=0)
    total = sum(len(of) for of in labels.values())
    words = f"{total:,} images of {len(classes):,} classes. "
    if several:
        mean = sum(sum(of.values()) for of in counts.values()) / max(1, total)
        without = sum(not label for of in labels.values() for label in of)
        words += f"An image has {mean:.1f} labels on average{f'; {without:,} have none' if without else ''}. "
    missing = sum(not counts[TRAIN][name] for name in classes)
    if missing:
        words += f"{missing:,} of them have no training image."
    elif least == most:
        words += "Every class has as many training images."
    else:
        words += f"The largest class has {most / least:.1f} times the training images of the smallest."
    if len(classes) > MOST_ROWS:
        words += f" The {MOST_ROWS // 2} largest and the {MOST_ROWS // 2} smallest are shown."
    return Balance(splits, shares, words)


def _samples(run: Run, config: Config, with_images: bool) -> tuple[Figure | None, str | None, str | None]:
    """Training images with and without augmentation, why there are none, and why any are withheld."""
    paths, labels = run.read_split(TRAIN)
    if not paths:
        return None, "The run has no training images.", None
    if not with_images and belongs_to_another(run):
        foreign = "The training images are not shown: the run belongs to another user"
        return None, f"{foreign}.", foreign
    folders, known = (None, None) if with_images else (data_folders(config), frozenset(run.read_digests()))
    samples: list[Sample] = make_samples(config, paths, labels, SAMPLES, VARIATIONS, folders, known)
    usable = [one for one in samples if one.error is None]
    outside = [one for one in samples if one.error is not None and one.error.endswith((OUTSIDE, UNKNOWN))]
    withheld: str | None = None
    if outside:
        count = "The" if len(outside) == len(samples) else f"{len(outside)} of {len(samples)}"
        why = "they lie outside the data folders of the run's config"
        if all((one.error or "").endswith(UNKNOWN) for one in outside):
            why = "the run's checkpoints do not say that it was trained on these files"
        withheld = f"{count} training images are not shown: {why}"
    if not usable:
        first = next((one for one in samples if one not in outside), None)
        if first is None:
            return None, f"{withheld}.", withheld
        return None, f"The training images can no longer be read: {first.path}: {first.error}.", withheld
    content = style.png(preview_figure(config, usable, run.title))
    words = "The file, the input of the network, and the augmented versions of the first epochs."
    if not config.augment:
        words = "The file and the input of the network; this config has no augmentation."
    return _figure(content, "Training images", words), None, withheld


def _layers(plan: Plan) -> Table:
    rows = tuple(
        (
            row.name,
            row.kind,
            row.layer.settings_text(),
            format_shape(row.output_shape),
            f"{row.params:,}",
            f"{row.multiply_adds:,}",
            "whole image" if row.receptive_field is None else format_shape(row.receptive_field),
        )
        for row in plan.layers[:MOST_ROWS]
    )
    header = ("layer", "type", "settings", "output", "parameters", "multiply-adds", "receptive field")
    return Table(header, rows, (False, False, False, True, True, True, True))


def _config_text(run: Run) -> str:
    text = run.read_text(run.config)
    return text if len(text) <= _MOST_CONFIG else text[:_MOST_CONFIG] + f"\n... (all of it is in {run.config.name})"


def _environment(environment: dict[str, Any]) -> Table:
    device, precision = environment.get("device") or {}, environment.get("precision") or {}
    rows = [
        *((name, environment.get(name)) for name in ("cnnctl", "backend")),
        ("device", device.get("name")),
        ("devices", devices if (devices := environment.get("devices")) != 1 else None),
        ("precision", f"{precision.get('policy')} ({precision.get('reason')})" if precision else None),
        *((name, environment.get(name)) for name in ("deterministic", "seed", "threads")),
        ("data hash", environment.get("data_hash")),
        *((name, version) for name, version in (environment.get("versions") or {}).items()),
    ]
    known = tuple((name, str(value)) for name, value in rows if value is not None)
    return Table(("what", "value"), known, (False, False))


def _commands(run: Run, environment: dict[str, Any]) -> tuple[tuple[str, str], ...]:
    """(what it does, command line) of what makes this run again and looks at it."""
    path = absolute(run.path)
    here = shlex.quote(str(path))
    words = [str(word) for word in environment.get("command", [])]
    given = ("the command that made this run, in the folder that it was given in", shlex.join(["cnnctl", *words[1:]]))
    again = shlex.join(["cnnctl", "train", str(path / run.config.name)])
    return (
        ("the same training again, from the resolved config", again),
        *([given] if words else []),
        ("judge it again", f"cnnctl evaluate --run {here}"),
        ("use it", f"cnnctl predict IMAGE --run {here}"),
        ("show what the network sees in an image", f"cnnctl explain IMAGE --run {here}"),
    )
