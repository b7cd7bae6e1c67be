"""Predictions into a folder, a file for each 10,000 images: what is there already is not done again."""

import csv
import json
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from cnnctl.errors import DataError, UsageError
from cnnctl.inference.answers import Answer
from cnnctl.system import files
from cnnctl.system.outputs import output_bytes, output_text
from cnnctl.terminal.parquet import escaped, read_parquet_answers, write_parquet
from cnnctl.terminal.predict import WRITERS

IMAGES_A_PART = 10_000
ABOUT = "predict.json"
FORMATS = ("csv", "jsonl", "parquet")


@dataclass(frozen=True)
class Shard:
    """A share of the parts: those whose number, from 0, leaves `index` when it is divided by `of`."""

    index: int = 0
    of: int = 1


@dataclass(frozen=True)
class Written:
    """What a folder holds now: `images` are those of this share, `failed` those that could not be read."""

    parts: int
    images: int
    failed: int


def parse_shard(text: str) -> Shard:
    """2/8 is the second of eight shares.

    Raises:
        UsageError: it is not of that form.
    """
    number, slash, of = text.partition("/")
    if not slash or not number.isdecimal() or not of.isdecimal() or not 1 <= int(number) <= int(of):
        raise UsageError(f"expected a share such as 2/8; received: --shard {text}", "shares are 1/8, 2/8, ... to 8/8")
    return Shard(int(number) - 1, int(of))


def begin(folder: Path, about: dict[str, Any]) -> None:
    """Make the folder, or take one that was begun by the same model and options.

    Raises:
        UsageError: it holds something else.
        DiskError: it cannot be written.
    """
    path = folder / ABOUT
    if files.exists(path):
        try:
            before = json.loads(path.read_bytes())
        except (OSError, ValueError) as error:
            raise DataError(f"{path} cannot be read: {error}", "name a new folder with --output") from None
        different = sorted(key for key in about if not isinstance(before, dict) or before.get(key) != about[key])
        if different:
            raise UsageError(
                f"{folder} was begun with another {' and '.join(different)}",
                "name a new folder with --output, or repeat the command that it was begun with",
            )
        return
    if files.is_folder(folder) and any(folder.iterdir()):
        raise UsageError(f"{folder} is not empty, and not a folder of answers", "name a new folder with --output")
    with files.writing(folder):
        folder.mkdir(parents=True, exist_ok=True)
    files.write_json(path, about)


def write_parts(
    folder: Path,
    form: str,
    coverage: float | None,
    paths: Iterable[str],
    answers: Callable[[Iterable[str]], Iterator[Answer]],
    shard: Shard | None,
    tell: Callable[[str], None],
) -> Written:
    """Write the answers of a share of the images, in parts that are whole or not there.

    Raises:
        UsageError: a part that is there is of other images.
    """
    shard = shard or Shard()
    rest, number, images, failed, parts = iter(paths), -1, 0, 0, 0
    while chunk := list(islice(rest, IMAGES_A_PART)):
        number += 1
        if number % shard.of != shard.index:
            continue
        path = folder / f"part-{number:05}.{form}"
        begun, is_new = time.perf_counter(), not files.exists(path)
        if is_new:
            _write(path, form, coverage, answers(chunk))
        there = list(_read(path, form))
        if [name for name, _ in there] != [escaped(one) if form == "parquet" else str(one) for one in chunk]:
            raise UsageError(
                f"{path} is of other images than those that are asked for now",
                "name a new folder with --output, or the images that this one was begun with",
            )
        pace = f", {len(chunk) / (time.perf_counter() - begun):,.0f} images/s" if is_new else ", there already"
        tell(f"{path.name}: {len(chunk):,} images{pace}")
        parts, images, failed = parts + 1, images + len(chunk), failed + sum(wrong for _, wrong in there)
    return Written(parts, images, failed)


def _write(path: Path, form: str, coverage: float | None, answers: Iterator[Answer]) -> None:
    if form == "parquet":
        with output_bytes(path) as binary:
            write_parquet(answers, binary, coverage)
    else:
        with output_text(path) as text:
            WRITERS[form](answers, text, coverage)


def _read(path: Path, form: str) -> Iterator[tuple[str, bool]]:
    """The name of each image of a part, and whether it could not be read.

    Raises:
        DataError: it is damaged.
    """
    try:
        if form == "parquet":
            yield from read_parquet_answers(path)
            return
        with path.open(encoding="utf-8", errors="surrogateescape", newline="") as stream:
            rows = map(json.loads, stream) if form == "jsonl" else csv.DictReader(stream)
            for row in rows:
                yield row["path"], bool(row.get("error"))
    except (ValueError, KeyError, TypeError, csv.Error) as error:
        raise DataError(f"{path} is damaged: {error}", "remove it, and predict again") from None
