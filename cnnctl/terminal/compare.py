"""Runs side by side: tables, sentences, and JSON."""

from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cnnctl.formatting import duration, printable
from cnnctl.system.files import absolute
from cnnctl.terminal.layout import width_of, wrapped
from cnnctl.terminal.render import LEFT, RIGHT, print_json, print_table, print_text, say, say_values, screen

if TYPE_CHECKING:
    from cnnctl.evaluation.comparison import ComparedRun, Comparison, PairwiseTest, TrainingInfo

_MISSING = "—"
_PROSE = 100


def comparison_json(comparison: "Comparison") -> dict[str, Any]:
    """The form of `compare --json`."""
    from cnnctl.config.difference import ABSENT

    letters = [one.letter for one in comparison.runs]
    differences = []
    for one in comparison.differences:
        values = {letter: value for letter, value in zip(letters, one.values, strict=True) if value is not ABSENT}
        differences.append({"path": one.path, "values": values})
    return {
        "runs": {one.letter: _run_json(one) for one in comparison.runs},
        "differences": differences,
        "tests": [_test_json(one, letters) for one in comparison.tests],
        "remarks": list(comparison.warnings),
    }


def _run_json(one: "ComparedRun") -> dict[str, Any]:
    return {
        "run": str(one.run.path),
        "total_params": one.plan.total_params,
        "multiply_adds": one.plan.multiply_adds,
        "split": one.split,
        **one.figures,
        "training": None if one.training is None else asdict(one.training),
    }


def _test_json(one: "PairwiseTest", letters: list[str]) -> dict[str, Any]:
    best, other = letters[one.best], letters[one.other]
    return {
        "best": best,
        "other": other,
        "images": {best: one.images[0], other: one.images[1]},
        "shared_images": one.shared,
        "relabelled_images": one.relabelled,
        "right_only": {best: one.best_only, other: one.other_only},
        "p": one.p,
        "adjusted_p": one.adjusted_p,
        "more_than_chance": one.is_significant,
        **({} if one.bootstrap is None else {"macro_f1": {**asdict(one.bootstrap)}}),
    }


def print_comparison(comparison: "Comparison", as_json: bool = False) -> None:
    """The runs' letters, the tables of configs and results, the tests."""
    if as_json:
        print_json(comparison_json(comparison))
        return
    if say_values(comparison.runs[comparison.tests[0].best].run.path):
        return
    for one in comparison.runs:
        say(f"{one.letter}  {printable(str(one.run.path))}")
    say()
    _print_configs(comparison)
    say()
    _print_results(comparison.runs)
    say()
    _print_tests(comparison)
    if comparison.warnings:
        say()
    for warning in comparison.warnings:
        print_text(f"warning: {warning}")


def _print_configs(comparison: "Comparison") -> None:
    if not comparison.differences:
        which = "both" if len(comparison.runs) == 2 else "all"
        say(f"the configs of {which} are identical")
        return
    rows = [(one.path, *map(value_text, one.values)) for one in comparison.differences]
    letters = [one.letter for one in comparison.runs]
    print_table(("config", *letters), rows, (LEFT, *(LEFT for _ in letters)), keep_first=True)


def value_text(value: Any) -> str:
    """A value of a config in a cell: `0.001`, `[3, 3]`, `adam: {learning_rate: 0.01}`; a dash where there is none.

    Paths in the current folder are without it.
    """
    from cnnctl.config.difference import ABSENT

    if value is ABSENT:
        return _MISSING
    if value is None:
        return "none"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return value.removeprefix(f"{absolute(Path())}/")
    if isinstance(value, dict):
        return ", ".join(f"{key}: {_inner_text(item)}" for key, item in value.items()) or "by default"
    if isinstance(value, list):
        return f"[{', '.join(map(_inner_text, value))}]"
    return f"{value:g}" if isinstance(value, float) and float(f"{value:g}") == value else str(value)


def _inner_text(value: Any) -> str:
    return f"{{{value_text(value)}}}" if isinstance(value, dict) else value_text(value)


def _print_results(runs: "tuple[ComparedRun, ...]") -> None:
    from cnnctl.evaluation.metrics import METRICS

    def trained(text: "Callable[[TrainingInfo], str]") -> list[str]:
        return [_MISSING if one.training is None else text(one.training) for one in runs]

    rows = [
        ("parameters", *(f"{one.plan.total_params:,}" for one in runs)),
        ("multiply-adds an image", *(f"{one.plan.multiply_adds:,}" for one in runs)),
        ("best epoch", *trained(lambda training: f"{training.best_epoch} of {training.epochs}")),
        ("time", *trained(lambda training: duration(training.seconds))),
        ("device", *trained(lambda training: training.device)),
        ("precision", *trained(lambda training: training.precision)),
    ]
    if len({one.training.backend for one in runs if one.training is not None}) > 1:
        rows.append(("backend", *trained(lambda training: training.backend)))

    splits = {one.split for one in runs}
    if len(splits) > 1:
        rows.append(("evaluated on", *(one.split for one in runs)))
    of = f"{splits.pop()} " if len(splits) == 1 else ""
    for metric in METRICS:
        if any(metric.key in one.figures for one in runs):
            named = metric.named(runs[0].figures)
            title = f"{of}{named}" if metric.is_main else named
            rows.append((title, *(metric.text(one.figures) or _MISSING for one in runs)))
        if any(metric.interval_text(one.figures) for one in runs):
            rows.append(("  95% interval", *(metric.interval_text(one.figures) for one in runs)))
    print_table(("result", *(one.letter for one in runs)), rows, (LEFT, *(RIGHT for _ in runs)))


def _print_tests(comparison: "Comparison") -> None:
    from cnnctl.evaluation.significance import SIGNIFICANCE

    letters = [one.letter for one in comparison.runs]
    for one in comparison.tests:
        for line in lines_of(one, letters):
            print_text(line)
    tested = sum(one.p is not None for one in comparison.tests)
    correction = f" with Holm's correction for {tested} tests" if tested > 1 else ""
    method = (
        f"McNemar's test{correction}: the probability of a difference at least this large between two networks that "
    )
    method += "are equally good"
    if any(one.bootstrap is not None for one in comparison.tests):
        method = f"a paired bootstrap of the images{correction}: twice the share of draws in which the other is better"
    about = (
        f"p is from {method}. Below {SIGNIFICANCE:g} the difference is called significant. The test "
        "compares these networks, not their configs: another seed gives other networks."
    )
    if tested:
        width = width_of(screen())
        say("\n" + wrapped(about, _PROSE if width is None else min(width, _PROSE)))


def lines_of(one: "PairwiseTest", letters: list[str]) -> list[str]:
    """What a test says, in sentences; `letters` are those of all runs."""
    best, other = letters[one.best], letters[one.other]
    lines = []
    if one.images != (one.shared, one.shared):
        shares = f"{one.shared:,} of them are the same" if one.shared else "none of them is the same"
        why = f", {one.relabelled:,} more have another label" if one.relabelled else ""
        then = "the test is on those alone" if one.shared else "nothing can be tested"
        lines.append(
            f"{best} was evaluated on {one.images[0]:,} images and {other} on {one.images[1]:,}; {shares}{why}: {then}"
        )
    if one.adjusted_p is None:
        return lines
    if one.bootstrap is not None:
        interval = f"{one.bootstrap.low:.3f} to {one.bootstrap.high:.3f}"
        told = f"the macro F1 of {best} is {one.bootstrap.difference:.3f} above that of {other} (95%: {interval})"
    elif not one.best_only and not one.other_only:
        told = f"{best} and {other} are right and wrong on the same images"
    else:
        more, less = (best, other) if one.best_only >= one.other_only else (other, best)
        high, low = max(one.best_only, one.other_only), min(one.best_only, one.other_only)
        noun = "image" if high == 1 else "images"
        told = f"{more} is right on {high:,} {noun} that {less} gets wrong, {less} on {low:,} that {more} gets wrong"
    verdict = "significant" if one.is_significant else "not significant"
    return [*lines, f"{told}: {_p(one.adjusted_p)}, {verdict}"]


def _p(value: float) -> str:
    return "p < 0.0001" if value < 0.0001 else f"p = {value:.2g}"
