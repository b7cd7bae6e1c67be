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

    parts: int = 0
    images: int = 0
    failed: int = 0

    def with_part(self, part: "Part", form: str, seconds: float, tell: Callable[[str], None]) -> "Written":
        """One part more, which is there now; how long it took is told.

        Raises:
            UsageError: it is of other images.
            DataError: it is damaged.
        """
        there = list(_read(part.path, form))
        if [name for name, _ in there] != [escaped(one) if form == "parquet" else str(one) for one in part.images]:
            raise UsageError(
                f"{part.path} is of other images than those that are asked for now",
                "name a new folder with --output, or the images that this one was begun with",
            )
        count = len(part.images)
        tell(
            f"{part.path.name}: {count:,} images, "
            + ("there already" if part.is_there else f"{count / seconds:,.0f} images/s")
        )
        return Written(self.parts + 1, self.images + count, self.failed + sum(failed for _, failed in there))


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


@dataclass(frozen=True)
class Part:
    """A file of answers, and the images that it is of; `is_there` if it was written before."""

    path: Path
    images: list[str]
    is_there: bool


def plan_parts(folder: Path, form: str, paths: Iterable[str], shard: Shard | None = None) -> Iterator[Part]:
    """The parts of a share of the images, one after the other."""
    shard, rest, number = shard or Shard(), iter(paths), 0
    while images := list(islice(rest, IMAGES_A_PART)):
        if number % shard.of == shard.index:
            path = folder / f"part-{number:05}.{form}"
            yield Part(path, images, files.exists(path))
        number += 1


def write_parts(
    parts: Iterable[Part],
    form: str,
    coverage: float | None,
    answers: Callable[[Iterable[str]], Iterator[Answer]],
    tell: Callable[[str], None],
) -> Written:
    """Write those parts that are not there; each is whole or not there.

    Raises:
        UsageError: a part that is there is of other images.
    """
    written = Written()
    for part in parts:
        begun = time.perf_counter()
        if not part.is_there:
            write_part(part, form, coverage, answers)
        written = written.with_part(part, form, time.perf_counter() - begun, tell)
    return written


def write_part(
    part: Part, form: str, coverage: float | None, answers: Callable[[Iterable[str]], Iterator[Answer]]
) -> None:
    """Write one part."""
    if form == "parquet":
        with output_bytes(part.path) as binary:
            write_parquet(answers(part.images), binary, coverage)
    else:
        with output_text(part.path) as text:
            WRITERS[form](answers(part.images), text, coverage)


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
