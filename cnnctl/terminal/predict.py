"""Predictions as a table, JSON, JSON lines or CSV."""

import json
from collections.abc import Callable, Iterable, Sequence
from itertools import islice
from typing import TextIO

from cnnctl.formatting import percent, printable
from cnnctl.inference.answers import Answer, Prediction
from cnnctl.system.loudness import is_quiet
from cnnctl.terminal.render import LEFT, RIGHT, print_table, print_text

_STARTS_A_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")
"""What a spreadsheet takes for the start of a formula: https://owasp.org/www-community/attacks/CSV_Injection."""


def _write_table(answers: Iterable[Answer], stream: TextIO, coverage: float | None) -> None:
    everything = list(answers)
    if is_quiet():
        _write_labels(everything, stream)
        return
    if len(everything) == 1 and (only := everything[0].prediction) is not None:
        print_text(answer_text(only.named, only.probability, only.unknown or False), stream)
        if only.thresholds is not None:
            print(file=stream)
            _print_thresholds(only, stream)
        elif len(only.top) > 1:
            print(file=stream)
            cells = [(name, percent(chance)) for name, chance in only.top]
            print_table(("class", "probability"), cells, (LEFT, RIGHT), stream)
        if coverage is not None and only.prediction_set is not None:
            print_text(f"\n{_set_title(coverage)}: {printable(', '.join(only.prediction_set))}", stream, hang=2)
        return
    table = []
    for answer in everything:
        if (found := answer.prediction) is not None:
            given = [found.top[0]] if found.labels is None else found.labels
            others = ", ".join(f"{name} {percent(chance)}" for name, chance in found.top if (name, chance) not in given)
            within = [] if found.prediction_set is None else [", ".join(found.prediction_set)]
            label = f"unknown ({found.named})" if found.unknown else found.named
            table.append((answer.path, label, percent(found.probability), *within, others))
        else:
            table.append((answer.path, "-", "-", *([] if coverage is None else ["-"]), answer.error or ""))
    between = [] if coverage is None else [_set_title(coverage)]
    header = ("path", "class", "probability", *between, "then")
    print_table(header, table, (LEFT, LEFT, RIGHT, *(LEFT for _ in between), LEFT), stream)


def _write_labels(answers: Sequence[Answer], stream: TextIO) -> None:
    """The class of an image; of several, a line each with the path before it. What failed is on stderr alone."""
    for answer in answers:
        if (found := answer.prediction) is not None:
            label = "unknown" if found.unknown else found.label
            path = f"{printable(answer.path)}\t" if len(answers) > 1 else ""
            print(f"{path}{printable(label)}", file=stream)


def _print_thresholds(only: Prediction, stream: TextIO) -> None:
    """The likeliest classes, and from which probability on an image gets each."""
    assert only.thresholds is not None
    order = (-only.probabilities).argsort(kind="stable")
    rows = [
        (name, percent(chance), percent(float(only.thresholds[at])))
        for (name, chance), at in zip(only.top, order, strict=False)
    ]
    print_table(("class", "probability", "threshold"), rows, (LEFT, RIGHT, RIGHT), stream)


def answer_text(label: str, probability: float, unknown: bool) -> str:
    """`cat (93.1%)`; of an unknown image what it would have been."""
    said = f"{printable(label)} ({percent(probability)})"
    return f"unknown: unlike the training images; else {said}" if unknown else said


def _set_title(coverage: float) -> str:
    return f"{100 * coverage:g}% set"


def _write_json(answers: Iterable[Answer], stream: TextIO, coverage: float | None) -> None:
    separator = "["
    for answer in answers:
        stream.write(f"{separator}\n  {json.dumps(answer.to_json())}")
        separator = ","
    stream.write("[]\n" if separator == "[" else "\n]\n")


def _write_jsonl(answers: Iterable[Answer], stream: TextIO, coverage: float | None) -> None:
    for answer in answers:
        stream.write(json.dumps(answer.to_json()) + "\n")


def write_csv(answers: Iterable[Answer], stream: TextIO, coverage: float | None, safe: bool = False) -> None:
    """A row for each image; with `safe` no cell is a formula."""
    with_sets = coverage is not None
    own = ("unknown", "unknown_score")
    header = ("path", "label", "probability", "error", *(["prediction_set"] if with_sets else []), *own)

    def cells(answer: Answer) -> tuple[object, ...]:
        said = answer.prediction
        within = ["|".join(said.prediction_set or ()) if said else ""] if with_sets else []
        foreign = said.foreign if said else None
        unknown = ("", "") if foreign is None else ("true" if foreign.is_unknown else "false", foreign.score)
        named = (said.label, said.probability) if said else ("", "")
        return (answer.path, *named, answer.error or "", *within, *unknown)

    _write_rows(header, map(cells, answers), stream, safe)


def write_answers(answers: Iterable[Answer], stream: TextIO, columns: tuple[str, str], safe: bool = False) -> None:
    """The CSV that a competition takes: two columns, each image by the name that its list has for it."""
    found = ((getattr(one.path, "given", one.path), one.prediction) for one in answers)
    _write_rows(columns, ((name, said.label if said else "") for name, said in found), stream, safe)


def _write_rows(header: Sequence[object], rows: Iterable[Sequence[object]], stream: TextIO, safe: bool) -> None:
    """A CSV, which begins once its first row is known: what fails before writes nothing."""
    from cnnctl.system.files import write_rows

    if safe:
        header, rows = _without_formulas(header), map(_without_formulas, rows)
    rows = iter(rows)
    first = list(islice(rows, 1))
    write_rows(stream, [header, *first])
    write_rows(stream, rows)


def _without_formulas(row: Sequence[object]) -> tuple[object, ...]:
    """The cells, those that a spreadsheet would compute behind an apostrophe, which makes them text."""
    return tuple(f"'{cell}" if isinstance(cell, str) and cell.startswith(_STARTS_A_FORMULA) else cell for cell in row)


WRITERS: dict[str, Callable[[Iterable[Answer], TextIO, float | None], None]] = {
    "table": _write_table,
    "json": _write_json,
    "jsonl": _write_jsonl,
    "csv": write_csv,
}
"""By the names that --format takes; they get the coverage of the prediction sets, None where there are none."""
