"""Everything that can be known of a config before training: `check` reports it, `train` insists on it."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from cnnctl.architecture import Plan, make_plan
from cnnctl.architecture.budget import limits
from cnnctl.architecture.warnings import find_warnings
from cnnctl.config import Config, Loaded
from cnnctl.config.augmentations import RandomCrop
from cnnctl.config.meant import suggest
from cnnctl.config.problems import in_order
from cnnctl.config.schedules import ReduceOnPlateau
from cnnctl.config.schema import PARTS, ImageSettings, views_of
from cnnctl.config.source import ValuePath, format_path
from cnnctl.errors import (
    EXIT_BUSY,
    EXIT_DATA,
    EXIT_ENVIRONMENT,
    CnnctlError,
    ConfigError,
    DataError,
    MachineError,
    Notice,
    Position,
    Problem,
)
from cnnctl.layers.backbone import IMAGENET, Backbone
from cnnctl.layers.output import SOFTMAX
from cnnctl.runs.directory import refuse_occupied
from cnnctl.runs.find import missing_weights
from cnnctl.system.backends import (
    choose_backend,
    not_installed,
    why_there_is_no_gpu,
)
from cnnctl.system.files import absolute
from cnnctl.system.home import is_writable
from cnnctl.system.packages import is_installed
from cnnctl.tracking.tracker import insist_on_packages

if TYPE_CHECKING:
    from cnnctl.architecture.backbone import ResolvedBackbone
    from cnnctl.data.catalog import Catalog
    from cnnctl.data.prepare import Prepared

_UNKNOWN_CLASSES = 2
"""Stands in for the number of classes where neither the config nor the data tells, to look at the shapes."""

Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class Before:
    """A training to come: its run directory, None for the next number in runs/NAME/."""

    output: Path | None = None


@dataclass
class Findings:
    """What was found out about a config.

    `plan`, `catalog` and `prepared` are None where the network, the data or its images could not be worked out.
    """

    problems: list[Problem] = field(default_factory=list)
    warnings: list[Notice] = field(default_factory=list)
    plan: Plan | None = None
    catalog: "Catalog | None" = None
    prepared: "Prepared | None" = None

    @property
    def exit_code(self) -> int:
        """0, 2 where the config is wrong, else 3 for the data, else 5 for the machine, else 7 for a run in use."""
        return min((problem.exit_code for problem in self.problems), default=0)

    def raise_if_problems(self) -> None:
        """Raises:
        ConfigError: with all problems, where there are any.
        """
        if self.problems:
            raise ConfigError(self.problems)


def check(
    loaded: Loaded,
    progress: Progress,
    decode: bool = True,
    strict: bool = False,
    before: "Before | None" = None,
    catalog: "Catalog | None" = None,
) -> Findings:
    """Check vocabulary, shapes, data and images, as far as each can be looked at.

    With `decode` every image is decoded, so that `train` finds it in the cache; `progress` then gets (images done,
    images in all). For `strict` see `data.prepare.prepare`. With `before`, what the machine lacks for the training is a
    problem like the others. A catalog of the same data, where it is known, need not be made again.

    Raises:
        MachineError: without `before`: the config is right, but names an experiment tracker that is not installed.
    """
    findings = Findings(problems=list(loaded.problems), catalog=catalog)
    if catalog is None:
        _check_data(loaded, findings)
    classes = _classes(loaded, findings)
    _check_network(loaded, findings, classes)
    _check_agreement(loaded, findings)
    if loaded.config is not None and before is not None:
        findings.problems += _lacking(loaded, loaded.config, before)
    elif loaded.config is not None and not findings.problems:
        insist_on_packages(loaded.config.train.loggers)
    if decode and findings.catalog is not None and loaded.data is not None:
        from cnnctl.data.prepare import prepare

        is_right = findings.exit_code in (0, EXIT_ENVIRONMENT, EXIT_BUSY)
        findings.prepared = prepare(loaded.data, findings.catalog, progress, strict=strict, seeks_leaks=is_right)
        findings.problems += findings.prepared.problems
        findings.warnings += findings.prepared.warnings
    findings.problems = in_order(findings.problems)
    return findings


def _check_data(loaded: Loaded, findings: Findings) -> None:
    from cnnctl.data.catalog import CatalogError, make_catalog

    data = loaded.data
    if data is None:
        return
    try:
        seed = loaded.config.seed if loaded.config is not None else 0
        findings.catalog = make_catalog(data, seed, _has_several_labels(loaded))
    except CatalogError as error:
        findings.problems += [_data_problem(loaded, fault.key, fault.error) for fault in error.faults]


def _has_several_labels(loaded: Loaded) -> bool:
    """Whether a config says that images may have several labels, though it has mistakes elsewhere."""
    if loaded.config is not None:
        return loaded.config.output.multi_label is not None
    output = loaded.document.data.get("output")
    if isinstance(output, dict):
        return output.get("multi_label") not in (None, "none")
    return bool(output == "multi_label")


def _data_problem(loaded: Loaded, key: ValuePath, error: DataError) -> Problem:
    position = loaded.document.position(("data", *key))
    return Problem(error.message, format_path(("data", *key)), position, hint=error.hint, exit_code=EXIT_DATA)


def _classes(loaded: Loaded, findings: Findings) -> int | None:
    """The number of classes: what the data has, else what the config says."""
    said = loaded.config.classes if loaded.config is not None else None
    if findings.catalog is None:
        return said
    found = len(findings.catalog.classes)
    if said is not None and said != found:
        _add(loaded, findings, ("classes",), f"the data has {found} classes", f"classes={said}", "remove this line")
    return found


def _check_network(loaded: Loaded, findings: Findings, classes: int | None) -> None:
    image = loaded.data.image if loaded.data is not None else ImageSettings()
    complete = loaded.config is not None
    output = loaded.config.output if loaded.config is not None else SOFTMAX
    shape = (image.height, image.width, image.channels)
    if loaded.data is None and "data" in loaded.document.data:
        return  # the size of the images is not known
    known = classes if classes is not None else _UNKNOWN_CLASSES
    plan = make_plan(loaded.layers, shape, known if complete else None, output)
    for problem in plan.problems:
        position = _layer_position(loaded, problem.path)
        place = format_path(problem.path)
        findings.problems.append(Problem(problem.message, place, position, problem.received, problem.hint))
    if plan.problems or not complete:
        return
    findings.plan = plan if classes is not None else None
    if plan.backbone is not None and loaded.config is not None:
        _check_backbone(loaded, findings, plan.backbone, loaded.config)
    if loaded.config is not None and classes is not None:
        _check_budget(loaded, findings, plan, loaded.config)
    for warning in find_warnings(plan):
        position = _layer_position(loaded, warning.path)
        findings.warnings.append(Notice(warning.message, warning.hint, position, format_path(warning.path)))


def _check_budget(loaded: Loaded, findings: Findings, plan: Plan, config: Config) -> None:
    for one in limits(plan, config.budget, views_of(config.test_time)) if config.budget is not None else ():
        if not one.is_kept:
            received = f"{one.key}={one.limit:g}"
            message = f"the network is beyond the budget: {one.told}"
            _add(loaded, findings, ("budget", one.key), message, received, f"{one.largest}; make it smaller")


def _check_backbone(loaded: Loaded, findings: Findings, backbone: "ResolvedBackbone", config: Config) -> None:
    """What goes with a backbone, and what does not."""
    scaling, known = config.data.image.scaling, backbone.graph.scaling is not None
    key: ValuePath = ("data", "image", "scaling")
    if known and scaling != "auto":
        message = f"{backbone.row_name} scales pixels as it was trained"
        _add(loaded, findings, key, message, f"scaling={scaling}", "remove this line: auto is the default")
    if not known and scaling == "auto":
        message = f"{backbone.file} does not say how the pixels that it was trained with were scaled"
        _add(loaded, findings, key, message, "scaling=auto", "set data.image.scaling to unit, symmetric or standardize")

    weights = backbone.weights
    if weights is not None and weights != IMAGENET and not Path(weights).is_file():
        place: ValuePath = ("model", 0, backbone.kind, "weights")
        _add(loaded, findings, place, f"there is no file {weights}", f"weights={weights}", "imagenet is the default")

    varied: ValuePath = ("augment",)
    if config.augment and not backbone.trainable and config.train.fine_tune is None:
        message = "augment has no effect: the head is trained on features of the images as they are"
        hint = "add train.fine_tune, in which it acts, or remove it"
        findings.warnings.append(Notice(message, hint, loaded.document.position(varied), format_path(varied)))


def _layer_position(loaded: Loaded, path: ValuePath) -> Position | None:
    """Where a layer stands; the last one for the output layer, which is appended and stands nowhere."""
    if path == ("output",):
        path = ("model", len(loaded.document.data["model"]) - 1)
    return loaded.document.position(path)


def _check_agreement(loaded: Loaded, findings: Findings) -> None:
    if loaded.config is None:
        return
    classes = findings.catalog.classes if findings.catalog is not None else None
    for path, message, received, hint in _disagreements(loaded.config, classes):
        _add(loaded, findings, path, message, received, hint)


def _lacking(loaded: Loaded, config: Config, before: Before) -> Iterator[Problem]:
    """What the machine lacks for a training, as far as that is sure without loading a backend; all at once."""

    def problem(key: str, error: CnnctlError) -> Problem:
        path: ValuePath = ("train", key) if key else ()
        is_there = bool(key) and key in (loaded.document.data.get("train") or {})
        position = loaded.document.position(path) if is_there else None
        name = format_path(path) if is_there else ""
        return Problem(
            error.message.removeprefix(f"{name}: "), name, position, hint=error.hint, exit_code=error.exit_code
        )

    train = config.train
    try:
        backend = choose_backend(train.backend)
    except MachineError as error:
        yield problem("backend", error)
    else:
        if not is_installed(backend):
            yield problem("backend", not_installed(backend))

    why = why_there_is_no_gpu() if train.device == "gpu" else None
    if why is not None:
        hint = "train on a machine with a GPU and its driver, or with device: cpu"
        yield problem("device", MachineError(f"there is no GPU: {why}", hint))

    first = config.model[0]
    if isinstance(first, Backbone) and first.weights == IMAGENET and first.application is not None:
        from cnnctl.weights.find import insist_on_a_source

        try:
            insist_on_a_source(first.application)
        except MachineError as error:
            position = loaded.document.position(("model", 0))
            yield Problem(error.message, "model[0]", position, hint=error.hint, exit_code=error.exit_code)

    for logger in train.loggers:
        try:
            insist_on_packages([logger])
        except MachineError as error:
            yield problem("loggers", error)

    output = before.output or Path("runs", config.name or "run")
    try:
        if before.output is not None:
            refuse_occupied(before.output)
        if not is_writable(absolute(output)):
            raise MachineError(f"{output} cannot be written", "name another folder with --output")
    except CnnctlError as error:
        yield problem("", error)


def _disagreements(config: Config, classes: tuple[str, ...] | None) -> Iterator[tuple[ValuePath, str, str, str | None]]:
    """What two sections say and does not go together: path, message, what was received, and the mend."""
    train, image = config.train, config.data.image

    watching: list[tuple[ValuePath, str]] = []
    if train.early_stopping is not None:
        watching.append((("train", "early_stopping", "monitor"), train.early_stopping.monitor))
    if isinstance(train.schedule, ReduceOnPlateau):
        watching.append((("train", "schedule", "reduce_on_plateau", "monitor"), train.schedule.monitor))
    for path, monitor in watching:
        if monitor.startswith("val_") and not config.data.validation:
            hint = "set data.validation to a fraction, or monitor loss"
            yield path, "there are no validation images to monitor", f"monitor={monitor}", hint

    if config.data.keep == "parts":
        yield from _wrong_for_parts(config)

    kind = config.output.kind
    wrong = "binary_crossentropy" if kind == "softmax" else "categorical_crossentropy"
    if train.loss == wrong:
        message = f"{wrong} cannot be combined with output: {kind}"
        yield (
            ("train", "loss"),
            message,
            f"loss={wrong}",
            "remove this line: auto chooses the loss that fits the output",
        )

    first = config.model[0]
    if train.fine_tune is not None and not (isinstance(first, Backbone) and not first.trainable):
        message = "fine_tune is for a network that begins with a backbone whose weights are not trained at first"
        other = "set trainable: false for the backbone" if isinstance(first, Backbone) else "add a backbone to model"
        yield ("train", "fine_tune"), message, f"epochs={train.fine_tune.epochs}", f"remove this line, or {other}"

    for index, step in enumerate(config.augment):
        if isinstance(step, RandomCrop) and (step.height > image.height or step.width > image.width):
            received = f"height={step.height}, width={step.width}"
            message = f"the window is larger than the image of {image.height}x{image.width}"
            yield ("augment", index), message, received, "make it smaller than data.image"

    place = train.initial_weights
    error = missing_weights(Path(place)) if place is not None else None
    if error is not None:
        yield ("train", "initial_weights"), error.message, f"initial_weights={place}", error.hint

    columns = config.data.csv.label
    if not isinstance(columns, str) and kind != "multi_label":
        message = "several columns of labels are for output: multi_label"
        hint = "write output: multi_label, or name one column"
        yield ("data", "csv", "label"), message, f"label=[{', '.join(columns)}]", hint

    if classes is None:
        return
    if kind == "sigmoid" and len(classes) != 2:
        message = f"output: sigmoid is for exactly two classes, and the data has {len(classes)}"
        yield ("output",), message, "output=sigmoid", "remove this line: softmax is the default"
    if isinstance(train.class_weight, dict):
        for name in train.class_weight:
            if name not in classes:
                mend = suggest(name, classes, "the classes are")
                yield ("train", "class_weight", name), "the data has no such class", name, mend


def _wrong_for_parts(config: Config) -> Iterator[tuple[ValuePath, str, str, str | None]]:
    """What a training cannot do whose processes keep a part of the images each."""
    batch = config.train.batch_size
    if batch % PARTS:
        nearest = (batch // PARTS * PARTS, -(-batch // PARTS) * PARTS)
        sizes = " or ".join(f"batch_size: {size}" for size in nearest if size)
        message = f"with data.keep: parts every batch has as many images of each of {PARTS} parts"
        yield ("train", "batch_size"), message, str(batch), sizes
    if not config.data.validation:
        message = "no process has all training images to judge the network by, and there are no validation images"
        yield ("data", "keep"), message, "keep=parts", "set data.validation to a fraction, or remove this line"


def _add(
    loaded: Loaded, findings: Findings, path: ValuePath, message: str, received: str | None, hint: str | None
) -> None:
    position = loaded.document.position(path)
    findings.problems.append(Problem(message, format_path(path), position, received, hint))
