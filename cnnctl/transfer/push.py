"""A run to another place."""

from collections.abc import Callable
from dataclasses import dataclass

from cnnctl.errors import UsageError
from cnnctl.formatting import printable
from cnnctl.runs import Run
from cnnctl.transfer.places import Folder, place_of
from cnnctl.transfer.sums import SUMS, digests_of, names_of


@dataclass(frozen=True)
class Pushed:
    """What was sent.

    Attributes:
        target: The place.
        files: The names of the files in it, without SHA256SUMS.
        size: Their bytes.
        has_card: Whether a model card is among them.
    """

    target: str
    files: tuple[str, ...]
    size: int
    has_card: bool


def push(
    run: Run,
    target: str,
    *,
    overwrite: bool = False,
    only_model: bool = False,
    public: bool = False,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> Pushed:
    """Send a complete run to a folder, to what fsspec reaches, or to Hugging Face's hub, with a list of its SHA-256.

    Checkpoints and what trackers wrote stay here; with `only_model` so does what names or shows images. `progress`
    gets (files sent, files in all).

    Raises:
        RunError: the run is not complete, or has a link in it; or the place cannot be reached.
        UsageError: something is there already; `overwrite` replaces what cnnctl pushed.
        MachineError: a package is missing, or it cannot be written.
    """
    run.refuse_links(deep=True)
    for path in (run.metrics, run.classes, run.keras_model):
        run.need(path)
    place = place_of(target, public)
    stale = place.names()
    if stale and not overwrite:
        raise UsageError(f"{printable(target)} is not empty", "--overwrite replaces what cnnctl push put there")
    if stale and SUMS not in stale and isinstance(place, Folder):  # it may be somebody's photos
        raise UsageError(f"{printable(target)} is not empty, and cnnctl push did not fill it", "choose another folder")
    names = names_of(run, only_model)
    done: list[str] = []

    def told(name: str) -> None:
        done.append(name)
        progress(len(done), len(names))

    digests = digests_of(run, names)
    place.put(run, digests, stale, told)
    size = sum((run.path / name).stat().st_size for name in names)
    return Pushed(target, tuple(names), size, run.card.name in names)
