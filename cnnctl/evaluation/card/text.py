"""The text of a model card, from a run's own records."""

import html
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from cnnctl.architecture.plan import Plan
from cnnctl.config import Config
from cnnctl.data.several import names_of
from cnnctl.data.split import TEST, TRAIN, VALIDATION
from cnnctl.evaluation.card.head import data_name, scored
from cnnctl.evaluation.metrics import METRICS, RANKING, are_of_several
from cnnctl.formatting import percent, printable, size
from cnnctl.layers.notation import format_shape
from cnnctl.runs import Run

NETWORK, CONFUSION = "The network", "Rows are the true classes, columns the answers, in per cent"
"""The titles of the pictures that a card may show."""

_MOST_CLASSES = 100
_WEAKEST, _CONFUSED = 3, 3
_LOPSIDED = 3
"""From here on the largest class has so many times the images of the smallest that it is said."""

_MARKS = re.compile(r"([\\`*_\[\]|#~$])")


def plain(text: str) -> str:
    """Text of a run, which may be a stranger's, as text in Markdown: no marks, no HTML, one line."""
    return _MARKS.sub(r"\\\1", html.escape(printable(text), quote=False))


def body(
    run: Run, title: str, config: Config, plan: Plan, metrics: Mapping[str, Any], pictures: Mapping[str, str]
) -> str:
    """All below the head. `pictures` are the places of those that it shows, by their titles."""
    classes = run.read_classes()
    environment = run.read_environment()
    parts = [
        f"# {plain(title)}\n\n{_first(config, classes, metrics)}",
        *_shown(pictures, NETWORK),
        "<!-- What it is for, and what it is not for: only you know. -->",
        _section("Data", _data(run, config, classes)),
        _section("Results", _results(metrics), *_shown(pictures, CONFUSION)),
        _section("Limits", "\n".join(f"- {line}" for line in _limits(run, config, classes, metrics))),
        _section("How to use it", _use(run, config, classes, plan)),
        _section("Training", _training(config, plan, environment)),
    ]
    return "\n\n".join(parts) + "\n"


def _section(title: str, *parts: str) -> str:
    return "\n\n".join((f"## {title}", *parts))


def _shown(pictures: Mapping[str, str], title: str) -> Iterator[str]:
    if title in pictures:
        yield f"![{title}]({pictures[title]})"


def _table(header: Sequence[str], rows: Iterable[Sequence[str]], numbers: int) -> str:
    """A table whose last `numbers` columns are numbers."""
    lines = [" --- "] * (len(header) - numbers) + [" ---: "] * numbers
    cells = [" | ".join(row) for row in (header, *rows)]
    return "\n".join([f"| {cells[0]} |", f"|{'|'.join(lines)}|", *(f"| {one} |" for one in cells[1:])])


def _first(config: Config, classes: Sequence[str], metrics: Mapping[str, Any]) -> str:
    """The sentence that a person wants: how good, on how many images, how sure."""
    names = ", ".join(map(plain, classes)) if len(classes) <= 12 else f"{len(classes):,} classes"
    colours = "grey" if config.data.image.channels == 1 else "colour"
    accuracy, interval = RANKING.text(metrics), RANKING.interval_text(metrics)
    sure = f" (95% interval {interval})" if interval else ""
    if are_of_several(metrics):
        return (
            f"A convolutional network that says which of {len(classes):,} labels an image has, several or none: "
            f"{names}. All labels are right on {accuracy} of {int(metrics['images']):,} {metrics['split']} images{sure}"
            f"; the mean F1 of the labels is {metrics['macro_f1']:.3f}. It takes {colours} images, "
            f"{config.data.image.height} x {config.data.image.width} pixels."
        )
    return (
        f"A convolutional network that says which of {len(classes):,} classes an image is of: {names}. It is right on "
        f"{accuracy} of {int(metrics['images']):,} {metrics['split']} images{sure}. It takes {colours} images, "
        f"{config.data.image.height} x {config.data.image.width} pixels."
    )


def _data(run: Run, config: Config, classes: Sequence[str]) -> str:
    labels = {split: run.read_split(split)[1] for split in (TRAIN, VALIDATION, TEST)}
    counts = {split: _counted(of, config) for split, of in labels.items()}
    splits = [split for split in labels if labels[split]]
    rows = [(plain(name), *(f"{counts[split][name]:,}" for split in splits)) for name in classes[:_MOST_CLASSES]]
    more = len(classes) - _MOST_CLASSES
    rows += [(f"and {more:,} more", *("" for _ in splits))] if more > 0 else []
    rows.append(("all", *(f"{len(labels[split]):,}" for split in splits)))
    drawn = [f"{share:.0%} of them for {name}" for name, share in _shares(config)]
    how = f" Images were drawn at random: {' and '.join(drawn)}." if drawn else ""
    return (
        f"The images are those of {plain(data_name(config))}.{how}\n\n{_table(('class', *splits), rows, len(splits))}"
    )


def _counted(labels: Sequence[str], config: Config) -> Counter[str]:
    """How many images have each class."""
    several = config.output.multi_label is not None
    return Counter(name for label in labels for name in (names_of(label) if several else (label,)))


def _shares(config: Config) -> Iterator[tuple[str, float]]:
    for name, share in zip((VALIDATION, TEST), config.data.shares, strict=True):
        if share:
            yield name, share


def _results(metrics: Mapping[str, Any]) -> str:
    splits = scored(metrics)
    shown = [one for one in METRICS if any(figures.get(one.key) is not None for _, figures in splits)]
    rows = []
    for one in shown:
        cells = []
        for _, figures in splits:
            interval = one.interval_text(figures)
            cells.append(one.text(figures) + (f" ({interval})" if interval else ""))
        rows.append((one.named(metrics), *cells))
    text = _table(("", *(name for name, _ in splits)), rows, len(splits))
    intervals = "In brackets: 95% intervals (Wilson)."
    per_class = [
        (plain(name), f"{one['precision']:.3f}", f"{one['recall']:.3f}", f"{one['f1']:.3f}", f"{one['support']:,}")
        for name, one in list(metrics.get("per_class", {}).items())[:_MOST_CLASSES]
    ]
    header = ("class", "precision", "recall", "F1", f"{metrics['split']} images")
    return "\n\n".join((text, intervals, *([_table(header, per_class, 4)] if per_class else [])))


def _limits(run: Run, config: Config, classes: Sequence[str], metrics: Mapping[str, Any]) -> Iterator[str]:
    split = str(metrics["split"])
    if split != TEST:
        yield f"The figures are those of {split} images, by which it was made or chosen: it is worse on new ones."
    yield "All images are from one source. Nothing here says how it does on those of other cameras, places or times."
    answers = f"It answers with one of its {len(classes):,} classes whatever an image shows."
    if are_of_several(metrics):
        answers = f"It knows {len(classes):,} labels and nothing else that an image may show."
    if run.has(run.unknown) and metrics.get("unknown_share") is not None:
        answers += (
            " cnnctl says `unknown` of one that is unlike the training images, as it does of "
            f"{percent(metrics['unknown_share'])} of the {split} images; other programs do not."
        )
    yield answers
    weakest = sorted(metrics.get("per_class", {}).items(), key=lambda one: (one[1]["recall"], one[0]))[:_WEAKEST]
    found = [
        f"{plain(name)} ({percent(one['recall'])} of {one['support']:,})" for name, one in weakest if one["support"]
    ]
    if found:
        yield f"The classes of which it finds the smallest share of the {split} images: {', '.join(found)}."
    confused = list(_confused(metrics))
    if confused:
        yield f"What it confuses most often: {', '.join(confused)}."
    counts = _counted(run.read_split(TRAIN)[1], config)
    least, most = min(counts.values(), default=0), max(counts.values(), default=0)
    if least and most >= _LOPSIDED * least:
        yield f"The largest class has {most / least:.1f} times the training images of the smallest."
    height, width = config.data.image.height, config.data.image.width
    yield f"Images are brought to {height} x {width} pixels ({config.data.image.fit}): finer details are lost."


def _confused(metrics: Mapping[str, Any]) -> Iterator[str]:
    names, matrix = metrics.get("classes", ()), metrics.get("confusion_matrix", ())
    pairs = [
        (count, names[truth], names[answer])
        for truth, row in enumerate(matrix)
        for answer, count in enumerate(row)
        if truth != answer and count
    ]
    for count, truth, answer in sorted(pairs, key=lambda one: (-one[0], one[1:]))[:_CONFUSED]:
        yield f"{plain(truth)} taken for {plain(answer)} ({count:,} of {sum(matrix[list(names).index(truth)]):,})"


def _use(run: Run, config: Config, classes: Sequence[str], plan: Plan) -> str:
    colours = "cv2.IMREAD_GRAYSCALE" if config.data.image.channels == 1 else "cv2.IMREAD_COLOR_RGB"
    height, width, channels = plan.input_shape
    command = "    pip install './packaging/light'   # from a checkout of cnnctl; or the whole of it: pip install .\n"
    command += "    cnnctl predict IMAGE --run THIS_FOLDER"
    if not run.has(run.onnx_model):
        return command
    means = "print(dict(zip(classes, answer[0])))"
    if len(classes) == 2 and plan.layers[-1].output_shape[-1] == 1:
        means = "print({classes[0]: 1 - answer[0, 0], classes[1]: answer[0, 0]})"
    program = f"""```python
import json, cv2, onnxruntime

with open("classes.json") as file:
    classes = json.load(file)
pixels = cv2.resize(cv2.imread("image.jpg", {colours}), ({width}, {height}), interpolation=cv2.INTER_AREA)
session = onnxruntime.InferenceSession("model.onnx")
answer = session.run(None, {{session.get_inputs()[0].name: pixels.reshape(1, {height}, {width}, {channels})}})[0]
{means}
```"""
    if config.output.multi_label is not None:
        program = program.replace(
            means, "print(dict(zip(classes, answer[0])))  # an image has those from the threshold in thresholds.json on"
        )
    form = config.data.image.fit
    fit = "" if form == "stretch" else f" This stretches an image, where cnnctl does `{form}`."
    return f"{command}\n\nWithout cnnctl, from uint8 pixels to probabilities:{fit}\n\n{program}"


def _training(config: Config, plan: Plan, environment: Mapping[str, Any]) -> str:
    device = (environment.get("device") or {}).get("name")
    epochs = environment.get("epochs")
    known = [
        ("parameters", f"{plan.total_params:,} ({size(4 * plan.total_params)} in float32)"),
        ("multiply-adds an image", f"{plan.multiply_adds:,}"),
        ("input", format_shape(plan.input_shape)),
        ("epochs", f"{epochs:,}, of which epoch {environment.get('best_epoch')} was kept" if epochs else None),
        ("trained on", device),
        ("finished", str(environment.get("finished") or "")[:10] or None),
        ("latency of model.onnx", f"{ms:.3g} ms an image" if (ms := environment.get("latency_ms")) else None),
        ("cnnctl", environment.get("cnnctl")),
    ]
    rows = [(name, plain(str(value))) for name, value in known if value is not None]
    return (
        f"{_table(('', ''), rows, 1)}\n\n`config.yaml` has every setting; `cnnctl train config.yaml` trains it again."
    )
