"""Where an exported file goes: nothing is overwritten, and it is there as a whole or not at all."""

import os
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from cnnctl.errors import DiskError, MachineError, UsageError
from cnnctl.exporting.formats import FORMATS, Format
from cnnctl.system import files

_HINT = "choose another place with --output PATH"


def default_path(title: str, form: Format, quantization: str | None) -> Path:
    """`digits-3-int8.tflite` in the current folder for the run `digits 3`."""
    name = title.replace(" ", "-")
    return Path(f"{name}-{quantization}{form.ending}" if quantization else f"{name}{form.ending}")


def description_of(path: Path) -> Path:
    """The JSON beside an exported file."""
    return path.with_name(f"{path.name}.json")


def refuse_unfit(path: Path, form: Format) -> None:
    """Raises:
    UsageError: something is there already, or the name does not end as the format's files do.
    MachineError: the path cannot be looked at.
    """
    if not form.is_folder and path.suffix != form.ending:
        raise UsageError(f"{form.title} files end in {form.ending}; received: --output {path}", _mend(path, form))
    if not path.name or path.name == "..":
        raise UsageError(f"--output {path} names no file", _HINT)
    try:
        for there in (path, description_of(path)):
            if _is_there(there):
                raise UsageError(f"{there} already exists; export overwrites nothing", f"{_HINT}, or remove it")
        if path.parent.exists() and not path.parent.is_dir():
            raise UsageError(f"{path.parent} is a file, not a folder", _HINT)
    except OSError as error:
        raise MachineError(f"{path} cannot be used: {error.strerror}", _HINT) from None


def _is_there(path: Path) -> bool:
    """Whether a path is taken, be it by a link to nowhere; unlike pathlib's, it does not hide why it cannot tell."""
    try:
        path.lstat()
    except (FileNotFoundError, NotADirectoryError):
        return False
    return True


def _mend(path: Path, form: Format) -> str:
    meant = next((one for one in FORMATS if not one.is_folder and one.ending == path.suffix), None)
    return f"--format {meant.name} makes such a file" if meant else f"--output {path.name}{form.ending}"


@contextmanager
def staged(path: Path) -> Iterator[Path]:
    """A path of the same name in a folder beside `path`, which is gone at the end of the block.

    Meanwhile Python's temporary files lie in that folder too: Keras and ONNX Runtime make some as large as the model,
    and whatever kills the process should not leave them where nobody looks.

    Raises:
        DiskError: the disk is full, or the folder cannot be written.
    """
    try:
        with files.writing(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            with files.aside_folder(path.parent) as folder:
                before, tempfile.tempdir = tempfile.tempdir, folder
                try:
                    yield Path(folder) / path.name
                finally:
                    tempfile.tempdir = before
    except DiskError as error:
        raise DiskError(error.message, f"free some space, or {_HINT}") from None


def publish(made: Path, path: Path, description: dict[str, object]) -> None:
    """Bring what was staged to its place: the description first, so that no exported file is ever without one.

    Raises:
        OSError, DiskError: it cannot be written; then nothing is left.
    """
    beside = description_of(path)
    if made.is_dir():
        _obey_umask(made)
    for child in made.rglob("*") if made.is_dir() else ():
        _flush(child)
    _flush(made)
    files.write_json(beside, description)
    try:
        made.rename(path)
    except OSError:
        beside.unlink(missing_ok=True)
        raise
    with suppress(OSError):  # it is there; only its name may be lost with the power
        _flush(path.parent)


def _obey_umask(made: Path) -> None:
    """Give a folder and those in it the mode of one that we make: TensorFlow's are 0755 where a group may write."""
    ours = made.with_name("ours")
    ours.mkdir()
    mode = stat.S_IMODE(ours.stat().st_mode)
    ours.rmdir()
    for folder in (made, *(child for child in made.rglob("*") if child.is_dir())):
        folder.chmod(mode)


def size_of(path: Path) -> int:
    """Bytes of a file, or of all files in a folder."""
    if path.is_dir():
        return sum(child.stat().st_size for child in path.rglob("*") if child.is_file())
    return path.stat().st_size


def _flush(path: Path) -> None:
    """Bring a file, or a folder's names, to the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
