"""`cnnctl compare`."""

from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cnnctl.cli.app import guarded
from cnnctl.cli.options import JsonOption
from cnnctl.formatting import duration, percent
from cnnctl.terminal.render import LEFT, RIGHT, print_json, print_table, printable

if TYPE_CHECKING:
    from cnnctl.evaluation.comparison import ComparedRun, Comparison, PairwiseTest, TrainingInfo

_MISSING = "—"
_PROSE = 100


def register(app: typer.Typer) -> None:
    """Add the command to the application."""
    app.command("compare", epilog="Example: cnnctl compare runs/digits/1 runs/digits/2")(guarded(compare_cli))


def compare_cli(
    runs: Annotated[
        list[Path],
        typer.Argument(metavar="RUN", help="Two run directories or more; runs/NAME is the newest of that name."),
    ],
    as_json: JsonOption = False,
) -> None:
    """Put runs side by side, and say whether one is significantly better (McNemar's test)."""
    from cnnctl.evaluation.comparison import compare

    comparison = compare(runs)
    if as_json:
        print_json(to_json(comparison))
    else:
        print_comparison(comparison)


def to_json(comparison: "Comparison") -> dict[str, Any]:
    """The form of `compare --json`."""
    from cnnctl.config.difference import ABSENT

    letters = [side.letter for side in comparison.sides]
    return {
        "runs": {side.letter: _side_json(side) for side in comparison.sides},
        "differences": [
            {
                "path": one.path,
                "values": {
                    letter: value for letter, value in zip(letters, one.values, strict=True) if value is not ABSENT
                },
            }
            for one in comparison.differences
        ],
        "tests": [_pairing_json(one, letters) for one in comparison.pairings],
        "remarks": list(comparison.warnings),
    }


def _side_json(side: "ComparedRun") -> dict[str, Any]:
    figures = {key: value for key, value in asdict(side.figures).items() if value is not None}
    return {
        "run": str(side.run.path),
        "total_params": side.plan.total_params,
        "multiply_adds": side.plan.multiply_adds,
        **figures,
        "training": None if side.making is None else asdict(side.making),
    }


def _pairing_json(one: "PairwiseTest", letters: list[str]) -> dict[str, Any]:
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
    }


def print_comparison(comparison: "Comparison") -> None:
    """The runs' letters, the tables of configs and results, the tests."""
    for side in comparison.sides:
        print(f"{side.letter}  {printable(str(side.run.path))}")
    print()
    _print_configs(comparison)
    print()
    _print_results(comparison.sides)
    print()
    _print_tests(comparison)
    if comparison.warnings:
        print()
    for warning in comparison.warnings:
        print(f"warning: {warning}")


def _print_configs(comparison: "Comparison") -> None:
    if not comparison.differences:
        which = "both" if len(comparison.sides) == 2 else "all"
        print(f"the configs of {which} are identical")
        return
    rows = [(one.path, *map(value_text, one.values)) for one in comparison.differences]
    letters = [side.letter for side in comparison.sides]
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
        return value.removeprefix(f"{Path.cwd()}/")
    if isinstance(value, dict):
        return ", ".join(f"{key}: {_inner_text(item)}" for key, item in value.items()) or "by default"
    if isinstance(value, list):
        return f"[{', '.join(map(_inner_text, value))}]"
    return f"{value:g}" if isinstance(value, float) and float(f"{value:g}") == value else str(value)


def _inner_text(value: Any) -> str:
    return f"{{{value_text(value)}}}" if isinstance(value, dict) else value_text(value)


def _print_results(sides: "tuple[ComparedRun, ...]") -> None:
    splits = {side.figures.split for side in sides}
    rows = [
        _row("parameters", sides, lambda side: f"{side.plan.total_params:,}"),
        _row("multiply-adds an image", sides, lambda side: f"{side.plan.multiply_adds:,}"),
        _row("best epoch", sides, _made(lambda made: f"{made.best_epoch} of {made.epochs}")),
        _row("time", sides, _made(lambda made: duration(made.seconds))),
        _row("device", sides, _made(lambda made: made.device)),
        _row("precision", sides, _made(lambda made: made.precision)),
    ]
    if len({side.making.backend for side in sides if side.making is not None}) > 1:
        rows.append(_row("backend", sides, _made(lambda made: made.backend)))
    if len(splits) > 1:
        rows.append(_row("evaluated on", sides, lambda side: side.figures.split))
    of = f"{splits.pop()} " if len(splits) == 1 else ""
    rows += [
        _row(f"{of}images", sides, lambda side: f"{side.figures.images:,}"),
        _row(f"{of}accuracy", sides, lambda side: percent(side.figures.accuracy)),
        _row("  95% interval", sides, lambda side: " to ".join(map(percent, side.figures.accuracy_interval))),
        _row(f"{of}loss", sides, lambda side: f"{side.figures.loss:.4f}"),
    ]
    if any(side.figures.top_5_accuracy is not None for side in sides):
        rows.append(_row("top-5 accuracy", sides, lambda side: _or_missing(side.figures.top_5_accuracy, ".1%")))
    if any(side.figures.roc_auc is not None for side in sides):
        rows.append(_row("ROC-AUC", sides, lambda side: _or_missing(side.figures.roc_auc, ".4f")))
    error = "expected calibration error"
    rows.append(_row(error, sides, lambda side: f"{side.figures.expected_calibration_error:.4f}"))
    print_table(("result", *(side.letter for side in sides)), rows, (LEFT, *(RIGHT for _ in sides)))


def _row(name: str, sides: "tuple[ComparedRun, ...]", cell: "Callable[[ComparedRun], str]") -> tuple[str, ...]:
    return (name, *map(cell, sides))


def _made(text: "Callable[[TrainingInfo], str]") -> "Callable[[ComparedRun], str]":
    return lambda side: _MISSING if side.making is None else text(side.making)


def _or_missing(value: float | None, form: str) -> str:
    return _MISSING if value is None else format(value, form)


def _print_tests(comparison: "Comparison") -> None:
    import textwrap

    from cnnctl.evaluation.significance import SIGNIFICANCE

    letters = [side.letter for side in comparison.sides]
    for one in comparison.pairings:
        for line in pairing_lines(one, letters):
            print(line)
    tested = sum(one.p is not None for one in comparison.pairings)
    correction = f" with Holm's correction for {tested} tests" if tested > 1 else ""
    about = (
        f"p is by McNemar's test{correction}: how probable so large a difference is between two networks that are "
        f"equally good. Below {SIGNIFICANCE:g} it is called significant. It judges these networks, not their "
        "configs: another seed makes other networks."
    )
    if tested:
        print("\n" + textwrap.fill(about, _PROSE))


def pairing_lines(one: "PairwiseTest", letters: list[str]) -> list[str]:
    """What a pairing says, in sentences; `letters` are those of all runs."""
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
    if not one.best_only and not one.other_only:
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
