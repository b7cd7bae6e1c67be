"""A run from another place: what its list names, each file compared with its SHA-256."""

import hashlib
import re
from collections.abc import Callable
from pathlib import Path, PurePosixPath

from cnnctl.errors import RunError
from cnnctl.runs import Run, create_run
from cnnctl.runs.contents import most_bytes
from cnnctl.system import files
from cnnctl.transfer.places import HUB, Place, place_of, reaching
from cnnctl.transfer.sums import MOST_BYTES, SUMS, parse

_BLOCK = 2**20
_UNFIT = re.compile(r"[^\w.-]+")


def pull(
    source: str, output: Path | None = None, progress: Callable[[int, int], None] = lambda done, total: None
) -> Run:
    """Bring a run that `push` sent to the new folder `output`, or to runs/NAME/NUMBER; it is whole or not there.

    Nothing is taken but what a run has, up to the size that cnnctl reads, and with the SHA-256 of the list. It is a
    stranger's run all the same, and is read as one. `progress` gets (files done, files in all).

    Raises:
        RunError: there is none, it is not whole, or a file is not what the list says.
        UsageError: `output` is not empty.
        MachineError: a package is missing, or it cannot be written.
    """
    place = place_of(source)
    digests = parse(_list(place), source)
    run = create_run(_name(source), output)
    try:
        with (
            files.writing(run.path),
            files.aside_folder(files.absolute(run.path).parent) as aside,
        ):
            made = Path(aside) / "made"
            for number, (name, digest) in enumerate(digests.items(), start=1):
                with reaching(place.address):
                    _copy(place, name, digest, made / name)
                progress(number, len(digests))
            Run(made).read_classes()
            made.rename(run.path)
    except BaseException:
        if not any(run.path.iterdir()):
            run.path.rmdir()
        raise
    return run


def _list(place: Place) -> bytes:
    hint = "cnnctl push writes it last: what has none was not pushed, or not to the end"
    if SUMS not in place.names():
        raise RunError(f"{place.address} has no {SUMS}", hint)
    with reaching(place.address), place.open(SUMS, MOST_BYTES) as file:
        return bytes(file.read(MOST_BYTES))


def _copy(place: Place, name: str, digest: str, path: Path) -> None:
    most, found, taken = most_bytes(PurePosixPath(name)), hashlib.sha256(), 0
    with place.open(name, most) as source, files.replacing_bytes(path) as file:
        for block in iter(lambda: source.read(_BLOCK), b""):
            taken += len(block)
            if taken > most:
                raise RunError(f"{name} of {place.address} has more than the {most:,} bytes that cnnctl reads")
            found.update(block)
            file.write(block)
        if found.hexdigest() != digest:
            raise RunError(f"{name} of {place.address} is not what its {SUMS} says", "push the run again")


def _name(source: str) -> str:
    """What the run is called here: the last part of where it comes from."""
    last = source.removeprefix(HUB).partition("@")[0].rstrip("/").rpartition("/")[2]
    return _UNFIT.sub("-", last).strip(".-") or "pulled"
