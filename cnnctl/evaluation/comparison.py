"""Several runs side by side: configs, cost, time, figures, and whether one is significantly better."""

import csv
import io
import shlex
import string
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING

from cnnctl.architecture.plan import Plan
from cnnctl.architecture.planner import plan_of
from cnnctl.config import Config
from cnnctl.config.difference import Difference, differences
from cnnctl.errors import CnnctlError, RunError, UsageError
from cnnctl.evaluation.metrics import RANKING, RANKING_OF_SEVERAL, Figures, are_of_several, finite, read_figures
from cnnctl.evaluation.significance import SIGNIFICANCE, holm, mcnemar
from cnnctl.formatting import several
from cnnctl.runs import Run, find_run
from cnnctl.system.inside import lines_of

if TYPE_CHECKING:
    from cnnctl.evaluation.bootstrap import Bootstrap

_AGAIN = "`cnnctl evaluate --run {}` writes it again"
_UNREADABLE = "train it again"


@dataclass(frozen=True)
class TrainingInfo:
    """What environment.json says of a run's training.

    `seconds` are of the whole of the last command. `resumed_after` is the epoch after which that command went on; None
    where it did all of them. `data_hash` is of the contents and labels of all images.
    """

    epochs: int
    best_epoch: int
    seconds: float
    resumed_after: int | None
    device: str
    precision: str
    backend: str
    data_hash: str


@dataclass(frozen=True)
class ComparedRun:
    """A run that is compared.

    `letter` (A, B, ...) is what it is called. `split` and `figures` are those of its evaluation. `training` is None
    where the training did not come to its end.
    """

    letter: str
    run: Run
    config: Config
    plan: Plan
    split: str
    figures: Figures
    training: TrainingInfo | None


@dataclass(frozen=True)
class PairwiseTest:
    """The run with the highest accuracy and another one, on the images that both were evaluated on.

    Where images may have several labels it is the one with the highest macro F1.

    Attributes:
        best: Index of the first.
        other: Index of the second.
        images: (of the best, of the other): how many each was evaluated on.
        shared: How many both were evaluated on, under the same label.
        relabelled: How many more both were evaluated on, under different labels: they are left out.
        best_only: Images that only the best gets right.
        other_only: Images that only the other gets right.
        p: McNemar's; None where nothing is shared.
        adjusted_p: The same after Holm's correction for all tests.
        bootstrap: Of runs of which images may have several labels: what p is from, instead of McNemar's test.
    """

    best: int
    other: int
    images: tuple[int, int]
    shared: int
    relabelled: int
    best_only: int
    other_only: int
    p: float | None
    adjusted_p: float | None
    bootstrap: "Bootstrap | None" = None

    @property
    def is_significant(self) -> bool | None:
        """Whether the corrected p is small enough; None without one."""
        return None if self.adjusted_p is None else self.adjusted_p < SIGNIFICANCE


@dataclass(frozen=True)
class Comparison:
    """Runs side by side.

    `tests` are of the best run with each other one; `warnings` say why some of the figures must not be compared.
    """

    runs: tuple[ComparedRun, ...]
    differences: tuple[Difference, ...]
    tests: tuple[PairwiseTest, ...]
    warnings: tuple[str, ...]


def compare(paths: Sequence[Path]) -> Comparison:
    """Put two or more run directories side by side; a folder `runs/<name>` stands for its newest run.

    Raises:
        UsageError: there are fewer than two, or one of them twice.
        RunError: one is missing, was not evaluated, or is damaged.
    """
    runs = tuple(_read(letter, run) for letter, run in zip(_letters(), _distinct(paths), strict=False))
    answers = [_read_answers(one.run) for one in runs]
    several = _may_have_several(runs)
    best = (RANKING_OF_SEVERAL if several else RANKING).best([one.figures for one in runs])
    tests = _corrected([_test(best, other, answers, several) for other in range(len(runs)) if other != best])
    found = differences([one.config for one in runs])
    return Comparison(runs, found, tests, tuple(_warnings(runs)))


def _may_have_several(runs: Sequence[ComparedRun]) -> bool:
    """Whether images may have several labels in these runs.

    Raises:
        UsageError: in some of them.
    """
    several = {are_of_several(one.figures): one for one in runs}
    if len(several) > 1:
        raise UsageError(
            f"{several[True].run.path} gives images several labels, and {several[False].run.path} one each",
            "compare runs of one kind: their figures are of other things",
        )
    return True in several


def _letters() -> list[str]:
    """A to Z, then AA to ZZ: more than a table has room for."""
    alphabet = string.ascii_uppercase
    return [*alphabet, *(first + second for first, second in product(alphabet, repeat=2))]


def _distinct(paths: Sequence[Path]) -> list[Run]:
    if len(paths) < 2:
        raise UsageError("expected two runs or more", "`cnnctl runs` lists them: cnnctl compare runs/a/1 runs/b/1")
    most = len(_letters())
    if len(paths) > most:
        raise UsageError(f"expected at most {most} runs", "`cnnctl runs --json` has the metrics of more")
    runs = [find_run(path) for path in paths]
    seen: dict[Path, Path] = {}
    for path, run in zip(paths, runs, strict=True):
        place = run.path.resolve()
        if place in seen:
            raise UsageError(f"{seen[place]} and {path} are the same run", "`cnnctl runs` lists those there are")
        seen[place] = path
    return runs


def _read(letter: str, run: Run) -> ComparedRun:
    split, figures = figures_of(run)
    training = training_of(run) if run.has(run.environment) else None
    try:
        config = run.read_config()
    except RunError:
        raise
    except CnnctlError as error:
        reason = str(error).removeprefix("error: ").splitlines()[0]
        raise RunError(f"{run.path} has a config.yaml that cannot be read: {reason}", _UNREADABLE) from None
    plan = plan_of(config, len(run.read_classes()), run.config, run.checked(run.keras_model))
    return ComparedRun(letter, run, config, plan, split, figures, training)


def figures_of(run: Run) -> tuple[str, Figures]:
    """(the split that a run was evaluated on, its figures).

    Raises:
        RunError: it was not, or they are damaged.
    """
    if not run.has(run.metrics) and not run.has(run.environment):
        run.refuse_in_training(run.metrics.name)
        hint = f"resume it with: cnnctl train --resume {shlex.quote(str(run.path))}"
        raise RunError(f"{run.path} is not complete", hint)
    run.need(run.metrics)
    content = run.read_metrics()
    try:
        return str(content["split"]), read_figures(content)
    except (LookupError, TypeError, ValueError):
        raise RunError(f"{run.metrics} holds no evaluation", _AGAIN.format(shlex.quote(str(run.path)))) from None


def training_of(run: Run) -> TrainingInfo:
    """What environment.json says.

    Raises:
        RunError: it cannot be read.
    """
    try:
        said = run.read_json(run.environment)
        return TrainingInfo(
            epochs=int(said["epochs"]),
            best_epoch=int(said["best_epoch"]),
            seconds=finite(said["seconds"]["total"]),
            resumed_after=None if said["resumed_after_epoch"] is None else int(said["resumed_after_epoch"]),
            device=several(int(said.get("devices", 1)), str(said["device"]["name"])),
            precision=str(said["precision"]["policy"]),
            backend=str(said["backend"]),
            data_hash=str(said["data_hash"]),
        )
    except (OSError, LookupError, TypeError, ValueError, OverflowError):
        raise RunError(f"{run.environment} cannot be read", _UNREADABLE) from None


def _read_answers(run: Run) -> dict[tuple[str, str], tuple[bool, str]]:
    """Whether the answer is right, and the answer, by (path, label) of each image that the run was evaluated on."""
    answers = {}
    try:
        file = run.open(run.need(run.predictions))
        with io.TextIOWrapper(file, encoding="utf-8", errors="surrogateescape", newline="") as text:
            rows = csv.reader(lines_of(text))
            header = next(rows, [])
            path, label, correct, said = (header.index(name) for name in ("path", "label", "correct", "predicted"))
            for row in rows:
                answers[row[path], row[label]] = ("false", "true").index(row[correct]) == 1, row[said]
    except (OSError, csv.Error, LookupError, ValueError):
        raise RunError(f"{run.predictions} cannot be read", _AGAIN.format(shlex.quote(str(run.path)))) from None
    return answers


def _test(
    best: int, other: int, answers: Sequence[dict[tuple[str, str], tuple[bool, str]]], several: bool
) -> PairwiseTest:
    ours, theirs = answers[best], answers[other]
    shared = ours.keys() & theirs.keys()
    both = {path for path, _ in ours} & {path for path, _ in theirs}
    best_only = sum(ours[image][0] and not theirs[image][0] for image in shared)
    other_only = sum(theirs[image][0] and not ours[image][0] for image in shared)
    bootstrap = None
    if several and shared:
        from cnnctl.evaluation.bootstrap import paired_bootstrap

        order = sorted(shared)
        one, two = ([of[image][1] for image in order] for of in (ours, theirs))
        bootstrap = paired_bootstrap([label for _, label in order], one, two)
    p = mcnemar(best_only, other_only) if shared and not several else None
    return PairwiseTest(
        best=best,
        other=other,
        images=(len(ours), len(theirs)),
        shared=len(shared),
        relabelled=len(both - {path for path, _ in shared}),
        best_only=best_only,
        other_only=other_only,
        p=p if bootstrap is None else bootstrap.p,
        adjusted_p=None,
        bootstrap=bootstrap,
    )


def _corrected(tests: Sequence[PairwiseTest]) -> tuple[PairwiseTest, ...]:
    """The tests with Holm's correction for those that could be tested."""
    raised = iter(holm([one.p for one in tests if one.p is not None]))
    return tuple(one if one.p is None else replace(one, adjusted_p=next(raised)) for one in tests)


def _warnings(runs: Sequence[ComparedRun]) -> list[str]:
    """Warnings about metrics and times that cannot be compared."""
    warnings = []
    trainings = [one.training for one in runs if one.training is not None]
    unlike = [
        f"{name}s" for name in ("device", "precision", "backend") if len({getattr(one, name) for one in trainings}) > 1
    ]
    if unlike:
        warnings.append(f"the times are not comparable: they were measured with different {' and '.join(unlike)}")
    for one in runs:
        if one.training is None:
            warnings.append(f"{one.letter} is not complete: `cnnctl runs` shows its progress")
        elif one.training.resumed_after is not None:
            warnings.append(f"the time of {one.letter} is that of its epochs after {one.training.resumed_after}")
    if len({one.data_hash for one in trainings}) > 1:
        warnings.append("the images or their labels are not the same in all of these runs (data_hash)")
    if len({one.split for one in runs}) > 1:
        warnings.append("the runs were evaluated on different splits: their accuracies are not directly comparable")
    for split, lacks, why in (
        ("validation", "test", "the images that selected the best epoch: their accuracy is optimistic"),
        ("train", "test or validation", "the training images: their accuracy says little about new images"),
    ):
        letters = [one.letter for one in runs if one.split == split]
        if letters:
            verb = "has" if len(letters) == 1 else "have"
            warnings.append(f"{' and '.join(letters)} {verb} no {lacks} images; evaluated on {why}")
    return warnings
