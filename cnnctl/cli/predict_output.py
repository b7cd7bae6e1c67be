"""Where the answers of `cnnctl predict` go, in which form, and what is said of images that cannot be read."""

import os
import shlex
from collections.abc import Callable, Iterable, Iterator
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

from cnnctl.errors import UsageError
from cnnctl.formatting import printable, shortened
from cnnctl.inference.answers import Answer
from cnnctl.terminal.predict import WRITERS, write_answers, write_csv

if TYPE_CHECKING:
    from cnnctl.runs import Run
    from cnnctl.terminal.parts import Shard

FORMATS = (*WRITERS, "parquet")
_ENDINGS = {"table": "txt"}

_MISSING_NAMED = 10
"""Files that are not there which are named on stderr; the others are counted, so that the hint stays on the screen."""


@dataclass(frozen=True)
class Form:
    """The form of the answers, by the options that choose it."""

    name: str
    columns: str | None
    is_safe: bool
    coverage: float | None

    def raise_if_contradictory(self) -> None:
        """Raises:
        UsageError: there is no such format, or options contradict each other.
        """
        if self.name not in FORMATS:
            raise UsageError(f"there is no format {self.name}", f"formats are {', '.join(FORMATS)}")
        if self.columns is not None and self.coverage is not None:
            raise UsageError("--columns and --coverage cannot be combined", "--columns writes two columns alone")
        if self.columns is not None and self.name != "csv":
            raise UsageError("--columns is for --format csv", "add --format csv")
        if self.is_safe and self.name != "csv":
            raise UsageError("--safe-csv is for --format csv", "add --format csv")

    def about(self, run: "Run", top: int, unknown: bool) -> dict[str, Any]:
        """What all parts in a folder have in common."""
        from cnnctl.inference.known_models import fingerprint

        model = fingerprint(run.read_bytes(run.onnx_model))
        return {"model": model, "format": self.name, "coverage": self.coverage, "top": top, "unknown": unknown}

    def write(
        self, answers: Iterator[Answer], stdout: TextIO | None, file: Path | None, names: tuple[str, str] | None
    ) -> None:
        """Write all answers to one of the two."""
        from cnnctl.system.outputs import output_bytes, output_text

        if file is not None and self.name == "parquet":
            from cnnctl.terminal.parquet import write_parquet

            with output_bytes(file) as binary:
                write_parquet(answers, binary, self.coverage)
            return
        with nullcontext(stdout) if file is None else output_text(file) as stream:
            assert stream is not None
            if names is not None:
                write_answers(answers, stream, names, self.is_safe)
            elif self.is_safe:
                write_csv(answers, stream, self.coverage, safe=True)
            else:
                WRITERS[self.name](answers, stream, self.coverage)


@dataclass(frozen=True)
class Place:
    """Where the answers go: stdout where neither is given."""

    file: Path | None = None
    folder: Path | None = None
    shard: "Shard | None" = None

    @classmethod
    def of(cls, output: str | None, shard: str | None, form: Form) -> "Place":
        """By the options.

        Raises:
            UsageError: they do not go together.
        """
        from cnnctl.system.files import is_folder

        is_parts = output is not None and (output.endswith(("/", os.sep)) or is_folder(output))
        if shard is not None and not is_parts:
            raise UsageError(
                "--shard is for --output FOLDER/", "name the folder that all shares write into, with a / at its end"
            )
        if output is None:
            if form.name == "parquet":
                raise UsageError("--format parquet is for a file", "add --output answers.parquet")
            return cls()
        if not is_parts:
            return cls(file=Path(output))

        from cnnctl.terminal.parts import FORMATS as IN_PARTS
        from cnnctl.terminal.parts import parse_shard

        if form.name not in IN_PARTS or form.columns is not None or form.is_safe:
            shown = printable(output)
            example = shlex.quote(str(Path(output) / f"answers.{_ENDINGS.get(form.name, form.name)}"))
            raise UsageError(
                f"{shown} is a folder, and the answers are one file",
                f"name a file in it: --output {example}; or add --format csv, jsonl or parquet for a file each 10,000",
            )
        return cls(folder=Path(output), shard=None if shard is None else parse_shard(shard))


def refuse_cluster(cluster: str | None, workers: int | None, place: Place) -> None:
    """Raises:
    UsageError: there is no such engine, or nothing that it could share out.
    """
    if cluster is None and workers is None:
        return
    from cnnctl.system.ray import refuse_engine

    refuse_engine(cluster, "--workers is", workers is not None)
    if cluster is not None and place.folder is None:
        raise UsageError(
            "--cluster ray is for --output FOLDER/", "name a folder that all hosts see, with a / at its end"
        )


class Errors:
    """The images that cannot be read, each told as it comes; of those that are not there the first ones."""

    def __init__(self, tell: Callable[[str], None]) -> None:
        self.failed = 0
        self._missing = 0
        self._tell = tell

    def told(self, answers: Iterable[Answer]) -> Iterator[Answer]:
        """The same answers."""
        from cnnctl.data.decoder.refusals import NO_SUCH_FILE

        for answer in answers:
            if answer.error is not None:
                self.failed += 1
                self._missing += answer.error == NO_SUCH_FILE
                if answer.error != NO_SUCH_FILE or self._missing <= _MISSING_NAMED:
                    self._tell(shortened(printable(f"error: {answer.path}: {answer.error}")))
            yield answer

    def tell_rest(self) -> None:
        """How many were not named."""
        from cnnctl.data.decoder.refusals import NO_SUCH_FILE

        if self._missing > _MISSING_NAMED:
            self._tell(f"error: {self._missing - _MISSING_NAMED:,} others: {NO_SUCH_FILE}")
