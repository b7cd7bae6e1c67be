"""Everything that can be known of a config before training: `check` reports it, `train` insists on it."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from cnnctl.architecture import Plan, make_plan
from cnnctl.architecture.warnings import find_warnings
from cnnctl.config import Config, Loaded
from cnnctl.config.augmentations import RandomCrop
from cnnctl.config.load import BUILT_IN_DATA
from cnnctl.config.problems import suggest
from cnnctl.config.schema import DataSettings, ImageSettings
from cnnctl.config.source import ValuePath, format_path
from cnnctl.config.training import ReduceOnPlateau
from cnnctl.data.listing import describe_parent
from cnnctl.errors import EXIT_CONFIG, EXIT_DATA, ConfigError, DataError, Notice, Position, Problem
from cnnctl.runs.directory import missing_weights
from cnnctl.tracking.packages import insist_on_packages

if TYPE_CHECKING:
    from cnnctl.data.cache.decoded import Decoded
    from cnnctl.data.catalog import Catalog

_UNKNOWN_CLASSES = 2
"""Stands in for the number of classes where neither the config nor the data tells, to look at the shapes."""

Progress = Callable[[int, int], None]


@dataclass
class Findings:
    """What was found out about a config.

    Attributes:
        problems: What makes a training impossible; empty for a config that will train.
        warnings: What is possible, but rarely meant.
        plan: The network, where it could be worked out with the right number of classes.
        catalog: The data, where it could be found and split.
        decoded: The images, where they were decoded.
    """

    problems: list[Problem] = field(default_factory=list)
    warnings: list[Notice] = field(default_factory=list)
    plan: Plan | None = None
    catalog: "Catalog | None" = None
    decoded: "Decoded | None" = None

    @property
    def exit_code(self) -> int:
        """0, 2 where the config is wrong, else 3."""
        codes = {problem.exit_code for problem in self.problems}
        return EXIT_CONFIG if EXIT_CONFIG in codes else EXIT_DATA if codes else 0

    def raise_if_problems(self) -> None:
        """Raises:
        ConfigError: with all problems, where there are any.
        """
        if self.problems:
            raise ConfigError(self.problems)


def check(loaded: Loaded, progress: Progress, decode: bool = True, strict: bool = False) -> Findings:
    """Check vocabulary, shapes, data and images, as far as each can be looked at.

    Args:
        loaded: A config with or without mistakes.
        progress: Called with (images done, images in all) while images are decoded.
        decode: Whether to decode every image; `train` then finds them in the cache.
        strict: See `decode_catalog`.

    Raises:
        MachineError: the config is right, but names an experiment tracker that is not installed.
    """
    findings = Findings(problems=list(loaded.problems))
    _check_data(loaded, findings)
    classes = _classes(loaded, findings)
    _check_network(loaded, findings, classes)
    _check_agreement(loaded, findings)
    if loaded.config is not None and not findings.problems:
        insist_on_packages(loaded.config.train.loggers)
    if decode and findings.catalog is not None and loaded.data is not None:
        decode_catalog(loaded, findings, progress, strict=strict)
    findings.problems.sort(key=_place)
    return findings


def _place(problem: Problem) -> tuple[int, int, int]:
    position = problem.position
    return (problem.exit_code, position.line, position.column) if position else (problem.exit_code, 0, 0)


def _check_data(loaded: Loaded, findings: Findings) -> None:
    from cnnctl.data.catalog import make_catalog

    data = loaded.data
    if data is None:
        return
    missing = _missing_sources(data, loaded)
    findings.problems += missing
    if missing:
        return
    try:
        findings.catalog = make_catalog(data, loaded.config.seed if loaded.config is not None else 0)
    except DataError as error:
        findings.problems.append(_data_problem(loaded, "train", error))


def _missing_sources(data: DataSettings, loaded: Loaded) -> list[Problem]:
    """Every key whose folder or file is not there, so that all are named at once."""
    problems = []
    for split, source in data.sources.items():
        if source not in BUILT_IN_DATA and not Path(source).exists():
            error = DataError(f"there is no folder or file {source}", describe_parent(Path(source)))
            problems.append(_data_problem(loaded, split, error))
    return problems


def _data_problem(loaded: Loaded, key: str, error: DataError) -> Problem:
    position = loaded.document.position(("data", key))
    return Problem(error.message, f"data.{key}", position, hint=error.hint, exit_code=EXIT_DATA)


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
    output = loaded.config.output if loaded.config is not None else "softmax"
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
    for warning in find_warnings(plan):
        position = _layer_position(loaded, warning.path)
        findings.warnings.append(Notice(warning.message, warning.hint, position, format_path(warning.path)))


def _layer_position(loaded: Loaded, path: ValuePath) -> Position | None:
    """Where a layer stands; the last one for the output layer, which is appended and stands nowhere."""
    if path == ("output",):
        path = ("model", len(loaded.document.data["model"]) - 1)
    return loaded.document.position(path)


def _check_agreement(loaded: Loaded, findings: Findings) -> None:
    """What two sections say must go together."""
    config, catalog = loaded.config, findings.catalog
    if config is None:
        return
    _check_monitors(loaded, config, findings)
    _check_loss(loaded, config, findings)
    _check_crops(loaded, config, findings)
    _check_start(loaded, config, findings)
    if catalog is None:
        return
    classes = catalog.classes
    if config.output == "sigmoid" and len(classes) != 2:
        message = f"output: sigmoid is for exactly two classes, and the data has {len(classes)}"
        _add(loaded, findings, ("output",), message, "output=sigmoid", "remove this line: softmax is the default")
    if isinstance(config.train.class_weight, dict):
        for name in config.train.class_weight:
            if name not in classes:
                mend = suggest(name, classes, "the classes are")
                _add(loaded, findings, ("train", "class_weight", name), "the data has no such class", name, mend)


def _check_monitors(loaded: Loaded, config: Config, findings: Findings) -> None:
    """Nothing may watch validation figures where there are none."""
    watching: list[tuple[ValuePath, str]] = []
    if config.train.early_stopping is not None:
        watching.append((("train", "early_stopping", "monitor"), config.train.early_stopping.monitor))
    if isinstance(config.train.schedule, ReduceOnPlateau):
        watching.append((("train", "schedule", "reduce_on_plateau", "monitor"), config.train.schedule.monitor))
    for path, monitor in watching:
        if monitor.startswith("val_") and not config.data.validation:
            hint = "give data.validation a share, or monitor loss"
            _add(loaded, findings, path, "there are no validation images to monitor", f"monitor={monitor}", hint)


def _check_loss(loaded: Loaded, config: Config, findings: Findings) -> None:
    """A loss is for one kind of output."""
    wrong = {"softmax": "binary_crossentropy", "sigmoid": "categorical_crossentropy"}[config.output]
    if config.train.loss == wrong:
        message = f"{wrong} does not go with output: {config.output}"
        hint = "remove this line: auto takes the loss of the output"
        _add(loaded, findings, ("train", "loss"), message, f"loss={wrong}", hint)


def _check_crops(loaded: Loaded, config: Config, findings: Findings) -> None:
    """A window that is larger than the image cuts nothing out."""
    image = config.data.image
    for index, step in enumerate(config.augment):
        if isinstance(step, RandomCrop) and (step.height > image.height or step.width > image.width):
            received = f"height={step.height}, width={step.width}"
            message = f"the window is larger than the image of {image.height}x{image.width}"
            _add(loaded, findings, ("augment", index), message, received, "make it smaller than data.image")


def _check_start(loaded: Loaded, config: Config, findings: Findings) -> None:
    """The weights to begin with are where they are said to be."""
    place = config.train.initial_weights
    error = missing_weights(Path(place)) if place is not None else None
    if error is not None:
        _add(loaded, findings, ("train", "initial_weights"), error.message, f"initial_weights={place}", error.hint)


def _add(
    loaded: Loaded, findings: Findings, path: ValuePath, message: str, received: str | None, hint: str | None
) -> None:
    position = loaded.document.position(path)
    findings.problems.append(Problem(message, format_path(path), position, received, hint))


def decode_catalog(
    loaded: Loaded,
    findings: Findings,
    progress: Progress,
    waiting: Callable[[], None] = lambda: None,
    strict: bool = False,
) -> None:
    """Decode every image of the catalog and look at what they are.

    Args:
        loaded: The config.
        findings: Gets the images; what cannot be decoded is a problem or is left out, as the config says.
        progress: Called with (images done, images in all).
        waiting: Called before waiting for another process that decodes the same images.
        strict: Whether the same image in two splits, images of one colour, and classes without test images are
            problems; else they are warnings.
    """
    from cnnctl.data.cache.decoded import decode_images
    from cnnctl.data.catalog import image_spec

    assert loaded.data is not None
    assert findings.catalog is not None
    data, catalog = loaded.data, findings.catalog
    decoded = decode_images(catalog.frame.path.tolist(), image_spec(data.image), data.cache, progress, waiting)
    findings.decoded = decoded
    if decoded.failures:
        _leave_out(data, findings, decoded)
    if not findings.problems:
        _check_leaks(findings, decoded, strict)


def _check_leaks(findings: Findings, decoded: "Decoded", strict: bool) -> None:
    """What makes figures lie is a warning, or a problem where the user is strict."""
    from cnnctl.data.leakage import suspicions

    assert findings.catalog is not None
    for one in suspicions(findings.catalog, decoded):
        if strict:
            findings.problems.append(Problem(one.message, hint=one.hint, exit_code=EXIT_DATA))
        else:
            findings.warnings.append(Notice(one.message, one.hint))


def _leave_out(data: DataSettings, findings: Findings, decoded: "Decoded") -> None:
    """The images that cannot be decoded: a problem, or gone from the catalog, as the config says."""
    from cnnctl.data.catalog import Catalog

    assert findings.catalog is not None
    catalog = findings.catalog
    named = [f"{catalog.frame.path[row]}: {reason}" for row, reason in list(decoded.failures.items())[:20]]
    more = len(decoded.failures) - len(named)
    listing = "\n  ".join(named) + (f"\n  and {more:,} more" if more else "")
    share = len(decoded.failures) / len(catalog.frame)
    if data.on_bad_image == "error" or share > data.max_bad_images:
        skips = data.on_bad_image == "skip"
        limit = f", more than data.max_bad_images = {data.max_bad_images:g}" if skips else ""
        message = f"{len(decoded.failures):,} of {len(catalog.frame):,} images cannot be decoded{limit}:\n  {listing}"
        mend = "raise data.max_bad_images" if skips else "leave them out with data.on_bad_image: skip"
        hint = f"remove or convert them, or {mend}"
        findings.problems.append(Problem(message, hint=hint, exit_code=EXIT_DATA))
        return
    message = f"{len(decoded.failures):,} images cannot be decoded and are left out:\n  {listing}"
    findings.warnings.append(Notice(message, "remove or convert them"))
    frame = catalog.frame.drop(index=list(decoded.failures))
    gone = sorted(set(catalog.classes) - set(frame.label[frame.split == "train"]))
    if gone:
        message = f"no training image is left for the class {gone[0]}"
        findings.problems.append(Problem(message, exit_code=EXIT_DATA))
    findings.catalog = Catalog(frame, catalog.classes, catalog.left_out)
