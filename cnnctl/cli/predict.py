"""`cnnctl predict`."""

from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cnnctl.cli.options import FolderOption, RunOption, find_and_tell, with_run
from cnnctl.errors import EXIT_SOME_INPUTS_FAILED, UsageError
from cnnctl.inference import DEFAULT_TOP
from cnnctl.system.loudness import is_quiet, lap

if TYPE_CHECKING:
    from cnnctl.data.table import Columns
    from cnnctl.inference.answers import Answer
    from cnnctl.runs import Run

_OPTION = "--format csv --columns PATH,LABEL"

EPILOG = "Example: cnnctl predict photos/ --format csv --output answers.csv"


def predict_cli(
    paths: Annotated[
        list[str],
        typer.Argument(
            metavar="PATH",
            help="Images, folders, archives, addresses (s3://...), tables of paths (CSV, Parquet), or - for paths on "
            "stdin; a run may stand before them.",
        ),
    ],
    run: RunOption = None,
    top: Annotated[
        int, typer.Option("--top", metavar="K", min=1, help="Number of classes to show, the most probable first.")
    ] = DEFAULT_TOP,
    coverage: Annotated[
        float | None,
        typer.Option(
            "--coverage",
            metavar="SHARE",
            help="Also name the smallest set of classes that has the right one in this share of cases, such as 0.95.",
        ),
    ] = None,
    unknown: Annotated[
        bool,
        typer.Option(
            "--unknown/--no-unknown", help="Say unknown of an image that is unlike all that the run was trained on."
        ),
    ] = True,
    folder: FolderOption = None,
    output_format: Annotated[
        str, typer.Option("--format", help="Format: table, json, jsonl, csv or parquet.")
    ] = "table",
    columns: Annotated[
        str | None,
        typer.Option(
            "--columns",
            metavar="PATH,LABEL",
            help="With --format csv: these two columns alone, images named as in their list; or run, for those of the "
            "run's own CSV.",
        ),
    ] = None,
    safe_csv: Annotated[
        bool,
        typer.Option(
            "--safe-csv",
            help="With --format csv, for spreadsheets: an apostrophe before cells that begin as a formula does.",
        ),
    ] = False,
    output: Annotated[
        str | None,
        typer.Option(
            "--output",
            metavar="PATH",
            help="Write to this file instead of stdout; or FOLDER/, a part for each 10,000 images, and goes on there.",
        ),
    ] = None,
    shard: Annotated[
        str | None,
        typer.Option(
            "--shard", metavar="I/N", help="With --output FOLDER/: every N-th part, from the I-th on, such as 2/8."
        ),
    ] = None,
    cluster: Annotated[
        str | None,
        typer.Option("--cluster", metavar="ray", help="With --output FOLDER/: spread the parts over a Ray cluster."),
    ] = None,
    workers: Annotated[
        int | None, typer.Option("--workers", metavar="N", min=1, help="Hosts of the cluster; default: all.")
    ] = None,
    null: Annotated[
        bool, typer.Option("-0", "--null", help="Paths on stdin end in a NUL, as `find -print0` writes them.")
    ] = False,
) -> int:
    """Predict the class of each image with the latest run."""
    from cnnctl.cli.predict_output import Errors, Form, Place, refuse_cluster
    from cnnctl.data.file_names import COCO, PARQUET, TABLE_SUFFIXES
    from cnnctl.formatting import printable
    from cnnctl.inference.inputs import STANDARD_INPUT, expand_inputs
    from cnnctl.inference.model import load_classifier
    from cnnctl.inference.stream import classify
    from cnnctl.system.files import absolute
    from cnnctl.system.stderr import captured_stderr
    from cnnctl.system.streams import exact_output
    from cnnctl.terminal.render import print_text

    form = Form(output_format, columns, safe_csv, coverage)
    form.raise_if_contradictory()
    place = Place.of(output, shard, form)
    refuse_cluster(cluster, workers, place)
    if folder is not None and not any(Path(path).suffix.lower() in (*TABLE_SUFFIXES, PARQUET, COCO) for path in paths):
        raise UsageError("--folder is for a CSV", "it is where the file names of the CSV are looked up")
    if null and STANDARD_INPUT not in paths:
        raise UsageError("-0 is about paths on stdin", "add -, which stands for them")
    paths, run = with_run(paths, run)
    found = find_and_tell(run)
    names = None if columns is None else _two_columns(columns, found)
    threshold = None if coverage is None else _threshold(coverage, found)
    with ExitStack() as stack:
        # The stream for the answers is opened last, and a warning about it is printed when stderr is itself again.
        stdout = stack.enter_context(exact_output()) if output is None else None
        capture = stack.enter_context(captured_stderr())

        def tell(text: str) -> None:
            print_text(printable(text), capture.terminal)

        def note(text: str) -> None:
            if not is_quiet():
                tell(text)

        classifier = load_classifier(found, None if _is_one_image(paths) else 1, tells_unknown=unknown)
        files = expand_inputs(paths, lambda: _columns(found, folder, names), note, null)
        errors = Errors(tell)

        def answers(some: Iterable[str]) -> "Iterator[Answer]":
            return errors.told(classify(classifier, some, top=top, threshold=threshold))

        if place.folder is not None:
            from cnnctl.terminal.parts import begin, plan_parts, write_parts

            begin(place.folder, form.about(found, top, unknown))
            parts = plan_parts(place.folder, output_format, files, place.shard)
            if cluster is not None:
                from cnnctl.terminal.parts_on_ray import Work, write_parts_on_ray

                work = Work(str(absolute(found.path)), output_format, coverage, threshold, top, unknown)
                done = write_parts_on_ray(parts, work, workers, note)
            else:
                done = write_parts(parts, output_format, coverage, answers, note)
            note(f"in {place.folder}: {done.images:,} images, of which {done.failed:,} could not be read")
            return EXIT_SOME_INPUTS_FAILED if done.failed else 0

        form.write(answers(files), stdout, place.file, names)
        lap("predicting")
        errors.tell_rest()
    return EXIT_SOME_INPUTS_FAILED if errors.failed else 0


def _threshold(coverage: float, run: "Run") -> float:
    """Up to which score classes are in a set that covers so much."""
    from cnnctl.inference.sets import read_scores

    return read_scores(run).threshold(coverage)


def _is_one_image(paths: list[str]) -> bool:
    from cnnctl.data.file_names import ARCHIVE_SUFFIXES, COCO, PARQUET, TABLE_SUFFIXES
    from cnnctl.system.files import is_file

    several = (*TABLE_SUFFIXES, PARQUET, COCO, *ARCHIVE_SUFFIXES)
    return len(paths) == 1 and is_file(paths[0]) and Path(paths[0]).suffix.lower() not in several


def _two_columns(wanted: str, run: "Run") -> tuple[str, str]:
    """The columns of the answers: two names, or those of the run's own CSV."""
    if wanted == "run":
        csv = run.read_config().data.csv
        if not isinstance(csv.label, str):
            columns = ", ".join(csv.label[:5])
            raise UsageError(
                f"--columns run writes one column of labels, and the run's own CSV has several: {columns}",
                f"name one, which then has labels such as cat|dog: --columns {csv.path},label",
            )
        return csv.path, csv.label
    names = [name.strip() for name in wanted.split(",")]
    if len(names) != 2 or not all(names):
        raise UsageError(f"expected two columns; received: --columns {wanted}", "for example --columns filename,label")
    return names[0], names[1]


def _columns(run: "Run", folder: Path | None, wanted: tuple[str, str] | None) -> "Columns":
    """The columns that the run's own CSV had, or that are wanted; only asked for when a CSV is to be predicted."""
    from cnnctl.data.table import Columns

    config = run.read_config()
    place = None if folder is None else str(folder)
    path = config.data.csv.path if wanted is None else wanted[0]
    return Columns(path, folder=place, are_in_config=False, other_folder=config.data.csv.folder, option=_OPTION)
