"""Predictions as Apache Parquet, by pyarrow."""

from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any, BinaryIO

from cnnctl.data.parquet_file import pyarrow
from cnnctl.inference.answers import Answer

_ROWS = 10_000  # of a row group


def write_parquet(answers: Iterable[Answer], stream: BinaryIO, coverage: float | None) -> None:
    """A row for each image: path, label, probability, error, prediction_set where there is a coverage, unknown.

    Names that are not UTF-8 are written with their bytes escaped, as \\udcff.

    Raises:
        MachineError: pyarrow is not installed.
    """
    arrow, parquet = pyarrow()
    text, real = arrow.string(), arrow.float64()
    sets = [("prediction_set", arrow.list_(text))] if coverage is not None else []
    own = [("unknown", arrow.bool_()), ("unknown_score", real)]
    schema = arrow.schema([("path", text), ("label", text), ("probability", real), ("error", text), *sets, *own])
    rows = map(_row, answers)
    with parquet.ParquetWriter(stream, schema) as writer:
        while group := list(islice(rows, _ROWS)):
            writer.write_table(arrow.Table.from_pylist(group, schema))


def read_parquet_answers(path: Path) -> Iterator[tuple[str, bool]]:
    """The name of each image, and whether it could not be read.

    Raises:
        ValueError: it is no such file.
    """
    _, parquet = pyarrow()
    with parquet.ParquetFile(path) as file:
        for batch in file.iter_batches(columns=["path", "error"]):
            for row in batch.to_pylist():
                yield row["path"], row["error"] is not None


def _row(answer: Answer) -> dict[str, Any]:
    said = answer.prediction
    foreign = None if said is None else getattr(said, "foreign", None)
    return {
        "path": escaped(answer.path),
        "label": None if said is None else said.label,
        "probability": None if said is None else said.probability,
        "error": answer.error,
        "prediction_set": None if said is None or said.prediction_set is None else list(said.prediction_set),
        "unknown": None if foreign is None else foreign.is_unknown,
        "unknown_score": None if foreign is None else foreign.score,
    }


def escaped(name: str) -> str:
    """A file name as UTF-8; bytes that are not are written as \\udcff."""
    return name if name.isascii() else name.encode("utf-8", "backslashreplace").decode()
