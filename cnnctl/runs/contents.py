"""What lies in a run directory, and the only way in which it is read and written.

A run may come from a stranger. So no link in it is followed, nothing but regular files of a size that cnnctl writes is
opened, and files are replaced, never changed in place: one that has a second name elsewhere stays as it is there. Only
the lock is written in place, and log.txt and TensorBoard's files are appended to, where they have no other name.

Libraries that want a path (Keras, zipfile, TensorBoard) get one from `need` or `checked`, which was looked at just
before. Who may write into the run can still exchange the file in between; model.onnx is read by us, and given as bytes.
"""

import csv
import json
import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import IO, TYPE_CHECKING, Any, BinaryIO, cast

from cnnctl.errors import RunError
from cnnctl.system import files, inside

if TYPE_CHECKING:
    from cnnctl.config import Config

_MOST_BYTES = {
    ".lock": 64,
    "mlflow.json": 2**16,
    "wandb.json": 2**16,
    "config.yaml": 2**24,
    "history.csv": 2**24,
    "metrics.json": 2**29,
    "unknown.json": 2**22,
    "digests.bin": 2**31,
    ".json": 2**26,
    ".png": 10**8,
    ".txt": 2**30,
    ".md": 2**24,
    ".onnx": 2**31,
    ".csv": 2**33,
    ".keras": 2**33,
    ".npz": 2**36,
}
"""The largest file of a name, or else of an ending, that is read; those of cnnctl are far smaller."""

_MOST_OF_OTHERS = 2**32


@dataclass(frozen=True)
class _Inside:
    """A name in a run directory, which is a path as an attribute of the run."""

    name: str

    def __get__(self, run: "Contents", kind: "type[Contents]") -> Path:
        return run.path / self.name


@dataclass(frozen=True)
class Contents:
    """A run directory, the names of the files in it (docs/runs.md says what they hold), and how they are opened.

    Every path that a method takes is one below the directory. All raise UnfitFileError, a RunError, over a link, over
    something that is neither a file nor a folder, and over a file that is too large.
    """

    path: Path

    config = _Inside("config.yaml")
    classes = _Inside("classes.json")
    split = _Inside("split.csv")
    keras_model = _Inside("model.keras")
    onnx_model = _Inside("model.onnx")
    history = _Inside("history.csv")
    metrics = _Inside("metrics.json")
    predictions = _Inside("predictions.csv")
    prediction_sets = _Inside("prediction_sets.json")
    unknown = _Inside("unknown.json")
    thresholds = _Inside("thresholds.json")
    environment = _Inside("environment.json")
    log = _Inside("log.txt")
    plots = _Inside("plots")
    evaluations = _Inside("evaluations")
    checkpoints = _Inside("checkpoints")
    report = _Inside("report.html")
    card = _Inside("README.md")
    network = _Inside("network.png")
    tensorboard = _Inside("tensorboard")
    mlflow = _Inside("mlflow.json")
    wandb = _Inside("wandb.json")
    lock = _Inside(".lock")

    def refuse_links(self, deep: bool = False) -> None:
        """Refuse a run with a link under one of its names, or with `deep` anywhere below them.

        Every file is looked at again when it is opened; this says it before the work and not after it.
        """
        inside.refuse_links(self.path, OWN, deep)

    def has(self, path: Path) -> bool:
        """Whether there is a file at a path."""
        state = inside.state_of(self.path, path)
        inside.refuse_unfit(path, state, most_bytes(path))
        return state is not None

    def checked(self, path: Path) -> Path:
        """The same path, at which there is a file that can be given to a library, or nothing."""
        self.has(path)
        return path

    def open(self, path: Path) -> BinaryIO:
        """A file to be read.

        Raises:
            OSError: it is not there, or cannot be read.
        """
        return inside.open_file(self.path, path, most_bytes(path))

    def read_bytes(self, path: Path) -> bytes:
        """The content of a file; raises as `open`."""
        return inside.read_file(self.path, path, most_bytes(path))

    def read_text(self, path: Path) -> str:
        """`read_bytes` as UTF-8; file names that are no UTF-8 keep their bytes."""
        return self.read_bytes(path).decode("utf-8", "surrogateescape")

    def read_json(self, path: Path) -> Any:
        """What `write_json` wrote.

        Raises:
            RunError: it is something else, or cannot be read.
            FileNotFoundError: it is not there.
        """
        try:
            return json.loads(self.read_text(path))
        except FileNotFoundError:
            raise
        except (OSError, ValueError, RecursionError) as error:
            raise RunError(f"{path} cannot be read: {_reason(error)}", "train the run again") from None

    def read_rows(self, path: Path, columns: Sequence[str]) -> Iterator[dict[str, str]]:
        """The rows of a CSV that cnnctl wrote with these columns, and maybe others, one at a time.

        Raises:
            RunError: it is not there, is something else, or cannot be read.
        """
        try:
            with self.open(path) as file:
                yield from files.read_rows(file, columns)
        except (OSError, ValueError, csv.Error) as error:
            raise RunError(f"{path} cannot be read: {_reason(error)}", "train the run again") from None

    def read_config(self) -> "Config":
        """The config, which extends no other and asks for no variables.

        Raises:
            RunError: there is none.
            ConfigError: it has mistakes.
        """
        from cnnctl.config import load_recorded

        try:
            return load_recorded(self.config, self.read_bytes(self.config))
        except FileNotFoundError:
            hint = "the run is not complete: train it again"
            raise RunError(f"the run {self.path} has no {self.config.name}", hint) from None
        except OSError as error:
            raise RunError(f"{self.config} cannot be read: {_reason(error)}") from None

    def write_bytes(self, path: Path, content: bytes) -> None:
        """Replace a file, or make it, in folders that are made; see files.write_bytes.

        Raises:
            DiskError: it cannot be written.
        """
        files.write_bytes(path, content, self.path)

    def write_text(self, path: Path, text: str) -> None:
        """`write_bytes` in UTF-8; file names that are no UTF-8 keep their bytes."""
        files.write_text(path, text, self.path)

    def write_json(self, path: Path, value: Any) -> None:
        """`write_text` of indented JSON."""
        files.write_json(path, value, self.path)

    def write_csv(self, path: Path, header: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
        """A whole CSV or none."""
        files.write_csv(path, header, rows, self.path)

    @contextmanager
    def replacing(self, path: Path) -> Iterator[BinaryIO]:
        """A file to write piece by piece, which takes the place of `path` at the end of the block."""
        with files.replacing_bytes(path, self.path) as file:
            yield file

    @contextmanager
    def appending(self, path: Path) -> Iterator[IO[bytes]]:
        """A file, made where it is missing, to whose end a block writes.

        Raises:
            DiskError: it cannot be written.
        """
        with files.writing(path), inside.opened_folder(self.path, path.parent, make=True) as folder:
            found = folder.state(path.name)
            if found is not None and found.st_nlink > 1:
                self.write_bytes(path, self.read_bytes(path))  # its other name keeps what it has
            flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT
            inside.refuse_unfit(path, folder.state(path.name))
            with os.fdopen(folder.open(path.name, flags), "ab") as file:
                inside.refuse_unfit(path, os.fstat(file.fileno()))
                yield cast(IO[bytes], file)

    def make_folder(self, path: Path) -> Path:
        """Make a folder and those around it, where they are missing."""
        with files.writing(path), inside.opened_folder(self.path, path, make=True):
            return path

    def make_numbered(self, path: Path) -> Path:
        """A new folder in the folder `path`, named by the next number."""
        with files.writing(path), inside.opened_folder(self.path, path, make=True) as folder:
            number = max((int(name) for name in inside.children(folder) if name.isdecimal()), default=0) + 1
            while True:
                try:
                    os.mkdir(folder.at(str(number)), dir_fd=folder.descriptor)
                except FileExistsError:
                    number += 1
                    continue
                return path / str(number)

    def has_folder(self, path: Path) -> bool:
        """Whether there is a folder at a path."""
        try:
            with inside.opened_folder(self.path, path):
                return True
        except FileNotFoundError:
            return False

    def names_in(self, path: Path) -> list[str]:
        """The names in a folder, sorted; none where it is missing.

        Raises:
            OSError: it cannot be read.
        """
        try:
            with inside.opened_folder(self.path, path) as folder:
                return inside.children(folder)
        except FileNotFoundError:
            return []

    def remove(self, path: Path) -> None:
        """Take a file away, if it is there; of a link the link itself.

        Raises:
            OSError: it cannot be taken away.
        """
        with inside.opened_folder(self.path, path.parent) as folder:
            folder.unlink(path.name)


OWN = frozenset(one.name for one in vars(Contents).values() if isinstance(one, _Inside))
"""What a run holds of ours."""


def most_bytes(path: PurePath) -> int:
    """The largest file that is read under a name."""
    return _MOST_BYTES.get(path.name) or _MOST_BYTES.get(path.suffix, _MOST_OF_OTHERS)


def _reason(error: Exception) -> str:
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return next(iter(str(error).splitlines()), "") or type(error).__name__
