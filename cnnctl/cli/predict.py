"""`cnnctl predict`."""

import json
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TextIO

import typer

from cnnctl.cli.app import guarded
from cnnctl.cli.options import RunOption
from cnnctl.errors import EXIT_SOME_INPUTS_FAILED, UsageError
from cnnctl.formatting import percent
from cnnctl.inference.answers import DEFAULT_TOP, Answer
from cnnctl.terminal.render import LEFT, RIGHT, print_table, printable

if TYPE_CHECKING:
    from cnnctl.data.table import Columns
    from cnnctl.runs import Run

FORMATS = ("table", "json", "jsonl", "csv")


def register(app: typer.Typer) -> None:
    """Add the command to the application."""
    epilog = "Example: cnnctl predict photos/ --format csv --output answers.csv"
    app.command("predict", epilog=epilog)(guarded(predict_cli))


def predict_cli(
    paths: Annotated[
        list[str], typer.Argument(metavar="PATH", help="Images, folders, CSVs of paths, or - for paths on stdin.")
    ],
    run: RunOption = None,
    top: Annotated[
        int, typer.Option("--top", metavar="K", min=1, help="Classes to name, the likeliest first.")
    ] = DEFAULT_TOP,
    output_format: Annotated[str, typer.Option("--format", help="table, json, jsonl or csv.")] = "table",
    output: Annotated[
        Path | None, typer.Option("--output", metavar="FILE", help="Write there instead of to stdout.")
    ] = None,
) -> int:
    """Say which class each image belongs to, by the latest run."""
    from cnnctl.inference.inputs import expand_inputs
    from cnnctl.inference.model import load_classifier
    from cnnctl.inference.stream import classify
    from cnnctl.runs import find_run
    from cnnctl.system.files import replacing
    from cnnctl.system.stderr import captured_stderr

    if output_format not in FORMATS:
        raise UsageError(f"there is no format {output_format}", f"formats are {', '.join(FORMATS)}")
    found = find_run(run)
    failed = 0
    with captured_stderr() as capture:
        classifier = load_classifier(found, threads=None if _is_one_image(paths) else 1)
        files = expand_inputs(paths, lambda: _columns(found))

        def told() -> Iterator[Answer]:
            nonlocal failed
            for answer in classify(classifier, files, top=top):
                if answer.error is not None:
                    failed += 1
                    print(f"error: {printable(answer.path)}: {answer.error}", file=capture.terminal)
                yield answer

        with replacing(output) if output is not None else nullcontext(sys.stdout) as stream:
            _WRITERS[output_format](told(), stream)
    return EXIT_SOME_INPUTS_FAILED if failed else 0


def _is_one_image(paths: list[str]) -> bool:
    return len(paths) == 1 and Path(paths[0]).is_file() and Path(paths[0]).suffix.lower() != ".csv"


def _columns(run: "Run") -> "Columns":
    """The columns that the run's own CSV had; only asked for when a CSV is to be predicted."""
    from cnnctl.config import load
    from cnnctl.data.table import Columns

    config = load(run.need(run.config)).config
    assert config is not None
    return Columns(path=config.data.csv.path, folder=config.data.csv.folder)


def _write_table(answers: Iterable[Answer], stream: TextIO) -> None:
    everything = list(answers)
    if len(everything) == 1 and (only := everything[0].prediction) is not None:
        print(f"{printable(only.label)} ({percent(only.probability)})", file=stream)
        if len(only.top) > 1:
            print(file=stream)
            cells = [(name, percent(chance)) for name, chance in only.top]
            print_table(("class", "probability"), cells, (LEFT, RIGHT), stream)
        return
    table = []
    for answer in everything:
        if (found := answer.prediction) is not None:
            others = ", ".join(f"{name} {percent(chance)}" for name, chance in found.top[1:])
            table.append((answer.path, found.label, percent(found.probability), others))
        else:
            table.append((answer.path, "-", "-", answer.error or ""))
    print_table(("path", "class", "probability", "then"), table, (LEFT, LEFT, RIGHT, LEFT), stream)


def _write_json(answers: Iterable[Answer], stream: TextIO) -> None:
    separator = "["
    for answer in answers:
        stream.write(f"{separator}\n  {json.dumps(answer.to_json())}")
        separator = ","
    stream.write("[]\n" if separator == "[" else "\n]\n")


def _write_jsonl(answers: Iterable[Answer], stream: TextIO) -> None:
    for answer in answers:
        stream.write(json.dumps(answer.to_json()) + "\n")


def _write_csv(answers: Iterable[Answer], stream: TextIO) -> None:
    from cnnctl.system.files import write_rows

    write_rows(stream, [("path", "label", "probability", "error")])
    found = ((answer, answer.prediction) for answer in answers)
    write_rows(
        stream,
        ((one.path, *((said.label, said.probability) if said else ("", "")), one.error or "") for one, said in found),
    )


_WRITERS: dict[str, Callable[[Iterable[Answer], TextIO], None]] = {
    "table": _write_table,
    "json": _write_json,
    "jsonl": _write_jsonl,
    "csv": _write_csv,
}
